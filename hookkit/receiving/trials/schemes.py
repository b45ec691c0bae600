"""Trials of the scheme: another unit of time, another hash, another sender, another text."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterator, Sequence
from dataclasses import replace

from hookkit.core.delivery import Delivery
from hookkit.core.scheme import SigningScheme, UrlScheme
from hookkit.receiving.endpoint import Endpoint
from hookkit.receiving.trials.headers import proof_headers
from hookkit.receiving.trials.secrets import secrets_of
from hookkit.receiving.trials.trial import (
    SENT_ALONG,
    AnyScheme,
    Found,
    Trial,
    schemes_of,
    tolerant,
    tolerating,
    with_schemes,
)
from hookkit.senders import SENDERS
from hookkit.signatures.encodings import from_hex
from hookkit.signatures.keyed_hash import KeyedHash
from hookkit.signatures.public_key import KeyedSignature
from hookkit.signatures.signed_text import UNITS

#: Texts that senders sign, beside the one in the settings.
_TEMPLATES = (
    "{body}",
    "{timestamp}.{body}",
    "{timestamp}:{body}",
    "{timestamp}{body}",
    "v0:{timestamp}:{body}",
    "{url}{body}",
)

#: The headers that senders used before, and still send.
_LEGACY_HEADERS = {"x-hub-signature-256": ("x-hub-signature",)}

_HASH_PREFIX = re.compile(r"(?:sha1|sha256|sha512|v[0-9])=", re.ASCII)

#: The bytes of a digest -> its algorithm.
_ALGORITHMS = {20: "sha1", 32: "sha256", 64: "sha512"}


def unit_trials(endpoint: Endpoint, delivery: Delivery) -> Iterator[Trial]:
    """Yield the endpoint with each other unit of the signed time."""
    known = {
        each.signed.timestamp_unit
        for each in schemes_of(endpoint)
        if isinstance(each, KeyedHash | KeyedSignature) and "timestamp" in each.signed.names
    }
    for unit in UNITS if known else ():
        if {unit} == known:
            continue

        def read_so(scheme: AnyScheme, unit: str = unit) -> AnyScheme:
            if not isinstance(scheme, KeyedHash | KeyedSignature):
                return scheme
            return replace(scheme, signed=replace(scheme.signed, timestamp_unit=unit))

        text = (
            f"the signed time is written in the unit {unit}, and the scheme in the settings says"
            f' otherwise; set "timestamp_unit": "{unit}" in it'
        )
        yield Trial(Found("time_unit", text), with_schemes(endpoint, read_so), delivery)


def scheme_trials(endpoint: Endpoint, delivery: Delivery) -> Iterator[Trial]:
    """Yield the endpoint with other schemes that the headers of *delivery* speak for."""
    own = schemes_of(endpoint)
    secrets = secrets_of(endpoint)
    for sender in SENDERS.values():
        scheme = sender.scheme
        names = proof_headers(scheme)
        if scheme in own or not any(name in delivery.headers for name in names):
            continue
        if not isinstance(scheme, SENT_ALONG) and _all_usable(scheme, secrets):
            yield _by_preset(sender.name, scheme, endpoint, delivery)
    for each in own:
        if isinstance(each, KeyedHash) and not each.parameter:
            yield from _other_hashes(each, endpoint, delivery)


def _all_usable(scheme: AnyScheme, secrets: Sequence[str]) -> bool:
    try:
        for secret in secrets:
            if isinstance(scheme, SigningScheme):
                scheme.check_secret(secret.encode())
    except ValueError:
        return False
    return bool(secrets)


def _by_preset(name: str, scheme: AnyScheme, endpoint: Endpoint, delivery: Delivery) -> Trial:
    url = next(
        (each.public_url for each in schemes_of(endpoint) if isinstance(each, UrlScheme)), ""
    )
    scheme = scheme.at_url(url) if isinstance(scheme, UrlScheme) and url else scheme
    text = (
        f"it is signed as {name} signs, by a secret of this endpoint, whose settings name another"
        f' scheme; set "scheme": "{name}", or the provider {name}'
    )
    changed = with_schemes(tolerant(endpoint), lambda _: tolerating(scheme))
    return Trial(Found("wrong_scheme", text), changed, delivery)


def _other_hashes(scheme: KeyedHash, endpoint: Endpoint, delivery: Delivery) -> Iterator[Trial]:
    """Yield *scheme* with the algorithm that the length of the signature shows, and other texts."""
    templates = [each for each in _TEMPLATES if _can_fill(scheme, each)]
    for header in (scheme.header, *_LEGACY_HEADERS.get(scheme.header, ())):
        sent = delivery.headers.get(header, "")
        begin = _HASH_PREFIX.match(sent)
        prefix = "" if begin is None else begin[0]
        signature = sent[len(prefix) :]
        found = _algorithm_of(signature)
        if found is None or scheme.separator:
            algorithm, encoding, prefix = scheme.algorithm, scheme.encoding, scheme.prefix
        else:
            algorithm, encoding = found
        for template in (scheme.signed.template, *templates):
            other = replace(
                scheme,
                header=header,
                algorithm=algorithm,
                encoding=encoding,
                prefix=prefix,
                signed=replace(scheme.signed, template=template),
            )
            if other != scheme:
                yield _by_hash(scheme, other, endpoint, delivery)


def _algorithm_of(signature: str) -> tuple[str, str] | None:
    """Return the algorithm and the encoding that *signature* shows by its length; None if none."""
    data, encoding = from_hex(signature.lower()), "hex" if signature.islower() else "HEX"
    if not data:
        try:
            data, encoding = b64decode(signature, validate=True), "base64"
        except ValueError:
            return None
    algorithm = _ALGORITHMS.get(len(data))
    return None if algorithm is None else (algorithm, encoding)


def _can_fill(scheme: KeyedHash, template: str) -> bool:
    """Tell whether a delivery by *scheme* has all parts of *template*."""
    signed = scheme.signed
    is_timed = bool(signed.timestamp_header or signed.timestamp_prefix)
    return ("{timestamp}" not in template or is_timed) and (
        "{url}" not in template or bool(signed.public_url)
    )


def _by_hash(known: KeyedHash, other: KeyedHash, endpoint: Endpoint, delivery: Delivery) -> Trial:
    """Return the trial of *other* in the place of the scheme that is *known*."""
    before = _keys_of(known)
    differing = ", ".join(
        f'"{name}": "{value}"' for name, value in _keys_of(other).items() if value != before[name]
    )
    text = (
        "the secret is right, and the sender signs in another way than the scheme in the settings"
        f" says; correct the scheme: {differing}"
    )

    def changed(scheme: AnyScheme) -> AnyScheme:
        return other if scheme == known else scheme

    return Trial(Found("wrong_scheme", text), with_schemes(endpoint, changed), delivery)


def _keys_of(scheme: KeyedHash) -> dict[str, str]:
    """Return *scheme* as the settings write it."""
    names = ("header", "algorithm", "encoding", "prefix")
    return {**{name: getattr(scheme, name) for name in names}, "signed": scheme.signed.template}
