"""What people look at: pages, one entry and what is around it, counts, dead letters, changes."""

import random
from contextlib import contextmanager
from datetime import timedelta
from itertools import chain

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import delete, event, insert

from hookkit.core.attempts import Outcome
from hookkit.core.entry import Filter, State
from hookkit.inbox.opening import open_inbox
from hookkit.inbox.records import IdSpan, to_ms
from hookkit.inbox.sights import Missing
from hookkit.inbox.sql.tables import attempts, deliveries, entries, facts
from tests.inbox.making import (
    LEASE_S,
    NOW,
    admit,
    admit_in_lane,
    after,
    attempt,
    claim_one,
    dead,
    deliver,
    done,
    item,
    settled,
)

OVERTAKING = 3

ERRORS = [
    "KeyError: 'shop.errors.Away: no'",
    "shop.errors.Away: the shop is away: KeyError",
    "shop.errors.Away",
    "shop.Elsewhere.Away: x",
    "the body cannot be read: Away",
    "",
]


@pytest.fixture
def few_overtake(monkeypatch):
    """Have requests overtake each other less than in life, so that small inboxes show it."""
    have_few_overtake(monkeypatch)


def have_few_overtake(patch):
    for module in ("look", "changes", "detail"):
        patch.setattr(f"hookkit.inbox.sql.{module}.OVERTAKING", OVERTAKING)


def entry_row(entry_id, **changes):
    return {
        "id": entry_id,
        "endpoint": "support",
        "event_id": f"event-{entry_id}",
        "delivery_id": entry_id,
        "position": 0,
        "vendor_type": "conversation:message",
        "version": "v2",
        "content_hash": "",
        "received_at_ms": to_ms(after(entry_id)),
        "state": "done",
        "attempt_count": 1,
        "generation": 1,
        "replay_count": 0,
        "conflict_count": 0,
        "lane": None,
        **changes,
    }


def attempt_row(entry_id, **changes):
    return {
        "entry_id": entry_id,
        "generation": 1,
        "replay_count": 0,
        "number": 1,
        "handler": "greet",
        "outcome": "succeeded",
        "started_at_ms": to_ms(NOW),
        "ended_at_ms": to_ms(NOW),
        **changes,
    }


def store(inbox, rows, tried=()):
    with inbox._transactions.write() as connection:
        for table, these in ((entries, rows), (attempts, tried)):
            if these:
                connection.execute(insert(table), these)


class RandomInbox:
    """Entries of all kinds, whose ids have gaps and whose times overtake each other a little."""

    def __init__(self, inbox, seed):
        self.inbox = inbox
        self.random = random.Random(seed)  # noqa: S311  # kinds of entries, no secrets
        self.last_id = 0

    def grow(self, count):
        rows, tried = [], []
        for _ in range(count):
            self.last_id += self.random.choice([1, 1, 1, 2, 7])
            came = after(self.last_id + self.random.uniform(0, OVERTAKING - 1))
            rows.append(
                entry_row(
                    self.last_id,
                    endpoint=self.random.choice(["support", "shop"]),
                    vendor_type=self.random.choice(["a", "a", "a", "rare"]),
                    state=self.random.choice(["done", "done", "dead", "waiting"]),
                    version=self.random.choice(["v1", "v2"]),
                    lane=self.random.choice(["c-1", "c-2", None]),
                    conflict_count=self.random.choice([0, 0, 2]),
                    replay_count=self.random.choice([0, 0, 1]),
                    received_at_ms=to_ms(came),
                )
            )
            for _ in range(self.random.randrange(3)):
                outcome = self.random.choice(["succeeded", "failed", "lost"])
                handler = self.random.choice(["greet", "count"])
                tried.append(
                    attempt_row(
                        self.last_id,
                        outcome=outcome,
                        handler=handler,
                        error=None if outcome == "succeeded" else self.random.choice(ERRORS),
                        replay_count=self.random.randrange(rows[-1]["replay_count"] + 1),
                    )
                )
        store(self.inbox, rows, tried)

    def prune(self, count):
        """Delete the oldest."""
        oldest = [each.id for each in self.inbox.find(limit=10**6)][-count:]
        with self.inbox._transactions.write() as connection:
            connection.execute(delete(attempts).where(attempts.c.entry_id.in_(oldest)))
            connection.execute(delete(entries).where(entries.c.id.in_(oldest)))

    def wanted(self):
        """Return a filter of one, two or three conditions, or of none."""
        moment = after(self.random.randrange(self.last_id + 1))
        chosen = self.random.sample(
            [
                ("endpoint", "shop"),
                ("state", State.DEAD),
                ("type", "rare"),
                ("version", "v1"),
                ("lane", "c-1"),
                ("outcome", Outcome.LOST),
                ("error", self.random.choice(["KeyError", "Away", "shop.errors.Away", "shop"])),
                ("tried_by", "greet"),
                ("untried_by", "greet"),
                ("has_conflict", self.random.choice([True, False])),
                ("is_replayed", self.random.choice([True, False])),
                ("since", moment),
                ("until", moment + timedelta(seconds=40)),
                ("event_id", f"event-{self.random.randrange(self.last_id)}"),
            ],
            self.random.randrange(4),
        )
        return Filter(**dict(chosen))

    def ids(self, wanted):
        """Return the ids of what is wanted, by going through everything."""
        return [each.id for each in self.inbox.find(limit=10**6) if fits(wanted, each)]


