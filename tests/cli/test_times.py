"""Times as people write them: all are aware UTC, and what is none is refused in a sentence."""

from datetime import UTC, datetime, timedelta

import click
import pytest

from hookkit.cli import times
from hookkit.cli.times import TIME

NOW = datetime(2026, 3, 29, 9, 30, 15, 250_000, tzinfo=UTC)
MIDNIGHT = datetime(2026, 3, 29, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _clock(monkeypatch):
    monkeypatch.setattr(times, "utc_now", lambda: NOW)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("90s", NOW - timedelta(seconds=90)),
        ("15m", NOW - timedelta(minutes=15)),
        ("2h", NOW - timedelta(hours=2)),
        ("3d", NOW - timedelta(days=3)),
        ("0s", NOW),
        ("today", MIDNIGHT),
        ("yesterday", MIDNIGHT - timedelta(days=1)),
        ("2026-03-01", datetime(2026, 3, 1, tzinfo=UTC)),
        ("2026-03-01T09:00", datetime(2026, 3, 1, 9, tzinfo=UTC)),
        ("2026-03-01T09:00:05", datetime(2026, 3, 1, 9, 0, 5, tzinfo=UTC)),
        ("2026-03-01T09:00Z", datetime(2026, 3, 1, 9, tzinfo=UTC)),
        ("2026-03-01T09:00:05Z", datetime(2026, 3, 1, 9, 0, 5, tzinfo=UTC)),
        ("2026-03-01T09:00+01:00", datetime(2026, 3, 1, 8, tzinfo=UTC)),
        ("2026-03-01T09:00:05-0330", datetime(2026, 3, 1, 12, 30, 5, tzinfo=UTC)),
    ],
)
def test_time_is_read_as_aware_utc(text, moment):
    found = TIME(text)

    assert (found, found.utcoffset()) == (moment, timedelta(0))


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "2", "h", "2x", "2 h", "-2h", "+2h", "1.5h", "2hh", "2H", "Today", "tomorrow"),
        *("2026", "2026-3-1", "2026-02-30", "2026-13-01", "0000-01-01", "20260301"),
        *("2026-03-01 09:00", "2026-03-01T24:61", "2026-03-01T09", "2026-03-01Z"),
        *("2026-03-01T09:00+25:00", "2026-03-01T09:00z", "0001-01-01T00:00+01:00"),
        *("999999999d", "9999999999s", "\u0662h", "2026-03-01\n", "2026-W09-1"),
    ],
)
def test_what_is_no_time_is_refused_with_an_example(text):
    with pytest.raises(click.BadParameter) as refused:
        TIME(text)

    assert refused.value.message == (
        f"{text!r} is no time: write 2h, today, 2026-03-01 or 2026-03-01T09:00Z"
    )
