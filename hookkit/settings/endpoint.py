"""One endpoint of ``HOOKKIT_ENDPOINTS`` -> ``Endpoint``, or every mistake in it at once.

The fields in ``fields.py`` find what is wrong with one setting alone. This module finds what does
not go together: each ``..._mistakes`` yields lines that begin with the name of a setting.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple, cast

from hookkit.core.delivery import Options
from hookkit.core.errors import not_known
from hookkit.core.handshake import Challenge
from hookkit.core.modes import Mode
from hookkit.core.parts import AuthorType
from hookkit.core.provider import Provider
from hookkit.core.scheme import KeyScheme, Scheme, SigningScheme, UrlScheme, lifetime_of
from hookkit.receiving.endpoint import SECRET_SETTINGS, Endpoint, Protection, Secrets
from hookkit.senders import SENDERS
from hookkit.senders.sender import Sender, is_signed, provider_of
from hookkit.settings.fields import (
    EndpointSchema,
    PartSettings,
    Strict,
    VersionSchema,
    below,
    load_strict,
)
from hookkit.settings.keys import (
    ANY_KEY_SETTING,
    KEY_SETTINGS,
    declared_scheme,
    key_mistakes,
    key_ring,
)
from hookkit.signatures.keyed_hash import KeyedHash
from hookkit.signatures.public_key import KeyedSignature
from hookkit.signatures.shared_secret import SharedSecretField

#: Settings of senders alone -> the attributes of a ``Sender``.
SENDER_FIELDS = {
    "body": "body",
    "items": "each",
    "handshake": "handshakes",
    "challenge": "challenge",
}

#: The limits that each endpoint may set for itself.
ENDPOINT_LIMITS = ("max_body", "max_unproven_bytes", "max_items")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")

#: Where nothing stands between a signed time and the next part, a digit that is moved from one to
#: the other makes the time ten times as great or as small: no tolerance may reach as far.
_MAX_TOLERANCE_S = 10**9


class _Part(NamedTuple):
    """An endpoint, or one of its payload versions, as far as it could be read.

    Attributes:
        loaded: The settings that are right by themselves.
        written: The names of all settings, also of those with a mistake.
        provider: None if the endpoint names none, or one that is not known.
    """

    loaded: PartSettings
    written: Collection[object]
    provider: Provider | None

    @property
    def is_protected(self) -> bool:
        """Whether it has a protection of its own."""
        settings = (*SECRET_SETTINGS, *KEY_SETTINGS)
        return self.loaded.get("unsigned", False) or any(name in self.written for name in settings)


def read_endpoint(
    name: object, declared: object, providers: Mapping[str, Provider], limits: Mapping[str, int]
) -> tuple[Endpoint | None, list[str]]:
    """Return the endpoint *name* as *declared*, or None and a line for each mistake.

    Args:
        providers: By name.
        limits: By setting, those of an endpoint that does not set its own.
    """
    loaded, mistakes = _load(EndpointSchema(), declared)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        mistakes.append(": the name must be letters, digits, '.', '_' and '-', at most 100")
    if not isinstance(declared, Mapping):
        return None, mistakes
    provider = providers.get(loaded.get("provider", ""))
    if "provider" in loaded and provider is None:
        mistakes.append(f"provider: {not_known(loaded['provider'], sorted(providers))}")
    endpoint = _Part(loaded, declared.keys(), provider)
    versions, more = _read_versions(endpoint)
    mistakes += [
        *more,
        *_protection_mistakes(endpoint),
        *_missing_mistakes(endpoint, versions),
        *_reading_mistakes(endpoint, versions),
        *_signing_mistakes(endpoint, versions),
    ]
    if provider is None or mistakes:
        return None, mistakes
    protections = {
        version: _protection(part, provider, loaded)
        for version, part in versions.items()
        if part.is_protected
    }
    own = _protection(endpoint, provider, loaded) if endpoint.is_protected else None
    found = Endpoint(
        name=str(name),
        provider=_provider(loaded, provider, _schemes(versions)),
        # The scheme of the endpoint has become the scheme of its provider.
        protection=None if own is None else replace(own, scheme=None),
        version_protections=protections,
        modes=_modes(versions, provider),
        path=loaded.get("path"),
        max_body_bytes=loaded.get("max_body", limits["max_body"]),
        max_unproven_bytes=loaded.get("max_unproven_bytes", limits["max_unproven_bytes"]),
        max_items=loaded.get("max_items", limits["max_items"]),
        verify_token=loaded.get("verify_token"),
        answer=loaded.get("answer", _answer_of(provider)),
    )
    return found, []


def _load(schema: Strict, declared: object) -> tuple[PartSettings, list[str]]:
    loaded, mistakes = load_strict(schema, declared)
    return cast("PartSettings", loaded), mistakes


def _read_versions(endpoint: _Part) -> tuple[dict[str, _Part], list[str]]:
    """Return the payload versions that *endpoint* lists, and the mistakes in all of them."""
    parts, mistakes = {}, []
    for version, declared in endpoint.loaded.get("versions", {}).items():
        given = {"mode": declared} if isinstance(declared, str) else declared
        loaded, found = _load(VersionSchema(), given)
        written = given.keys() if isinstance(given, Mapping) else ()
        part = parts[str(version)] = _Part(loaded, written, endpoint.provider)
        found += _protection_mistakes(part)
        found += _version_mistakes(part, version, endpoint.loaded)
        mistakes += below(f"versions.{version}", found)
    return parts, mistakes


# Mistakes


def _protection_mistakes(part: _Part) -> Iterator[str]:
    """Yield what does not go together in what an endpoint or a version asks for."""
    loaded, written, provider = part
    is_unsigned = loaded.get("unsigned", False)
    if is_unsigned and "secrets" in written:
        yield "unsigned: true beside secrets; say which of the two is meant"
    if provider is None:
        return
    yield from key_mistakes(loaded, provider)
    is_alone = "basic" not in written and "path_token" not in written
    if is_unsigned and is_alone and not provider.unsigned_alone:
        yield (
            f"unsigned: not alone with {provider.name}; basic or path_token beside it must prove"
            " the sender"
        )
    if isinstance(loaded.get("secrets"), Mapping) and provider.registration_of is None:
        yield f"secrets: must be a list; {provider.name} names no webhook in what it sends"


def _version_mistakes(part: _Part, version: object, of_endpoint: PartSettings) -> Iterator[str]:
    """Yield what is wrong with a payload version alone."""
    loaded, written, provider = part
    if "scheme" in loaded and loaded.get("unsigned"):
        yield "scheme: beside unsigned: true; say which of the two is meant"
    elif "scheme" in loaded and "secrets" not in written:
        yield "scheme: needs secrets beside it; those of the endpoint are not used with it"
    elif "secrets" in written and "scheme" not in written and "key_set" in of_endpoint:
        yield "secrets: needs a scheme beside it; that of the endpoint goes with key_set"
    if provider is None:
        return
    if version not in provider.versions:
        yield f": {provider.name} has {', '.join(provider.versions)}"
    mode = loaded.get("mode", Mode.LIVE)
    if mode != Mode.LIVE and not provider.parallel:
        yield (
            f"mode: {mode} is for versions that arrive side by side, and {provider.name} sends each"
            " event in one version only, which changes in place"
        )
    scheme = loaded.get("scheme") or declared_scheme(of_endpoint, provider)
    yield from _secret_mistakes(loaded, scheme)


def _missing_mistakes(endpoint: _Part, versions: Mapping[str, _Part]) -> Iterator[str]:
    """Yield a line if nothing proves the sender, and the settings do not say so on purpose."""
    loaded, written, provider = endpoint
    # A setting with a mistake is not missing: its mistake is reported already.
    is_mistaken = "unsigned" in written and "unsigned" not in loaded
    if loaded.get("unsigned") or is_mistaken:
        return
    if any(name in written for name in ("secrets", *KEY_SETTINGS)):
        return
    # An endpoint may leave the proof to its versions: every other version is then refused.
    is_left_to_versions = bool(versions) and all(part.is_protected for part in versions.values())
    if not is_left_to_versions or "basic" in loaded or "path_token" in loaded:
        has_keys = provider is not None and isinstance(provider.scheme, KeyScheme)
        yield (
            f"{ANY_KEY_SETTING if has_keys else 'secrets'}: missing; an endpoint that verifies"
            ' nothing says "unsigned": True'
        )


def _reading_mistakes(endpoint: _Part, versions: Mapping[str, _Part]) -> Iterator[str]:
    """Yield what does not go together in the URL, the version and the registrations."""
    loaded, _, provider = endpoint
    if "path" in loaded and any("path_token" in p.loaded for p in (endpoint, *versions.values())):
        yield "path_token: beside path, which has no room for it; make the path itself unguessable"
    if provider is None:
        return
    pin = loaded.get("version")
    if loaded.get("once_per_fact") and provider.name in SENDERS:
        yield f"once_per_fact: {provider.name} names no facts"
    if provider.registration_of is None:
        for name, value in (("version", pin), ("authors", loaded.get("authors"))):
            if isinstance(value, Mapping):
                yield f"{name}: {provider.name} names no webhook in what it sends"
    for version in pin.values() if isinstance(pin, Mapping) else [pin]:
        if version is not None and version not in provider.pinnable:
            known = ", ".join(provider.pinnable) or "none"
            yield f"version: {version!r} cannot be pinned; {provider.name} leaves open {known}"


def _signing_mistakes(endpoint: _Part, versions: Mapping[str, _Part]) -> Iterator[str]:
    """Yield what does not go together in how an endpoint's sender signs."""
    loaded, _, provider = endpoint
    if provider is None:
        return
    scheme = provider.scheme
    if not isinstance(scheme, KeyScheme):
        scheme = declared_scheme(loaded, provider)
    schemes = [scheme, *_schemes(versions)]
    signs_time = any(isinstance(each, KeyScheme) or lifetime_of([each]) for each in schemes)
    if "tolerance_s" in loaded and not signs_time:
        yield f"tolerance_s: {provider.name} signs no time"
    if loaded.get("tolerance_s", 0) > _MAX_TOLERANCE_S and lifetime_of(schemes) != 0:
        yield f"tolerance_s: must be at most {_MAX_TOLERANCE_S}"
    signs_nothing = _signs_nothing(loaded, _schemes(versions))
    if "repeat_window_s" in loaded and lifetime_of(schemes) is None and not signs_nothing:
        yield (
            f"repeat_window_s: {provider.name} signs no time, so that an equal event is always a"
            " duplicate: it may be an old delivery that somebody has seen"
        )
    signs_url = any(isinstance(each, UrlScheme) and each.signs_url for each in schemes)
    if signs_url and "public_url" not in loaded and not loaded.get("unsigned"):
        yield f"public_url: missing; {provider.name} signs the URL, which is not guessed"
    if "public_url" in loaded and not signs_url:
        yield f"public_url: {provider.name} does not sign the URL"
    yield from _form_mistakes(loaded, provider.name, schemes)
    yield from _identity_mistakes(loaded, provider.name, [] if signs_nothing else schemes)
    if "verify_token" in loaded and provider.challenge is None:
        yield f"verify_token: {provider.name} asks for none"
    yield from _secret_mistakes(loaded, scheme)


