"""The settings of an endpoint one by one: what may be written, and what is read from it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any, TypedDict

from marshmallow import RAISE, Schema, ValidationError, validate
from marshmallow import fields as ma

from hookkit.core.errors import split_url
from hookkit.core.handshake import Handshake
from hookkit.core.modes import Mode
from hookkit.core.parts import AuthorType
from hookkit.core.scheme import Scheme
from hookkit.receiving.endpoint import CHECKS, Secrets
from hookkit.schemas.shape import problems
from hookkit.senders.sender import DECODERS, FORM_JSON, KINDS
from hookkit.settings.scheme import read_scheme
from hookkit.signatures.rsa import RsaKey, read_key

#: The modes, as the settings spell them.
MODES = tuple(mode.value for mode in Mode)

#: The authors whom a registration may be said to deliver the words of.
_AUTHORS = [each.value for each in AuthorType if each is not AuthorType.UNKNOWN]

# The headers of a kept delivery that begin so are hookkit's own, and no sender has sent them.
_PLACE = re.compile(rf"(?!header:(?i:hookkit)-)({'|'.join(KINDS)}):[^\s:+]{{1,200}}", re.ASCII)


class Strict(Schema):
    """A mapping whose keys are all known."""

    class Meta:
        """Options of marshmallow."""

        unknown = RAISE

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.error_messages |= {"unknown": "no such setting", "type": "must be a mapping"}


def load_strict(schema: Strict, given: object) -> tuple[dict[str, Any], list[str]]:
    """Return the values in *given* that are right, and a line for each mistake."""
    declared: Any = given  # whatever it is, the schema says what is wrong with it
    try:
        loaded: dict[str, Any] = schema.load(declared)
    except ValidationError as error:
        messages: Any = error.messages
        valid = error.valid_data
        mistakes: Any = {_nearest(str(key), schema): lines for key, lines in messages.items()}
        return (valid if isinstance(valid, dict) else {}), list(problems(mistakes))
    return loaded, []


def below(key: str, mistakes: Iterable[str]) -> list[str]:
    """Return the mistakes of the mapping under *key*, each with *key* in front."""
    return [
        f"{key}{mistake}" if mistake.startswith(":") else f"{key}.{mistake}" for mistake in mistakes
    ]


def _nearest(key: str, schema: Schema) -> str:
    """Return *key*; if it is unknown, together with the setting that was probably meant."""
    known = [each.data_key or name for name, each in schema.load_fields.items()]
    if key == "_schema":
        return ""
    nearest = difflib.get_close_matches(key, known, n=1, cutoff=0.75) if key not in known else []
    return f"{key} (did you mean {nearest[0]}?)" if nearest else key


def _switch(otherwise: str) -> ma.Field[Any]:
    """Return a field of True or False; *otherwise* says what True does."""

    def read(given: Any) -> bool:
        # Not by equality: 1 and 1.0 equal True, and no number may switch a proof off.
        if not isinstance(given, bool):
            raise ValidationError(f"must be True or False; True {otherwise}")
        return given

    return ma.Function(deserialize=read)


def _secrets(setting: str) -> ma.Field[Any]:
    """Return a field of secrets, or of a callable that returns them."""

    def read(given: Any) -> Secrets:
        if not callable(given):
            try:
                CHECKS[setting](given)
            except ValueError as error:
                raise ValidationError(str(error)) from error
        secrets: Secrets = given
        return secrets

    return ma.Function(deserialize=read)


def _read_keys(given: Any) -> tuple[RsaKey, ...]:
    """Return the public keys in *given*: JWK or PEM, or a list of them."""
    listed = [given] if isinstance(given, str | Mapping) else given
    if not isinstance(listed, Sequence) or isinstance(listed, bytes):
        raise ValidationError("must be a JWK or PEM, or a list of them")
    if not listed:
        raise ValidationError("holds no key")
    try:
        keys = tuple(read_key(each) for each in listed)
    except ValueError as error:
        raise ValidationError(f"one {error}") from error
    if len({each.jwk for each in keys}) < len(keys):
        raise ValidationError("holds one key twice")
    return keys


def _read_places(given: Any) -> tuple[str, ...]:
    """Return where an id or a type may be: the first place that has one counts."""
    places = [given] if isinstance(given, str) else given
    if not isinstance(places, list | tuple) or not all(
        isinstance(each, str) and all(map(_PLACE.fullmatch, each.split("+"))) for each in places
    ):
        raise ValidationError(
            "must be header:<name> or body:<path.into.it>, several joined by +, or a list of such"
            " texts"
        )
    return tuple("+".join(map(_in_one_case, each.split("+"))) for each in places)


def _in_one_case(place: str) -> str:
    return place.lower() if place.startswith("header:") else place


def _read_pin(given: Any) -> str | dict[str, str]:
    """Return a payload version, or one for each registration."""
    texts = [*given, *given.values()] if isinstance(given, dict) else [given]
    if not all(isinstance(text, str) for text in texts):
        raise ValidationError("must be a text, or a mapping of webhook ids to texts")
    pin: str | dict[str, str] = given
    return pin


def _address(
    schemes: Collection[str], otherwise: str, *, takes_user: bool = False
) -> Callable[[str], None]:
    """Return a validator of URLs, which says *otherwise* of anything else.

    Args:
        schemes: Those that a URL may have.
        otherwise: The message.
        takes_user: Whether the URL may hold credentials.
    """

    def check(url: str) -> None:
        parts = split_url(url, schemes)
        if parts is None:
            raise ValidationError(otherwise)
        if (parts.username is not None and not takes_user) or "?" in url or "#" in url:
            raise ValidationError(
                f"must be without {'' if takes_user else 'user, '}query and fragment"
            )

    return check


_check_key_address = _address(["https"], "must be an address that begins with https://")


class PartSettings(TypedDict, total=False):
    """The settings of an endpoint, or those of one of its payload versions, which has fewer."""

    body: str
    items: str
    handshake: tuple[Handshake, ...]
    challenge: str
    answer: str
    provider: str
    mode: str
    secrets: Secrets
    unsigned: bool
    basic: Secrets
    path_token: Secrets
    scheme: Scheme
    keys: tuple[RsaKey, ...]
    region: str
    key_bases: list[str]
    key_set: str
    tolerance_s: float
    event_id: tuple[str, ...]
    unsigned_event_id: bool
    once_per_fact: bool
    event_type: tuple[str, ...]
    public_url: str
    verify_token: Sequence[str] | Callable[[], Sequence[str]]
    versions: Mapping[object, object]
    version: str | dict[str, str]
    authors: dict[str, str]
    path: str
    max_body: int
    max_unproven_bytes: int
    max_items: int
    repeat_window_s: float


#: The highest that ``max_items`` may be. So many events are admitted in about a second; with many
#: more, no attempt of the vendor would end within the time limit of a transaction.
HIGHEST_MAX_ITEMS = 10_000


class _ProtectionSchema(Strict):
    """What an endpoint and a payload version may both say."""

    secrets = _secrets("secrets")
    unsigned = _switch("accepts what no secret proves")
    basic = _secrets("basic")
    path_token = _secrets("path_token")
    scheme = ma.Function(deserialize=read_scheme)
    keys = ma.Function(deserialize=_read_keys)
    region = ma.String()
    key_bases = ma.List(
        ma.String(validate=_check_key_address),
        validate=validate.Length(min=1, error="holds no address"),
    )


class VersionSchema(_ProtectionSchema):
    """A payload version of an endpoint."""

    mode = ma.String(validate=validate.OneOf(MODES, error="{input!r} is no mode; choose {choices}"))


def _read_body_kind(given: Any) -> str:
    """Return the format of a body."""
    field = given.removeprefix(FORM_JSON) if isinstance(given, str) else ""
    if given not in DECODERS and (field == given or not field):
        raise ValidationError(f"must be one of {', '.join(DECODERS)}, or {FORM_JSON}<field>")
    kind: str = given
    return kind


def _read_handshakes(given: Any) -> tuple[Handshake, ...]:
    """Return what marks deliveries that test the URL, and the answers to them."""
    listed = [given] if isinstance(given, Mapping) else given
    names = {each.name for each in fields(Handshake)}
    if not isinstance(listed, list) or not all(
        isinstance(each, Mapping) and {"field", "value"} <= each.keys() <= names for each in listed
    ):
        raise ValidationError(
            "must be a mapping, or a list of them, with field, value, and at will absent, answer"
            " and status"
        )
    for each in listed:
        kinds = {"value": str | int | None, "answer": str | Mapping, "status": int}
        for name, value in each.items():
            if not isinstance(value, kinds.get(name, str)):
                raise ValidationError(f"{name}: is of another type")
        if not 200 <= each.get("status", 200) <= 299:
            raise ValidationError("status: must be from 200 to 299")
    return tuple(Handshake(**{**each, "field": _in_one_case(each["field"])}) for each in listed)


class EndpointSchema(_ProtectionSchema):
    """An endpoint."""

    provider = ma.String(required=True)
    key_set = ma.String(validate=_check_key_address)
    body = ma.Function(deserialize=_read_body_kind)
    items = ma.String(validate=validate.Length(min=1, error="must be a path in the body"))
    handshake = ma.Function(deserialize=_read_handshakes)
    challenge = ma.String(validate=validate.Length(min=1, error="must be a query parameter"))
    answer = ma.String()
    tolerance_s = ma.Float(validate=validate.Range(min=0))
    event_id = ma.Function(deserialize=_read_places)
    unsigned_event_id = _switch("believes an id that no signature covers")
    event_type = ma.Function(deserialize=_read_places)
    public_url = ma.String(
        validate=_address(
            ["http", "https"],
            "must be the address that the sender was given, https://...",
            takes_user=True,  # a sender signs them as a part of the URL
        )
    )
    verify_token = _secrets("verify_token")
    versions = ma.Dict(error_messages={"invalid": "must map payload versions to their modes"})
    version = ma.Function(deserialize=_read_pin)
    authors = ma.Dict(
        keys=ma.String(),
        values=ma.String(validate=validate.OneOf(_AUTHORS, error="must be one of {choices}")),
        error_messages={"invalid": "must map webhook ids to " + ", ".join(_AUTHORS)},
    )
    path = ma.String(
        validate=[
            validate.Regexp(r"^/", error="must start with /"),
            validate.Regexp(
                r"^(?!.*//)[^<>?#%\\\s]*$",
                error="must be a path as it is once decoded, such as /sms/webhook: without //,"
                " spaces and any of < > ? # % \\",
            ),
        ]
    )
    max_body = ma.Integer(strict=True, validate=validate.Range(min=1))
    max_unproven_bytes = ma.Integer(strict=True, validate=validate.Range(min=1))
    max_items = ma.Integer(strict=True, validate=validate.Range(min=1, max=HIGHEST_MAX_ITEMS))
    once_per_fact = _switch("has one event of all that several webhooks report about one fact")
    repeat_window_s = ma.Float(validate=validate.Range(min=0, min_inclusive=False))
