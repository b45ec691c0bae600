"""Waiting for what another thread or process does."""

from __future__ import annotations

import time
from collections.abc import Callable

#: Long enough for a busy machine; a test that gets this far has failed.
DEADLINE_S = 120.0


def wait_until(
    condition: Callable[[], object],
    deadline_s: float = DEADLINE_S,
    *,
    told: Callable[[], str] = lambda: "",
) -> None:
    """Return when *condition* is true; ask often, and fail when it never becomes so.

    Args:
        told: Returns what somebody needs to know who finds that it never did.
    """
    end = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end, f"waited in vain {told()}"
        time.sleep(0.01)
