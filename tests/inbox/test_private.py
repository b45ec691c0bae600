"""``memory://``: the same inbox, on a file of its own that is soon gone."""

import gc
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import text

from hookkit.core.attempts import Outcome
from hookkit.core.entry import State
from hookkit.core.errors import Unavailable
from hookkit.inbox.opening import MEMORY, open_inbox
from tests.acceptance.forking import ForkedPython
from tests.inbox.making import (
    LEASE_S,
    NOW,
    admit,
    attempt,
    claim_one,
    deliver,
    done,
    item,
    kept,
    record,
)


@pytest.fixture
def private():
    opened = open_inbox(MEMORY)
    yield opened
    opened.close()


def file_of(inbox):
    return Path(inbox._transactions.engine.url.database)


def schema_of(inbox):
    with inbox._transactions.read() as connection:
        found = connection.execute(text("SELECT name, sql FROM sqlite_master ORDER BY name")).all()
        version = connection.execute(text("SELECT version FROM hookkit_schema")).scalar_one()
    return version, {name: " ".join((sql or "").split()) for name, sql in found}


def test_tables_are_those_of_any_other_sqlite_file(private, sqlite_inbox):
    assert schema_of(private) == schema_of(sqlite_inbox)


def test_store_is_of_its_own_each_time(private):
    admit(private, "m-1")

    other = open_inbox(MEMORY)

    assert other.find() == []
    assert file_of(other) != file_of(private)
    other.close()


def test_file_is_for_its_owner_alone(private):
    assert file_of(private).parent.stat().st_mode & 0o777 == 0o700


def test_nothing_waits_for_the_disk(private):
    with private._transactions.write() as connection:
        assert connection.execute(text("PRAGMA synchronous")).scalar_one() == 0


def test_readers_do_not_wait_for_the_writer(private):
    admit(private, "m-1")

    with private._transactions.write():
        assert len(private.find()) == 1


def test_many_threads_make_each_event_an_entry_once(private, eager_threads):
    envelopes = [deliver(item(f"m-{number % 20}")) for number in range(200)]

    with ThreadPoolExecutor(16) as pool:
        receipts = list(pool.map(private.admit, envelopes))

    assert sum(each.new_count for each in receipts) == len(private.find()) == 20


def test_effects_are_committed_with_their_success(private):
    with private._transactions.write() as connection:
        connection.execute(text("CREATE TABLE tickets (event_id TEXT)"))
    (entry_id,) = admit(private, "m-1")

    def book(outcome):
        def work(connection):
            connection.execute(text("INSERT INTO tickets VALUES ('m-1')"))
            return attempt("book", outcome)

        return work

    entry = claim_one(private)
    assert not private.transact(entry, book(Outcome.FAILED)).is_recorded
    assert private.transact(entry, book(Outcome.SUCCEEDED)).is_recorded

    with private._transactions.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM tickets")).scalar_one() == 1
    assert [each.handler for each in record(private, entry_id).attempts] == ["book"]


def test_bodies_are_encrypted():
    key = "A" * 43 + "="
    private = open_inbox(MEMORY, encryption_keys=[key])
    private.admit(deliver(item("m-1"), body=b"a secret"))

    ((stored, _),) = kept(private)
    assert b"a secret" not in stored
    assert claim_one(private).body == b"a secret"
    private.close()


def test_close_removes_the_file_and_the_next_use_begins_empty(private):
    admit(private, "m-1")
    folder = file_of(private).parent

    private.close()

    assert not folder.exists()
    assert private.find() == []
    assert admit(private, "m-1")


def test_file_is_gone_with_the_inbox():
    private = open_inbox(MEMORY)
    folder = file_of(private).parent
    assert folder.exists()

    del private
    gc.collect()

    assert not folder.exists()