def class_of(error):
    """Return the class that an error names, with its module."""
    return error.partition(":")[0]


def fits(wanted, entry):
    """Tell whether *wanted* means *entry*, by the words of ``Filter`` alone."""
    present = [each for each in entry.attempts if each.replays == entry.replays]
    of_outcome = present if wanted.outcome or wanted.error else entry.attempts
    attempts = [
        each
        for each in of_outcome
        if wanted.tried_by in (None, each.handler)
        and wanted.outcome in (None, each.outcome)
        and (wanted.error is None or f".{class_of(each.error or '')}".endswith(f".{wanted.error}"))
    ]
    needs_attempt = wanted.tried_by or wanted.outcome or wanted.error
    return (
        wanted.event_id in (None, entry.event_id)
        and wanted.endpoint in (None, entry.endpoint)
        and wanted.state in (None, entry.state)
        and wanted.version in (None, entry.version)
        and wanted.lane in (None, entry.lane)
        and wanted.type in (None, entry.vendor_type, entry.event_type)
        and wanted.has_conflict in (None, entry.conflicts > 0)
        and wanted.is_replayed in (None, entry.replays > 0)
        and (wanted.since is None or entry.received_at >= wanted.since)
        and (wanted.until is None or entry.received_at < wanted.until)
        and (not needs_attempt or len(attempts) > 0)
        and wanted.untried_by not in [each.handler for each in entry.attempts]
    )


SEEDS = pytest.mark.parametrize("seed", range(12))


def pages(inbox, wanted, meanwhile=lambda: None, *, upwards=False, **how):
    """Return the ids on each page, from the first to the last."""
    start = "above_id" if upwards else "below_id"
    next_id, found = 0 if upwards else None, []
    while True:
        page = inbox.reading.find(wanted, **{start: next_id}, **how)
        found.append([each.id for each in page.records])
        assert (page.next_id is None) == (page.looked_back_to is None)
        if page.next_id is None:
            return found
        assert next_id is None or (page.next_id > next_id) == upwards
        next_id = page.next_id
        meanwhile()


def candidates(inbox, wanted, **how):
    """Return the ids of what may be replayed, as they are found."""
    below_id, found = 10**6, []
    while below_id is not None:
        page, next_id = inbox.replays.candidates(wanted, below_id=below_id, **how)
        assert len(page) <= how["limit"]
        assert next_id is None or next_id < below_id
        found += [each.id for each in page]
        below_id = next_id
    return found


@SEEDS
def test_pages_hold_what_an_unbounded_look_finds(inbox, seed, few_overtake):
    made = RandomInbox(inbox, seed)
    made.grow(120)

    for _ in range(4):
        wanted = made.wanted()
        how = {"limit": made.random.randint(1, 30), "look_at": made.random.randint(1, 60)}
        expected = made.ids(wanted)

        found = pages(inbox, wanted, **how)
        rising = pages(inbox, wanted, **how, upwards=True)
        to_replay = candidates(inbox, wanted, **how)

        assert list(chain.from_iterable(found)) == expected
        assert list(chain.from_iterable(rising)) == expected[::-1]
        assert to_replay == expected
        assert max(map(len, found)) <= how["limit"]


