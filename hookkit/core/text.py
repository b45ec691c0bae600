"""Make text of a payload safe to show."""

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
