"""Deliveries that come at one moment, stored on PostgreSQL by one statement."""

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

import psycopg
import pytest
from sqlalchemy import create_engine, event, make_url

from hookkit.core.errors import StoreRefused, Unavailable
from hookkit.core.modes import Mode
from hookkit.inbox.opening import open_inbox
from hookkit.inbox.postgres import transactions as postgres_transactions
from hookkit.inbox.postgres.admit import _STORE, _rows_and_bodies, is_plain
from hookkit.inbox.postgres.json_rows import json_of
from hookkit.inbox.sql import transactions
from hookkit.inbox.sql.rows import BodyCipher, prepared
from tests.acceptance.forking import fork, forks
from tests.inbox.making import admit, deliver, item, kept
from tests.inbox.racing import admit_all_at_once
from tests.waiting import wait_until

#: Of the tests that wait for threads.
DEADLINE_S = 60

WATCH_COMMITS = """
    CREATE TABLE seen_at_commit (level TEXT, lock_timeout TEXT, statement_timeout TEXT);
    CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NEW.event_id = 'refused at commit' THEN RAISE EXCEPTION 'refused'; END IF;
        INSERT INTO seen_at_commit VALUES (
            current_setting('synchronous_commit'),
            current_setting('lock_timeout'),
            current_setting('statement_timeout')
        );
        RETURN NULL;
    END $$;
    CREATE CONSTRAINT TRIGGER see AFTER INSERT ON hookkit_entries
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION see();
"""

INSERT = """
    INSERT INTO hookkit_entries (endpoint, event_id, delivery_id, position, vendor_type, version,
        content_hash, received_at_ms, state, attempt_count, generation, replay_count,
        conflict_count)
    VALUES ('support', %s, 0, 0, '', '', '', 0, 'pending', 0, 1, 0, 0)
"""


@pytest.fixture
def inbox(postgres_url):
    opened = open_inbox(postgres_url)
    yield opened
    opened.close()


def together(inbox, *envelopes):
    """Admit these deliveries by one statement; None is what was left to do alone."""
    batch = [prepared(each, BodyCipher()) for each in envelopes]
    return inbox._transactions._admit_together(lambda: batch, timeout_s=DEADLINE_S)


def counted(receipts):
    return [None if each is None else each.new_count for each in receipts]


@contextmanager
def held(url, event_id):
    """Hold an event as a transaction does that stores it and has not committed."""
    with psycopg.connect(url) as other:
        other.execute(INSERT, (event_id,))
        yield
        other.rollback()


def queue_behind(inbox, url, first, *others):
    """Admit *others* together while *first* is held; return what each came to."""
    queue = inbox._transactions._together

    def outcome_of(envelope):
        try:
            return inbox.admit(envelope)
        except Unavailable as error:
            return error

    with ThreadPoolExecutor(len(others) + 1) as threads:
        with held(url, first.items[0].event_id):
            outcomes = [threads.submit(outcome_of, first)]
            wait_until(lambda: queue._leader_count == 1 and not queue._queue)
            for number, envelope in enumerate(others):
                outcomes.append(threads.submit(outcome_of, envelope))
                wait_until(lambda number=number: len(queue._queue) == number + 1)
        return [each.result() for each in outcomes]


@pytest.fixture
def one_leader(monkeypatch):
    """Have deliveries queue behind one that waits."""
    monkeypatch.setattr(postgres_transactions, "_MAX_TOGETHER", 1)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, True),
        ({"modes": {"v2": Mode.LIVE}}, False),
        ({"items": (item("m-1"), item("m-2"))}, False),
        ({"items": (replace(item("m-1"), subject="s"),)}, False),
        ({"items": (replace(item("m-1"), typed_event_id="m-1 as b"),)}, False),
        ({"items": (item("m-1", lane="c-1", fact="f"),)}, True),
    ],
    ids=["plain", "modes", "items", "subject", "type", "lane and fact"],
)
def test_only_what_an_event_id_decides_about_is_stored_together(changes, expected):
    assert is_plain(prepared(replace(deliver(item("m-1")), **changes), BodyCipher())) is expected


def test_what_is_stored_together_is_what_is_stored_alone(inbox, postgres_url):
    envelopes = [
        deliver(item("m-2", lane="c-1", fact="f"), body=b"\x00\xff"),
        deliver(item("m-1"), body=b""),
        deliver(item("ü 'quoted' \\ \" \n"), body="ü".encode() * 100, secret_index=None),
        deliver(item("m-1"), endpoint="sales", body=b"x" * 70_000),
    ]
    alone = open_inbox(postgres_url)
    alone._transactions._has_one_trip = False

    def rows():
        with inbox._transactions.read() as connection:
            found = connection.exec_driver_sql(
                "SELECT d.*, e.* FROM hookkit_entries e"
                " JOIN hookkit_deliveries d ON d.id = e.delivery_id ORDER BY e.event_id, e.endpoint"
            ).mappings()
            ids = {"id", "delivery_id"}
            return [{key: row[key] for key in row if key not in ids} for row in found]

    receipts = together(inbox, *envelopes)
    stored_together = rows()
    with inbox._transactions.write() as connection:
        connection.exec_driver_sql("DELETE FROM hookkit_entries")
        connection.exec_driver_sql("DELETE FROM hookkit_deliveries")
    expected = [alone.admit(each) for each in envelopes]

    assert stored_together == rows()
    assert [replace_ids(each) for each in receipts] == [replace_ids(each) for each in expected]
    alone.close()


