"""One endpoint of ``HOOKKIT_ENDPOINTS`` -> ``Endpoint``, or every mistake in it at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from marshmallow import ValidationError, validate
from marshmallow import fields as ma

from hookkit.core.delivery import Options
from hookkit.core.parts import AuthorType
from hookkit.core.provider import Provider
from hookkit.core.versions import Mode
from hookkit.endpoint import Endpoint
from hookkit.key_settings import (
    KEY_NAMES,
    BasesField,
    KeysField,
    key_mistakes,
    missing_proof,
    read_keys,
)
from hookkit.protection import CHECKS, Protection
from hookkit.schemas.strict import Strict, below, load_strict
from hookkit.scheme_settings import (
    PlacesField,
    SchemeField,
    check_public_url,
    provider_for,
    secret_mistakes,
    signing_mistakes,
)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")

#: What may become of a version's deliveries.
MODES = tuple(mode.value for mode in Mode)

#: Who may be said to write what a registration delivers.
_AUTHORS = [each.value for each in AuthorType if each is not AuthorType.UNKNOWN]


def read_endpoint(
    name: object, declared: Any, providers: Mapping[str, Provider], default_max_body: int
) -> tuple[Endpoint | None, list[str]]:
    """Return the endpoint *name* as *declared*, or None and a line for each mistake."""
    loaded, mistakes = load_strict(EndpointSchema(), declared)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        mistakes.append(": the name must be letters, digits, '.', '_' and '-', at most 100")
    provider = providers.get(loaded.get("provider", ""))
    if "provider" in loaded and provider is None:
        known = ", ".join(sorted(providers))
        mistakes.append(f"provider: {loaded['provider']!r} is not known; known are {known}")
    versions, more = _read_versions(loaded.get("versions", {}), provider)
    mistakes += [*more, *_protection_mistakes(loaded, declared, provider)]
    mistakes += _missing_protection(loaded, declared, versions, provider)
    mistakes += _reading_mistakes(loaded, provider)
    if provider is not None:
        mistakes += signing_mistakes(loaded, provider)
        scheme = loaded.get("scheme", provider.scheme)
        mistakes += secret_mistakes(loaded.get("secrets"), scheme)
        for version, protection in versions.items():
            more = list(secret_mistakes(protection.secrets, scheme))
            mistakes += below(f"versions.{version}", more)
    if "path" in loaded and any(each.path_token for each in versions.values()):
        mistakes.append(_NO_ROOM)
    if mistakes or provider is None:
        return None, mistakes
    endpoint = Endpoint(
        name=str(name),
        provider=replace(provider_for(loaded, provider), options=_options(loaded)),
        protection=_protection(loaded, provider) if _is_protected(loaded) else None,
        version_protections=versions,
        modes=_modes(loaded.get("versions", {}), provider),
        path=loaded.get("path"),
        max_body_bytes=loaded.get("max_body", default_max_body),
        verify_token=loaded.get("verify_token"),
    )
    return endpoint, []


_NO_ROOM = "path_token: beside path, which has no room for it; make the path itself unguessable"


def _read_versions(
    declared_versions: Mapping[Any, Any], provider: Provider | None
) -> tuple[dict[str, Protection], list[str]]:
    """Return the versions that have a protection of their own, and the mistakes in all of them."""
    protections, mistakes = {}, []
    for version, declared in declared_versions.items():
        if provider is not None and version not in provider.versions:
            known = ", ".join(provider.versions)
            mistakes.append(f"versions.{version}: {provider.name} has {known}")
        as_mapping = {"mode": declared} if isinstance(declared, str) else declared
        mode = as_mapping.get("mode") if isinstance(as_mapping, Mapping) else None
        if provider is not None and not provider.parallel and mode in _NOT_LIVE:
            mistakes.append(f"versions.{version}.mode: {_NEVER_BESIDE.format(mode, provider.name)}")
            continue
        loaded, more = load_strict(VersionSchema(), as_mapping)
        more += _protection_mistakes(loaded, as_mapping, provider)
        mistakes += below(f"versions.{version}", more)
        if provider is not None and _is_protected(loaded):
            protections[version] = _protection(loaded, provider)
    return protections, mistakes


_NOT_LIVE = (Mode.SHADOW.value, Mode.IGNORE.value)
_NEVER_BESIDE = (
    "{} is for versions that arrive side by side, and {} sends each event in one version only,"
    " which changes in place"
)


def _modes(declared_versions: Mapping[Any, Any], provider: Provider) -> Mapping[str, Mode] | None:
    """Return the mode of each version that is listed, None where no version is given one.

    A mapping that only says how a version proves itself leaves all versions live.
    """
    modes = {
        str(version): declared if isinstance(declared, str) else declared.get("mode")
        for version, declared in declared_versions.items()
    }
    if not provider.parallel or all(mode is None for mode in modes.values()):
        return None
    return {version: Mode(mode or Mode.LIVE) for version, mode in modes.items()}


def _is_protected(loaded: Mapping[str, Any]) -> bool:
    return bool(loaded.get("unsigned")) or any(name in loaded for name in (*CHECKS, *KEY_NAMES))


def _protection(loaded: Mapping[str, Any], provider: Provider) -> Protection:
    return Protection(
        unsigned=loaded.get("unsigned", False),
        keys=read_keys(loaded, provider),
        **{name: loaded[name] for name in CHECKS if name in loaded},
    )


def _protection_mistakes(
    loaded: Mapping[str, Any], declared: Any, provider: Provider | None
) -> Iterator[str]:
    """Yield what is wrong with the protection of an endpoint or a version as it stands."""
    is_unsigned = loaded.get("unsigned", False)
    declared = declared if isinstance(declared, Mapping) else {}
    if is_unsigned and "secrets" in declared:
        yield "unsigned: true beside secrets; say which of the two is meant"
    if provider is None:
        return
    yield from key_mistakes(loaded, provider)
    is_alone = "basic" not in declared and "path_token" not in declared
    if is_unsigned and is_alone and not provider.unsigned_alone:
        yield (
            f"unsigned: not alone with {provider.name}; basic or path_token beside it must prove"
            " the sender"
        )
    if isinstance(loaded.get("secrets"), Mapping) and provider.registration_of is None:
        yield f"secrets: must be a list; {provider.name} names no webhook in what it sends"


def _missing_protection(
    loaded: Mapping[str, Any],
    declared: Any,
    versions: Mapping[str, Protection],
    provider: Provider | None,
) -> Iterator[str]:
    """Yield what is wrong when nothing proves the sender, and nobody says that this is meant."""
    if "unsigned" not in loaded or loaded["unsigned"] or "secrets" in declared:
        return
    if any(name in declared for name in KEY_NAMES):  # perhaps with a mistake, which is told
        return
    # Where every version that is listed has its own, all others are refused.
    listed = loaded.get("versions")
    if not listed or set(listed) != set(versions) or "basic" in loaded or "path_token" in loaded:
        yield missing_proof(provider)


def _reading_mistakes(loaded: Mapping[str, Any], provider: Provider | None) -> Iterator[str]:
    """Yield what the provider cannot read by."""
    if "path" in loaded and "path_token" in loaded:
        yield _NO_ROOM
    if provider is None:
        return
    by_registration = [
        name
        for name in ("version", "authors")
        if isinstance(loaded.get(name), Mapping) and provider.registration_of is None
    ]
    for name in by_registration:
        yield f"{name}: {provider.name} names no webhook in what it sends"
    pinned = loaded.get("version")
    for version in pinned.values() if isinstance(pinned, Mapping) else [pinned]:
        if version is not None and version not in provider.pinnable:
            known = ", ".join(provider.pinnable) or "none"
            yield f"version: {version!r} cannot be pinned; {provider.name} leaves open {known}"


def _options(loaded: Mapping[str, Any]) -> Options:
    authors = loaded.get("authors", {})
    return Options(
        repeat_window_s=loaded.get("repeat_window_s"),
        version=loaded.get("version"),
        authors={registration: AuthorType(word) for registration, word in authors.items()},
    )


class _CredentialsField(ma.Field[Any]):
    """A list of texts, or a callable that returns one."""

    def __init__(self, check: Callable[[object], None], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.check = check

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if not callable(value):
            try:
                self.check(value)
            except ValueError as error:
                raise ValidationError(str(error)) from error
        return value


class _PinField(ma.Field[Any]):
    """A payload version, or one for each registration."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        texts = [*value, *value.values()] if isinstance(value, dict) else [value]
        if not all(isinstance(text, str) for text in texts):
            raise ValidationError("must be a text, or a mapping of webhook ids to texts")
        return value


