"""Flask's configuration -> ``Settings``, or every mistake in it at once."""

from __future__ import annotations

import base64
import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, validate
from marshmallow import fields as ma

from hookkit.core.errors import ConfigurationError
from hookkit.core.provider import Provider
from hookkit.core.retry import RetryPolicy
from hookkit.endpoint import Endpoint, check_secrets, warn_of_short_secrets
from hookkit.schemas.shape import problems

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")

RUNNERS = ("thread", "inline", "none")
MIGRATE_MODES = ("apply", "check")

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
        migrate: ``apply`` or ``check``.
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
    migrate: str


def load_settings(
    config: Mapping[str, Any],
    providers: Mapping[str, Provider],
    check_database: Callable[[Any], None],
) -> Settings:
    """Read the keys of *config* that start with ``HOOKKIT_``.

    Args:
        check_database: Raises ``ConfigurationError`` for what cannot hold an inbox.

    Raises:
        ConfigurationError: Anything is wrong; every mistake is listed by its key.
    """
    given = {key: value for key, value in config.items() if key.startswith("HOOKKIT_")}
    loaded, mistakes = _load(_SettingsSchema(), given)
    endpoints = {}
    for name, declared in loaded.pop("endpoints", {}).items():
        endpoint, more = _load(_EndpointSchema(), declared)
        more += _cross_check(name, endpoint, declared, providers)
        mistakes += [f"HOOKKIT_ENDPOINTS.{name}{_separated(mistake)}" for mistake in more]
        endpoints[name] = endpoint
    mistakes += _shared_paths(endpoints)
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
    default_max_body = loaded.pop("max_body")
    loaded.pop("url_prefix", None)
    read = {
        name: Endpoint(
            name=name,
            provider=providers[endpoint["provider"]],
            configured_secrets=endpoint.get("secrets", ()),
            unsigned=endpoint["unsigned"],
            path=endpoint.get("path"),
            max_body_bytes=endpoint.get("max_body", default_max_body),
            repeat_window_s=endpoint.get("repeat_window_s"),
        )
        for name, endpoint in endpoints.items()
    }
    warn_of_short_secrets(read.values())
    return Settings(endpoints=read, **loaded)


def _load(schema: Schema, given: Any) -> tuple[dict[str, Any], list[str]]:
    """Return what could be read, and a line for each mistake."""
    try:
        loaded: dict[str, Any] = schema.load(given)
    except ValidationError as error:
        messages: Any = error.messages
        valid = error.valid_data
        mistakes: Any = {_nearest(str(key), schema): lines for key, lines in messages.items()}
        return (valid if isinstance(valid, dict) else {}), list(problems(mistakes))
    return loaded, []


def _nearest(key: str, schema: Schema) -> str:
    """Return *key*, with the setting that was meant when there is no such one."""
    known = [each.data_key or name for name, each in schema.load_fields.items()]
    if key == "_schema":
        return ""
    nearest = difflib.get_close_matches(key, known, n=1, cutoff=0.75) if key not in known else []
    return f"{key} (did you mean {nearest[0]}?)" if nearest else key


def _separated(mistake: str) -> str:
    return mistake if mistake.startswith(":") else f".{mistake}"


def _cross_check(
    name: object,
    endpoint: Mapping[str, Any],
    declared: Any,
    providers: Mapping[str, Provider],
) -> list[str]:
    mistakes = []
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        mistakes.append(": the name must be letters, digits, '.', '_' and '-', at most 100")
    provider = endpoint.get("provider")
    if provider is not None and provider not in providers:
        mistakes.append(
            f"provider: {provider!r} is not known; known are {', '.join(sorted(providers))}"
        )
    if "unsigned" in endpoint and endpoint["unsigned"] == ("secrets" in declared):
        mistakes.append(
            "unsigned: true beside secrets; say which of the two is meant"
            if endpoint["unsigned"]
            else 'secrets: missing; an endpoint that verifies nothing says "unsigned": True'
        )
    return mistakes


def _shared_paths(endpoints: Mapping[str, Mapping[str, Any]]) -> list[str]:
    paths = [endpoint["path"] for endpoint in endpoints.values() if "path" in endpoint]
    return [
        f"HOOKKIT_ENDPOINTS: two endpoints have the path {path!r}"
        for path in sorted({path for path in paths if paths.count(path) > 1})
    ]


class _SecretsField(ma.Field[Any]):
    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if not callable(value):
            try:
                check_secrets(value)
            except ValueError as error:
                raise ValidationError(str(error)) from error
        return value


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


class _Strict(Schema):
    class Meta:
        unknown = RAISE

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.error_messages |= {"unknown": "no such setting", "type": "must be a mapping"}


class _EndpointSchema(_Strict):
    provider = ma.String(required=True)
    secrets = _SecretsField()
    unsigned = ma.Boolean(load_default=False, truthy={True}, falsy={False})
    path = ma.String(validate=validate.Regexp(r"^/[^<>\s]*$", error="must start with /"))
    max_body = ma.Integer(strict=True, validate=validate.Range(min=1))
    repeat_window_s = ma.Float(validate=validate.Range(min=0, min_inclusive=False))


class _SettingsSchema(_Strict):
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
    migrate = ma.String(
        load_default="apply",
        data_key="HOOKKIT_MIGRATE",
        validate=validate.OneOf(MIGRATE_MODES, error="must be one of {choices}"),
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
