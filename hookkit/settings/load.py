"""Flask's configuration -> ``Settings``, or every mistake in it at once."""

from __future__ import annotations

import base64
import math
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import partial
from typing import Any

from marshmallow import ValidationError, validate
from marshmallow import fields as ma

from hookkit.core.attempts import RetryPolicy
from hookkit.core.body import MAX_UNPROVEN_BYTES
from hookkit.core.errors import ConfigurationError
from hookkit.core.ids import fingerprint_of, read_key
from hookkit.core.modes import Mode
from hookkit.core.provider import Provider
from hookkit.inbox.opening import Database, check_database
from hookkit.receiving.endpoint import Endpoint
from hookkit.settings.endpoint import ENDPOINT_LIMITS, read_endpoint, visible_secrets
from hookkit.settings.fields import HIGHEST_MAX_ITEMS, Strict, below, load_strict

#: A secret that a person can remember can be guessed by a program.
MIN_SECRET_CHARS = 16

RUNNERS = ("thread", "inline", "celery", "none")
TABLES = ("upgrade", "check")
REVEAL = ("allowed", "never")

# https://github.com/fernet/spec/blob/master/Spec.md#key-format
_FERNET_KEY_BYTES = 32

_DAYS = validate.Range(min=0, min_inclusive=False, max=36500)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What an application configures.

    Attributes:
        endpoints: By name.
        database: Where the inbox is; None leaves it to the default when the inbox is opened.
        runner: One of ``RUNNERS``; None leaves it to the default when the runner is started.
        workers: How many threads of a process run handlers.
        lease_s: How long a claimed entry belongs to its worker.
        retry: The policy of handlers without one of their own.
        keep_bodies_days: How long the bodies of settled entries are kept.
        keep_ids_days: How long settled entries are kept, so that they stop duplicates.
        encryption_keys: Fernet keys for bodies, newest first; () stores bodies in clear.
        tables: Whether opening the inbox may change its tables (``upgrade``) or not (``check``).
        quarantine: How many refused deliveries are kept; 0 keeps none.
        twin_window_s: How long another version's report of a fact may take to arrive.
        console_reveal: Whether the console may show personal data to whoever has the right
            (``allowed``) or to nobody (``never``).
    """

    endpoints: Mapping[str, Endpoint]
    database: Database | None = field(repr=False)  # a URL may hold a password
    runner: str | None
    workers: int
    lease_s: float
    retry: RetryPolicy
    keep_bodies_days: float
    keep_ids_days: float
    encryption_keys: tuple[str, ...] = field(repr=False)
    tables: str
    quarantine: int
    twin_window_s: float
    console_reveal: str


def load_settings(config: Mapping[str, Any], providers: Mapping[str, Provider]) -> Settings:
    """Read the keys of *config* that start with ``HOOKKIT_``, and ``SECRET_KEY``.

    It warns of settings that are allowed and probably not meant.

    Args:
        providers: By name.

    Raises:
        ConfigurationError: Anything is wrong; every mistake is listed by its key.
    """
    given = {key: value for key, value in config.items() if key.startswith("HOOKKIT_")}
    loaded, mistakes = load_strict(_SettingsSchema(), given)
    loaded.pop("url_prefix", None)  # read by ``init_app``, before the blueprint is registered
    limits = {name: loaded.pop(name, 0) for name in ENDPOINT_LIMITS}
    endpoints, more = _read_endpoints(
        loaded.pop("endpoints", {}), providers, limits, config.get("SECRET_KEY")
    )
    mistakes += below("HOOKKIT_ENDPOINTS", more)
    if loaded.get("keep_ids_days", math.inf) < loaded.get("keep_bodies_days", 0):
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
    concerns = [
        *_weak_secrets(endpoints),
        *_strange_secrets(endpoints),
        *_shared_secrets(endpoints),
        *_all_held_back(endpoints),
        *_strange_twins(endpoints),
    ]
    for line in below("HOOKKIT_ENDPOINTS", concerns):
        warnings.warn(line, stacklevel=3)
    return Settings(endpoints=endpoints, **loaded)


def _read_endpoints(
    all_declared: Mapping[object, object],
    providers: Mapping[str, Provider],
    limits: Mapping[str, int],
    secret_key: object,
) -> tuple[dict[str, Endpoint], list[str]]:
    """Return the endpoints by name, and the mistakes in all of them."""
    endpoints: dict[str, Endpoint] = {}
    mistakes: list[str] = []
    fingerprint = partial(fingerprint_of, read_key(secret_key))
    for name, declared in all_declared.items():
        endpoint, more = read_endpoint(name, declared, providers, limits)
        mistakes += below(str(name), more)
        if endpoint is not None:
            endpoints[endpoint.name] = replace(endpoint, fingerprint=fingerprint)
    return endpoints, [*mistakes, *_shared_paths(all_declared)]


def _weak_secrets(endpoints: Mapping[str, Endpoint]) -> Iterator[str]:
    """Yield a line for each setting with a secret that can be guessed."""
    for endpoint in endpoints.values():
        weak = {
            name
            for protection in endpoint.protections
            for name, secrets in protection.configured()
            if any(
                len(_guessed(name, text)) < MIN_SECRET_CHARS for text in visible_secrets(secrets)
            )
        }
        for name in sorted(weak):
            yield (
                f"{endpoint.name}.{name}: one is shorter than {MIN_SECRET_CHARS} characters and may"
                " be guessed"
            )


#: The beginning of what people paste in place of a signing secret -> what it is.
_NO_SECRETS = {
    "sk_test_": "an API key of Stripe; the signing secret begins with whsec_",
    "sk_live_": "an API key of Stripe; the signing secret begins with whsec_",
    "rk_live_": "an API key of Stripe; the signing secret begins with whsec_",
    "pk_live_": "an API key of Stripe; the signing secret begins with whsec_",
    "sha256=": "a signature",
    "sha1=": "a signature",
    "Bearer ": "the value of a header; the secret is what follows Bearer",
    "https://": "a URL",
    '"': "a secret in quotes; leave them out",
    "'": "a secret in quotes; leave them out",
    "${": "a variable whose value was not put in its place",
    "<": "a place to put a secret",
}


def _strange_secrets(endpoints: Mapping[str, Endpoint]) -> Iterator[str]:
    """Yield a line for each secret that looks like something else."""
    for endpoint in endpoints.values():
        for protection in endpoint.protections:
            for text in visible_secrets(protection.secrets or ()):
                for start, what in _NO_SECRETS.items():
                    if text.startswith(start):
                        yield f"{endpoint.name}.secrets: one looks like {what}"


def _guessed(setting: str, text: str) -> str:
    """Return the part of *text* that is secret: of Basic credentials, the password alone."""
    return text.partition(":")[2] if setting == "basic" else text


def _shared_secrets(endpoints: Mapping[str, Endpoint]) -> Iterator[str]:
    """Yield a line for endpoints with the same secret: its owner could send to either of them."""
    owners: dict[str, set[str]] = {}
    for endpoint in endpoints.values():
        for protection in endpoint.protections:
            for text in visible_secrets(protection.secrets or ()):
                owners.setdefault(text, set()).add(endpoint.name)
    for names in sorted({tuple(sorted(each)) for each in owners.values() if len(each) > 1}):
        yield f": {' and '.join(names)} have the same secret; give each its own"


def _all_held_back(endpoints: Mapping[str, Endpoint]) -> Iterator[str]:
    """Yield a line for each endpoint whose settings make no version live."""
    for endpoint in endpoints.values():
        if endpoint.modes is not None and Mode.LIVE not in endpoint.modes.values():
            yield (
                f"{endpoint.name}.versions: none is live, so that nothing runs unless"
                " `flask hookkit versions switch` has made one live"
            )


def _strange_twins(endpoints: Mapping[str, Endpoint]) -> Iterator[str]:
    """Yield a line for each endpoint at which no webhook can report the twin of another's event."""
    for endpoint in endpoints.values():
        if endpoint.modes is None:
            continue
        lists = [
            set(each)
            for protection in endpoint.protections
            if isinstance(protection.secrets, Mapping)
            for each in protection.secrets.values()
        ]
        if len(lists) > 1 and sum(map(len, lists)) == len(set().union(*lists)):
            yield (
                f"{endpoint.name}.secrets: no two webhooks have a secret in common, so that each is"
                " taken for another account's, and none reports the twin of another's event; list"
                " the secrets of one account under each of its webhooks"
            )


