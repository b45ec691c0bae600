"""Endpoints that have fallen silent: ten deliveries are missing that these hours usually bring.

The usual gap between deliveries changes with the hour and the day. So a silence is compared with
the same hours a day before and a week before, each as long as the silence. In both there must have
been deliveries in at least ten minutes: the silence is then ten times as long as the usual gap.
A night, a weekend and an endpoint with few events therefore raise no alarm early.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from hookkit import signals
from hookkit.inbox.inbox import Inbox
from hookkit.inbox.records import from_ms, to_ms
from hookkit.inbox.sql.rhythm import Heard, Rhythm, earlier_by

_logger = logging.getLogger("hookkit")

#: So many minutes with deliveries must be missing. It is also the shortest silence, in minutes.
MISSING_MIN = 10

_DAY_MIN = 24 * 60
_WEEK_MIN = 7 * _DAY_MIN

#: An endpoint that was silent for longer is no longer looked at, in minutes.
FORGOTTEN_MIN = 5 * _WEEK_MIN

_MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """An endpoint that should have had deliveries.

    Attributes:
        last_at: When the last proven delivery came, to the minute.
        silent_s: How long ago that was, in seconds.
        usual_gap_s: How far apart deliveries usually are in these hours, in seconds.
    """

    endpoint: str
    last_at: datetime
    silent_s: float
    usual_gap_s: float

    def __str__(self) -> str:
        gap_s, silent_s = round(self.usual_gap_s), round(self.silent_s)
        return (
            f"endpoint {self.endpoint}: nothing has come for {silent_s // 60} min, where one"
            f" usually comes every {gap_s // 60} min {gap_s % 60} s; ask the vendor whether the"
            " webhook is still active"
        )


def last_deliveries(
    rhythm: Rhythm, endpoints: Collection[str], now: datetime
) -> Mapping[str, datetime]:
    """Return when the last proven delivery came to each of *endpoints* that had any lately."""
    last = rhythm.last(endpoints, _minute_of(now) - FORGOTTEN_MIN)
    return {endpoint: from_ms(minute * _MINUTE_MS) for endpoint, minute in last.items()}


def find_silent(
    rhythm: Rhythm, endpoints: Collection[str], now: datetime
) -> tuple[Mapping[str, datetime], Mapping[str, Silence]]:
    """Return what ``last_deliveries`` does, and the endpoints that are silent, by name.

    Args:
        rhythm: The counts by minutes.
        endpoints: Their names.
        now: Aware UTC.
    """
    now_min = _minute_of(now)
    last_at, silent = {}, {}
    heard = rhythm.heard(endpoints, now_min - FORGOTTEN_MIN, now_min, (_DAY_MIN, _WEEK_MIN))
    for endpoint, each in heard.items():
        last_at[endpoint] = at = from_ms(each.last * _MINUTE_MS)
        gap_s = _gap_of_silence(each, now_min)
        if gap_s is not None:
            silent[endpoint] = Silence(
                endpoint=endpoint,
                last_at=at,
                silent_s=(now - at).total_seconds(),
                usual_gap_s=gap_s,
            )
    return last_at, silent


def _gap_of_silence(heard: Heard, now_min: int) -> float | None:
    """Return the usual gap in seconds if the minutes since the last delivery are a silence."""
    since = heard.last + 1
    length = now_min - since
    if length < MISSING_MIN:
        return None
    usual = [
        count
        for period, count in heard.usual.items()
        if heard.first <= since - earlier_by(length, period)
    ]
    if not usual or min(usual) < MISSING_MIN:
        return None
    return length * 60 / min(usual)


def _minute_of(moment: datetime) -> int:
    return to_ms(moment) // _MINUTE_MS


class SilenceAlarm:
    """Reports each endpoint once when it falls silent, and again only after it was heard.

    Each process that runs handlers reports for itself.

    Args:
        sender: The sender of the signal: the application.
        inbox: Returns the inbox; may raise ``Unavailable``.
        clock: Returns the time as aware UTC.
        endpoints: The names of the endpoints.
    """

    def __init__(
        self,
        *,
        sender: object,
        inbox: Callable[[], Inbox],
        clock: Callable[[], datetime],
        endpoints: Collection[str],
    ) -> None:
        self._sender = sender
        self._inbox = inbox
        self._clock = clock
        self._endpoints = endpoints
        self._reported: set[str] = set()

    def look(self) -> None:
        """Report what has fallen silent since the last look.

        Raises:
            Unavailable: The inbox cannot be reached.
        """
        now, rhythm = self._clock(), self._inbox().rhythm
        _, silent = find_silent(rhythm, self._endpoints, now)
        for endpoint in self._reported - silent.keys():
            _logger.info(
                "endpoint %s is not silent any more",
                endpoint,
                extra={"action": "endpoint_heard", "endpoint": endpoint},
            )
        for endpoint in silent.keys() - self._reported:
            silence = silent[endpoint]
            _logger.warning(
                "%s", silence, extra={"action": "endpoint_silent", "endpoint": endpoint}
            )
            signals.emit(
                signals.endpoint_silent,
                self._sender,
                endpoint=endpoint,
                last_at=silence.last_at,
                usual_gap_s=silence.usual_gap_s,
            )
        self._reported = set(silent)