class VersionSchema(Strict):
    """A payload version of an endpoint."""

    mode = ma.String(
        validate=validate.OneOf(MODES, error="{input!r} is none; choose {choices}"),
    )
    secrets = _CredentialsField(CHECKS["secrets"])
    basic = _CredentialsField(CHECKS["basic"])
    path_token = _CredentialsField(CHECKS["path_token"])
    unsigned = ma.Boolean(truthy={True}, falsy={False})
    keys = KeysField()
    region = ma.String()
    key_bases = BasesField()


class EndpointSchema(Strict):
    """An endpoint."""

    provider = ma.String(required=True)
    secrets = _CredentialsField(CHECKS["secrets"])
    unsigned = ma.Boolean(load_default=False, truthy={True}, falsy={False})
    basic = _CredentialsField(CHECKS["basic"])
    path_token = _CredentialsField(CHECKS["path_token"])
    keys = KeysField()
    region = ma.String()
    key_bases = BasesField()
    tolerance_s = ma.Float(validate=validate.Range(min=0))
    scheme = SchemeField()
    event_id = PlacesField()
    event_type = PlacesField()
    public_url = ma.String(validate=check_public_url)
    verify_token = _CredentialsField(CHECKS["secrets"])
    versions = ma.Dict(error_messages={"invalid": "must map payload versions to their modes"})
    version = _PinField()
    authors = ma.Dict(
        keys=ma.String(),
        values=ma.String(
            validate=validate.OneOf(_AUTHORS, error="must be one of {choices}"),
        ),
        error_messages={"invalid": "must map webhook ids to " + ", ".join(_AUTHORS)},
    )
    path = ma.String(validate=validate.Regexp(r"^/[^<>\s]*$", error="must start with /"))
    max_body = ma.Integer(strict=True, validate=validate.Range(min=1))
    repeat_window_s = ma.Float(validate=validate.Range(min=0, min_inclusive=False))
