"""What a person's replay comes to: its preview, its pace, and that it can be interrupted."""

import os
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import text

from hookkit.core.attempts import Outcome
from hookkit.core.entry import Filter, State
from hookkit.core.errors import ReplayRefused
from hookkit.core.handlers import HandlerRegistry
from hookkit.inbox.opening import open_inbox
from hookkit.inbox.replay_records import Bulk, Ending
from hookkit.operating import replays
from hookkit.operating.replays import Replaying
from tests.inbox.making import NOW, admit, after, attempt, claim, dead, done, settled

DEAD = Filter(state=State.DEAD)
FORWARD = attempt(handler="forward", outcome=Outcome.FAILED)


@pytest.fixture
def inbox(sqlite_url):
    opened = open_inbox(sqlite_url)
    yield opened
    opened.close()


def replaying(inbox, **how):
    given = {
        "inbox": lambda: inbox,
        "clock": lambda: NOW,
        "registry": HandlerRegistry(),
        "endpoints": ["support", "sales"],
        "run_soon": lambda entry_ids: None,
        "wait": lambda seconds: None,
    }
    return Replaying(**given | how)


def replays_of(inbox):
    return {one.id: one.replays for one in inbox.find(limit=1000)}


def test_preview_counts_by_handler_and_endpoint_and_changes_nothing(inbox):
    settled(inbox, "m-1", dead(attempt(handler="greet"), FORWARD))
    settled(inbox, "m-2", dead(FORWARD), endpoint="sales", received_at=after(60))
    settled(inbox, "m-3", done(attempt(handler="greet")), received_at=after(30))
    admit(inbox, "m-4", "m-5")

    found = replaying(inbox).preview(Filter())

    assert (found.count, found.is_whole) == (3, True)
    assert found.handlers == {
        ("forward", "support"): 1,
        ("forward", "sales"): 1,
        ("greet", "support"): 1,
    }
    assert (found.first_at, found.last_at) == (NOW, after(60))
    assert found.refused == {"an entry is pending: only entries at rest run again": 2}
    assert list(found.examples.values()) == ["entry 5 is pending: only entries at rest run again"]
    assert set(replays_of(inbox).values()) == {0}


def test_brief_preview_counts_what_one_look_finds_newest_first(inbox, monkeypatch):
    for number in range(6):
        settled(inbox, f"m-{number}", dead(FORWARD), endpoint="sales" if number == 3 else "support")
    of_five = partial(inbox.replays.candidates, look_at=5)
    monkeypatch.setattr(inbox.replays, "candidates", of_five)

    found, whole = (
        replaying(inbox).preview(Filter(endpoint="sales"), is_brief=is_brief)
        for is_brief in (True, False)
    )
    by_state = replaying(inbox).preview(DEAD, is_brief=True)

    assert (found.count, found.is_whole) == (1, False)
    assert (whole.count, whole.is_whole) == (1, True)
    assert (by_state.count, by_state.is_whole) == (6, True)  # by an index


def test_preview_names_what_has_lost_its_bytes(inbox):
    settled(inbox, "m-1", dead(FORWARD))
    inbox.prune(bodies_before=after(1), ids_before=NOW - timedelta(days=1))

    found = replaying(inbox).preview(DEAD)

    assert (found.count, found.first_at) == (0, None)
    assert list(found.examples.values()) == [
        "the bytes of entry 1 are gone, so that it cannot run again"
    ]


def test_preview_stops_counting_and_says_so(inbox, monkeypatch):
    monkeypatch.setattr(replays, "MAX_PREVIEWED", 3)
    for number in range(3):
        settled(inbox, f"m-{number}", dead())
    whole = replaying(inbox).preview(DEAD)
    settled(inbox, "m-3", dead())
    more = replaying(inbox).preview(DEAD)

    assert [(whole.count, whole.is_whole), (more.count, more.is_whole)] == [(3, True), (3, False)]


@pytest.mark.parametrize(
    ("per_second", "waits"),
    [(None, []), (2, [1.0, 1.0]), (4, [1.0]), (10, []), (1000, [])],
)
def test_no_more_entries_become_due_in_a_second_than_was_said(inbox, per_second, waits):
    for number in range(5):
        settled(inbox, f"m-{number}", dead())
    waited = []
    each = replaying(inbox, wait=waited.append)

    ended = each.go_on(each.start(DEAD).id, per_second=per_second)

    assert (ended.count, waited) == (5, waits)


def test_many_steps_wait_between_each_other(inbox, monkeypatch):
    monkeypatch.setattr(replays, "STEP", 2)
    for number in range(5):
        settled(inbox, f"m-{number}", dead())
    waited = []
    each = replaying(inbox, wait=waited.append)

    each.go_on(each.start(DEAD).id, per_second=8)

    assert waited == [0.25, 0.25]


def test_interrupted_replay_goes_on_where_it_was(inbox, monkeypatch):
    monkeypatch.setattr(replays, "STEP", 2)
    ids = [settled(inbox, f"m-{number}", dead()) for number in range(5)]
    due = []
    each = replaying(inbox, run_soon=due.extend)
    started = each.start(DEAD, reason="mended", who="ada")

    def interrupt(record):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        each.go_on(started.id, progress=interrupt)
    between = list(due)
    ended = each.go_on(started.id)

    assert (between, due, ended.count) == (ids[:2], ids, 5)
    assert (ended.reason, ended.who) == ("mended", "ada")
    assert set(replays_of(inbox).values()) == {1}