@SEEDS
def test_pages_repeat_and_miss_nothing_while_entries_come_and_go(inbox, seed, few_overtake):
    made = RandomInbox(inbox, seed)
    made.grow(100)
    wanted = made.wanted()
    before = set(made.ids(wanted))

    def meanwhile():
        made.grow(2)
        made.prune(3)

    found = list(chain.from_iterable(pages(inbox, wanted, meanwhile, limit=7, look_at=25)))

    still_there = before & set(made.ids(wanted))
    assert len(found) == len(set(found))
    assert found == sorted(found, reverse=True)
    assert still_there <= set(found) <= before


def test_look_goes_through_so_many_entries_and_says_where_it_stopped(inbox):
    store(inbox, [entry_row(1, vendor_type="rare"), *(entry_row(n) for n in range(2, 101))])

    page = inbox.reading.find(Filter(type="rare"), look_at=40)
    further = inbox.reading.find(Filter(type="rare"), below_id=page.next_id, look_at=60)

    assert (page.records, page.next_id, page.looked_back_to) == ([], 61, after(61))
    assert ([each.id for each in further.records], further.next_id) == ([1], None)


def test_look_at_entries_of_a_state_counts_no_others(inbox):
    states = ["dead" if n % 10 == 0 else "done" for n in range(1, 101)]
    rows = [entry_row(n, state=state) for n, state in enumerate(states, 1)]
    rows[9]["vendor_type"] = "rare"
    store(inbox, rows)

    page = inbox.reading.find(Filter(state=State.DEAD, type="rare"), look_at=9)
    further = inbox.reading.find(
        Filter(state=State.DEAD, type="rare"), below_id=page.next_id, look_at=9
    )

    assert (page.records, page.next_id) == ([], 20)
    assert [each.id for each in further.records] == [10]


def test_event_is_found_at_every_endpoint(inbox):
    for endpoint in ("support", "shop", "billing"):
        admit(inbox, "event-1", "event-2", endpoint=endpoint)

    found = inbox.reading.find(Filter(event_id="event-1")).records
    at_shop = inbox.reading.find(Filter(event_id="event-1", endpoint="shop")).records

    assert [each.endpoint for each in found] == ["billing", "shop", "support"]
    assert [each.endpoint for each in at_shop] == ["shop"]


@contextmanager
def steps_of(inbox):
    """Count the statements, and on SQLite the steps of its virtual machine, in hundreds."""
    counted = {"statements": 0, "steps": 0}
    engine = inbox._transactions.engine

    def step():
        counted["steps"] += 1

    @event.listens_for(engine, "before_cursor_execute")
    def count(connection, *_):
        counted["statements"] += 1
        if engine.dialect.name == "sqlite":
            connection.connection.dbapi_connection.set_progress_handler(step, 100)

    yield counted
    event.remove(engine, "before_cursor_execute", count)


LOOKS = {
    "newest": lambda reading: reading.find(),
    "rare": lambda reading: reading.find(Filter(type="rare"), look_at=200),
    "outcome": lambda reading: reading.find(Filter(outcome=Outcome.LOST), look_at=200),
    "untried": lambda reading: reading.find(Filter(untried_by="greet"), look_at=200),
    "handler and error": lambda reading: reading.find(
        Filter(tried_by="greet", error="Other"), look_at=200
    ),
    "lane": lambda reading: reading.find(Filter(lane="c-1"), look_at=200),
    "since": lambda reading: reading.find(
        Filter(since=after(100), until=after(200), type="rare"), look_at=200
    ),
    "state and type": lambda reading: reading.find(
        Filter(state=State.DONE, type="rare"), look_at=200
    ),
    "event id": lambda reading: reading.find(Filter(event_id="event-7")),
    "one entry": lambda reading: reading.read(7),
    "counts": lambda reading: reading.counts(cap=200),
    "dead": lambda reading: reading.dead_groups(look_at=200),
    "mark": lambda reading: reading.mark(),
}