@pytest.mark.parametrize("ending", ["pass", "raise SystemExit(3)"])
def test_file_is_gone_with_the_process(ending, tmp_path):
    code = f"""
from hookkit.inbox.opening import open_inbox
inbox = open_inbox("memory://")
print(inbox._transactions.engine.url.database, inbox.counts() and "", sep="")
{ending}
"""
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    command = [sys.executable, "-W", "error", "-c", code]

    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)

    assert done.stdout.startswith(str(tmp_path)), done.stderr
    assert list(tmp_path.iterdir()) == []


#: Opens a store and waits to be killed; an argument has it fork first, and the parent is killed.
UNTIL_KILLED = """
import os, sys, time
from hookkit.inbox.opening import open_inbox
inbox = open_inbox("memory://")
inbox.counts()
child = os.fork() if sys.argv[1:] else 0
if not child:
    inbox.after_fork()
    print(inbox._transactions.engine.url.database, flush=True)
    sys.stdin.read()
else:
    time.sleep(600)
"""

OPENED = "from hookkit.inbox.opening import open_inbox; open_inbox('memory://').close()"


def start_until_killed(folder, *arguments):
    """Return a process that has a store in *folder*, and the folder of the store."""
    process = ForkedPython(
        [sys.executable, "-c", UNTIL_KILLED, *arguments],
        env=os.environ | {"TMPDIR": str(folder)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    return process, Path(process.stdout.readline().strip()).parent


def open_in(folder):
    command = [sys.executable, "-W", "error", "-c", OPENED]
    subprocess.run(command, env=os.environ | {"TMPDIR": str(folder)}, check=True)


def test_folder_of_a_killed_process_is_removed_by_the_next_one(tmp_path):
    (tmp_path / "hookkit-memory-of-somebody").mkdir()
    killed, left = start_until_killed(tmp_path)
    alive, used = start_until_killed(tmp_path)
    with killed, alive:
        killed.kill()
        killed.wait()
        assert left.exists()

        open_in(tmp_path)

        assert not left.exists()
        assert (used / "inbox.db").exists()
        alive.communicate("")

    assert [each.name for each in tmp_path.iterdir()] == ["hookkit-memory-of-somebody"]


def test_folder_stays_as_long_as_a_forked_child_of_its_killed_maker_lives(tmp_path):
    parent, used = start_until_killed(tmp_path, "forks")
    with parent:
        parent.kill()
        parent.wait()

        open_in(tmp_path)
        assert (used / "inbox.db").exists()
        parent.stdin.close()
        parent.stdout.read()  # ends with the child

    open_in(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_forked_child_shares_the_file_and_leaves_it_to_its_parent(private):
    admit(private, "m-1")
    reading, writing = os.pipe()
    # The parent is in the middle of a transaction when it forks.
    with private._transactions.write():
        process_id = os.fork()
        if process_id == 0:
            private.after_fork()
            os.write(writing, private.find()[0].event_id.encode())
            private.close()
            os._exit(0)
        os.waitpid(process_id, 0)

    assert os.read(reading, 10) == b"m-1"
    assert file_of(private).exists()
    assert admit(private, "m-2")
    assert len(private.find()) == 2
    os.close(reading)
    os.close(writing)


def test_lease_that_is_over_is_claimed_again(private):
    (entry_id,) = admit(private, "m-1")
    claim_one(private)

    again = claim_one(private, at=LEASE_S)

    assert (again.claim_count, again.lost_claim_count) == (2, 1)
    assert private.settle(again, done(attempt()), now=NOW)
    assert record(private, entry_id).state is State.DONE


def test_what_cannot_be_stored_is_not_half_stored(private):
    with private._transactions.write() as connection:
        connection.execute(
            text(
                "CREATE TRIGGER refuse BEFORE INSERT ON hookkit_entries WHEN NEW.event_id = 'm-2'"
                " BEGIN SELECT RAISE(ABORT, 'refused'); END"
            )
        )

    with pytest.raises(Unavailable):
        private.admit(deliver(item("m-1"), item("m-2")))

    assert (private.find(), kept(private)) == ([], [])