def test_what_is_over_or_was_never_there_cannot_go_on(inbox):
    each = replaying(inbox)
    over = each.go_on(each.start(DEAD).id)

    with pytest.raises(ReplayRefused, match="nothing is left to do of replay 1"):
        each.go_on(over.id)
    with pytest.raises(ReplayRefused, match="there is no replay 7"):
        each.go_on(7)
    with pytest.raises(ReplayRefused, match="there is no replay 1 that has not ended"):
        each.end(over.id)


def leave(each, **how):
    given = {"title": "the CRM", "per_second": 2, "up_to_id": 1000, "previewed_count": 5} | how
    return each.start(DEAD, bulk=Bulk(**given))


def test_housekeeping_does_the_step_that_is_due_and_says_when_the_next_is(inbox):
    ids = [settled(inbox, f"m-{number}", dead()) for number in range(3)]
    due, clock = [], [NOW]
    each = replaying(inbox, run_soon=due.extend, clock=lambda: clock[0])
    assert each.advance() is None
    started = leave(each)

    pauses = [each.advance(), each.advance()]
    clock[0] = after(1)
    pauses += [each.advance(), each.advance()]

    assert (pauses, due) == ([1.0, 1.0, None, None], ids)
    assert inbox.replays.read(started.id).ending is Ending.DONE


def test_housekeeping_leaves_alone_what_this_application_cannot_run(inbox):
    settled(inbox, "m-1", dead())
    registry = HandlerRegistry()
    inbox.replays.start(
        DEAD,
        handlers=["of another application"],
        reason="",
        who="",
        now=NOW,
        bulk=Bulk("the CRM", 2, 1000, 1),
    )

    assert replaying(inbox, registry=registry).advance() is None
    assert set(replays_of(inbox).values()) == {0}


def test_replay_that_is_left_to_housekeeping_is_paused_ended_and_not_resumed(inbox):
    settled(inbox, "m-1", dead())
    each = replaying(inbox)
    started = leave(each)

    with pytest.raises(ReplayRefused, match="was left to the processes that run handlers"):
        each.go_on(started.id)
    each.pause(started.id)
    with pytest.raises(ReplayRefused, match="cannot be paused"):
        each.pause(started.id)
    each.unpause(started.id)
    with pytest.raises(ReplayRefused, match="is not paused"):
        each.unpause(started.id)
    each.end(started.id)
    assert each.advance() is None


def test_replay_that_stops_itself_is_logged(inbox, caplog):
    ids = [settled(inbox, f"m-{number}", dead()) for number in range(51)]
    clock = [NOW]
    each = replaying(inbox, clock=lambda: clock[0])
    leave(each, per_second=1000)
    each.advance()
    for entry in claim(inbox, limit=100, only=ids):
        inbox.settle(entry, dead(FORWARD), now=NOW)
    clock[0] = after(1)

    assert each.advance() is None

    (record,) = [record for record in caplog.records if record.name == "hookkit"]
    assert (record.action, record.levelname) == ("replay_stopped", "WARNING")
    assert "has stopped itself after 50 entries" in record.getMessage()


MANY = 100_000

_NUMBERS = """
    WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :last)
"""
_FILL_DELIVERIES = """
    SELECT id + n, endpoint, provider, version, received_at_ms, body, headers, body_sha256,
        is_conflict FROM hookkit_deliveries, numbers
"""
_FILL_ENTRIES = """
    SELECT id + n, delivery_id + n, position, endpoint, event_id || '-' || n, vendor_type, version,
        content_hash, received_at_ms, state, attempt_count, generation, replay_count,
        conflict_count FROM hookkit_entries, numbers
"""
_FILLS = (
    f"""INSERT INTO hookkit_deliveries (id, endpoint, provider, version, received_at_ms, body,
        headers, body_sha256, is_conflict) {_NUMBERS} {_FILL_DELIVERIES}""",
    f"""INSERT INTO hookkit_entries (id, delivery_id, position, endpoint, event_id, vendor_type,
        version, content_hash, received_at_ms, state, attempt_count, generation, replay_count,
        conflict_count) {_NUMBERS} {_FILL_ENTRIES}""",
)


def fill(inbox):
    """Make of the one entry that is there as many as there are to be, without admitting each."""
    with inbox._transactions.write() as connection:
        for statement in _FILLS:
            connection.execute(text(statement), {"last": MANY - 1})


def resident_bytes():
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def test_a_hundred_thousand_need_no_more_memory_interrupted_and_gone_on_with(sql_url, monkeypatch):
    monkeypatch.setattr(replays, "STEP", 1000)  # by 100 it takes ten times as many commits
    inbox = open_inbox(sql_url)
    settled(inbox, "m-1", dead(FORWARD))
    fill(inbox)
    each = replaying(inbox)
    started = each.start(DEAD)

    def interrupt(record):
        if record.count >= MANY // 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        each.go_on(started.id, progress=interrupt)
    inbox.close()
    before = resident_bytes()
    ended = each.go_on(started.id)
    grown = resident_bytes() - before
    preview = each.preview(Filter())

    with inbox._transactions.read() as connection:
        by_replays = connection.execute(
            text("SELECT replay_count, count(*) FROM hookkit_entries GROUP BY replay_count")
        ).all()
    inbox.close()
    assert (ended.count, [tuple(row) for row in by_replays]) == (MANY, [(1, MANY)])
    # The rows of 90,000 entries would take more than a hundred times a million bytes.
    assert grown < 16_000_000
    assert (preview.refused.total(), preview.is_whole) == (10_000, False)
