"""Who did what is recorded before it is done."""

from datetime import UTC, datetime, timedelta

import pytest

from hookkit import Filter, ReplayRefused, State, Unavailable, signals
from hookkit.inbox.opening import open_inbox
from hookkit.operating.auditing import Auditing
from hookkit.operating.housekeeping import KEEP_AUDIT, Upkeep

NOW = datetime(2026, 3, 1, 10, tzinfo=UTC)


@pytest.fixture
def inbox(sql_url):
    found = open_inbox(sql_url)
    yield found
    found.close()


@pytest.fixture
def auditing(inbox):
    return Auditing(sender="the application", inbox=lambda: inbox, clock=lambda: NOW)


def test_act_is_recorded_before_it_is_done_and_when_it_has_ended(inbox, auditing):
    wanted = Filter(state=State.DEAD, since=NOW)

    with auditing.acting(
        "replay",
        who="ada",
        right="operate",
        target="entry 1",
        wanted=wanted,
        reason="mended",
        address="192.0.2.7",
    ):
        (before,) = inbox.audit.find()
    (after,) = inbox.audit.find()

    assert (before.result, after.result, after.at) == (None, "done", NOW)
    assert before.act == after.act
    act = after.act
    assert (act.who, act.right, act.action, act.target) == ("ada", "operate", "replay", "entry 1")
    assert (act.wanted, act.reason, act.address) == (wanted, "mended", "192.0.2.7")


@pytest.mark.parametrize(
    ("error", "result"),
    [
        (ReplayRefused("entry 1 is running"), "refused: entry 1 is running"),
        (RuntimeError("call +49 170 1234567"), "failed: RuntimeError"),
        (KeyboardInterrupt(), "failed: KeyboardInterrupt"),
    ],
)
def test_act_that_fails_is_recorded_and_raises_on(inbox, auditing, error, result):
    with pytest.raises(type(error)), auditing.acting("replay", who="ada", right="operate"):
        raise error

    assert [each.result for each in inbox.audit.find()] == [result]


def test_nothing_is_done_that_cannot_be_recorded():
    def away():
        raise Unavailable("the inbox is away")

    auditing = Auditing(sender=None, inbox=away, clock=lambda: NOW)
    done = []

    with pytest.raises(Unavailable), auditing.acting("replay", who="ada", right="operate"):
        done.append("replayed")

    assert done == []


def test_act_whose_end_cannot_be_recorded_has_not_failed(inbox, caplog):
    answers = iter([lambda: inbox])

    def away_after_the_first():
        for answer in answers:
            return answer()
        raise Unavailable("the inbox is away")

    auditing = Auditing(sender=None, inbox=away_after_the_first, clock=lambda: NOW)
    told = []

    def listen(sender, act, result):
        told.append((act.who, result))

    with (
        signals.operated.connected_to(listen),
        auditing.acting("replay", who="ada", right="operate"),
    ):
        pass

    assert told == [("ada", "done")]
    assert [record.action for record in caplog.records] == ["audit_failed"]
    assert [each.result for each in inbox.audit.find()] == [None]


def test_long_and_strange_texts_can_be_recorded(inbox, auditing):
    with auditing.acting("replay", who="a\x00\ud800", right="operate", reason="x" * 5000):
        pass

    (record,) = inbox.audit.find()
    assert len(record.act.reason) == 1000
    assert "\x00" not in record.act.who


def test_records_are_paged_by_their_numbers(inbox, auditing):
    for number in range(5):
        with auditing.acting("replay", who=str(number), right="operate"):
            pass

    first = inbox.audit.find(limit=2)
    second = inbox.audit.find(limit=2, below_id=first[-1].id)

    assert [each.act.who for each in (*first, *second)] == ["4", "3", "2", "1"]


def test_upkeep_deletes_records_that_are_old_enough(inbox, auditing):
    with auditing.acting("replay", who="ada", right="operate"):
        pass

    for age, count in ((KEEP_AUDIT, 1), (KEEP_AUDIT + timedelta(seconds=1), 0)):
        upkeep = Upkeep(
            inbox=lambda: inbox,
            clock=lambda: NOW + age,  # noqa: B023  # it is called in this turn
            keep_bodies=timedelta(days=30),
            keep_ids=timedelta(days=90),
        )
        upkeep.prune(lambda seconds: False)
        assert len(inbox.audit.find()) == count
