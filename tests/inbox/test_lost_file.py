"""A SQLite file that has lost what was acknowledged: never in silence."""

import logging
import os
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from hookkit import HookKit
from hookkit.core.entry import State
from hookkit.core.errors import ConfigurationError, Unavailable
from hookkit.inbox.opening import accept_loss, open_inbox
from tests.acceptance.forking import run_python
from tests.applications import admit, make_app, message, post

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ROOT = Path(__file__).parents[2]

#: Admits events, and is killed: what it has written is in the write-ahead log alone.
KILLED = """
import os, sys
from datetime import UTC, datetime
from hookkit.inbox.opening import open_inbox
from tests.acceptance.forking import run_python
from tests.applications import admit, message

inbox = open_inbox(sys.argv[1])
for number in range(4):
    admit(inbox, message(f"event-{number}"), datetime(2026, 3, 1, tzinfo=UTC))
os.kill(os.getpid(), 9)
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "inbox.db"


@pytest.fixture
def url(path):
    return f"sqlite:///{path}"


def fill(url, *names):
    inbox = open_inbox(url)
    for name in names:
        admit(inbox, message(name), NOW)
    inbox.close()


def held(url):
    inbox = open_inbox(url)
    try:
        return inbox.counts()[State.PENDING]
    finally:
        inbox.close()


def admit_and_be_killed(url):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    ended = run_python([sys.executable, "-c", KILLED, url], env=environment)
    assert ended.returncode == -9


def test_file_that_was_removed_is_not_made_anew(url, path):
    fill(url, "a", "b")
    path.unlink()

    with pytest.raises(ConfigurationError, match="held events up to number 2") as refused:
        open_inbox(url)

    assert "flask hookkit tables accept-loss" in str(refused.value)
    assert not path.exists()


def test_file_that_somebody_else_has_made_anew_is_refused(url, path):
    fill(url, "a", "b")
    path.unlink()
    path.touch()

    with pytest.raises(ConfigurationError, match="and now up to number 0"):
        open_inbox(url)


def test_removed_log_of_a_killed_process_is_refused(url, path):
    fill(url, "a")
    admit_and_be_killed(url)
    wal = path.with_name("inbox.db-wal")
    assert wal.stat().st_size
    wal.unlink()

    with pytest.raises(ConfigurationError, match="up to number 5, and now up to number 1"):
        open_inbox(url)


def test_killed_process_loses_nothing_and_is_not_refused(url):
    admit_and_be_killed(url)

    assert held(url) == 4


def test_log_removed_under_a_running_process_makes_its_next_delivery_unavailable(url, path):
    inbox = open_inbox(url)
    admit(inbox, message("a"), NOW)
    path.with_name("inbox.db-wal").unlink()

    with pytest.raises(Unavailable, match="write-ahead log of the inbox was removed"):
        admit(inbox, message("b"), NOW)
    # The vendor sends it again.
    admit(inbox, message("b"), NOW)
    admit(inbox, message("c"), NOW)
    inbox.close()

    assert held(url) == 3


def test_older_copy_put_in_place_of_the_file_is_refused_while_it_is_there(url, path, tmp_path):
    fill(url, "a")
    shutil.copy(path, tmp_path / "backup.db")
    inbox = open_inbox(url)
    admit(inbox, message("b"), NOW)
    newest = tmp_path / "newest"
    newest.mkdir()
    for file in tmp_path.glob("inbox.db*"):
        if "lock" not in file.name:
            file.rename(newest / file.name)
    shutil.copy(tmp_path / "backup.db", path)

    for _ in range(3):
        with pytest.raises(Unavailable):
            admit(inbox, message("c"), NOW)
    inbox.close()

    with pytest.raises(ConfigurationError, match="up to number 2, and now up to number 1"):
        open_inbox(url)


def test_loss_can_be_accepted(url, path):
    fill(url, "a", "b")
    path.unlink()

    accept_loss(url)

    fill(url, "c")
    assert held(url) == 1
    path.unlink()
    with pytest.raises(ConfigurationError, match="held events up to number 1"):
        open_inbox(url)


def test_loss_is_accepted_of_a_file_that_is_there(url, path, tmp_path):
    fill(url, "a")
    shutil.copy(path, tmp_path / "backup.db")
    fill(url, "b")
    shutil.copy(tmp_path / "backup.db", path)
    with pytest.raises(ConfigurationError):
        open_inbox(url)

    accept_loss(url)

    assert held(url) == 1


@pytest.mark.parametrize("database", ["memory://", "postgresql://localhost/x"])
def test_only_a_file_can_have_lost_something(database):
    with pytest.raises(ConfigurationError, match="only a SQLite file"):
        accept_loss(database)


def test_file_may_be_moved_with_or_without_what_lies_beside_it(url, path, tmp_path):
    fill(url, "a", "b")
    for name, files in (("with", tmp_path.glob("inbox.db*")), ("without", [path])):
        folder = tmp_path / name
        folder.mkdir()
        for file in list(files):
            shutil.copy(file, folder / file.name)
        assert held(f"sqlite:///{folder}/inbox.db") == 2


def test_pruned_inbox_has_lost_nothing(url):
    inbox = open_inbox(url)
    admit(inbox, message("a"), NOW)
    (entry,) = inbox.find()
    with inbox_transactions(inbox).write() as connection:
        connection.exec_driver_sql("DELETE FROM hookkit_entries")
    inbox.close()

    assert entry.id == 1
    assert held(url) == 0


def inbox_transactions(inbox):
    return inbox._transactions


def test_file_without_a_mark_is_opened(url, path):
    fill(url, "a")
    for lock in path.parent.glob("*-hookkit-lock*"):
        lock.write_bytes(b"")
    assert held(url) == 1
    for lock in path.parent.glob("*-hookkit-lock*"):
        lock.unlink()
    assert held(url) == 1


def test_check_tells_of_a_loss_and_the_command_accepts_it(url, path):
    app = make_app(HookKit(), HOOKKIT_DATABASE=url, HOOKKIT_RUNNER="none")
    assert post(app.test_client(), message()).status_code == 200
    app.extensions["hookkit"].stop()
    path.unlink()

    def run(*arguments):
        other = make_app(HookKit(), HOOKKIT_DATABASE=url, HOOKKIT_RUNNER="none")
        return other, other.test_cli_runner().invoke(args=["hookkit", *arguments])

    _, found = run("check")
    assert found.exit_code == 1
    assert "failure inbox: " in found.output
    assert "held events up to number 1" in " ".join(found.output.split())
    assert not path.exists()

    refusing, _ = run("check")
    answer = post(refusing.test_client(), message())
    assert (answer.status_code, answer.json) == (503, {"code": "unavailable"})

    _, accepted = run("tables", "accept-loss")
    assert (
        accepted.output == "the inbox is used as it is; events up to number 1 were lost sight of\n"
    )
    taking, _ = run("check")
    assert post(taking.test_client(), message()).json["new"] == 1


def test_server_says_loudly_what_was_lost(url, path, caplog):
    fill(url, "a")
    path.unlink()
    client = make_app(HookKit(), HOOKKIT_DATABASE=url, HOOKKIT_RUNNER="none").test_client()

    assert post(client, message()).status_code == 503

    (told,) = [record for record in caplog.records if record.action == "inbox_misconfigured"]
    assert told.levelno == logging.CRITICAL
    assert "held events up to number 1" in told.getMessage()


def test_engine_of_the_user_is_not_remembered(url, path):
    engine = create_engine(url)
    inbox = open_inbox(engine)
    admit(inbox, message(), NOW)
    inbox.close()
    engine.dispose()

    assert not list(path.parent.glob("*lock*"))