@pytest.fixture(scope="module")
def costs(tmp_path_factory):
    """Return what each look costs in an inbox of 1,000 entries, and once it has 10,000."""
    inbox = open_inbox(f"sqlite:///{tmp_path_factory.mktemp('costs')}/inbox.db")
    counted = {name: [] for name in LOOKS}
    with pytest.MonkeyPatch.context() as patch:
        have_few_overtake(patch)
        for ids in (range(1, 1001), range(1001, 10_001)):
            store(
                inbox,
                [entry_row(n, state="dead" if n % 2 else "done") for n in ids],
                [attempt_row(n, error="Error: x", outcome="failed") for n in ids],
            )
            for name, look in LOOKS.items():
                look(inbox.reading)
                with steps_of(inbox) as steps:
                    look(inbox.reading)
                counted[name].append(steps)
    inbox.close()
    return counted


@pytest.mark.parametrize("name", LOOKS)
def test_look_costs_the_same_however_much_is_stored(costs, name):
    few, many = costs[name]

    assert many["statements"] == few["statements"] <= 8
    assert many["steps"] <= few["steps"] * 1.2 + 3


def test_proofs_before_an_id_are_looked_for_among_so_many_deliveries(sqlite_inbox):
    row = {
        "endpoint": "support",
        "provider": "sunshine",
        "version": "v2",
        "received_at_ms": to_ms(NOW),
        "body": b"{}",
        "headers": "{}",
        "body_sha256": "",
        "secret_index": 0,
        "is_conflict": False,
    }
    with sqlite_inbox._transactions.write() as connection:
        connection.execute(insert(deliveries), [row] * 3000)
    costs = []
    for before_id in (100, 2900):
        with steps_of(sqlite_inbox) as counted:
            sqlite_inbox.reading.proofs(IdSpan(before_id=before_id), limit=10)
        costs.append(counted["steps"])

    assert costs[1] <= costs[0] + 3


def test_many_entries_that_are_named_are_found_by_few_statements(sql_inbox):
    ids = range(1, 10_001)
    store(sql_inbox, [entry_row(n, state="dead") for n in ids])

    with steps_of(sql_inbox) as counted:
        found, _ = sql_inbox.replays.candidates(
            Filter(entry_ids=list(ids), state=State.DEAD), below_id=20_000
        )

    assert [each.id for each in found] == [*reversed(ids)]
    assert counted["statements"] <= 5


def test_time_is_found_by_a_search_and_not_by_a_walk(inbox, few_overtake):
    store(inbox, [entry_row(n) for n in range(1, 4001)])

    with steps_of(inbox) as counted:
        page = inbox.reading.find(Filter(since=after(100), until=after(103)), look_at=10)

    assert [each.id for each in page.records] == [102, 101, 100]
    assert counted["statements"] <= 5


def test_look_takes_no_lock_and_waits_for_none(sql_url):
    writing, reading = open_inbox(sql_url), open_inbox(sql_url)
    entry_id = settled(writing, "event-1", dead(attempt(outcome=Outcome.FAILED)))
    (record,) = reading.reading.find().records
    mark = reading.reading.mark()

    with writing._transactions.write() as connection:
        connection.execute(entries.update().values(problem="held"))
        looks = reading.reading
        assert looks.find(Filter(state=State.DEAD, type="x", since=NOW)).records == []
        assert looks.read(entry_id).record == record
        assert looks.counts()[State.DEAD] == 1
        assert looks.twin(record, window_s=60) is None
        assert looks.neighbours(record) == ([], [], [])
        assert len(looks.dead_groups()) == 1
        assert looks.changes(mark)[0] == []

    writing.close()
    reading.close()


def test_counts_stop_at_their_cap(inbox):
    store(inbox, [entry_row(n, state="dead" if n <= 3 else "done") for n in range(1, 15)])

    capped = inbox.reading.counts(cap=5)

    assert capped == dict.fromkeys(State, 0) | {State.DEAD: 3, State.DONE: 6}
    assert inbox.reading.counts() == inbox.counts()


