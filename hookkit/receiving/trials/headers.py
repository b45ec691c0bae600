"""Trials of the headers: what they may have been before something changed them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

from hookkit.core.delivery import Delivery
from hookkit.receiving.endpoint import Endpoint
from hookkit.receiving.trials.spellings import header_spellings
from hookkit.receiving.trials.trial import AnyScheme, Found, Trial, schemes_of
from hookkit.signatures.hashed_token import HashedToken
from hookkit.signatures.keyed_hash import KeyedHash
from hookkit.signatures.public_key import KeyedSignature
from hookkit.signatures.set_token import SetToken
from hookkit.signatures.shared_secret import BasicCredentials, SharedSecretHeader
from hookkit.signatures.standard_webhooks import HEADERS, StandardWebhooks

#: So many headers are looked at, and so many of them tried in the place of one that is missing.
MAX_HEADERS = 100
MAX_RENAMED = 8

#: No proof is longer.
MAX_VALUE_CHARS = 4096

_NAME = re.compile(r"[a-z0-9_-]{1,64}")

#: Words in the names of headers that may hold a proof.
_PROVING_WORDS = {"signature", "sign", "hmac", "token", "secret", "key", "auth", "authorization"}


def header_trials(endpoint: Endpoint, delivery: Delivery, missing: str) -> Iterator[Trial]:
    """Yield what the headers of *delivery* may have been before something changed them.

    Args:
        missing: The header that the refusal names as missing; empty if it names none.
    """
    if missing:
        yield from _renamed(endpoint, delivery, missing)
        return
    for scheme in schemes_of(endpoint):
        prefix = scheme.prefix if isinstance(scheme, KeyedHash) else ""
        for name in proof_headers(scheme):
            value = delivery.headers.get(name, "")
            for spelling in header_spellings(value[:MAX_VALUE_CHARS], prefix) if value else ():
                text = (
                    f"the header {name} {spelling.fault}; the proof in it is right: correct what"
                    " changes the header on the way, or the scheme in the settings"
                )
                yield _with_header(
                    Found("header_form", text), endpoint, delivery, name, spelling.text
                )


def _renamed(endpoint: Endpoint, delivery: Delivery, missing: str) -> Iterator[Trial]:
    words = set(missing.split("-")) - {"x"} | _PROVING_WORDS
    names = islice(delivery.headers, MAX_HEADERS)
    likely = [
        name
        for name in names
        if _NAME.fullmatch(name) and words & set(name.replace("_", "-").split("-"))
    ]
    for name in likely[:MAX_RENAMED]:
        value = delivery.headers.get(name, "")[:MAX_VALUE_CHARS]
        text = (
            f"the proof came in the header {name} and not in {missing}; something on the way"
            " renames headers: have it pass them on as they are"
        )
        for each in dict.fromkeys((value, value.removeprefix("Bearer "))):
            yield _with_header(Found("header_renamed", text), endpoint, delivery, missing, each)


def _with_header(
    found: Found, endpoint: Endpoint, delivery: Delivery, name: str, value: str
) -> Trial:
    headers = {**{each: delivery.headers.get(each, "") for each in delivery.headers}, name: value}
    return Trial(found, endpoint, replace(delivery, headers=headers))


def proof_headers(scheme: AnyScheme) -> tuple[str, ...]:
    """Return the headers that hold the proof by *scheme*, in lower case; none if none does."""
    if isinstance(scheme, KeyedHash | KeyedSignature | HashedToken | SharedSecretHeader):
        return tuple(filter(None, scheme.header.split(",")))
    if isinstance(scheme, SetToken):
        return (scheme.token.header,)
    if isinstance(scheme, StandardWebhooks):
        return tuple(f"{name}-signature" for name in HEADERS)
    return ("authorization",) if isinstance(scheme, BasicCredentials) else ()
