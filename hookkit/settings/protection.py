"""What an endpoint and its payload versions ask for, and what becomes of each version."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from marshmallow import ValidationError, validate
from marshmallow import fields as ma

from hookkit.core.modes import Mode
from hookkit.core.provider import Provider
from hookkit.core.scheme import KeyScheme
from hookkit.receiving.protection import CHECKS, Protection
from hookkit.settings.keys import KEY_NAMES, BasesField, KeysField, key_mistakes, read_keys
from hookkit.settings.scheme import SchemeField
from hookkit.settings.strict import Strict, below, load_strict

#: What may become of a version's deliveries.
MODES = tuple(mode.value for mode in Mode)


class CredentialsField(ma.Field[Any]):
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


class VersionSchema(Strict):
    """A payload version of an endpoint."""

    mode = ma.String(
        validate=validate.OneOf(MODES, error="{input!r} is none; choose {choices}"),
    )
    secrets = CredentialsField(CHECKS["secrets"])
    scheme = SchemeField()
    basic = CredentialsField(CHECKS["basic"])
    path_token = CredentialsField(CHECKS["path_token"])
    unsigned = ma.Boolean(truthy={True}, falsy={False})
    keys = KeysField()
    region = ma.String()
    key_bases = BasesField()


def read_versions(
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
        more += protection_mistakes(loaded, as_mapping, provider)
        more += _scheme_mistakes(loaded, as_mapping, provider)
        mistakes += below(f"versions.{version}", more)
        if provider is not None and is_protected(loaded):
            protections[version] = _protection(loaded, provider)
    return protections, mistakes


def _scheme_mistakes(
    loaded: Mapping[str, Any], declared: Any, provider: Provider | None
) -> Iterator[str]:
    """Yield what is wrong with the scheme of a version: nothing is borrowed for it."""
    if "scheme" not in loaded:
        return
    if provider is not None and isinstance(provider.scheme, KeyScheme):
        yield f"scheme: {provider.name} signs with a key of its own"
    if loaded.get("unsigned"):
        yield "scheme: beside unsigned: true, with which none is asked"
    elif "secrets" not in declared:
        yield "scheme: without secrets beside it, which are not taken from the endpoint"


_NOT_LIVE = (Mode.SHADOW.value, Mode.IGNORE.value)
_NEVER_BESIDE = (
    "{} is for versions that arrive side by side, and {} sends each event in one version only,"
    " which changes in place"
)


def modes_of(declared_versions: Mapping[Any, Any], provider: Provider) -> Mapping[str, Mode] | None:
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


def is_protected(loaded: Mapping[str, Any]) -> bool:
    """Tell whether an endpoint or a version says for itself what a delivery must show."""
    return bool(loaded.get("unsigned")) or any(name in loaded for name in (*CHECKS, *KEY_NAMES))


def own_protection(loaded: Mapping[str, Any], provider: Provider) -> Protection | None:
    """Return what the endpoint asks for itself; its scheme has become its provider's."""
    if not is_protected(loaded):
        return None
    return replace(_protection(loaded, provider), scheme=None)


def _protection(loaded: Mapping[str, Any], provider: Provider) -> Protection:
    return Protection(
        scheme=loaded.get("scheme"),
        unsigned=loaded.get("unsigned", False),
        keys=read_keys(loaded, provider),
        **{name: loaded[name] for name in CHECKS if name in loaded},
    )


def protection_mistakes(
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