def replace_ids(receipt):
    return replace(receipt, admitted=tuple(replace(one, entry_id=0) for one in receipt.admitted))


def test_second_of_two_in_one_group_is_a_duplicate(inbox):
    receipts = together(inbox, *(deliver(item(event_id)) for event_id in ("a", "b", "a", "a")))

    assert counted(receipts) == [1, 1, 0, 0]
    assert len({each.admitted[0].entry_id for each in receipts}) == 2
    assert len(kept(inbox)) == 2


def test_conflict_is_left_to_a_transaction_of_its_own(inbox):
    first, second = deliver(item("a"), body=b"1"), deliver(item("a", text="other"), body=b"2")

    assert counted(together(inbox, first, second)) == [1, None]
    (conflict,) = inbox.admit(second).admitted

    assert conflict.is_conflict
    assert inbox.find()[0].conflicts == 1
    assert kept(inbox) == [(b"1", False), (b"2", True)]


def test_duplicates_write_nothing_and_use_up_no_number(inbox):
    (first,) = admit(inbox, "a")
    for _ in range(100):
        assert admit(inbox, "a") == [first]

    assert admit(inbox, "b") == [first + 1]
    with inbox._transactions.read() as connection:
        found = connection.exec_driver_sql("SELECT max(id) FROM hookkit_deliveries")
        assert found.scalar_one() == 2


def test_commit_waits_for_the_disk_and_nothing_else_for_long_whatever_the_defaults(postgres_url):
    defaults = "-c synchronous_commit=off -c lock_timeout=0 -c statement_timeout=0"
    options = f"{make_url(postgres_url).query['options']} {defaults}"
    inbox = open_inbox(make_url(postgres_url).update_query_dict({"options": options}))
    with psycopg.connect(postgres_url, autocommit=True) as other:
        other.execute(WATCH_COMMITS)

        admit(inbox, "a")
        with inbox._transactions.engine.begin() as connection:
            connection.exec_driver_sql(INSERT, ("as the defaults are",))

        seen = other.execute("SELECT * FROM seen_at_commit").fetchall()
    assert seen == [("on", "2s", "5s"), ("off", "0", "0")]
    with inbox._transactions.engine.connect() as connection:
        assert connection.exec_driver_sql("SHOW synchronous_commit").scalar_one() == "off"
    inbox.close()


def test_commit_that_fails_is_no_receipt(inbox, postgres_url):
    with psycopg.connect(postgres_url, autocommit=True) as other:
        other.execute(WATCH_COMMITS)

    for _ in range(10):  # also once its statement is prepared
        assert counted(together(inbox, deliver(item("refused at commit")))) == [None]
        assert admit(inbox, "a")
    with pytest.raises(Unavailable, match="RaiseException"):
        admit(inbox, "refused at commit")

    assert [each.event_id for each in inbox.find()] == ["a"]


def test_one_that_the_database_refuses_fails_no_neighbour(one_leader, inbox, postgres_url):
    with psycopg.connect(postgres_url, autocommit=True) as other:
        other.execute(
            "ALTER TABLE hookkit_entries ADD CONSTRAINT refuse CHECK (event_id <> 'poison')"
        )
    names = ["a", "poison", "b"]

    first, *outcomes = queue_behind(
        inbox, postgres_url, deliver(item("first")), *(deliver(item(each)) for each in names)
    )

    assert first.new_count == 1
    assert [isinstance(each, StoreRefused) for each in outcomes] == [False, True, False]
    assert sorted(each.event_id for each in inbox.find()) == ["a", "b", "first"]


def test_event_that_is_held_for_too_long_fails_no_neighbour(inbox, postgres_url, monkeypatch):
    monkeypatch.setattr(transactions, "BUSY_TIMEOUT_S", 0.2)
    with held(postgres_url, "held"):
        receipts = together(inbox, *(deliver(item(each)) for each in ("a", "held", "b")))
        assert counted(receipts) == [None, None, None]
        assert admit(inbox, "a")
        with pytest.raises(Unavailable, match="LockNotAvailable"):
            admit(inbox, "held")

    assert admit(inbox, "held")


def test_one_that_waits_holds_up_no_other(inbox, postgres_url):
    with ThreadPoolExecutor(1) as threads:
        with held(postgres_url, "held"):
            waiting = threads.submit(admit, inbox, "held")
            wait_until(lambda: inbox._transactions._together._leader_count == 1)
            assert admit(inbox, "a")
            assert not waiting.done()
        assert waiting.result()


