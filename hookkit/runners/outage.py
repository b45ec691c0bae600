"""Tells that the inbox is away, and that it is back: once, not every second in every thread."""

from __future__ import annotations

import logging

from hookkit.core.errors import Unavailable

_logger = logging.getLogger("hookkit")


class Outage:
    """Whether the workers of this process can reach the inbox."""

    def __init__(self) -> None:
        self._is_away = False

    def tell_away(self, error: Unavailable) -> None:
        """Log that the inbox cannot be reached, if that is new."""
        if not self._is_away:
            self._is_away = True
            _logger.warning(
                "the inbox cannot be reached: %s", error, extra={"action": "worker_unavailable"}
            )

    def tell_reachable(self) -> None:
        """Log that the inbox can be reached again, if it could not be."""
        if self._is_away:
            self._is_away = False
            _logger.warning("the inbox can be reached again", extra={"action": "worker_available"})
