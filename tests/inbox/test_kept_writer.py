"""The connection to a SQLite file of our own that one write leaves for the next."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import create_engine, event

from hookkit.core.errors import Unavailable
from hookkit.inbox.opening import open_inbox
from tests.inbox.making import NOW, admit, attempt, claim_one, deliver, done, item
from tests.waiting import wait_until


@pytest.fixture
def checkouts(sqlite_inbox):
    """List what is checked out of the pool, once a first write has left a connection."""
    admit(sqlite_inbox, "first")
    checked_out = []
    event.listen(
        sqlite_inbox._transactions.engine,
        "checkout",
        lambda driver, *_: checked_out.append(driver),
    )
    return checked_out


def kept_in(inbox):
    return list(inbox._transactions._kept)


def test_writes_of_all_threads_and_kinds_use_one_connection(sqlite_inbox, checkouts):
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda number: admit(sqlite_inbox, f"m-{number}"), range(40)))
    entry = claim_one(sqlite_inbox, limit=1)
    sqlite_inbox.renew([entry], now=NOW, lease_s=60)
    assert sqlite_inbox.settle(entry, done(attempt()), now=NOW)

    assert checkouts == []


def test_reading_leaves_it_to_the_writers(sqlite_inbox, checkouts):
    with sqlite_inbox._transactions.read():
        admit(sqlite_inbox, "m-1")
        assert len(checkouts) == 1

    assert len(sqlite_inbox.find()) == 2


def test_error_drops_it_and_the_next_write_does_without(sqlite_inbox, checkouts):
    with pytest.raises(ZeroDivisionError), sqlite_inbox._transactions.write():
        raise ZeroDivisionError

    assert kept_in(sqlite_inbox) == []
    assert admit(sqlite_inbox, "m-1") == [2]
    assert len(checkouts) == 1
    assert kept_in(sqlite_inbox)[0].connection.dbapi_connection.in_transaction is False


def test_connection_that_a_handler_has_had_is_not_kept(sqlite_inbox, checkouts):
    entry = claim_one(sqlite_inbox)

    def work(connection):
        connection.execution_options(stream_results=True)
        return attempt()

    assert sqlite_inbox.transact(entry, work)
    assert kept_in(sqlite_inbox) == []
    admit(sqlite_inbox, "m-1")
    (kept,) = kept_in(sqlite_inbox)
    assert "stream_results" not in kept.get_execution_options()


def test_close_leaves_none_open_even_under_a_writer(sqlite_inbox):
    begun, may_end = threading.Event(), threading.Event()

    def write():
        with sqlite_inbox._transactions.write():
            begun.set()
            assert may_end.wait(60)

    with ThreadPoolExecutor(1) as threads:
        writing = threads.submit(write)
        assert begun.wait(60)
        sqlite_inbox.close()
        may_end.set()
        writing.result()

    assert kept_in(sqlite_inbox) == []
    assert admit(sqlite_inbox, "m-1") == [1]


def test_forked_child_writes_on_one_of_its_own(sqlite_inbox):
    admit(sqlite_inbox, "m-1")
    inherited = kept_in(sqlite_inbox)[0]
    process_id = os.fork()
    if process_id == 0:
        sqlite_inbox.after_fork()
        is_new = kept_in(sqlite_inbox) == []
        admit(sqlite_inbox, "of the child")
        is_new = is_new and kept_in(sqlite_inbox)[0] is not inherited
        os._exit(0 if is_new else 1)
    _, status = os.waitpid(process_id, 0)

    assert status == 0
    assert kept_in(sqlite_inbox) == [inherited]
    assert admit(sqlite_inbox, "m-2") == [3]


def test_it_is_not_used_for_a_file_that_was_replaced(tmp_path, sqlite_url):
    inbox = open_inbox(sqlite_url)
    admit(inbox, "m-1")
    before = kept_in(inbox)[0]
    path = tmp_path / "inbox.db"
    path.rename(tmp_path / "moved.db")

    with pytest.raises(Unavailable, match="moved or removed"):
        inbox.admit(deliver(item("m-2")))

    assert before.closed
    assert kept_in(inbox) == []
    (tmp_path / "moved.db").rename(path)
    wait_until(lambda: _is_admitted(inbox))
    assert kept_in(inbox)[0] is not before
    inbox.close()


def _is_admitted(inbox):
    try:
        return admit(inbox, "m-3")
    except Unavailable:  # the file that is back is reported once, too
        return False


def test_users_own_engine_gets_each_connection_back(sqlite_url):
    engine = create_engine(sqlite_url)
    inbox = open_inbox(engine)
    admit(inbox, "m-1")

    assert engine.pool.checkedout() == 0
    assert kept_in(inbox) == []
    inbox.close()
    engine.dispose()