def _form_mistakes(
    loaded: PartSettings, provider: str, schemes: Collection[Scheme | KeyScheme]
) -> Iterator[str]:
    """Yield a line for each of *schemes* that signs forms, which *provider* does not send."""
    sender = SENDERS.get(provider)
    if sender is not None and "form" in loaded.get("body", sender.body):
        return
    for scheme in schemes:
        if isinstance(scheme, KeyedHash | KeyedSignature) and "form" in scheme.signed.names:
            yield f"scheme: {{form}} is for senders of forms, and {provider} sends none"


def _identity_mistakes(
    loaded: PartSettings, provider: str, schemes: Collection[Scheme | KeyScheme]
) -> Iterator[str]:
    """Yield what is wrong with how the events of an endpoint are identified.

    Args:
        schemes: Those that prove its deliveries; none if nothing is signed.
    """
    sender = SENDERS.get(provider)
    if sender is None:
        for name in ("event_id", "event_type", "unsigned_event_id", *SENDER_FIELDS):
            if name in loaded:
                yield f"{name}: {provider} says itself where it is"
        return
    if not schemes:
        return
    places = loaded.get("event_id", sender.event_id)
    unsigned = [place for place in places if not is_signed(place, schemes)]
    if loaded.get("unsigned_event_id", False):
        if not unsigned:
            yield "unsigned_event_id: True, but every id is signed; leave it out"
    elif "event_id" in loaded and unsigned:
        yield (
            f"event_id: {', '.join(unsigned)} is not signed, so that somebody who has seen one"
            " delivery could send it again under another id, as often as he likes; leave it out,"
            ' or say "unsigned_event_id": True'
        )


