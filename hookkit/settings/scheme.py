"""The setting ``scheme`` of an endpoint: how its sender signs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

from marshmallow import ValidationError

from hookkit.core.scheme import Scheme
from hookkit.senders import SENDERS
from hookkit.signatures.hashed_token import HashedToken
from hookkit.signatures.keyed_hash import KeyedHash
from hookkit.signatures.public_key import KeyedSignature
from hookkit.signatures.shared_secret import (
    BasicCredentials,
    SharedSecretField,
    SharedSecretHeader,
    SharedSecretQuery,
)
from hookkit.signatures.signed_items import SignedItems
from hookkit.signatures.signed_text import SignedText
from hookkit.signatures.standard_webhooks import StandardWebhooks

#: ``"scheme": {"type": ...}`` -> the class whose attributes the other keys name.
SCHEMES: Mapping[str, type[Any]] = {
    "hmac": KeyedHash,
    "public_key": KeyedSignature,
    "standard": StandardWebhooks,
    "token": HashedToken,
    "items": SignedItems,
    "header": SharedSecretHeader,
    "query": SharedSecretQuery,
    "field": SharedSecretField,
    "basic": BasicCredentials,
}

#: Attributes that are no keys of ``scheme``: the template is written as ``signed``, the others
#: are settings of the endpoint.
_ELSEWHERE = {"signed", "template", "tolerance_s", "public_url"}


def read_scheme(declared: object) -> Scheme:
    """Return the scheme that *declared* describes: a mapping, or the name of a sender.

    Raises:
        ValidationError: It describes none; the messages name every key that is wrong.
    """
    if isinstance(declared, str):
        if declared not in SENDERS:
            raise ValidationError(f"{declared!r} is no sender; known are {', '.join(SENDERS)}")
        return SENDERS[declared].scheme
    if not isinstance(declared, Mapping):
        raise ValidationError("must be a mapping, or the name of a sender")
    given = dict(declared)
    kind = SCHEMES.get(str(given.pop("type", "hmac")))
    if kind is None:
        raise ValidationError(f"type: must be one of {', '.join(SCHEMES)}")
    scheme = _make(kind, given)
    if isinstance(scheme, KeyedHash | KeyedSignature | HashedToken | SignedItems):
        _refuse(scheme.mistakes())
    return scheme


def _make(kind: type[Any], given: Mapping[Any, Any]) -> Scheme:
    """Return a scheme of *kind* with the attributes that *given* names."""
    own = _keys_of(kind)
    is_signing = any(each.name == "signed" and each.init for each in fields(kind))
    of_text = _keys_of(SignedText) if is_signing else set()
    _refuse(_mistakes_in(given, own | of_text | ({"signed"} if is_signing else set())))
    values = {
        name: value.lower() if name == "header" or name.endswith("_header") else value
        for name, value in given.items()
    }
    arguments = {name: value for name, value in values.items() if name in own}
    if is_signing:
        parts = {name: value for name, value in values.items() if name in of_text}
        template = values.get("signed", SignedText().template)
        arguments["signed"] = SignedText(template=template, **parts)
    try:
        scheme: Scheme = kind(**arguments)
    except TypeError as error:
        raise ValidationError("a name that it needs is missing; see the reference") from error
    return scheme


def _mistakes_in(given: Mapping[Any, Any], known: set[str]) -> Iterator[str]:
    for name, value in given.items():
        if name not in known:
            yield f"{name}: is not known; known are {', '.join(sorted(known))}"
        elif not isinstance(value, bool if name == "any_port" else str):
            yield f"{name}: must be a text"


def _refuse(mistakes: Iterator[str]) -> None:
    found = list(mistakes)
    if found:
        raise ValidationError(found)


def _keys_of(kind: type[Any]) -> set[str]:
    return {each.name for each in fields(kind) if each.init} - _ELSEWHERE
