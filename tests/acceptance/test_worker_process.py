"""``flask hookkit worker``: handlers in processes of their own."""

import os
import signal
import textwrap
from collections import Counter
from datetime import UTC, datetime
from threading import Event, Thread

import pytest

from hookkit import HookKit, State
from hookkit.inbox.opening import open_inbox
from tests.acceptance.load import (
    APPLICATION,
    Load,
    assert_all_is_settled,
    make_effects_table,
    sending,
)
from tests.acceptance.servers import gunicorn, hookkit_worker
from tests.applications import ENDPOINTS, admit, make_app, message
from tests.waiting import wait_until

ENDS = [signal.SIGTERM, signal.SIGINT]

#: A handler that says that it has begun, and ends when a file is there.
SLOW = f"""
    import os, time
    from pathlib import Path
    from flask import Flask
    from hookkit import HookKit

    HERE = Path(__file__).parent
    hooks = HookKit()

    @hooks.on("conversation:message")
    def handle(event):
        (HERE / f"begun-{{event.id}}").touch()
        while not (HERE / "go").exists():
            time.sleep(0.01)
        with (HERE / "handled").open("a") as file:
            file.write(f"{{event.id}} {{os.getpid()}}\\n")

    def database():
        if (HERE / "away").exists():
            raise RuntimeError("the database is away")
        return f"sqlite:///{{HERE / 'inbox.db'}}"

    app = Flask(__name__)
    app.config["HOOKKIT_ENDPOINTS"] = {ENDPOINTS | {"sales": ENDPOINTS["support"]}!r}
    app.config["HOOKKIT_DATABASE"] = database
    app.config["HOOKKIT_RUNNER"] = "none"
    hooks.init_app(app)

    @app.get("/")
    def page():
        return "up"
"""


@pytest.fixture
def slow(tmp_path):
    (tmp_path / "application.py").write_text(textwrap.dedent(SLOW))
    return tmp_path


def admitted(folder, *event_ids):
    """Return an inbox with these events; the processes of the test share it."""
    inbox = open_inbox(f"sqlite:///{folder}/inbox.db")
    for event_id in event_ids:
        admit(inbox, message(event_id), datetime.now(UTC))
    return inbox


def test_worker_handles_what_a_process_without_a_runner_has_admitted(tmp_path):
    (tmp_path / "go").touch()

    with (
        gunicorn(tmp_path, SLOW) as server,
        hookkit_worker(tmp_path, is_fresh=True) as worker,
    ):
        answers = [server.post(message(f"event-{number}"))[0] for number in range(20)]
        wait_until(lambda: len(server.lines("handled")) >= 20)
        ended = worker.end()

    assert answers == [200] * 20
    assert Counter(line.split()[0] for line in server.lines("handled")) == {
        f"event-{number}": 1 for number in range(20)
    }
    assert {line.split()[1] for line in server.lines("handled")} == {str(worker.process.pid)}
    assert ended == 0
    assert "handling the events of support, sales by application.handle in 4 threads" in (
        worker.log()
    )
    assert "settled entry 20 (conversation:message) as done after attempt 1" in worker.log()
    assert worker.log().splitlines()[-1].endswith("all that was claimed is settled")


@pytest.mark.parametrize("number", ENDS, ids=lambda each: each.name)
def test_signal_lets_running_handlers_end_and_claims_nothing_more(slow, number):
    inbox = admitted(slow, "event-1", "event-2", "event-3")

    with hookkit_worker(slow, "--concurrency", "2") as worker:
        wait_until(lambda: len(list(slow.glob("begun-*"))) == 2)
        worker.process.send_signal(number)
        worker.wait_for(f"{number.name}: claiming nothing more")
        (slow / "go").touch()
        ended = worker.process.wait()

    counts = inbox.counts()
    inbox.close()
    assert ended == 0
    assert (counts[State.DONE], counts[State.PENDING], counts[State.RUNNING]) == (2, 1, 0)
    assert not (slow / "begun-event-3").exists()


@pytest.mark.parametrize("number", ENDS, ids=lambda each: each.name)
def test_second_signal_ends_the_process_at_once(slow, number):
    inbox = admitted(slow, "event-1")

    with hookkit_worker(slow) as worker:
        wait_until((slow / "begun-event-1").exists)
        worker.process.send_signal(signal.SIGTERM)
        worker.wait_for("claiming nothing more")
        ended = worker.end(number)

    counts = inbox.counts()
    inbox.close()
    assert ended == -number
    assert counts[State.RUNNING] == 1


def test_worker_claims_only_the_endpoints_that_it_is_given(slow):
    inbox = admitted(slow, "event-1")  # of support
    (slow / "go").touch()

    with hookkit_worker(slow, "--endpoint", "sales") as idle:
        with hookkit_worker(slow, "--endpoint", "sales", "--endpoint", "support", name="other"):
            wait_until(lambda: inbox.counts()[State.DONE] == 1)
        ended = idle.end()

    inbox.close()
    assert ended == 0
    assert "handling the events of sales by" in idle.log()
    assert str(idle.process.pid) not in (slow / "handled").read_text().split()


