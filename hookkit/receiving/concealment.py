"""What is kept of a delivery whose sender is not proven: enough to prove it later, and no secret.

Rule 1: a secret that was sent along is kept as a hash with a salt of its own, wherever it lies.
    ``verify`` then compares the hashes of the endpoint's secrets.
Rule 2: a signature is kept as it came, since nothing else can prove these bytes later.
Rule 3: a header is kept as it came if a scheme of the endpoint reads it, if it is kept of every
    delivery, or if its name says that it is harmless. Of any other header the value is hashed.
Rule 4: a body that was too large to be decoded without a proof is not decoded here either.
"""

from __future__ import annotations

import contextlib
import re
import secrets
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import NamedTuple, cast

from hookkit.core.body import (
    BLANK,
    MAX_UNPROVEN_BYTES,
    Headers,
    decode_body,
    encode_body,
    replace_texts,
)
from hookkit.core.delivery import Delivery
from hookkit.core.errors import BodyUnreadable, HookkitError, Rejected
from hookkit.core.ids import hidden_secret
from hookkit.core.scheme import KeyScheme, Scheme, SendsSecret, SigningScheme
from hookkit.receiving.endpoint import Endpoint
from hookkit.receiving.verification import BESIDE

#: A delivery with more headers, or more characters in them, is not kept.
MAX_HEADERS = 100
MAX_HEADER_CHARS = 16 << 10

#: Headers that hold no secret, and show what a request went through on its way.
_HARMLESS = frozenset(
    {"content-type", "content-encoding", "content-length", "transfer-encoding", "user-agent"}
)
#: Names of headers that probably hold a signature or its time, whatever the settings name.
_SIGNATURE_NAMES = re.compile(r"signature|hmac|timestamp|digest")

#: Longer than any delivery can be late.
_FOR_EVER_S = 1e11


class _Asked(NamedTuple):
    """A scheme that an endpoint asks for, and the secrets that it is given."""

    scheme: Scheme | KeyScheme
    secrets: list[bytes]


def concealed(endpoint: Endpoint, delivery: Delivery) -> Delivery | None:
    """Return *delivery* as it may be kept; None if that is not possible."""
    headers, salt = dict(delivery.headers), secrets.token_bytes(16)
    if len(headers) > MAX_HEADERS or sum(map(len, headers.values())) > MAX_HEADER_CHARS:
        return None
    sent = replace(delivery, headers=headers, document=None, salt=salt)
    all_asked = list(_all_asked(endpoint))
    sending = [each.scheme for each in all_asked if isinstance(each.scheme, SendsSecret)]
    signing = [each for each in all_asked if not isinstance(each.scheme, SendsSecret)]
    body = _kept_body(endpoint, sent, [each.scheme for each in signing])
    if body is None:
        return None
    is_in_query = any(_reads_query(each.scheme) for each in signing)
    kept = replace(
        sent,
        body=body,
        headers=_kept_headers(endpoint, sent, signing, has_signature=not sending),
        path_token=None,
        query=sent.query if is_in_query else "",
    )
    for scheme in sending:
        with contextlib.suppress(Rejected):  # no secret was sent that this scheme could read
            kept = _with_hidden(kept, sent, scheme.conceal(sent))
    return kept


def _with_hidden(kept: Delivery, sent: Delivery, hidden: Delivery) -> Delivery:
    """Return *kept* with what differs between *sent* and *hidden*."""
    changed = {
        name: value for name, value in hidden.headers.items() if sent.headers.get(name) != value
    }
    return replace(
        kept,
        headers={**kept.headers, **changed},
        query=kept.query if hidden.query == sent.query else hidden.query,
        path_token=(kept.path_token if hidden.path_token == sent.path_token else hidden.path_token),
    )


