"""Delivers to an application as a vendor would: signed as the settings ask, or not at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, TypeAlias

from hookkit import signals
from hookkit.application.app_state import rule_name
from hookkit.core.entry import Filter, Receipt
from hookkit.core.errors import BodyUnreadable, HookkitError, not_known
from hookkit.core.provider import Provider
from hookkit.inbox.records import EntryRecord
from hookkit.receiving.endpoint import Endpoint
from hookkit.testing.payloads import PayloadMaker, SamplePayload
from hookkit.testing.proofs import (
    Proven,
    content_type_of,
    other_secret,
    protection_of,
    prove,
    secret_of,
    signs_body,
)
from hookkit.testing.signing import SignedDelivery
from hookkit.testing.stage import Stage

#: What ``hookkit_sample`` returns, or a document or bytes of the test's own.
Deliverable: TypeAlias = SamplePayload | Mapping[str, Any] | bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """What a delivery came to.

    Attributes:
        endpoint: The endpoint's name.
        status: The HTTP status of the answer.
        code: The word in the answer, such as ``accepted`` or ``signature_mismatch``; empty if
            something else than hookkit has answered.
        new: How many events were new.
        duplicates: How many had come before.
        text: The body of the answer.
        sent: The body and the headers that were sent.
        path: The path that they were sent to.
        entry_ids: The entries that hold the events, new or older.
    """

    endpoint: str
    status: int
    code: str
    new: int
    duplicates: int
    text: str = field(repr=False)
    sent: SignedDelivery = field(repr=False)
    path: str = field(repr=False)
    entry_ids: tuple[int, ...]
    stage: Stage = field(repr=False)

    @property
    def entries(self) -> Sequence[EntryRecord]:
        """The entries that hold the events, as they stand now; in the payload's order."""
        if not self.entry_ids:
            return []
        found = self.stage.inbox.find(Filter(entry_ids=self.entry_ids), limit=len(self.entry_ids))
        return sorted(found, key=lambda entry: self.entry_ids.index(entry.id))

    @property
    def failures(self) -> Sequence[str]:
        """The handlers that failed so far, each as ``name: error``."""
        return [
            f"{attempt.handler}: {attempt.error}"
            for entry in self.entries
            for attempt in entry.attempts
            if attempt.error is not None
        ]


