"""The settings ``keys``, ``region`` and ``key_bases`` -> the keys of an endpoint."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from marshmallow import ValidationError, validate
from marshmallow import fields as ma

from hookkit.core.provider import Provider
from hookkit.core.scheme import KeyScheme
from hookkit.keys.ring import KeyRing, KeyServer
from hookkit.signatures.rsa import RsaKey, read_key

#: The settings that say by which keys a vendor is proven that signs with its own.
KEY_NAMES = ("keys", "region", "key_bases")


class KeysField(ma.Field[tuple[RsaKey, ...]]):
    """A key, or a list of keys: JWK or PEM each."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Any, **kwargs: Any
    ) -> tuple[RsaKey, ...]:
        given = [value] if isinstance(value, str | Mapping) else value
        if not isinstance(given, Sequence) or isinstance(given, bytes):
            raise ValidationError("must be a JWK or PEM, or a list of them")
        if not given:
            raise ValidationError("holds no key")
        try:
            keys = tuple(read_key(each) for each in given)
        except ValueError as error:
            raise ValidationError(f"one {error}") from error
        if len({each.jwk for each in keys}) < len(keys):
            raise ValidationError("holds one key twice")
        return keys


class BasesField(ma.List[str]):
    """The addresses below which a vendor has its keys."""

    def __init__(self) -> None:
        super().__init__(
            ma.String(validate=_check_base),
            validate=validate.Length(min=1, error="holds no address"),
        )


def _check_base(base: str) -> None:
    """Raise ``ValidationError`` unless keys can be fetched from below *base*."""
    try:
        parts = urlsplit(base)
        is_usable = parts.scheme == "https" and bool(parts.hostname) and parts.port != 0
    except ValueError:  # the port is none, or the brackets of an address are wrong
        is_usable = False
    if not is_usable or not base.isascii() or not base.isprintable() or " " in base:
        raise ValidationError("must be an address that begins with https://")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValidationError("must be an address without user, query and fragment")


def key_mistakes(loaded: Mapping[str, Any], provider: Provider) -> Iterator[str]:
    """Yield what does not go together in the keys of an endpoint, or of a version."""
    scheme = provider.scheme
    if not isinstance(scheme, KeyScheme):
        for name in KEY_NAMES:
            if name in loaded:
                yield f"{name}: {provider.name} does not sign with a key of its own"
        return
    if "secrets" in loaded:
        yield f"secrets: {provider.name} signs with a key of its own; say {_any_of(KEY_NAMES)}"
    if "region" in loaded and loaded["region"] not in scheme.key_bases:
        known = ", ".join(scheme.key_bases)
        yield f"region: {loaded['region']!r} is not known; known are {known}"
    if "region" in loaded and "key_bases" in loaded:
        yield "key_bases: beside region; say which of the two is meant"
    if loaded.get("unsigned") and any(name in loaded for name in KEY_NAMES):
        yield "unsigned: true beside keys; say which of the two is meant"


def read_keys(loaded: Mapping[str, Any], provider: Provider) -> KeyRing | None:
    """Return the keys that *loaded* names, None when it names none."""
    scheme = provider.scheme
    if not isinstance(scheme, KeyScheme) or not any(name in loaded for name in KEY_NAMES):
        return None
    bases = loaded.get("key_bases") or scheme.key_bases.get(loaded.get("region", ""), ())
    return KeyRing(loaded.get("keys", ()), KeyServer(bases) if bases else None)


def missing_proof(provider: Provider | None) -> str:
    """Return what to say of an endpoint that names nothing to prove its sender by."""
    has_keys = provider is not None and isinstance(provider.scheme, KeyScheme)
    name = _any_of(KEY_NAMES) if has_keys else "secrets"
    return f'{name}: missing; an endpoint that verifies nothing says "unsigned": True'


def _any_of(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}"
