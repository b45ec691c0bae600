"""How long what is read of an inbox may take: a page that somebody looks at less than the rest."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_limit_s: ContextVar[float | None] = ContextVar("hookkit_look_limit_s", default=None)


@contextmanager
def looking(limit_s: float) -> Iterator[None]:
    """Give up what takes longer to read than *limit_s* seconds, with ``TookTooLong``.

    It holds for what this thread reads within the block: on SQLite for each transaction, on
    PostgreSQL for each statement. What is written there, and what other threads read, may take as
    long as ever.
    """
    token = _limit_s.set(limit_s)
    try:
        yield
    finally:
        _limit_s.reset(token)


def look_limit_s() -> float | None:
    """Return how many seconds a read may take here; None if nothing was said."""
    return _limit_s.get()
