"""Text for people: safe to show, and with the right number of things."""

from __future__ import annotations


def visible(text: str) -> str:
    r"""Return *text* on one line, with what would steer a terminal or hide itself made visible.

    Line breaks, control characters, marks that turn the direction of writing and characters
    without width become escapes such as ``\x1b``. Text that is made visible twice stays as it is.
    """
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def counted(number: int, singular: str, plural: str) -> str:
    """Return *number* and the word or words that go with it: ``1 entry``, ``2 entries``."""
    return f"{number} {singular if number == 1 else plural}"


def sentence(text: str) -> str:
    """Return a message, which begins in lower case and ends without a full stop, as a sentence."""
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') else '.'}"


def capped(number: int, cap: int) -> str:
    """Return *number*, which was counted no further than one above *cap*."""
    return str(number) if number <= cap else f"more than {cap}"
