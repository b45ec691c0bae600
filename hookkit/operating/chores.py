"""What is done to the inbox now and then, whoever runs the handlers; failures are logged."""

from __future__ import annotations

import logging
from collections.abc import Callable

from hookkit.core.errors import Unavailable

_logger = logging.getLogger("hookkit")

#: How often what was held back beside a switch of versions is looked for.
PROMOTE_S = 60.0


def promote(held_back: Callable[[], int]) -> None:
    """Make due what was *held_back* beside a switch of versions."""
    try:
        held_back()
    except Unavailable as error:
        _logger.warning("cannot sweep now: %s", error, extra={"action": "sweep_failed"})
    except Exception:
        _logger.exception("cannot sweep", extra={"action": "sweep_failed"})


def prune(
    old: Callable[[Callable[[float], bool]], tuple[int, int]], wait: Callable[[float], bool]
) -> None:
    """Delete what is *old* enough.

    Args:
        wait: Waits for so many seconds; returns True when the work has to end early.
    """
    try:
        bodies, ids = old(wait)
    except Unavailable as error:
        _logger.warning("cannot prune now: %s", error, extra={"action": "prune_failed"})
    except Exception:
        _logger.exception("cannot prune", extra={"action": "prune_failed"})
    else:
        if bodies or ids:
            _logger.info(
                "deleted the bodies of %d deliveries and %d entries",
                bodies,
                ids,
                extra={"action": "pruned"},
            )