@pytest.mark.parametrize("word", ["", "brnken", "dead\x7f", "zzz"])
def test_entry_whose_state_was_damaged_counts_as_dead(inbox, word):
    store(inbox, [entry_row(1, state=word), entry_row(2)])

    assert inbox.reading.counts() == inbox.counts()
    assert inbox.reading.counts()[State.DEAD] == 1


def test_detail_has_all_that_is_kept_of_an_entry(inbox):
    delivery = deliver(
        item("event-1"),
        item("event-2"),
        headers={"hookkit-fingerprint": "0123abcd", "content-type": "application/json"},
        secret_index=1,
    )
    inbox.admit(delivery)
    entry = claim_one(inbox, only=[2])

    found = inbox.reading.read(2)

    assert found.record == inbox.find(Filter(entry_ids=[2]))[0]
    assert (found.position, found.item_count) == (1, 2)
    assert (found.fingerprint, found.secret_index) == ("0123abcd", 1)
    assert found.headers == {"content-type": "application/json"}
    assert (found.body, found.missing) == (delivery.body, None)
    assert found.lease_until == after(LEASE_S)
    assert (found.kept.body, found.kept.position) == (entry.body, entry.position)
    assert inbox.reading.read(3) is None


def test_body_that_is_missing_is_explained(sql_url):
    keys = [Fernet.generate_key().decode() for _ in range(2)]
    first = open_inbox(sql_url, encryption_keys=keys[:1])
    for event_id in ("locked", "deleted", "damaged", "ignored"):
        settled(first, event_id)
    first.close()
    second = open_inbox(sql_url, encryption_keys=keys[1:])
    with second._transactions.write() as connection:
        of = deliveries.update()
        connection.execute(of.where(deliveries.c.id == 3).values(body=b"x", is_encrypted=False))
        connection.execute(of.where(deliveries.c.id == 4).values(body=b"", is_encrypted=False))
        connection.execute(delete(deliveries).where(deliveries.c.id == 2))

    found = [second.reading.read(entry_id) for entry_id in (1, 2, 3, 4)]

    second.close()
    assert [each.body for each in found] == [None] * 4
    assert [each.missing for each in found] == [
        Missing.NO_KEY,
        Missing.DELETED,
        Missing.DAMAGED,
        Missing.IGNORED,
    ]


@pytest.mark.parametrize("fact", ["message:m1", "~start:c1"])
def test_twin_is_found_from_both_sides(inbox, fact):
    for entry_id, version in ((10, "v1.1"), (20, "v2"), (30, "v2")):
        other = "other" if entry_id == 30 else fact
        store(inbox, [entry_row(entry_id, version=version, fact=other)])
    old, new, third = (inbox.reading.read(n) for n in (10, 20, 30))

    assert inbox.reading.twin(old.record, window_s=15) == new.kept
    assert inbox.reading.twin(new.record, window_s=15) == old.kept
    assert inbox.reading.twin(third.record, window_s=15) is None


def test_owner_of_a_fact_is_its_twin_however_old(inbox):
    store(inbox, [entry_row(1, version="v1.1", fact="m1"), entry_row(2, fact="m1")])
    with inbox._transactions.write() as connection:
        owned = {"endpoint": "support", "fact": "m1", "entry_id": 1, "version": "v1.1"}
        connection.execute(insert(facts), owned)

    twin = inbox.reading.twin(inbox.reading.read(2).record, window_s=0, look_at=0)

    assert (twin.id, twin.version) == (1, "v1.1")


def test_twin_out_of_the_window_is_none(inbox):
    store(inbox, [entry_row(1, version="v1.1", fact="m1"), entry_row(100, fact="m1")])

    assert inbox.reading.twin(inbox.reading.read(1).record, window_s=98) is None
    assert inbox.reading.twin(inbox.reading.read(1).record, window_s=99).id == 100