def _shared_paths(all_declared: Mapping[object, object]) -> Iterator[str]:
    declared = [each for each in all_declared.values() if isinstance(each, Mapping)]
    # A slash at the end is the one difference that somebody who types a URL overlooks.
    paths = [each["path"].rstrip("/") for each in declared if isinstance(each.get("path"), str)]
    for path, count in sorted(Counter(paths).items()):
        if count > 1:
            yield f": two endpoints have the path {path or '/'!r}"


def _read_encryption_keys(given: Any) -> tuple[str, ...]:
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise ValidationError("must be a list of Fernet keys, newest first")
    if not all(isinstance(key, str) and _is_fernet_key(key) for key in given):
        # It does not show which: the text may be a key all the same.
        raise ValidationError(
            "one is no Fernet key; cryptography.fernet.Fernet.generate_key() makes one"
        )
    return tuple(given)


def _is_fernet_key(key: str) -> bool:
    try:
        return len(base64.urlsafe_b64decode(key)) == _FERNET_KEY_BYTES
    except ValueError:
        return False


def _read_retry(given: Any) -> RetryPolicy:
    if isinstance(given, RetryPolicy):
        return given
    names = [each.name for each in fields(RetryPolicy) if each.name != "permanent"]
    if not isinstance(given, dict) or not set(given) <= set(names):
        raise ValidationError(f"must be a RetryPolicy, or a mapping of {', '.join(names)}")
    try:
        return RetryPolicy(**given)
    except ConfigurationError as error:
        raise ValidationError(list(error.mistakes)) from error


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
        load_default=60.0, data_key="HOOKKIT_LEASE_S", validate=validate.Range(min=1)
    )
    retry = ma.Function(
        deserialize=_read_retry, load_default=RetryPolicy(), data_key="HOOKKIT_RETRY"
    )
    keep_bodies_days = ma.Float(
        load_default=30.0, data_key="HOOKKIT_KEEP_BODIES_DAYS", validate=_DAYS
    )
    keep_ids_days = ma.Float(load_default=90.0, data_key="HOOKKIT_KEEP_IDS_DAYS", validate=_DAYS)
    encryption_keys = ma.Function(
        deserialize=_read_encryption_keys, load_default=(), data_key="HOOKKIT_ENCRYPTION_KEYS"
    )
    tables = ma.String(
        load_default="upgrade",
        data_key="HOOKKIT_TABLES",
        validate=validate.OneOf(TABLES, error="must be one of {choices}"),
    )
    quarantine = ma.Integer(
        strict=True,
        load_default=1000,
        data_key="HOOKKIT_QUARANTINE",
        validate=validate.Range(min=0, max=100_000),
    )
    twin_window_s = ma.Float(
        load_default=1800.0,
        data_key="HOOKKIT_TWIN_WINDOW_S",
        validate=validate.Range(min=1, max=7 * 86400),
    )
    console_reveal = ma.String(
        load_default="allowed",
        data_key="HOOKKIT_CONSOLE_REVEAL",
        validate=validate.OneOf(REVEAL, error="must be one of {choices}"),
    )
    max_body = ma.Integer(
        strict=True,
        load_default=1 << 20,
        data_key="HOOKKIT_MAX_BODY",
        validate=validate.Range(min=1),
    )
    max_unproven_bytes = ma.Integer(
        strict=True,
        load_default=MAX_UNPROVEN_BYTES,
        data_key="HOOKKIT_MAX_UNPROVEN_BYTES",
        validate=validate.Range(min=1),
    )
    max_items = ma.Integer(
        strict=True,
        load_default=1000,
        data_key="HOOKKIT_MAX_ITEMS",
        validate=validate.Range(min=1, max=HIGHEST_MAX_ITEMS),
    )
    url_prefix = ma.String(
        data_key="HOOKKIT_URL_PREFIX",
        validate=validate.Regexp(r"^/[^<>\s]*[^<>\s/]$", error="must be a path such as /hooks"),
    )