def _signs_nothing(loaded: PartSettings, of_versions: Collection[Scheme]) -> bool:
    """Tell whether no delivery to an endpoint is signed.

    Its ids are then believed: whoever can send a delivery can send any.
    """
    return loaded.get("unsigned", False) and not of_versions


def _schemes(versions: Mapping[str, _Part]) -> list[Scheme]:
    """Return the schemes that payload versions have for themselves."""
    return [part.loaded["scheme"] for part in versions.values() if "scheme" in part.loaded]


def _secret_mistakes(loaded: PartSettings, scheme: Scheme | KeyScheme) -> Iterator[str]:
    """Yield what is wrong with the secrets for *scheme*, as far as they can be seen."""
    if "secrets" not in loaded or not isinstance(scheme, SigningScheme | SharedSecretField):
        return
    for text in visible_secrets(loaded["secrets"]):
        try:
            scheme.check_secret(text.encode())
        except ValueError as error:
            yield f"secrets: one {error}"


def visible_secrets(secrets: Secrets) -> list[str]:
    """Return the secrets that can be seen without a call; none if *secrets* is a callable."""
    if callable(secrets):
        return []
    lists = secrets.values() if isinstance(secrets, Mapping) else [secrets]
    return [secret for each in lists for secret in each]


# What the settings mean, once there is no mistake in them