class DeliveryClient:
    """Delivers to one application; the fixture ``hookkit_client`` is one.

    The handlers have run when a method returns.

    Args:
        stage: The application.
        payloads: Makes the payload where a test names none.
        secrets: Endpoint -> the secret or the private key to sign with, where the settings do
            not hold it.

    Attributes:
        sent: Everything that was delivered, oldest first.
    """

    def __init__(self, stage: Stage, payloads: PayloadMaker, secrets: Mapping[str, str]) -> None:
        self.stage = stage
        self.sent: list[Delivered] = []
        self._payloads = payloads
        self._secrets = secrets
        self._client = stage.app.test_client()

    def deliver(
        self,
        endpoint: str,
        payload: Deliverable | None = None,
        *,
        secret: str | None = None,
        late_by: timedelta = timedelta(0),
    ) -> Delivered:
        """Deliver *payload*, signed as the settings of *endpoint* ask.

        Args:
            endpoint: Its name in ``HOOKKIT_ENDPOINTS``.
            payload: What ``hookkit_sample`` returns, or a document or bytes of your own; None is
                a customer's text message.
            secret: The secret, or the vendor's private key; None takes the newest of the settings.
            late_by: How long ago it was signed. More than the endpoint tolerates is refused.

        Raises:
            HookkitError: There is no such endpoint, or nothing to sign with; the message says
                what to do.
        """
        found = self._endpoint(endpoint)
        draft = self._draft(found, payload)
        return self._post(found, *self._proven(found, draft, secret, late_by))

    def redeliver(self, delivered: Delivered | None = None) -> Delivered:
        """Send the same request once more, byte for byte; None repeats the last one."""
        if delivered is None and not self.sent:
            raise HookkitError("redeliver() repeats a delivery: call deliver() before it")
        before = self.sent[-1] if delivered is None else delivered
        return self._send(before.endpoint, before.path, before.sent)

    def deliver_reordered(self, endpoint: str, *payloads: Deliverable) -> Sequence[Delivered]:
        """Deliver *payloads* one by one, the last one first; return them in their own order."""
        return [self.deliver(endpoint, each) for each in reversed(payloads)][::-1]

    def deliver_tampered(self, endpoint: str, payload: Deliverable | None = None) -> Delivered:
        """Deliver *payload* with a body that was changed after it was signed.

        Raises:
            HookkitError: Nothing at *endpoint* proves the body: the change would not be seen.
        """
        found = self._endpoint(endpoint)
        draft = self._draft(found, payload)
        if not signs_body(found, protection_of(found, draft)):
            raise HookkitError(
                f"endpoint {endpoint!r}: no proof of {found.provider.name} covers the body there,"
                " so that a changed one is accepted; try deliver_unsigned() or deliver_forged()"
            )
        sent, path_token = self._proven(found, draft)
        return self._post(found, replace(sent, body=sent.body + b" "), path_token)

    def deliver_unsigned(self, endpoint: str, payload: Deliverable | None = None) -> Delivered:
        """Deliver *payload* without any proof."""
        found = self._endpoint(endpoint)
        draft = self._draft(found, payload)
        if draft.given is None:
            # A sample has a place for a secret in the body, and something in it.
            secrets = found.provider.blanked
            kept = {name: each for name, each in draft.document.items() if name not in secrets}
            draft = replace(draft, document=kept)
        headers = {"content-type": content_type_of(draft), **draft.headers}
        return self._post(found, SignedDelivery(body=draft.body, headers=headers), None)

    def deliver_forged(self, endpoint: str, payload: Deliverable | None = None) -> Delivered:
        """Deliver *payload* as somebody who does not know the secret.

        Raises:
            HookkitError: The vendor signs with its own key: call ``deliver`` with another one.
        """
        found = self._endpoint(endpoint)
        draft = self._draft(found, payload)
        secret = secret_of(found, draft)
        return self.deliver(endpoint, draft, secret=other_secret(secret))

    def _endpoint(self, name: str) -> Endpoint:
        endpoints = self.stage.state.settings.endpoints
        if name not in endpoints:
            raise HookkitError(
                f"endpoint {not_known(name, endpoints or ['none'])}; the setting HOOKKIT_ENDPOINTS"
                " of the application names them"
            )
        return endpoints[name]

    def _draft(self, endpoint: Endpoint, payload: Deliverable | None) -> SamplePayload:
        provider = endpoint.provider
        if payload is None:
            return self._payloads(provider.name)
        if isinstance(payload, bytes):
            return _of_bytes(provider, payload)
        if not isinstance(payload, SamplePayload):
            return SamplePayload(
                provider=provider, version="", name="given", document=dict(payload)
            )
        if payload.provider.name != provider.name:
            raise HookkitError(
                f"endpoint {endpoint.name!r} is of {provider.name}, and the payload of"
                f" {payload.provider.name}: call hookkit_sample({provider.name!r})"
            )
        return payload

    def _proven(
        self,
        endpoint: Endpoint,
        payload: SamplePayload,
        secret: str | None = None,
        late_by: timedelta = timedelta(0),
    ) -> Proven:
        secret = self._secrets.get(endpoint.name) if secret is None else secret
        with self.stage.app.app_context():  # a callable of the settings may need it
            return prove(endpoint, payload, secret, self.stage.moment - late_by)

    def _post(self, endpoint: Endpoint, sent: SignedDelivery, path_token: str | None) -> Delivered:
        return self._send(endpoint.name, self._path(endpoint, path_token), sent)

    def _path(self, endpoint: Endpoint, path_token: str | None) -> str:
        """Return the path of *endpoint* in the application."""
        name = rule_name(endpoint)
        rules = [
            each.rule
            for each in self.stage.app.url_map.iter_rules()
            if each.endpoint.rpartition(".")[2] == name and "<" not in each.rule
        ]
        return rules[0] if path_token is None else f"{rules[0]}/{path_token}"

    def _send(self, endpoint: str, path: str, sent: SignedDelivery) -> Delivered:
        receipts: list[Receipt] = []

        def note(_: object, *, receipt: Receipt, **__: object) -> None:
            receipts.append(receipt)

        with signals.delivery_accepted.connected_to(note, sender=self.stage.app):
            answer = self._client.post(path, data=sent.body, headers=dict(sent.headers))
        said = answer.get_json(silent=True)
        known: Mapping[str, Any] = said if isinstance(said, dict) else {}
        receipt = receipts[0] if receipts else Receipt()
        delivered = Delivered(
            endpoint=endpoint,
            status=answer.status_code,
            code=str(known.get("code", "")),
            new=receipt.new_count,
            duplicates=receipt.duplicate_count,
            text=answer.get_data(as_text=True),
            sent=sent,
            path=path,
            entry_ids=tuple(each.entry_id for each in receipt.admitted),
            stage=self.stage,
        )
        self.sent.append(delivered)
        return delivered


def _of_bytes(provider: Provider, body: bytes) -> SamplePayload:
    try:
        document = dict(provider.decode(body))
    except BodyUnreadable:
        document = {}
    return SamplePayload(provider=provider, version="", name="given", document=document, given=body)
