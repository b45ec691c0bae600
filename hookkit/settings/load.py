"""Flask's configuration -> ``Settings``, or every mistake in it at once."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import partial
from typing import Any

from marshmallow import ValidationError, validate
from marshmallow import fields as ma

from hookkit.core.attempts import RetryPolicy
from hookkit.core.errors import ConfigurationError
from hookkit.core.ids import fingerprint_of, read_key
from hookkit.core.provider import Provider
from hookkit.receiving.endpoint import (
    Endpoint,
    warn_of_shadow_alone,
    warn_of_shared_secrets,
    warn_of_short_secrets,
)
from hookkit.settings.endpoint import read_endpoint
from hookkit.settings.strict import Strict, below, load_strict

RUNNERS = ("thread", "inline", "celery", "none")
TABLES = ("upgrade", "check")

# https://github.com/fernet/spec/blob/master/Spec.md#key-format
_FERNET_KEY_BYTES = 32

_DAYS = validate.Range(min=0, min_inclusive=False, max=36500)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What an application configures.

    Attributes:
        endpoints: By name.
        database: URL, engine or callable; None is the default, decided when it is opened.
        runner: None is the default, decided when it is started.
        workers: Threads per process.
        lease_s: How long a claimed entry belongs to its worker, in seconds.
        retry: The policy of handlers that have none of their own.
        keep_bodies_days: How long the bytes of settled entries are kept.
        keep_ids_days: How long settled entries are, and stop duplicates.
        encryption_keys: Fernet keys for bodies, newest first; none stores them as they are.
        tables: Whether opening the inbox may change its tables (``upgrade``) or not (``check``).
        twin_window_s: How long the twin of a fact may take to arrive.
    """

    endpoints: Mapping[str, Endpoint]
    database: Any = field(repr=False)  # a URL may hold a password
    runner: str | None
    workers: int
    lease_s: float
    retry: RetryPolicy
    keep_bodies_days: float
    keep_ids_days: float
    encryption_keys: tuple[str, ...] = field(repr=False)
    tables: str
    twin_window_s: float


def load_settings(
    config: Mapping[str, Any],
    providers: Mapping[str, Provider],
    check_database: Callable[[Any], None],
) -> Settings:
    """Read the keys of *config* that start with ``HOOKKIT_``, and ``SECRET_KEY``.

    Args:
        check_database: Raises ``ConfigurationError`` for what cannot hold an inbox.

    Raises:
        ConfigurationError: Anything is wrong; every mistake is listed by its key.
    """
    given = {key: value for key, value in config.items() if key.startswith("HOOKKIT_")}
    is_renamed = given.pop("HOOKKIT_MIGRATE", None) is not None
    loaded, mistakes = load_strict(_SettingsSchema(), given)
    if is_renamed:
        mistakes.append(
            'HOOKKIT_MIGRATE: is called HOOKKIT_TABLES, and its "apply" is called "upgrade"'
        )
    default_max_body = loaded.pop("max_body", 0)
    loaded.pop("url_prefix", None)
    endpoints = {}
    named = partial(fingerprint_of, read_key(config.get("SECRET_KEY")))
    all_declared = loaded.pop("endpoints", {})
    for name, declared in all_declared.items():
        endpoint, more = read_endpoint(name, declared, providers, default_max_body)
        mistakes += below(f"HOOKKIT_ENDPOINTS.{name}", more)
        if endpoint is not None:
            endpoints[name] = replace(endpoint, fingerprint=named)
    mistakes += _shared_paths(all_declared)
    if loaded.get("keep_ids_days", 90.0) < loaded.get("keep_bodies_days", 30.0):
        mistakes.append(
            "HOOKKIT_KEEP_IDS_DAYS: shorter than HOOKKIT_KEEP_BODIES_DAYS; an id outlives its body"
        )
    try:
        if loaded.get("database") is not None:
            check_database(loaded["database"])
    except ConfigurationError as error:
        mistakes += error.mistakes
    if mistakes:
        raise ConfigurationError(*mistakes)
    warn_of_short_secrets(endpoints.values())
    warn_of_shadow_alone(endpoints.values())
    warn_of_shared_secrets(endpoints.values())
    return Settings(endpoints=endpoints, **loaded)


