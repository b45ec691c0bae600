"""The settings of senders that sign with keys of their own, and what they mean."""

from __future__ import annotations

from collections.abc import Iterator

from hookkit.core.errors import not_known
from hookkit.core.provider import Provider
from hookkit.core.scheme import KeyScheme, Scheme
from hookkit.keys.key_set import KeySet
from hookkit.keys.ring import KeyRing
from hookkit.keys.server import KeyServer
from hookkit.settings.fields import PartSettings
from hookkit.signatures.hashed_token import HashedToken
from hookkit.signatures.jwk_set import READERS
from hookkit.signatures.set_token import SetToken

#: The settings that name the public keys of a vendor whose own scheme has keys.
_VENDOR_SETTINGS = ("keys", "region", "key_bases")
ANY_KEY_SETTING = "keys, region or key_bases"

#: The settings that name public keys and have no secrets beside them.
KEY_SETTINGS = (*_VENDOR_SETTINGS, "key_set")


def key_mistakes(loaded: PartSettings, provider: Provider) -> Iterator[str]:
    """Yield what does not go together in the settings of keys."""
    scheme = provider.scheme
    if isinstance(scheme, KeyScheme):
        yield from _vendor_mistakes(loaded, provider.name, scheme)
    else:
        for name in _VENDOR_SETTINGS:
            if name in loaded:
                yield f"{name}: {provider.name} does not sign with a key of its own"
        if "key_set" in loaded:
            yield from _set_mistakes(loaded, loaded.get("scheme", scheme))
    if loaded.get("unsigned") and any(name in loaded for name in KEY_SETTINGS):
        yield "unsigned: true beside keys; say which of the two is meant"


def _vendor_mistakes(loaded: PartSettings, provider: str, scheme: KeyScheme) -> Iterator[str]:
    """Yield what does not go together for a provider that signs with keys of its own."""
    for name in ("secrets", "key_set"):
        if name in loaded:
            yield f"{name}: {provider} signs with a key of its own; say {ANY_KEY_SETTING}"
    if "scheme" in loaded:
        yield f"scheme: {provider} signs with a key of its own"
    if "region" in loaded and loaded["region"] not in scheme.key_bases:
        yield f"region: {not_known(loaded['region'], scheme.key_bases)}"
    if "region" in loaded and "key_bases" in loaded:
        yield "key_bases: beside region; say which of the two is meant"


def _set_mistakes(loaded: PartSettings, scheme: Scheme) -> Iterator[str]:
    """Yield what does not go together with a set of keys."""
    if not isinstance(scheme, HashedToken) or scheme.algorithm not in READERS:
        known = " or ".join(READERS)
        yield f'key_set: goes with a scheme of the type "token", by {known}'
    if "secrets" in loaded:
        yield "key_set: beside secrets; say which of the two is meant"


def declared_scheme(loaded: PartSettings, provider: Provider) -> Scheme | KeyScheme:
    """Return the scheme of an endpoint: its own or its provider's."""
    scheme = loaded.get("scheme", provider.scheme)
    if "key_set" in loaded and isinstance(scheme, HashedToken):
        return SetToken(token=scheme)
    return scheme


def key_ring(loaded: PartSettings, provider: Provider) -> KeyRing | None:
    """Return the keys that prove the deliveries; None if secrets do, or nothing does."""
    scheme = declared_scheme(loaded, provider)
    if isinstance(scheme, SetToken):
        return KeyRing(server=KeySet(loaded["key_set"], scheme.token.algorithm))
    if not isinstance(scheme, KeyScheme) or not any(name in loaded for name in KEY_SETTINGS):
        return None
    bases = loaded.get("key_bases") or scheme.key_bases.get(loaded.get("region", ""), ())
    return KeyRing(loaded.get("keys", ()), KeyServer(bases) if bases else None)
