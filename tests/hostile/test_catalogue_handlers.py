"""Handlers that do what no handler should: the event is retried, and its neighbours are done."""

import locale
import logging
import os
import sqlite3
import stat
import sys
import threading
import warnings

import pytest

from hookkit import HookKit, RetryPolicy
from hookkit.core.entry import State
from tests.applications import SECRET, make_app, message, post

FAILED, SETTLED = "attempt_failed", "entry_settled"


class Place:
    """An application with an inbox in a file, whose handler does *what* at the first event."""

    def __init__(self, what, url):
        hooks, self.seen = HookKit(), []

        @hooks.on("*", name="bad", retry=RetryPolicy(max_attempts=2, first_delay_s=0, jitter=0))
        def bad(event):
            self.seen.append(event.id)
            if event.id == "first":
                what()

        self.app = make_app(hooks, HOOKKIT_DATABASE=url, HOOKKIT_RUNNER="none")
        self.client = self.app.test_client()

    def send(self, event_id):
        answer = post(self.client, message(event_id))
        return answer.status_code, answer.json["code"]

    def work(self):
        return self.app.extensions["hookkit"].worker.work(limit=10)

    def states(self):
        found = self.app.extensions["hookkit"].opening.inbox().find()
        return {each.event_id: each.state for each in found}

    def close(self):
        self.app.extensions["hookkit"].opening.inbox().close()


@pytest.fixture
def place(tmp_path, request):
    made = Place(request.param, f"sqlite:///{tmp_path}/inbox.db")
    yield made
    made.close()


class Unshowable(Exception):
    def __str__(self):
        raise RuntimeError

    __repr__ = __str__


def recurse():
    recurse()


def raise_(error):
    raise error


FAULTS = {
    "raises": lambda: raise_(ValueError("no")),
    "raises what cannot be shown": lambda: raise_(Unshowable()),
    "raises 10 MB": lambda: raise_(ValueError("x" * 10_000_000)),
    "raises the secret's neighbour": lambda: raise_(ValueError("\x1b]0;title\x07\r\nforged line")),
    "ends the program": lambda: sys.exit(3),
    "raises GeneratorExit": lambda: raise_(GeneratorExit()),
    "raises MemoryError": lambda: raise_(MemoryError()),
    "recurses without end": recurse,
    "raises a group": lambda: raise_(BaseExceptionGroup("two", [SystemExit(), KeyError("a")])),
}


@pytest.mark.parametrize("place", FAULTS.values(), ids=FAULTS, indirect=True)
def test_handler_that_fails_is_tried_again_and_dead_after_its_attempts(place, caplog):
    caplog.set_level(logging.INFO, "hookkit")

    answers = [place.send("first"), place.send("second")]
    place.work()
    place.work()

    assert answers == [(200, "accepted")] * 2
    assert place.states() == {"first": State.DEAD, "second": State.DONE}
    assert sorted(place.seen) == ["first", "first", "second"]
    (record,) = [
        each
        for each in place.app.extensions["hookkit"].opening.inbox().find()
        if each.event_id == "first"
    ]
    assert [each.number for each in record.attempts] == [1, 2]
    assert all(0 < len(each.error) <= 10_000 for each in record.attempts)
    words = [each.action for each in caplog.records]
    assert words.count(FAILED) == 2
    assert SECRET not in caplog.text
    assert not set("\x1b\x07\r") & set(caplog.text)


@pytest.fixture
def as_before():
    """Undo what a handler does to the whole process."""
    folder, mask, limit = os.getcwd(), os.umask(0o022), sys.getrecursionlimit()  # noqa: PTH109
    filters, numbers = warnings.filters[:], locale.setlocale(locale.LC_ALL)
    environment = dict(os.environ)
    yield
    os.chdir(folder)
    os.umask(mask)
    sys.setrecursionlimit(limit)
    warnings.filters[:] = filters
    locale.setlocale(locale.LC_ALL, numbers)
    os.environ.update(environment)
    logging.disable(logging.NOTSET)


def leak_threads():
    for _ in range(50):
        threading.Thread(target=threading.Event().wait, args=(0.01,), daemon=True).start()


DEEDS = {
    "goes to another folder": lambda: os.chdir("/"),
    "lets nobody read new files": lambda: os.umask(0o777),
    "lets everybody write new files": lambda: os.umask(0),
    "speaks another language": lambda: locale.setlocale(locale.LC_ALL, "C"),
    "leaves threads behind": leak_threads,
    "forgets the environment": os.environ.clear,
    "makes warnings errors": lambda: warnings.simplefilter("error"),
    "leaves little room to recurse": lambda: sys.setrecursionlimit(400),
    "switches the log off": lambda: logging.disable(logging.CRITICAL),
    "kills a child of its own": lambda: os._exit(0) if os.fork() == 0 else os.wait(),
}


@pytest.mark.usefixtures("as_before")
@pytest.mark.parametrize("name", DEEDS)
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_handler_that_changes_its_process_harms_no_other_event(name, tmp_path):
    place = Place(DEEDS[name], f"sqlite:///{tmp_path}/inbox.db")

    answers = [place.send("first")]
    place.work()
    for number in range(3):  # by a thread of its own, with a connection of its own
        thread = threading.Thread(
            target=lambda each: answers.append(place.send(each)), args=(str(number),)
        )
        thread.start()
        thread.join()
    place.work()

    assert answers == [(200, "accepted")] * 4
    assert place.states() == dict.fromkeys(["first", "0", "1", "2"], State.DONE)
    files = {each.name: stat.S_IMODE(each.stat().st_mode) for each in tmp_path.glob("inbox.db*")}
    assert "inbox.db" in files
    assert set(files.values()) == {0o600}
    place.close()


def run_sql(path, statement):
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.commit()
    connection.close()


@pytest.mark.parametrize(
    ("statement", "left"),
    [
        ("DELETE FROM hookkit_entries", {}),
        ("UPDATE hookkit_entries SET state = 'dead', lease_token = NULL", {"first": State.DEAD}),
    ],
)
def test_handler_that_changes_its_own_entry_settles_nothing(tmp_path, caplog, statement, left):
    caplog.set_level(logging.INFO, "hookkit")
    path = tmp_path / "inbox.db"
    place = Place(lambda: run_sql(path, statement), f"sqlite:///{path}")

    answers = [place.send("first")]
    place.work()
    answers.append(place.send("second"))
    place.work()

    assert answers == [(200, "accepted")] * 2
    assert place.states() == left | {"second": State.DONE}
    assert place.seen == ["first", "second"]
    assert [each.action for each in caplog.records].count("settle_fenced") == 1
    place.close()
