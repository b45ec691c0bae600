"""Flask's configuration -> ``Settings``, or every mistake in it at once."""

from __future__ import annotations

import difflib
import re
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, validate
from marshmallow import fields as ma

from hookkit.core.errors import ConfigurationError, Unavailable
from hookkit.core.provider import Provider
from hookkit.core.retry import RetryPolicy
from hookkit.schemas.shape import problems

#: A secret that a person can remember can be guessed by a program.
MIN_SECRET_CHARS = 16

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")

RUNNERS = ("thread", "inline", "none")

Secrets = Sequence[str] | Callable[[], Sequence[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A URL to which one provider posts.

    Attributes:
        configured_secrets: Newest first, or a callable that returns them.
        unsigned: Nothing proves the sender, and the settings say that this is meant.
        path: An existing URL that is used instead of prefix and name.
        max_body_bytes: A larger body is refused.
        repeat_window_s: Replaces the provider's own, for items without id and time.
    """

    name: str
    provider: Provider
    configured_secrets: Secrets = field(repr=False)
    unsigned: bool = False
    path: str | None = None
    max_body_bytes: int
    repeat_window_s: float | None = None

    def secrets(self) -> list[bytes]:
        """Return the secrets of this moment, newest first.

        Raises:
            Unavailable: The callable in the settings raised, or returned no usable secret.
        """
        secrets = self.configured_secrets
        if callable(secrets):
            try:
                secrets = secrets()
                _check_secrets(secrets)
            except Exception as error:  # noqa: BLE001  # whatever the callable raises
                # What was raised may quote the secret.
                raise Unavailable(
                    f"the secrets of endpoint {self.name!r} cannot be had:"
                    f" {type(error).__name__} from the callable in HOOKKIT_ENDPOINTS"
                ) from None
        return [secret.encode() for secret in secrets]


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
    """

    endpoints: Mapping[str, Endpoint]
    database: Any = field(repr=False)  # a URL may hold a password
    runner: str | None
    workers: int
    lease_s: float
    retry: RetryPolicy


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
    _warn_of_short_secrets(read.values())
    return Settings(endpoints=read, **loaded)


def _load(schema: Schema, given: Any) -> tuple[dict[str, Any], list[str]]:
    """Return what could be read, and a line for each mistake."""
    try:
        loaded: dict[str, Any] = schema.load(given)
    except ValidationError as error:
        messages: Any = error.messages
        valid = error.valid_data
        mistakes: Any = {_nearest(key, schema): lines for key, lines in messages.items()}
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


def _warn_of_short_secrets(endpoints: Iterable[Endpoint]) -> None:
    for endpoint in endpoints:
        if callable(endpoint.configured_secrets):
            continue
        if any(len(secret) < MIN_SECRET_CHARS for secret in endpoint.configured_secrets):
            warnings.warn(
                f"HOOKKIT_ENDPOINTS.{endpoint.name}.secrets: one is shorter than"
                f" {MIN_SECRET_CHARS} characters and may be guessed",
                stacklevel=4,
            )


def _check_secrets(secrets: object) -> None:
    """Raise ``ValidationError`` unless *secrets* can be compared with what is sent."""
    if isinstance(secrets, str) or not isinstance(secrets, Sequence):
        raise ValidationError("must be a list of texts, newest first, or a callable")
    if not secrets:
        raise ValidationError('holds no secret; unverified endpoints say "unsigned": True')
    if not all(isinstance(secret, str) for secret in secrets):
        raise ValidationError("every secret must be a text")
    if any(not secret.strip() for secret in secrets):
        raise ValidationError("holds an empty secret")
    if any(secret != secret.strip() for secret in secrets):
        raise ValidationError("a secret begins or ends with white space")
    if len(set(secrets)) < len(secrets):
        raise ValidationError("holds one secret twice")


class _SecretsField(ma.Field[Any]):
    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if not callable(value):
            _check_secrets(value)
        return value


class _RetryField(ma.Field[RetryPolicy]):
    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> RetryPolicy:
        if isinstance(value, RetryPolicy):
            return value
        names = [each.name for each in fields(RetryPolicy)]
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
    max_body = ma.Integer(
        strict=True,
        load_default=1 << 20,
        data_key="HOOKKIT_MAX_BODY",
        validate=validate.Range(min=1),
    )
    url_prefix = ma.String(data_key="HOOKKIT_URL_PREFIX")