def test_neighbours_are_those_of_the_lane_and_of_the_delivery(inbox):
    admit_in_lane(inbox, "a", lane="c-1")
    admit_in_lane(inbox, "b", lane="c-2")
    admit_in_lane(inbox, "c", "d", "e", lane="c-1")
    admit_in_lane(inbox, "f", lane="c-1", endpoint="shop")

    record = inbox.reading.read(4).record
    around = inbox.reading.neighbours(record)
    few = inbox.reading.neighbours(record, limit=1, look_at=1)

    named = {each.id: each.event_id for each in inbox.find()}
    assert [[named[one.id] for one in each] for each in around] == [["c", "a"], ["e"], ["c", "e"]]
    assert [[named[one.id] for one in each] for each in few] == [["c"], ["e"], ["c"]]


def failed(error, **changes):
    return attempt(outcome=Outcome.FAILED, error=error, **changes)


def test_dead_letters_are_grouped_by_handler_and_error(inbox):
    for number, endpoint in ((17, "support"), (4711, "shop")):
        error = f"KeyError: order {number} of c0ffee00-12 is gone\nsecond line {number}"
        wrong = failed(error, handler="forward", raised_at=f"shop/hooks.py:{number}")
        settled(inbox, f"event-{number}", dead(attempt(), wrong), endpoint=endpoint)
    settled(inbox, "other", dead(failed("ValueError: no", handler="forward")))
    settled(inbox, "well", done(attempt()))

    first, second = inbox.reading.dead_groups()

    assert (first.handler, first.error) == ("forward", "KeyError: order # of # is gone")
    assert (first.count, first.endpoints, first.newest_id) == (2, ["shop", "support"], 2)
    assert first.where == "shop/hooks.py:4711"
    assert first.first_at == first.last_at == after(0.25)
    assert (second.error, second.count) == ("ValueError: no", 1)


def test_dead_letter_is_grouped_by_the_last_attempt_of_each_handler(inbox):
    tried = [
        failed("OldError: x", handler="mended"),
        failed("Error: y", handler="broken", retry_after_s=5.0),
        failed("NewError: y", handler="broken", number=2),
    ]
    entry_id = settled(inbox, "event-1", dead(*tried))
    inbox.replay(entry_id, now=NOW)
    again = claim_one(inbox)
    inbox.settle(
        again, dead(attempt(handler="mended"), failed("LastError: z", handler="broken")), now=NOW
    )

    assert [each.error for each in inbox.reading.dead_groups()] == ["LastError: z"]


def test_dead_letter_without_an_attempt_is_told_by_its_problem(inbox):
    store(inbox, [entry_row(1, state="dead", problem="what is stored was damaged")])

    (group,) = inbox.reading.dead_groups()

    assert (group.handler, group.error) == ("", "what is stored was damaged")


def test_only_so_many_dead_letters_are_grouped(inbox):
    store(inbox, [entry_row(n, state="dead", problem="x") for n in range(1, 8)])

    (group,) = inbox.reading.dead_groups(look_at=5)

    assert (group.count, group.newest_id) == (5, 7)


def changed(inbox, mark, **how):
    found, mark = inbox.reading.changes(mark, **how)
    return [each.id for each in found], mark


def test_changes_are_entries_that_are_new_or_were_tried(inbox):
    (old,) = admit(inbox, "event-1")
    mark = inbox.reading.mark()
    (new,) = admit(inbox, "event-2")

    came, mark = changed(inbox, mark)
    again, mark = changed(inbox, mark)
    assert inbox.settle(claim_one(inbox, only=[old]), done(attempt()), now=NOW)
    tried, mark = changed(inbox, mark)

    assert (came, again, tried) == ([new], [], [old])
    assert changed(inbox, mark)[0] == []


def test_change_that_is_committed_late_is_not_overlooked(inbox, few_overtake):
    store(inbox, [entry_row(5)])
    mark = inbox.reading.mark()
    store(inbox, [entry_row(8)])
    came, mark = changed(inbox, mark)
    store(inbox, [entry_row(6)])  # its id was given before

    late, mark = changed(inbox, mark)

    assert (came, late) == ([8], [6])
    assert changed(inbox, mark)[0] == []  # not even what came before all of them


def test_changes_come_in_steps(inbox):
    mark = inbox.reading.mark()
    store(inbox, [entry_row(n) for n in range(1, 8)])
    found = []
    for _ in range(4):
        some, mark = changed(inbox, mark, limit=3)
        found.append(some)

    assert found == [[1, 2, 3], [4, 5, 6], [7], []]
