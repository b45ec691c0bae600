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
    """Return when *condition* is true; ask often at first, and fail when it never becomes so.

    Args:
        told: Returns what somebody needs to know who finds that it never did.
    """
    began_at_s = time.monotonic()
    while not condition():
        waited_s = time.monotonic() - began_at_s
        assert waited_s < deadline_s, f"waited in vain {told()}"
        # A look may cost more than the work that is waited for.
        time.sleep(min(max(waited_s / 20, 0.005), 0.1))