def _protection(part: _Part, provider: Provider, of_endpoint: PartSettings) -> Protection:
    loaded = part.loaded
    scheme = loaded.get("scheme")
    return Protection(
        scheme=None if scheme is None else cast("Scheme", _adjusted(scheme, of_endpoint)),
        secrets=loaded.get("secrets"),
        keys=key_ring(loaded, provider),
        basic=loaded.get("basic"),
        path_token=loaded.get("path_token"),
        unsigned=loaded.get("unsigned", False),
    )


def _modes(versions: Mapping[str, _Part], provider: Provider) -> Mapping[str, Mode] | None:
    """Return the mode of each version that is listed; None unless a version is given one.

    Where a webhook changes its version in place, all versions are live as soon as the settings
    speak of one: a redelivery that comes in another version is then known by its fact.
    """
    modes = {version: part.loaded.get("mode") for version, part in versions.items()}
    if not provider.parallel:
        return dict.fromkeys(provider.versions, Mode.LIVE) if versions else None
    if all(mode is None for mode in modes.values()):
        return None
    return {version: Mode(mode or Mode.LIVE) for version, mode in modes.items()}


def _adjusted(scheme: Scheme | KeyScheme, of_endpoint: PartSettings) -> Scheme | KeyScheme:
    """Return *scheme* with the tolerance and the URL of the endpoint."""
    if "tolerance_s" in of_endpoint and isinstance(scheme, SigningScheme | KeyScheme):
        scheme = scheme.tolerating(of_endpoint["tolerance_s"])
    if "public_url" in of_endpoint and isinstance(scheme, UrlScheme):
        scheme = scheme.at_url(of_endpoint["public_url"])
    return scheme


def _answer_of(provider: Provider) -> str | None:
    """Return the text that *provider* wants as an answer, if it wants one."""
    sender = SENDERS.get(provider.name)
    return None if sender is None else sender.answer


def _as_declared(sender: Sender, loaded: PartSettings) -> Sender:
    """Return *sender* with what the endpoint says of its bodies and its tests of the URL."""
    given: dict[str, Any] = {
        SENDER_FIELDS[name]: value for name, value in loaded.items() if name in SENDER_FIELDS
    }
    if given.get("body") == "list":
        given.setdefault("each", "items")
    if "challenge" in loaded:
        token = "" if sender.challenge is None else sender.challenge.token
        given["challenge"] = Challenge(challenge=loaded["challenge"], token=token)
    return replace(sender, **given)


def _provider(
    loaded: PartSettings, provider: Provider, of_versions: Collection[Scheme]
) -> Provider:
    """Return *provider* with the options, the scheme and the places of an endpoint."""
    scheme = _adjusted(declared_scheme(loaded, provider), loaded)
    signs_nothing = _signs_nothing(loaded, of_versions)
    if provider.name in SENDERS:
        provider = provider_of(
            _as_declared(SENDERS[provider.name], loaded),
            schemes=[scheme, *of_versions],
            event_id=loaded.get("event_id"),
            event_type=loaded.get("event_type"),
            believes_unsigned=signs_nothing or loaded.get("unsigned_event_id", False),
        )
    authors = loaded.get("authors", {})
    # A secret that lies in the body is kept nowhere.
    in_body = [each.field for each in (scheme, *of_versions) if isinstance(each, SharedSecretField)]
    return replace(
        provider,
        scheme=scheme,
        blanked=tuple(dict.fromkeys((*provider.blanked, *in_body))),
        options=Options(
            once_per_fact=loaded.get("once_per_fact", False),
            repeat_window_s=loaded.get("repeat_window_s"),
            lifetime_s=0.0 if signs_nothing else lifetime_of([scheme, *of_versions]),
            version=loaded.get("version"),
            authors={registration: AuthorType(word) for registration, word in authors.items()},
        ),
    )
