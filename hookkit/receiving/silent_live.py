"""Notices that an endpoint receives nothing that runs: its live version has fallen silent."""

from __future__ import annotations

import logging

from hookkit.core.entry import Receipt, State

#: So many deliveries in a row may come in shadow by chance: a process sees a part of them.
MOST_IN_A_ROW = 20

_HELD_BACK = frozenset({State.SHADOW, State.IGNORED})


class ShadowWatch:
    """Counts, in this process, the deliveries since the last one of which anything runs."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._in_a_row: dict[str, int] = {}

    def note(self, endpoint: str, receipt: Receipt) -> None:
        """Take note of a delivery; log when it is one too many, once until another runs."""
        for each in receipt.admitted:
            if each.state not in _HELD_BACK:
                self._in_a_row.pop(endpoint, None)
                return
        count = self._in_a_row[endpoint] = self._in_a_row.get(endpoint, 0) + 1
        if count == MOST_IN_A_ROW:
            self._logger.warning(
                "the last %d deliveries to %s were all of versions in shadow or ignored, so that"
                " nothing was handled; does the webhook of the live version still exist? See"
                " `flask hookkit versions status %s`",
                count,
                endpoint,
                endpoint,
                extra={"action": "shadow_alone", "endpoint": endpoint},
            )
