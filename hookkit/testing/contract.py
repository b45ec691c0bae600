"""``ProviderContract``: what hookkit promises of every vendor, as tests to inherit."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, ClassVar

from hookkit.core.delivery import Delivery, Item
from hookkit.core.errors import HookkitError, Rejected
from hookkit.core.event import Event
from hookkit.core.provider import Provider, normalize, parse, split
from hookkit.core.scheme import lifetime_of
from hookkit.providers import load_providers
from hookkit.receiving.endpoint import Endpoint, Protection
from hookkit.receiving.verification import verify
from hookkit.settings.load import load_settings
from hookkit.testing.hostile import (
    HOSTILE_BODIES,
    HOSTILE_VALUES,
    add_unknown,
    changed_at,
    renamed,
    values_in,
)
from hookkit.testing.payloads import SamplePayload
from hookkit.testing.proofs import (
    Proven,
    other_secret,
    protection_of,
    prove,
    scheme_of,
    secret_of,
    signs_body,
)
from hookkit.testing.samples import list_samples
from hookkit.testing.signing import SignedDelivery, has_private_key

_NAME = "contract"
_NOW = datetime.now(UTC).replace(microsecond=0)

#: What is said of an item that its provider could not read, since it raised.
_RAISED = re.compile(r"\w+ while it was (read|taken apart)")


class ProviderContract:
    """Tests of a vendor of yours: inherit from it, and say how an endpoint of it is set.

    ::

        class TestShop(ProviderContract):
            settings = {"provider": "generic", "secrets": ["..."], "scheme": {...}, ...}
            payloads = [{"event": {"id": "1", "kind": "order.created"}}]

    Attributes:
        settings: The endpoint, as ``HOOKKIT_ENDPOINTS`` has it.
        provider: A ``Provider`` that is not installed under the entry point yet; its name is
            ``settings["provider"]``.
        payloads: What the vendor sends, each a document, bytes or a ``SamplePayload``. None takes
            the samples of the provider.
        secret: The private key, of a vendor that signs with one.
    """

    settings: ClassVar[Mapping[str, Any]] = {}
    provider: ClassVar[Provider | None] = None
    payloads: ClassVar[Sequence[Mapping[str, Any] | bytes | SamplePayload] | None] = None
    secret: ClassVar[str | None] = None

    def test_signed_delivery_is_accepted(self) -> None:
        for payload in self._payloads():
            self._verify(payload, self._prove(payload))

    def test_delivery_whose_body_was_changed_is_refused(self) -> None:
        for payload in self._payloads():
            if signs_body(self._endpoint, self._protection(payload)):
                proven = self._prove(payload)
                changed = replace(proven.sent, body=proven.sent.body + b" ")
                self._refused(payload, proven._replace(sent=changed), "with a changed body")

    def test_delivery_without_a_proof_is_refused(self) -> None:
        for payload in self._payloads():
            if not self._protection(payload).is_open:
                sent = SignedDelivery(body=payload.body, headers=payload.headers)
                self._refused(payload, Proven(sent, None), "without a proof")

    def test_delivery_with_another_secret_is_refused(self) -> None:
        for payload in self._payloads():
            if self._has_secret(payload):
                secret = other_secret(self.secret or secret_of(self._endpoint, payload))
                proven = prove(self._endpoint, payload, secret, _NOW)
                self._refused(payload, proven, "with another secret")

    def test_delivery_that_was_signed_long_ago_is_refused(self) -> None:
        for payload in self._payloads():
            scheme = scheme_of(self._endpoint, self._protection(payload))
            lifetime_s = lifetime_of([scheme])
            if self._has_secret(payload) and lifetime_s:
                late_by = timedelta(seconds=lifetime_s + 60)
                proven = prove(self._endpoint, payload, self.secret, _NOW - late_by)
                self._refused(payload, proven, f"that was signed {late_by} ago")

    def test_same_delivery_has_the_same_event_ids(self) -> None:
        for payload in self._payloads():
            proven = self._prove(payload)
            ids, later = (
                # Without an id and a time, the time of arrival is part of it.
                [each.event_id for each in items if each.repeat_after_s is None]
                for items in (
                    self._items(payload, proven),
                    self._items(payload, proven, _NOW + timedelta(seconds=7)),
                )
            )
            if ids != later:
                raise AssertionError(
                    f"{payload.name}: sent again, it has the ids {later} and not {ids}"
                )

    def test_events_of_one_delivery_have_ids_of_their_own(self) -> None:
        for payload in self._payloads():
            ids = [each.event_id for each in self._items(payload, self._prove(payload))]
            if len(set(ids)) < len(ids):
                raise AssertionError(f"{payload.name}: two of its events have one id: {ids}")

    def test_unknown_fields_change_nothing(self) -> None:
        for payload in self._payloads():
            document = copy.deepcopy(payload.document)
            add_unknown(document, everywhere=not payload.is_form)
            kinds, with_unknown = (
                [(each.type, each.version) for each in self._read(one)]
                for one in (payload, replace(payload, document=document, given=None))
            )
            if kinds != with_unknown:
                raise AssertionError(
                    f"{payload.name}: with unknown fields it is {with_unknown}, not {kinds}"
                )

    def test_unknown_types_are_kept(self) -> None:
        for payload in self._payloads():
            for item in self._items(payload, self._prove(payload)):
                unheard_of = renamed(payload, item.vendor_type)
                if unheard_of is not None and not self._read(unheard_of):
                    raise AssertionError(f"{payload.name}: of an unknown type, it has no event")

    def test_hostile_values_are_read(self) -> None:
        for payload in self._payloads():
            for number, (path, _) in enumerate(values_in(payload.document)):
                value = HOSTILE_VALUES[number % len(HOSTILE_VALUES)]
                document = changed_at(payload.document, path, value)
                self._read(replace(payload, document=document, given=None))

    def test_hostile_bodies_are_refused_or_kept(self) -> None:
        like = self._payloads()[0]
        for body in HOSTILE_BODIES:
            hostile = replace(like, name=repr(body[:20]), document={}, given=body)
            try:
                proven = self._prove(hostile)
            except HookkitError:  # a scheme cannot put its proof into everything
                proven = Proven(SignedDelivery(body=body, headers=like.headers), None)
            try:
                items = self._items(hostile, proven)
            except Rejected:
                continue
            self._read_all(hostile, items)

    # What the tests are made of

    @cached_property
    def _proofs(self) -> dict[str, Mapping[str, str]]:
        """Payload -> the headers of its proof; a signature takes longer than all the rest."""
        return {}

    @cached_property
    def _endpoint(self) -> Endpoint:
        if not self.settings:
            raise HookkitError(
                f"{type(self).__name__}.settings: say how an endpoint of the vendor is set, as"
                ' HOOKKIT_ENDPOINTS has it: {"provider": ..., "secrets": [...]}'
            )
        providers = dict(load_providers())
        if self.provider is not None:
            providers[self.provider.name] = self.provider
        config = {"HOOKKIT_ENDPOINTS": {_NAME: dict(self.settings)}}
        return load_settings(config, providers).endpoints[_NAME]

    def _payloads(self) -> Sequence[SamplePayload]:
        provider = self._endpoint.provider
        if self.payloads is None:
            found = [
                SamplePayload(
                    provider=provider,
                    version=sample.version,
                    name=f"{sample.version} {sample.name}",
                    document=dict(provider.decode(sample.body)),
                    headers=sample.headers if provider.samples else {},
                    like=sample.body,
                )
                for sample in list_samples(provider)
            ]
        else:
            found = [
                _as_payload(provider, number, given) for number, given in enumerate(self.payloads)
            ]
        if not found:
            raise HookkitError(f"{type(self).__name__}.payloads: name at least one payload")
        return found

    def _protection(self, payload: SamplePayload) -> Protection:
        return protection_of(self._endpoint, payload)

    def _has_secret(self, payload: SamplePayload) -> bool:
        protection = self._protection(payload)
        scheme = scheme_of(self._endpoint, protection)
        return protection.secrets is not None and not has_private_key(scheme)

    def _prove(self, payload: SamplePayload) -> Proven:
        return prove(self._endpoint, payload, self.secret, _NOW)

    def _verify(self, payload: SamplePayload, proven: Proven, at: datetime | None = None) -> Any:
        delivery = Delivery(
            endpoint=_NAME,
            body=proven.sent.body,
            headers={name.lower(): value for name, value in proven.sent.headers.items()},
            received_at=at or _NOW,
            path_token=proven.path_token,
        )
        return verify(self._endpoint, delivery)[0]

    def _refused(self, payload: SamplePayload, proven: Proven, how: str) -> None:
        try:
            self._verify(payload, proven)
        except Rejected:
            return
        raise AssertionError(f"{payload.name}: a delivery {how} is accepted")

    def _items(
        self, payload: SamplePayload, proven: Proven, at: datetime | None = None
    ) -> Sequence[Item]:
        endpoint = self._endpoint
        verified = self._verify(payload, proven, at)
        return parse(endpoint.provider, verified, max_items=endpoint.max_items).items

    def _read(self, payload: SamplePayload) -> Sequence[Event]:
        """Return the events of *payload*, proven as the one that it was made of."""
        provider = self._endpoint.provider
        if payload.name not in self._proofs:
            self._proofs[payload.name] = self._prove(payload).sent.headers
        headers = {**self._proofs[payload.name], **payload.headers}
        items = split(
            provider,
            endpoint=_NAME,
            body=payload.body,
            headers=provider.keep({name.lower(): value for name, value in headers.items()}),
            received_at=_NOW,
            max_items=self._endpoint.max_items,
        )
        return self._read_all(payload, items)

    def _read_all(self, payload: SamplePayload, items: Sequence[Item]) -> Sequence[Event]:
        events = [normalize(self._endpoint.provider, item) for item in items]
        for item, event in zip(items, events, strict=True):
            raised = [one for one in (item.problem or "", *event.problems) if _RAISED.search(one)]
            if raised:
                raise AssertionError(f"{payload.name}: {raised[0]}: {payload.document}")
        return events


def _as_payload(
    provider: Provider, number: int, given: Mapping[str, Any] | bytes | SamplePayload
) -> SamplePayload:
    if isinstance(given, SamplePayload):
        return given
    name = f"payloads[{number}]"
    if isinstance(given, bytes):
        document = dict(provider.decode(given))
        return SamplePayload(
            provider=provider, version="", name=name, document=document, like=given
        )
    return SamplePayload(provider=provider, version="", name=name, document=dict(given))
