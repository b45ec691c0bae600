"""What is stored and damaged: never handled as if it were right, and in nobody's way."""

import contextlib
import random
import re
import sqlite3
from datetime import UTC, datetime

import pytest
from cryptography.fernet import Fernet

from hookkit import HookKit, RetryPolicy
from hookkit.core.entry import State
from hookkit.core.errors import ConfigurationError, ReplayRefused, Unavailable
from hookkit.inbox.opening import open_inbox
from tests.applications import admit, message
from tests.handling.test_worker_attempts import TimedBench
from tests.scale import SCALE

NOW = datetime(2026, 3, 1, tzinfo=UTC)
#: What is stored of a body, and what becomes of it.
DAMAGES = {
    "a bit of the body": (b'"id"', b'"iD"'),
    "the end of the body": (b"}", b""),
    "an encrypted body": (b"A", b"B"),
}


def damage(inbox, name):
    """Change what is stored of the first delivery."""
    with inbox._transactions.write() as connection:
        mark = "?" if connection.dialect.name == "sqlite" else "%s"
        stored = "SELECT body, headers FROM hookkit_deliveries WHERE id = 1"
        body, headers = connection.exec_driver_sql(stored).one()
        if name == "the headers":
            column, value = "headers", headers[:-1]
        else:
            column, value = "body", bytes(body).replace(*DAMAGES[name])
        assert value != (headers if name == "the headers" else body)
        connection.exec_driver_sql(
            f"UPDATE hookkit_deliveries SET {column} = {mark} WHERE id = 1",  # noqa: S608
            (value,),
        )


@pytest.mark.parametrize("name", [*DAMAGES, "the headers"])
def test_damaged_delivery_is_a_dead_letter_and_holds_up_no_other(sql_url, name):
    keys = [Fernet.generate_key().decode()] if name == "an encrypted body" else []
    inbox, hooks, seen = open_inbox(sql_url, encryption_keys=keys), HookKit(), []
    hooks.on("*", name="see")(lambda event: seen.append(event.id))
    bench = TimedBench(hooks, inbox=inbox)
    for event_id in ("damaged", "whole"):
        bench.admit(message(event_id))
    damage(inbox, name)

    bench.work_until(100, step=1)

    found = {each.event_id: each for each in inbox.find()}
    assert (found["damaged"].state, found["whole"].state) == (State.DEAD, State.DONE)
    assert seen == ["whole"]
    assert [each.number for each in found["damaged"].attempts] == [1, 2, 3]
    assert "damaged" in found["damaged"].attempts[0].error
    assert [(each.event_id, each.body is None) for each in inbox.kept("support")] == [
        ("whole", False),
        ("damaged", True),
    ]
    inbox.close()


#: What is stored in a column of an entry.
NUMBERS = ["position", "received_at_ms", "attempt_count", "lost_claim_count", "generation"]
ENTRY_DAMAGES = [
    ("due_at_ms", None),
    ("chosen_handlers", "[damaged"),
    ("chosen_handlers", "5"),
    *((column, None) for column in [*NUMBERS, "replay_count"]),
    *((column, "damaged") for column in [*NUMBERS, "replay_count"]),
]


def damage_entry(url, inbox, column, value, entry_id=1):
    """Change what is stored in *column* of an entry, whatever the table says of it."""
    table = "hookkit_entries"
    if not url.startswith("sqlite"):
        with inbox._transactions.write() as connection:
            connection.exec_driver_sql(f"ALTER TABLE {table} ALTER {column} DROP NOT NULL")
            connection.exec_driver_sql(
                f"UPDATE {table} SET {column} = %s WHERE id = %s",  # noqa: S608
                (value, entry_id),
            )
        return
    path = url.removeprefix("sqlite:///")
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        (declared,) = connection.execute(
            "SELECT sql FROM sqlite_schema WHERE name = ?", (table,)
        ).fetchone()
        lax = re.sub(rf"({column} [A-Z0-9 ()]*?) NOT NULL", r"\1", declared)
        connection.execute("UPDATE sqlite_schema SET sql = ? WHERE name = ?", (lax, table))
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"UPDATE {table} SET {column} = ? WHERE id = ?", (value, entry_id))  # noqa: S608


@pytest.mark.parametrize(("column", "value"), ENTRY_DAMAGES)
def test_damaged_entry_is_a_dead_letter_and_holds_up_no_other(sql_url, column, value):
    if value == "damaged" and not sql_url.startswith("sqlite"):
        return  # no other database stores a text for a number
    inbox, hooks, seen = open_inbox(sql_url), HookKit(), []
    hooks.on("*", name="see")(lambda event: seen.append(event.id))
    bench = TimedBench(hooks, inbox=inbox)
    for event_id in ("damaged", "whole"):
        bench.admit(message(event_id))
    damage_entry(sql_url, inbox, column, value)

    bench.work_until(5, step=1)

    found = {each.event_id: each for each in inbox.find()}
    assert (found["damaged"].state, found["whole"].state) == (State.DEAD, State.DONE)
    assert seen == ["whole"]
    assert found["damaged"].problem == "what is stored of this entry was damaged"
    assert inbox.counts()[State.DEAD] == 1
    if column == "position":
        with pytest.raises(ReplayRefused, match="the bytes of entry 1 are gone"):
            inbox.replay(1, now=bench.clock())
    else:
        inbox.replay(1, now=bench.clock())
        bench.work_until(10, step=1)
        assert seen == ["whole", "damaged"]
    inbox.close()


