"""How often a line is written that strangers could have written without end."""

from __future__ import annotations

#: A line about the same thing is written once in so many seconds.
SELDOM_S = 60.0


class Seldom:
    """Counts what happens, and says when it is time to write a line about it.

    The caller names few different things: each is remembered.
    """

    def __init__(self) -> None:
        self._said_at_s: dict[str, float] = {}
        self._unsaid: dict[str, int] = {}

    def count(self, what: str, now_s: float) -> int | None:
        """Count *what*; return how often it has happened since its last line, if one is due.

        Args:
            now_s: Seconds of a clock that never goes back.
        """
        count = self._unsaid[what] = self._unsaid.get(what, 0) + 1
        said_at_s = self._said_at_s.get(what)
        if said_at_s is not None and now_s - said_at_s < SELDOM_S:
            return None
        self._said_at_s[what] = now_s
        self._unsaid[what] = 0
        return count
