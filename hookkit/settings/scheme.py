"""The settings that say how an endpoint's sender signs, and where it names its events."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any
from urllib.parse import urlsplit

from marshmallow import ValidationError
from marshmallow import fields as ma

from hookkit.core.provider import Provider
from hookkit.core.scheme import KeyScheme, Scheme, SigningScheme, UrlScheme
from hookkit.receiving.protection import Protection, Secrets, all_texts
from hookkit.senders import SENDERS
from hookkit.senders.sender import KINDS, provider_of
from hookkit.signatures.keyed_hash import KeyedHash
from hookkit.signatures.public_key import KeyedSignature
from hookkit.signatures.shared_secret import BasicCredentials, SharedSecretField, SharedSecretHeader
from hookkit.signatures.signed_text import SignedText
from hookkit.signatures.standard_webhooks import StandardWebhooks

#: ``"scheme": {"type": ...}`` -> what it is.
SCHEMES: Mapping[str, type[Any]] = {
    "hmac": KeyedHash,
    "public_key": KeyedSignature,
    "standard": StandardWebhooks,
    "header": SharedSecretHeader,
    "field": SharedSecretField,
    "basic": BasicCredentials,
}

#: Settings of the endpoint itself are not said again in its scheme.
_ELSEWHERE = {"tolerance_s", "public_url"}

# What hookkit keeps beside a delivery's headers is nothing that a sender has said.
_PLACE = re.compile(rf"(?!header:(?i:hookkit)-)({'|'.join(KINDS)}):[^\s:]{{1,200}}", re.ASCII)


class SchemeField(ma.Field[Any]):
    """A scheme as a mapping, or the name of a sender whose scheme it is."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if isinstance(value, str):
            if value not in SENDERS:
                raise ValidationError(f"{value!r} is no sender; known are {', '.join(SENDERS)}")
            return SENDERS[value].scheme
        try:
            return read_scheme(value)
        except ValueError as error:
            raise ValidationError(str(error)) from error


def read_scheme(declared: object) -> Scheme:
    """Return the scheme that *declared* spells.

    Raises:
        ValueError: It spells none; the message says why.
    """
    if not isinstance(declared, Mapping):
        raise ValueError("must be a mapping, or the name of a sender")  # noqa: TRY004
    given = dict(declared)
    kind = SCHEMES.get(str(given.pop("type", "hmac")))
    if kind is None:
        raise ValueError(f"type: must be one of {', '.join(SCHEMES)}")
    own = _texts_of(kind)
    signed = _texts_of(SignedText) if "signed" in _names_of(kind) else set()
    _check_names(given, own | signed | ({"signed"} if signed else set()))
    for name, value in given.items():
        if name == "header" or name.endswith("_header"):
            given[name] = value.lower()
    arguments = {name: value for name, value in given.items() if name in own}
    if signed:
        parts = {name: value for name, value in given.items() if name in signed}
        template = given.get("signed", SignedText().template)
        arguments["signed"] = SignedText(template=template, **parts)
    try:
        scheme: Scheme = kind(**arguments)
    except TypeError as error:
        raise ValueError("a name that it needs is missing; see the reference") from error
    for mistake in scheme.mistakes() if isinstance(scheme, KeyedHash | KeyedSignature) else ():
        raise ValueError(mistake)
    return scheme


def _check_names(given: Mapping[Any, Any], known: set[str]) -> None:
    for name, value in given.items():
        if name not in known:
            raise ValueError(f"{name}: is not known; known are {', '.join(sorted(known))}")
        if not isinstance(value, bool if name == "any_port" else str):
            raise ValueError(f"{name}: must be a text")  # noqa: TRY004  # one error for all


def _names_of(kind: type[Any]) -> set[str]:
    return {each.name for each in fields(kind) if each.init}


def _texts_of(kind: type[Any]) -> set[str]:
    return _names_of(kind) - {"signed", "template"} - _ELSEWHERE