def _shared_paths(all_declared: Mapping[str, Any]) -> list[str]:
    mappings = (declared for declared in all_declared.values() if isinstance(declared, dict))
    paths = [each["path"] for each in mappings if isinstance(each.get("path"), str)]
    return [
        f"HOOKKIT_ENDPOINTS: two endpoints have the path {path!r}"
        for path in sorted({path for path in paths if paths.count(path) > 1})
    ]


class _EncryptionKeysField(ma.Field[tuple[str, ...]]):
    def _deserialize(
        self, value: Any, attr: str | None, data: Any, **kwargs: Any
    ) -> tuple[str, ...]:
        if isinstance(value, str) or not isinstance(value, Sequence):
            raise ValidationError("must be a list of Fernet keys, newest first")
        if not all(isinstance(key, str) and _is_fernet_key(key) for key in value):
            # Not which: what was taken for a key may be one.
            raise ValidationError(
                "one is no Fernet key; cryptography.fernet.Fernet.generate_key() makes one"
            )
        return tuple(value)


def _is_fernet_key(key: str) -> bool:
    try:
        return len(base64.urlsafe_b64decode(key)) == _FERNET_KEY_BYTES
    except ValueError:
        return False


class _RetryField(ma.Field[RetryPolicy]):
    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> RetryPolicy:
        if isinstance(value, RetryPolicy):
            return value
        names = [each.name for each in fields(RetryPolicy) if each.name != "permanent"]
        if not isinstance(value, dict) or not set(value) <= set(names):
            raise ValidationError(f"must be a RetryPolicy, or a mapping of {', '.join(names)}")
        try:
            return RetryPolicy(**value)
        except ConfigurationError as error:
            raise ValidationError(list(error.mistakes)) from error
        except TypeError as error:
            raise ValidationError("every value must be a number") from error


class _SettingsSchema(Strict):
    endpoints = ma.Dict(
        required=True,
        data_key="HOOKKIT_ENDPOINTS",
        validate=validate.Length(min=1, error="holds no endpoint"),
        error_messages={"required": "missing; name at least one endpoint"},
    )
    database = ma.Raw(load_default=None, data_key="HOOKKIT_DATABASE")
    runner = ma.String(
        load_default=None,
        data_key="HOOKKIT_RUNNER",
        validate=validate.OneOf(RUNNERS, error="must be one of {choices}"),
    )
    workers = ma.Integer(
        strict=True,
        load_default=4,
        data_key="HOOKKIT_WORKERS",
        validate=validate.Range(min=1, max=256),
    )
    lease_s = ma.Float(
        load_default=60.0,
        data_key="HOOKKIT_LEASE_S",
        validate=validate.Range(min=1),
    )
    retry = _RetryField(load_default=RetryPolicy(), data_key="HOOKKIT_RETRY")
    keep_bodies_days = ma.Float(
        load_default=30.0, data_key="HOOKKIT_KEEP_BODIES_DAYS", validate=_DAYS
    )
    keep_ids_days = ma.Float(load_default=90.0, data_key="HOOKKIT_KEEP_IDS_DAYS", validate=_DAYS)
    encryption_keys = _EncryptionKeysField(load_default=(), data_key="HOOKKIT_ENCRYPTION_KEYS")
    tables = ma.String(
        load_default="upgrade",
        data_key="HOOKKIT_TABLES",
        validate=validate.OneOf(TABLES, error="must be one of {choices}"),
    )
    twin_window_s = ma.Float(
        load_default=1800.0,
        data_key="HOOKKIT_TWIN_WINDOW_S",
        validate=validate.Range(min=1, max=7 * 86400),
    )
    max_body = ma.Integer(
        strict=True,
        load_default=1 << 20,
        data_key="HOOKKIT_MAX_BODY",
        validate=validate.Range(min=1),
    )
    url_prefix = ma.String(
        data_key="HOOKKIT_URL_PREFIX",
        validate=validate.Regexp(r"^/[^<>\s]*[^<>\s/]$", error="must be a path such as /hooks"),
    )
