"""One endpoint of ``HOOKKIT_ENDPOINTS`` -> ``Endpoint``, or every mistake in it at once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from marshmallow import ValidationError, validate
from marshmallow import fields as ma

from hookkit.core.delivery import Options
from hookkit.core.parts import AuthorType
from hookkit.core.provider import Provider
from hookkit.receiving.endpoint import Endpoint
from hookkit.receiving.protection import CHECKS, Protection
from hookkit.settings.keys import KEY_NAMES, BasesField, KeysField, missing_proof
from hookkit.settings.protection import (
    CredentialsField,
    modes_of,
    own_protection,
    protection_mistakes,
    read_versions,
)
from hookkit.settings.scheme import (
    PlacesField,
    SchemeField,
    check_public_url,
    provider_for,
    secret_mistakes,
    signing_mistakes,
    with_scheme,
)
from hookkit.settings.strict import Strict, below, load_strict

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")

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
    versions, more = read_versions(loaded.get("versions", {}), provider)
    mistakes += [*more, *protection_mistakes(loaded, declared, provider)]
    mistakes += _missing_protection(loaded, declared, versions, provider)
    mistakes += _reading_mistakes(loaded, provider)
    if provider is not None:
        schemes = [each.scheme for each in versions.values() if each.scheme is not None]
        mistakes += signing_mistakes(loaded, provider, schemes)
        scheme = loaded.get("scheme", provider.scheme)
        mistakes += secret_mistakes(loaded.get("secrets"), scheme)
        for version, protection in versions.items():
            more = list(secret_mistakes(protection.secrets, protection.scheme or scheme))
            mistakes += below(f"versions.{version}", more)
    if "path" in loaded and any(each.path_token for each in versions.values()):
        mistakes.append(_NO_ROOM)
    if mistakes or provider is None:
        return None, mistakes
    versions = {name: with_scheme(each, loaded) for name, each in versions.items()}
    read_as = provider_for(loaded, provider, [each.scheme for each in versions.values()])
    endpoint = Endpoint(
        name=str(name),
        provider=replace(read_as, options=_options(loaded)),
        protection=own_protection(loaded, provider),
        version_protections=versions,
        modes=modes_of(loaded.get("versions", {}), provider),
        path=loaded.get("path"),
        max_body_bytes=loaded.get("max_body", default_max_body),
        verify_token=loaded.get("verify_token"),
    )
    return endpoint, []


_NO_ROOM = "path_token: beside path, which has no room for it; make the path itself unguessable"


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


class _PinField(ma.Field[Any]):
    """A payload version, or one for each registration."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        texts = [*value, *value.values()] if isinstance(value, dict) else [value]
        if not all(isinstance(text, str) for text in texts):
            raise ValidationError("must be a text, or a mapping of webhook ids to texts")
        return value


class EndpointSchema(Strict):
    """An endpoint."""

    provider = ma.String(required=True)
    secrets = CredentialsField(CHECKS["secrets"])
    unsigned = ma.Boolean(load_default=False, truthy={True}, falsy={False})
    basic = CredentialsField(CHECKS["basic"])
    path_token = CredentialsField(CHECKS["path_token"])
    keys = KeysField()
    region = ma.String()
    key_bases = BasesField()
    tolerance_s = ma.Float(validate=validate.Range(min=0))
    scheme = SchemeField()
    event_id = PlacesField()
    event_type = PlacesField()
    public_url = ma.String(validate=check_public_url)
    verify_token = CredentialsField(CHECKS["secrets"])
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