class PlacesField(ma.Field[tuple[str, ...]]):
    """Where an id or a type is: a text, or a list of them, of which the first counts."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Any, **kwargs: Any
    ) -> tuple[str, ...]:
        places = [value] if isinstance(value, str) else value
        if not isinstance(places, list | tuple) or not all(
            isinstance(each, str) and _PLACE.fullmatch(each) for each in places
        ):
            raise ValidationError(
                "must be header:<name> or body:<path.into.it>, or a list of such texts"
            )
        return tuple(each.lower() if each.startswith("header:") else each for each in places)


def check_public_url(url: str) -> None:
    """Raise ``ValidationError`` unless *url* can be where senders post."""
    try:
        parts = urlsplit(url)
        is_usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # the port is none, or the brackets of an address are wrong
        is_usable = False
    if not is_usable or not url.isascii() or not url.isprintable() or " " in url:
        raise ValidationError("must be the address that the sender was given, https://...")
    if parts.username is not None or "?" in url or "#" in url:
        raise ValidationError("must be without user, query and fragment")


def signing_mistakes(
    loaded: Mapping[str, Any], provider: Provider, of_versions: Sequence[Scheme] = ()
) -> Iterator[str]:
    """Yield what does not go together in how an endpoint's sender signs.

    Args:
        of_versions: The schemes that payload versions have for themselves.
    """
    scheme = loaded.get("scheme", provider.scheme)
    schemes = [scheme, *of_versions]
    if "scheme" in loaded and isinstance(provider.scheme, KeyScheme):
        yield f"scheme: {provider.name} signs with a key of its own"
        return
    signs_time = any(isinstance(each, SigningScheme | KeyScheme) for each in schemes)
    if "tolerance_s" in loaded and not signs_time:
        yield f"tolerance_s: {provider.name} signs no time"
    signs_url = any(isinstance(each, UrlScheme) and each.signs_url for each in schemes)
    if signs_url and "public_url" not in loaded and not loaded.get("unsigned"):
        yield f"public_url: missing; {provider.name} signs the URL, which is not guessed"
    if "public_url" in loaded and not signs_url:
        yield f"public_url: {provider.name} does not sign the URL"
    for name in ("event_id", "event_type"):
        if name in loaded and provider.name not in SENDERS:
            yield f"{name}: {provider.name} says itself where it is"
    if "verify_token" in loaded and provider.challenge is None:
        yield f"verify_token: {provider.name} asks for none"


def secret_mistakes(secrets: Secrets | None, scheme: Scheme | KeyScheme) -> Iterator[str]:
    """Yield what is wrong with the secrets that can be seen, for this scheme."""
    if secrets is None or not isinstance(scheme, SigningScheme):
        return
    for text in all_texts(secrets):
        try:
            scheme.check_secret(text.encode())
        except ValueError as error:
            yield f"secrets: one {error}"


def with_scheme(protection: Protection, loaded: Mapping[str, Any]) -> Protection:
    """Return the protection of a version with what its endpoint says of all signatures."""
    if protection.scheme is None:
        return protection
    return replace(protection, scheme=_adjusted(protection.scheme, loaded))


def _adjusted(scheme: Any, loaded: Mapping[str, Any]) -> Any:
    """Return *scheme* with the tolerance and the address of the endpoint."""
    tolerance_s = loaded.get("tolerance_s")
    if tolerance_s is not None and isinstance(scheme, SigningScheme | KeyScheme):
        scheme = scheme.tolerating(tolerance_s)
    if "public_url" in loaded and isinstance(scheme, UrlScheme):
        scheme = scheme.at_url(loaded["public_url"])
    return scheme


def provider_for(
    loaded: Mapping[str, Any], provider: Provider, of_versions: Iterable[Scheme | None] = ()
) -> Provider:
    """Return *provider* with the scheme and the places of an endpoint.

    Args:
        of_versions: The schemes that payload versions have for themselves.
    """
    scheme = _adjusted(loaded.get("scheme", provider.scheme), loaded)
    sender = SENDERS.get(provider.name)
    if sender is None:
        found = replace(provider, scheme=scheme)
    else:
        found = provider_of(
            sender,
            scheme=scheme,
            event_id=loaded.get("event_id"),
            event_type=loaded.get("event_type"),
        )
    # A secret that lies in the body is kept nowhere.
    in_body = [each.field for each in (scheme, *of_versions) if isinstance(each, SharedSecretField)]
    return replace(found, blanked=tuple(dict.fromkeys((*found.blanked, *in_body))))