def _all_asked(endpoint: Endpoint) -> Iterator[_Asked]:
    """Yield each scheme that *endpoint* asks for, once.

    Raises:
        Unavailable: The secrets cannot be had.
    """
    seen: list[object] = []
    for protection in endpoint.protections:
        asked: dict[str, Scheme | KeyScheme] = {
            name: cast("Scheme", beside)
            for name, beside in BESIDE.items()
            if getattr(protection, name) is not None
        }
        if protection.secrets is not None:
            asked["secrets"] = cast("Scheme", protection.scheme or endpoint.provider.scheme)
        if protection.keys is not None:
            asked["keys"] = cast("KeyScheme", endpoint.provider.scheme)
        for setting, scheme in asked.items():
            if scheme in seen:
                continue
            seen.append(scheme)
            is_secret = setting != "keys"
            candidates = endpoint.candidates_of_all(protection, setting) if is_secret else None
            yield _Asked(scheme, [] if candidates is None else candidates.secrets)


def _kept_headers(
    endpoint: Endpoint, sent: Delivery, signing: list[_Asked], *, has_signature: bool
) -> Headers:
    """Return the headers of *sent*, those that could hold a secret hashed.

    Args:
        has_signature: Whether nothing but signatures is asked for: then a header with such a name
            holds one, even if the settings name another header.
    """
    as_sent = _HARMLESS.union(
        endpoint.provider.keep(sent.headers), *(_names_read(each, sent) for each in signing)
    )
    return {
        name: value
        if name in as_sent or (has_signature and _SIGNATURE_NAMES.search(name))
        else _hash(value, sent)
        for name, value in sent.headers.items()
    }


def _hash(text: str, sent: Delivery) -> str:
    return hidden_secret(text.encode("latin-1", "backslashreplace"), sent.salt or b"")


def _names_read(asked: _Asked, delivery: Delivery) -> set[str]:
    """Return the names of the headers that a scheme reads of *delivery*, however late that is."""
    read = _NotedHeaders(delivery.headers)
    noted = replace(delivery, headers=read, document=None)
    scheme = asked.scheme
    with contextlib.suppress(HookkitError):  # it was refused: what was read until then counts
        if isinstance(scheme, KeyScheme):
            scheme.tolerating(_FOR_EVER_S).read_proof(noted)
        elif isinstance(scheme, SigningScheme):
            scheme.tolerating(_FOR_EVER_S).verify(noted, asked.secrets)
        else:
            scheme.verify(noted, asked.secrets)
    return read.names


class _NotedHeaders(Mapping[str, str]):
    """The headers of a request; notes the names of those that are there and read.

    Attributes:
        names: The names.
    """

    def __init__(self, headers: Headers) -> None:
        self._headers = headers
        self.names: set[str] = set()

    def __getitem__(self, name: str) -> str:
        value = self._headers[name]
        self.names.add(name)
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self._headers)

    def __len__(self) -> int:
        return len(self._headers)


def _reads_query(scheme: object) -> bool:
    """Tell whether a signature lies in the query, or over it."""
    return bool(getattr(scheme, "signs_url", False) or getattr(scheme, "parameter", ""))


def _kept_body(
    endpoint: Endpoint, sent: Delivery, signing: Collection[Scheme | KeyScheme]
) -> bytes | None:
    """Return the body with every secret that lies in it hashed, see ``Provider.blanked``.

    None if the body may hold a secret and is signed: a hash in it would break the signature.
    """
    keys = endpoint.provider.blanked
    if not keys:
        return sent.body
    if any(isinstance(each, SigningScheme) and each.covers_body for each in signing):
        return None
    hide = partial(hidden_secret, salt=sent.salt or b"")
    if len(sent.body) > MAX_UNPROVEN_BYTES:
        return replace_texts(sent.body, keys, hide)
    try:
        document = decode_body(sent.body)
    except BodyUnreadable:
        return replace_texts(sent.body, keys, hide)
    hidden = {
        key: hide(text.encode(errors="surrogatepass")) if isinstance(text, str) else BLANK
        for key in keys
        if (text := document.get(key)) is not None
    }
    return encode_body({**document, **hidden}) if hidden else sent.body