TEXTS = ["endpoint", "event_id", "vendor_type", "version", "lane", "fact", "content_hash", "state"]


@pytest.mark.parametrize("column", TEXTS)
def test_text_that_is_none_any_more_holds_up_no_other(sqlite_url, column):
    inbox, hooks, seen = open_inbox(sqlite_url), HookKit(), []
    hooks.on("*", name="see")(lambda event: seen.append(event.id))
    bench = TimedBench(hooks, inbox=inbox)
    for event_id in ("damaged", "whole"):
        bench.admit(message(event_id))
    with inbox._transactions.write() as connection:
        connection.exec_driver_sql(
            f"UPDATE hookkit_entries SET {column} = CAST(x'e4616263' AS TEXT) WHERE id = 1"  # noqa: S608
        )

    bench.work_until(5, step=1)

    assert "whole" in seen
    assert len(seen) == len(set(seen))
    assert {each.id: each.state for each in inbox.find()}[2] is State.DONE
    inbox.close()


@pytest.mark.parametrize("state", ["done", "dead", "pending", "waiting", "running"])
def test_entry_whose_state_is_damaged_counts_as_a_dead_letter_and_may_be_replayed(sql_url, state):
    inbox, hooks, seen = open_inbox(sql_url), HookKit(), []
    hooks.on("*", name="see")(lambda event: seen.append(event.id))
    bench = TimedBench(hooks, inbox=inbox)
    for event_id in ("damaged", "whole"):
        bench.admit(message(event_id))
    if state == "done":
        bench.work_until(2, step=1)
    damage_entry(sql_url, inbox, "state", f"{state[:-1]}{chr(ord(state[-1]) ^ 4)}")
    handled = list(seen)

    bench.work_until(5, step=1)

    found = {each.event_id: each for each in inbox.find()}
    assert (found["damaged"].state, found["whole"].state) == (State.DEAD, State.DONE)
    assert inbox.counts()[State.DEAD] == 1
    assert [each.state for each in inbox.kept("support")] == [State.DONE, State.DEAD]
    # Its redelivery is a duplicate, as before.
    assert bench.admit(message("damaged")).new_count == 0
    inbox.replay(1, now=bench.clock())
    bench.work_until(10, step=1)
    assert sorted(seen) == sorted([*handled, *{"damaged", "whole"} - set(handled)])
    assert {each.state for each in inbox.find()} == {State.DONE}
    inbox.close()


def test_entry_of_whose_attempts_one_is_damaged_runs_nothing_twice(sql_url):
    inbox, hooks, seen = open_inbox(sql_url), HookKit(), []
    hooks.on("*", name="see")(lambda event: seen.append(event.id))

    @hooks.on("*", name="fail", retry=RetryPolicy(max_attempts=3, first_delay_s=1))
    def fail(event):
        if event.id == "damaged":
            raise RuntimeError

    bench = TimedBench(hooks, inbox=inbox)
    bench.admit(message("damaged"))
    bench.worker.work()
    with inbox._transactions.write() as connection:
        connection.exec_driver_sql(
            "UPDATE hookkit_attempts SET outcome = 'succeedet' WHERE handler = 'see'"
        )
    bench.admit(message("whole"))

    bench.work_until(400, step=1)

    found = {each.event_id: each for each in inbox.find()}
    assert (found["damaged"].state, found["whole"].state) == (State.DEAD, State.DONE)
    assert seen == ["damaged", "whole"]
    assert [each.outcome for each in found["damaged"].attempts if each.handler == "see"] == ["lost"]
    inbox.close()


def test_file_with_flipped_bits_is_refused_or_takes_events(tmp_path):
    """SQLite notices some of them, and says so in bytes that need not be text."""
    whole, flipped = tmp_path / "whole.db", tmp_path / "flipped.db"
    inbox = open_inbox(f"sqlite:///{whole}")
    for number in range(12):
        admit(inbox, message(f"event-{number}"), NOW)
    inbox.close()
    content = whole.read_bytes()
    used = [at for at, byte in enumerate(content) if byte]
    chance, outcomes = random.Random(103), set()  # noqa: S311  # no secret depends on it

    for _ in range(150 * SCALE):
        other = bytearray(content)
        # Half of them in the first pages, where the tables are described.
        at = chance.choice(used[: len(used) // 8] if chance.random() < 0.5 else used)
        other[at] ^= 1 << chance.randrange(8)
        flipped.write_bytes(other)
        for log in tmp_path.glob("flipped.db-*"):
            log.unlink()
        try:
            inbox = open_inbox(f"sqlite:///{flipped}")
            outcomes.add(admit(inbox, message("new"), NOW).new_count)
            inbox.close()
        except ConfigurationError:
            outcomes.add("refused")
        except Unavailable:
            outcomes.add("unavailable")

    assert outcomes <= {"refused", "unavailable", 1}
    assert {"refused", 1} <= outcomes
