"""How texts and times are stored, in every table."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

#: Longest vendor type and payload version that are stored; what is longer is cut.
MAX_WORD_CHARS = 255
#: Longest problem and error that are stored; what is longer is cut.
MAX_TEXT_CHARS = 10_000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def storable_text(text: str, max_chars: int = MAX_TEXT_CHARS) -> str:
    """Return *text*, which came out of a payload, as text that every database stores.

    Lone surrogates and NUL are written as escapes (see ``bounded_id``). A text that is too
    long is cut and ends in an ellipsis: only people read it, no program compares it.
    """
    if len(text) > max_chars:
        text = f"{text[: max_chars - 1]}\u2026"
    if text.isascii() and "\x00" not in text:
        return text
    # An escape is longer than what it stands for, hence the second cut.
    text = text.encode("utf-8", "backslashreplace").decode().replace("\x00", "\\x00")
    return text if len(text) <= max_chars else f"{text[: max_chars - 1]}\u2026"


def to_ms(moment: datetime) -> int:
    """Return aware *moment* as whole milliseconds since the epoch, rounded down."""
    return (moment - _EPOCH) // _MILLISECOND


def from_ms(milliseconds: int) -> datetime:
    """Return *milliseconds* since the epoch as an aware moment in UTC."""
    return _EPOCH + milliseconds * _MILLISECOND


def seconds_to_ms(seconds: float) -> int:
    """Return a duration in whole milliseconds."""
    return round(seconds * 1000)


def later(milliseconds: int, seconds: float) -> int:
    """Return the moment *seconds* after another, both in milliseconds since the epoch."""
    return milliseconds + seconds_to_ms(seconds)