def test_database_that_is_away_at_the_start_is_waited_for(slow):
    (slow / "away").touch()
    (slow / "go").touch()
    inbox = admitted(slow, "event-1")

    with hookkit_worker(slow, probe=False) as worker:
        worker.wait_for("waiting for the inbox")
        (slow / "away").unlink()
        wait_until(lambda: inbox.counts()[State.DONE] == 1)
        ended = worker.end()

    inbox.close()
    assert ended == 0
    assert worker.log().count("waiting for the inbox") == 1


@pytest.mark.parametrize("number", ENDS, ids=lambda each: each.name)
def test_signal_ends_a_worker_that_waits_for_the_database(slow, number):
    (slow / "away").touch()

    with hookkit_worker(slow, probe=False) as worker:
        worker.wait_for("waiting for the inbox")
        ended = worker.end(number)

    assert ended == 0


def test_wrong_database_ends_the_worker_and_says_so(slow):
    (slow / "inbox.db").write_bytes(b"this is a letter, not a database " * 50)

    with hookkit_worker(slow, probe=False) as worker:
        ended = worker.process.wait(30)

    assert ended == 1
    assert "Error: HOOKKIT_DATABASE: the inbox cannot be opened" in worker.log()
    assert "Traceback" not in worker.log()


def test_worker_that_is_killed_beside_another_loses_and_doubles_nothing(tmp_path, postgres_url):
    application = (APPLICATION % postgres_url).replace(
        "hooks.init_app", 'app.config["HOOKKIT_RUNNER"] = "none"\n    hooks.init_app'
    )
    make_effects_table(postgres_url)
    load = Load()

    with (
        gunicorn(tmp_path, application) as server,
        hookkit_worker(tmp_path, name="killed") as killed,
        hookkit_worker(tmp_path, name="left") as left,
    ):
        load.server = server
        with sending(load):
            wait_until(lambda: str(killed.process.pid) in "".join(server.lines("handled")))
            enough = len(load.acknowledged) + 100
            wait_until(lambda: len(load.acknowledged) >= enough)
            os.kill(killed.process.pid, signal.SIGKILL)
            wait_until(lambda: len(load.acknowledged) >= enough + 100)
        assert_all_is_settled(postgres_url, server, load.acknowledged)
        ended = left.end()

    assert load.others == set()
    assert {line.split()[1] for line in server.lines("handled")} == {
        str(killed.process.pid),
        str(left.process.pid),
    }
    assert ended == 0


def refused(hooks, *options, **config):
    app = make_app(hooks, **config)
    result = app.test_cli_runner().invoke(args=["hookkit", "worker", *options])
    assert result.exit_code == 1
    return result.stderr


@pytest.fixture
def hooks():
    made = HookKit()
    made.on("*", name="handle")(lambda event: None)
    return made


def test_memory_is_refused(hooks):
    for runner in ("thread", "none"):
        printed = refused(hooks, HOOKKIT_RUNNER=runner)

        assert printed.startswith("Error: HOOKKIT_DATABASE: memory:// is seen by no other process")


def test_endpoint_that_nobody_knows_is_refused(hooks):
    printed = refused(hooks, "--endpoint", "suport", HOOKKIT_RUNNER="none")

    assert "endpoint 'suport' is not in HOOKKIT_ENDPOINTS; known are support" in printed


def test_application_without_handlers_is_refused():
    printed = refused(HookKit(), HOOKKIT_RUNNER="none")

    assert "no handler is registered" in printed


def test_runner_inline_is_refused(hooks):
    printed = refused(hooks, HOOKKIT_RUNNER="inline")

    assert 'HOOKKIT_RUNNER: with "inline" the handlers run before the answer' in printed


def test_handler_that_does_not_end_in_time_makes_the_worker_say_so(tmp_path):
    hooks = HookKit()
    has_begun, may_end = Event(), Event()

    @hooks.on("*", name="hang")
    def hang(event):
        has_begun.set()
        may_end.wait()

    app = make_app(hooks, HOOKKIT_DATABASE=f"sqlite:///{tmp_path}/inbox.db", HOOKKIT_RUNNER="none")
    state = app.extensions["hookkit"]
    admit(state.opening.inbox(), message(), datetime.now(UTC))
    process = state.make_worker_process(threads=1)
    state.runner._grace_s = 0.01

    def end():
        has_begun.wait()
        os.kill(os.getpid(), signal.SIGTERM)

    ending = Thread(target=end)
    ending.start()
    before = signal.getsignal(signal.SIGTERM)
    is_clean = process.run()
    after = signal.getsignal(signal.SIGTERM)
    still_running = state.worker.leases.count
    state.stop()  # as at the exit: no second period of grace
    may_end.set()
    ending.join()
    wait_until(lambda: state.worker.leases.count == 0)
    state.opening.close()

    assert (is_clean, still_running) == (False, 1)
    assert before is after
