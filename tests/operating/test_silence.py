"""When an endpoint is silent, and when it is only quiet."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from hookkit import HookKit, signals
from hookkit.operating.silence import MISSING_MIN, SilenceAlarm, find_silent, last_deliveries
from tests.applications import make_app, message, post

#: A Wednesday.
NOW = datetime(2026, 3, 18, 12, 0, tzinfo=UTC)
DAYS = 15


@pytest.fixture
def inbox():
    app = make_app(HookKit())
    return app.extensions["hookkit"].opening.inbox()


def fill(inbox, until, *, every_min=1, endpoint="support", days=DAYS, when=lambda at: True):
    """Count deliveries before *until*, one in so many minutes."""
    first = int((until - timedelta(days=days)).timestamp()) // 60
    last = int(until.timestamp()) // 60
    moments = (datetime.fromtimestamp(each * 60, UTC) for each in range(first, last, every_min))
    inbox.minutes.add(
        {(int(at.timestamp()) // 60, endpoint, "new"): 1 for at in moments if when(at)}
    )


def silent(inbox, now=NOW, endpoints=("support",)):
    return find_silent(inbox.rhythm, endpoints, now)[1]


def test_endpoint_with_a_delivery_a_minute_is_silent_after_ten(inbox):
    fill(inbox, NOW)

    assert silent(inbox, NOW + timedelta(minutes=MISSING_MIN - 1)) == {}
    found = silent(inbox, NOW + timedelta(minutes=MISSING_MIN))["support"]
    assert found.last_at == NOW - timedelta(minutes=1)
    assert found.usual_gap_s == 60
    assert "nothing has come for 11 min, where one usually comes every 1 min 0 s" in str(found)


def test_endpoint_with_a_delivery_an_hour_is_silent_after_ten_hours(inbox):
    fill(inbox, NOW, every_min=60)

    assert silent(inbox, NOW + timedelta(hours=8)) == {}
    assert silent(inbox, NOW + timedelta(hours=11)).keys() == {"support"}


def in_office_hours(at):
    return at.weekday() < 5 and 8 <= at.hour < 18


@pytest.mark.parametrize(
    "now",
    [
        datetime(2026, 3, 19, 3, tzinfo=UTC),  # at night
        datetime(2026, 3, 21, 12, tzinfo=UTC),  # on Saturday
        datetime(2026, 3, 22, 23, tzinfo=UTC),  # on Sunday, late
        datetime(2026, 3, 23, 7, 59, tzinfo=UTC),  # on Monday, early
    ],
)
def test_night_and_weekend_raise_no_alarm(inbox, now):
    fill(inbox, now, when=in_office_hours)

    assert silent(inbox, now) == {}


def test_morning_on_which_nothing_begins_is_silent(inbox):
    monday = datetime(2026, 3, 23, 8, 0, tzinfo=UTC)
    fill(inbox, monday, when=in_office_hours)

    # Compared with a week before alone, since the day before was a Sunday, it would be too early.
    assert silent(inbox, monday + timedelta(minutes=5)) == {}
    tuesday = datetime(2026, 3, 24, 8, 0, tzinfo=UTC)
    fill(inbox, tuesday - timedelta(hours=14), days=1, when=lambda at: at > monday)
    assert silent(inbox, tuesday + timedelta(minutes=30)).keys() == {"support"}


def test_endpoint_of_a_few_events_is_not_judged(inbox):
    fill(inbox, NOW, every_min=24 * 60)

    assert silent(inbox, NOW + timedelta(days=2)) == {}


def test_endpoint_that_is_a_few_hours_old_is_not_judged(inbox):
    fill(inbox, NOW, days=0.2)

    assert silent(inbox, NOW + timedelta(hours=2)) == {}


def test_endpoint_that_is_two_days_old_is_compared_with_the_day_before(inbox):
    fill(inbox, NOW, days=2)

    assert silent(inbox, NOW + timedelta(minutes=20)).keys() == {"support"}


def test_one_busy_day_does_not_make_the_next_ones_silent(inbox):
    yesterday = NOW - timedelta(days=1)
    fill(inbox, NOW, every_min=60)
    fill(inbox, yesterday + timedelta(hours=3), days=0.2)

    assert silent(inbox, NOW + timedelta(hours=2)) == {}


def test_refusals_are_no_sign_of_life(inbox):
    fill(inbox, NOW)
    minute = int(NOW.timestamp()) // 60
    inbox.minutes.add({(minute + 20, "support", "signature_mismatch"): 5})

    assert silent(inbox, NOW + timedelta(minutes=21)).keys() == {"support"}


def test_silence_of_days_is_compared_with_what_was_before_it(inbox):
    fill(inbox, NOW)

    found = silent(inbox, NOW + timedelta(days=3))
    assert found["support"].usual_gap_s == 60


def test_endpoints_are_judged_apart(inbox):
    fill(inbox, NOW)
    fill(inbox, NOW + timedelta(hours=1), endpoint="sales")

    found = silent(inbox, NOW + timedelta(hours=1), ("support", "sales", "new"))
    assert found.keys() == {"support"}


def test_alarm_reports_each_silence_once(inbox, caplog):
    sender, heard = object(), []
    fill(inbox, NOW)
    now = [NOW]
    alarm = SilenceAlarm(
        sender=sender, inbox=lambda: inbox, clock=lambda: now[0], endpoints=["support"]
    )

    def receive(_, **what):
        heard.append(what)

    signals.endpoint_silent.connect(receive, sender=sender)
    caplog.set_level("INFO", "hookkit")
    for minutes in (0, 20, 21, 22):
        now[0] = NOW + timedelta(minutes=minutes)
        alarm.look()
    assert [each["endpoint"] for each in heard] == ["support"]
    assert heard[0]["usual_gap_s"] == 60

    fill(inbox, NOW + timedelta(minutes=30), days=0.005)
    now[0] = NOW + timedelta(minutes=30)
    alarm.look()
    now[0] = NOW + timedelta(minutes=60)
    alarm.look()
    assert len(heard) == 2
    actions = [each.action for each in caplog.records]
    assert actions == ["endpoint_silent", "endpoint_heard", "endpoint_silent"]


def test_housekeeping_looks_for_silence():
    app = make_app(HookKit())
    state = app.extensions["hookkit"]
    looks = []
    state.silence_alarm.look = lambda: looks.append(1)

    assert state.promote_and_listen() == 0
    assert looks == [1]


def test_check_warns_of_a_silent_endpoint(tmp_path):
    hooks = HookKit()
    hooks.on("*")(lambda event: None)
    app = make_app(hooks, HOOKKIT_DATABASE=f"sqlite:///{tmp_path}/inbox.db", TESTING=False)
    state = app.extensions["hookkit"]
    fill(state.opening.inbox(), datetime.now(UTC) - timedelta(hours=1))

    result = app.test_cli_runner().invoke(args=["hookkit", "check"])
    state.stop()

    assert "endpoint support: nothing has come for 6" in result.output
    assert "warning" in result.output


def test_stats_name_a_silent_endpoint():
    app = make_app(HookKit())
    fill(app.extensions["hookkit"].opening.inbox(), datetime.now(UTC) - timedelta(hours=1))
    runner = app.test_cli_runner()

    shown = runner.invoke(args=["hookkit", "stats"])
    assert "silent   endpoint support: nothing has come for 6" in shown.output
    (silence,) = json.loads(runner.invoke(args=["hookkit", "stats", "--json"]).output)["silent"]
    assert (silence["endpoint"], silence["usual_gap_s"]) == ("support", 60.0)


def test_counts_of_real_deliveries_are_what_is_looked_at():
    app = make_app(HookKit())
    state = app.extensions["hookkit"]
    post(app.test_client(), message())
    state.receiver.report.minutes.write()

    now = datetime.now(UTC)
    last_at = last_deliveries(state.opening.inbox().rhythm, ["support"], now)["support"]
    assert now - last_at < timedelta(minutes=2)
