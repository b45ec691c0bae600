"""Times as people write them on the command line."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    _ParamType = click.ParamType[datetime]
else:  # before click 8.5 it takes no argument
    _ParamType = click.ParamType

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_AGE = re.compile(rf"([0-9]{{1,9}})([{''.join(_UNITS)}])")
_DAYS_AGO = {"today": 0, "yesterday": 1}
_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(T[0-9]{2}:[0-9]{2}(:[0-9]{2})?(Z|[+-][0-9]{2}:?[0-9]{2})?)?"
)


def utc_now() -> datetime:
    """Return the time from which relative times are counted, as aware UTC."""
    return datetime.now(UTC)


class Time(_ParamType):
    """A moment: how long ago it was, a day, or a day and a time; converts to aware UTC.

    ``90s``, ``15m``, ``2h`` and ``3d`` are so long before now. ``today``, ``yesterday`` and
    ``2026-03-01`` are the start of that day. ``2026-03-01T09:00`` and ``2026-03-01T09:00:05`` may
    end in ``Z`` or an offset (``+01:00``). What has no offset is UTC.
    """

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Return the moment that *value* names, as aware UTC.

        Raises:
            click.BadParameter: It names none.
        """
        if isinstance(value, datetime):
            return value
        try:
            moment = _moment(str(value))
        except (ValueError, OverflowError):
            moment = None
        if moment is None:
            self.fail(
                f"{value!r} is no time: write 2h, today, 2026-03-01 or 2026-03-01T09:00Z",
                param,
                ctx,
            )
        return moment


TIME = Time()


def _moment(text: str) -> datetime | None:
    """Return the moment that *text* names; None if it is written in no known way.

    Raises:
        ValueError: There is no such day or time.
        OverflowError: It is before the year 1 or after the year 9999.
    """
    age = _AGE.fullmatch(text)
    if age is not None:
        return utc_now() - timedelta(**{_UNITS[age[2]]: int(age[1])})
    if text in _DAYS_AGO:
        midnight = utc_now().replace(hour=0, minute=0, second=0, microsecond=0)
        return midnight - timedelta(days=_DAYS_AGO[text])
    if _MOMENT.fullmatch(text) is None:
        return None
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
