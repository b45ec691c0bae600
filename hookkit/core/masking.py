"""What people may see of a payload: words and ids, and nothing that a person wrote or is."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from enum import Enum
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import unquote

from hookkit.core.text import counted

#: Names of fields that hold a word or an id of the vendor's, and may be shown. The external ids
#: of clients and of destinations are left out: on some channels they are telephone numbers.
_SHOWN = frozenset(
    {
        *("id", "user_id", "client_id", "integration_id", "thread_id", "message_id"),
        *("original_message_id", "campaign_id", "ad_id", "tenant_id"),
        *("type", "status", "state", "stage", "reason", "schema", "media_type", "channel"),
        *("integration_type", "subtypes"),
    }
)
#: Those that only payloads have.
_SHOWN_RAW = _SHOWN | {
    *("app_id", "conversation_id", "event_id", "chat_id", "webhook_id", "license_id"),
    *("action", "trigger", "version", "role", "event_type", "author_type", "created_at"),
    *("change", "event", "member_type", "notification_version"),
    *("received", "timestamp"),
}
_WORD = re.compile(r"[A-Za-z0-9_:./+-]{1,64}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_:.-]{0,63}")
_TIME = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)?)?")
_ADDRESS = re.compile(r"[^\s@]+@[^\s@]+")
_URL = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
#: A telephone number, a UUID, or an id of hexadecimal digits.
_DIGITS = re.compile(r"\+?[ .()/-]*\d[\d .()/-]*|[0-9A-Fa-f]{8}[0-9A-Fa-f-]*")
#: A longer text is taken for one that somebody wrote.
_LONGEST_KIND_CHARS = 2_000
#: What an id is made of.
_ID = re.compile(r"[A-Za-z0-9_./+=~-]+")
#: A number that may be a person's, such as that of a telephone.
_NUMBER = re.compile(r"\+?\d(?:[ .()/-]{0,2}\d){6,}")
_CAPITAL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

#: A number from here on is not shown.
_LONG_NUMBER = 1_000_000
_DEEPEST = 100

#: What is taken out of the text of an error, and what stands in its place. The order matters:
#: the query of a URL may hold an address.
_PERSONAL = (
    (re.compile(r"(?<=://)[^\s/@]*@"), "\u2026@"),
    (re.compile(r"(?<=://)([^\s?#]*)[?#]\S*"), "\\1?\u2026"),
    (re.compile(r"[^\s@<>\"'(\[{=:,;/\u2026]+@[^\s@<>\"')\]},;]+"), "\u2026@\u2026"),
    (re.compile(r"'[^'\n]{3,}'|\"[^\"\n]{3,}\"|\u201c[^\u201d\n]{3,}\u201d"), "'\u2026'"),
    (re.compile(r"\+?\d(?:[ .()/-]{0,2}\d){5,}"), "#"),
)


def shown(value: Any, path: str) -> str:
    """Return what a report may show of the *value* at *path*: no text that a person wrote.

    Args:
        value: An attribute of an event.
        path: The names of the attributes that lead to it, with ``[]`` for each element of an
            array.
    """
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds")
    if isinstance(value, bool | int):
        return str(value).lower()
    if isinstance(value, str):
        name = path.rpartition(".")[2].removesuffix("[]")
        return _shown_text(value, is_word=name in _SHOWN)
    if isinstance(value, tuple):
        return f"array of {counted(len(value), 'element', 'elements')}"
    if isinstance(value, Mapping):
        return f"object of {counted(len(value), 'key', 'keys')}"
    return f"a {type(value).__name__}"


class _Instead(NamedTuple):
    """What is shown in place of what a person wrote or is.

    Attributes:
        text: Returns it for a text.
        number: Returns it for a number that is long or has a fraction.
        id: Returns it for a word or an id, which may be made of a telephone number.
        words: Further texts that stay, under whatever name.
    """

    text: Callable[[str], str]
    number: Callable[[float], Any]
    id: Callable[[str], str]
    words: Collection[str] = ()


def masked(value: Any, name: str = "") -> Any:
    """Return a JSON *value* with its structure and without what a person wrote or is.

    Words and ids that stand under the names for them stay, and so do numbers and times; other
    texts become their length. The keys of an object stay if they are words.

    Args:
        value: What ``json.loads`` returns.
        name: The key that it stands under.
    """
    return _masked(value, name, _Instead(_length_of, lambda _: "a number", masked_id), 0)


def masked_alike(value: Any, words: Collection[str] = ()) -> Any:
    """Return *value* as ``masked`` does, with texts and numbers of the same kind in their place.

    A program reads it as it reads *value*: a URL becomes another URL, an address another
    address, a telephone number one of zeros, and JSON within a text is masked itself.

    Args:
        value: What ``json.loads`` returns.
        words: The vendor's own words, which stay under whatever name they stand.
    """
    text = partial(_text_alike, words=words)
    ids = partial(_id_alike, numbers={})
    return _masked(value, "", _Instead(text, _number_alike, ids, words), 0)


def _masked(value: Any, name: str, instead: _Instead, depth: int) -> Any:
    if depth > _DEEPEST:
        return "\u2026"
    if isinstance(value, dict):
        return {
            _shown_key(key): _masked(each, key, instead, depth + 1) for key, each in value.items()
        }
    if isinstance(value, list):
        return [_masked(inner, name, instead, depth + 1) for inner in value]
    is_word = _snake(name) in _SHOWN_RAW
    if isinstance(value, str):
        if value in instead.words or _TIME.fullmatch(value):
            return value
        is_id = is_word and _WORD.fullmatch(value)
        return instead.id(value) if is_id else instead.text(value)
    if value is None or isinstance(value, bool) or is_word:
        return value
    # A longer one may be a telephone number, and one with a fraction a place on the map.
    is_short = isinstance(value, int) and abs(value) < _LONG_NUMBER
    return value if is_short else instead.number(value)


def _text_alike(value: str, words: Collection[str]) -> str:
    """Return a text of the kind of *value*: an address, a URL, digits, JSON, or any other."""
    if value.startswith(("{", "[")):
        try:
            return json.dumps(masked_alike(json.loads(value), words))
        except (ValueError, RecursionError):
            return _length_of(value)
    if len(value) > _LONGEST_KIND_CHARS:
        return _length_of(value)
    if _ADDRESS.fullmatch(value):
        return "person@example.com"
    if _URL.match(value):
        return "https://example.com/masked"
    if _DIGITS.fullmatch(value):
        return re.sub("[A-Fa-f]", "a", re.sub(r"\d", "0", value))
    return _length_of(value) if value else value


def _id_alike(text: str, numbers: dict[str, str]) -> str:
    """Return an id with another number in place of each that may be a person's.

    Args:
        numbers: What stands for which so far: two that differ go on to differ.
    """
    parts = text.split(":")
    for at, part in enumerate(parts):
        number = unquote(part)
        if _NUMBER.fullmatch(number):
            sign, digits = number[: number.startswith("+")], re.sub(r"\D", "", number)
            alike = f"{sign}{len(numbers) + 1:0{len(digits)}}"
            parts[at] = numbers.setdefault(number, alike)
    return ":".join(parts)


def _number_alike(value: float) -> Any:
    if isinstance(value, int):
        return (10 ** (len(str(abs(value))) - 1)) * (-1 if value < 0 else 1)
    return 1.5


def masked_id(text: str) -> str:
    """Return the id of an event, of a lane or of a fact without names, addresses and numbers.

    It may be made of what a sender calls itself, between colons: a telephone number, for one.
    """
    return ":".join(map(_masked_part, text.split(":")))


def _masked_part(part: str) -> str:
    text = unquote(part)
    if _NUMBER.fullmatch(text):
        return "#"
    return part if not part or _ID.fullmatch(text) or _TIME.fullmatch(text) else _length_of(text)


def masked_error(text: str) -> str:
    """Return the *text* of an exception without addresses, long numbers, queries and quotes."""
    for pattern, instead in _PERSONAL:
        text = pattern.sub(instead, text)
    return text


def _shown_text(value: str, *, is_word: bool) -> str:
    if _TIME.fullmatch(value):
        return value
    return masked_id(value) if is_word and _WORD.fullmatch(value) else _length_of(value)


def _length_of(value: str) -> str:
    return f"text of {counted(len(value), 'character', 'characters')}"


def _shown_key(key: str) -> str:
    return key if _NAME.fullmatch(key) else _length_of(key)


def _snake(name: str) -> str:
    """Return *name* as the unified model writes it: ``_id`` as ``id``, ``appId`` as ``app_id``."""
    return _CAPITAL.sub("_", name).lower().lstrip("_")