@pytest.mark.parametrize("isolation", ["read committed", "serializable"])
def test_processes_that_race_for_the_same_events_make_each_an_entry_once(postgres_url, isolation):
    """Each event is sent by every thread, in the opposite order by the other process."""
    default = isolation.replace(" ", "\\ ")
    options = (
        f"{make_url(postgres_url).query['options']} -c default_transaction_isolation={default}"
    )
    url = make_url(postgres_url).update_query_dict({"options": options})
    raced = url.render_as_string(hide_password=False)
    open_inbox(raced).close()
    start, results = forks.Barrier(2), forks.Queue()
    names = [f"m-{number}" for number in range(60)]
    processes = [
        fork(admit_all_at_once, raced, order, 8, start, results) for order in (names, names[::-1])
    ]

    for process in processes:
        process.start()
    found = [results.get(timeout=DEADLINE_S) for _ in processes]
    for process in processes:
        process.join()
        process.close()
    results.close()
    results.join_thread()

    inbox = open_inbox(postgres_url)
    stored = {each.event_id: each.id for each in inbox.find(limit=1000)}
    assert sorted(stored) == sorted(names)
    assert all(dict(entry_ids) == stored for _, entry_ids in found)
    assert sum(new_count for new_count, _ in found) == len(names)
    assert len(kept(inbox)) == len(names)
    inbox.close()


def test_forked_child_has_a_queue_of_its_own(inbox, postgres_url):
    with ThreadPoolExecutor(2) as threads:
        with held(postgres_url, "held"):
            # Both leaders wait, in threads that a child does not have.
            waiting = [threads.submit(admit, inbox, "held") for _ in range(2)]
            wait_until(lambda: inbox._transactions._together._leader_count == 2)
            process_id = os.fork()
            if process_id == 0:
                inbox.after_fork()
                os._exit(0 if admit(inbox, "of the child") else 1)
            _, status = os.waitpid(process_id, 0)
        first, second = (each.result() for each in waiting)

    assert status == 0
    assert first == second
    assert sorted(each.event_id for each in inbox.find()) == ["held", "of the child"]


def test_many_senders_queue_for_few_connections(inbox):
    checked_out, most = set(), []
    engine = inbox._transactions.engine
    event.listen(engine, "checkout", lambda driver, *_: checked_out.add(driver))
    event.listen(engine, "checkout", lambda *_: most.append(len(checked_out)))
    event.listen(engine, "checkin", lambda driver, *_: checked_out.discard(driver))
    envelopes = [
        deliver(*(item(f"{number}-{each}") for each in range(1 + number % 2)))
        for number in range(256)
    ]

    with ThreadPoolExecutor(64) as threads:
        receipts = list(threads.map(inbox.admit, envelopes))

    assert [each.new_count for each in receipts] == [1 + number % 2 for number in range(256)]
    together, alone = postgres_transactions._MAX_TOGETHER, postgres_transactions._MAX_ALONE
    assert max(most) <= together + alone


def test_users_engine_with_a_driver_that_cannot_do_it_stores_each_alone(postgres_url, monkeypatch):
    url = make_url(postgres_url).set(drivername="postgresql+psycopg")
    engine = create_engine(url)
    monkeypatch.setattr(engine.dialect.dbapi.Pipeline, "is_supported", lambda: False)
    inbox = open_inbox(engine)

    assert admit(inbox, "a") == admit(inbox, "a")
    assert inbox._transactions._has_one_trip is False
    inbox.close()
    engine.dispose()


def test_driver_keeps_what_it_has_read_of_the_statement():
    """It reads a longer one anew each time, which takes longer than all its parameters.

    https://github.com/psycopg/psycopg/blob/3.2.2/psycopg/psycopg/_queries.py#L25
    """
    assert len(_STORE.string.encode()) <= 4096


def test_known_events_are_found_by_the_index(inbox, postgres_url):
    """Also by the plan that a connection keeps when the table was small and analyzed."""
    for start in range(0, 100, 50):
        together(inbox, *(deliver(item(f"m-{start + each}")) for each in range(50)))
    with psycopg.connect(postgres_url, autocommit=True, prepare_threshold=0) as other:
        other.execute("ANALYZE hookkit_entries")
        other.execute("SET plan_cache_mode = force_generic_plan")
        batch = [prepared(deliver(item("m-1")), BodyCipher())]
        values = {"entry": json_of([batch[0].entry_rows[0]])} | _rows_and_bodies(batch)
        plans = other.execute(f"EXPLAIN {_STORE.string}", _STORE.params | values).fetchall()
    assert any("Index" in line and "hookkit_entries_event" in line for (line,) in plans)
    assert not any("Seq Scan on hookkit_entries" in line for (line,) in plans)
