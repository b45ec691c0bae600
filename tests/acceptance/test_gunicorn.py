"""hookkit in the processes that serve it: two of gunicorn's, on one SQLite inbox."""

import json
import os
import socket
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from random import Random

import pytest

from hookkit.core.entry import State
from hookkit.inbox.opening import open_inbox
from tests.acceptance.servers import ROOT, ServerDied, gunicorn
from tests.applications import ENDPOINTS, SECRET, admit, message
from tests.waiting import wait_until

APPLICATION = f"""
    import os
    from pathlib import Path
    from flask import Flask
    from hookkit import HookKit

    HERE = Path(__file__).parent
    hooks = HookKit()

    @hooks.on("conversation:message")
    def handle(event):
        with (HERE / "handled").open("a") as file:  # one short write is appended whole
            file.write(f"{{event.id}} {{os.getpid()}}\\n")

    app = Flask(__name__)
    app.config["HOOKKIT_ENDPOINTS"] = {ENDPOINTS!r}
    app.config["HOOKKIT_DATABASE"] = f"sqlite:///{{HERE / 'inbox.db'}}"
    hooks.init_app(app)

    @app.get("/")
    def page():
        return "up"

    (HERE / "imported").open("a").write(f"{{os.getpid()}}\\n")
"""


def test_each_of_300_events_sent_twice_is_handled_once(tmp_path):
    bodies = [json.dumps(message(f"event-{number}")).encode() for number in range(300)] * 2
    # Duplicates race the first delivery and each other.
    Random(7).shuffle(bodies)  # noqa: S311  # no secret depends on it

    with gunicorn(tmp_path, APPLICATION) as server:
        with ThreadPoolExecutor(8) as senders:
            answers = list(senders.map(server.post, bodies))
        wait_until(lambda: len(server.lines("handled")) >= 300)
        processes = {line.split()[1] for line in server.lines("handled")}

    assert Counter(status for status, _ in answers) == {200: 600}
    assert sum(answer["new"] for _, answer in answers) == 300
    assert sum(answer["duplicates"] for _, answer in answers) == 300
    handled = Counter(line.split()[0] for line in server.lines("handled"))
    assert handled == {f"event-{number}": 1 for number in range(300)}
    assert len(processes) == 2


@pytest.mark.parametrize("options", [(), ("--preload",), ("--threads", "4")], ids=" ".join)
def test_backlog_is_handled_without_a_request_after_a_restart(tmp_path, options):
    inbox = open_inbox(f"sqlite:///{tmp_path / 'inbox.db'}")
    admit(inbox, message(), datetime.now(UTC))
    inbox.close()

    with gunicorn(tmp_path, APPLICATION, *options, probe=False) as server:
        wait_until(lambda: server.lines("handled"))

    assert [line.split()[0] for line in server.lines("handled")] == ["event-1"]


@pytest.mark.parametrize("options", [(), ("--preload",)], ids=" ".join)
def test_workers_handle_and_a_preloading_master_does_not(tmp_path, options):
    with gunicorn(tmp_path, APPLICATION, *options) as server:
        for number in range(40):
            assert server.post(message(f"event-{number}"))[0] == 200
        wait_until(lambda: len(server.lines("handled")) == 40)

    handled_by = {line.split()[1] for line in server.lines("handled")}
    assert str(server.process.pid) not in handled_by


def test_import_and_flask_commands_start_no_thread(tmp_path):
    (tmp_path / "application.py").write_text(
        "from threading import active_count\n"
        "from flask import Flask\n"
        "from hookkit import HookKit\n"
        "hooks = HookKit()\n"
        "app = Flask(__name__)\n"
        f"app.config['HOOKKIT_ENDPOINTS'] = {ENDPOINTS!r}\n"
        "hooks.init_app(app)\n"
        "@app.cli.command('threads')\n"
        "def threads():\n"
        "    print('threads', active_count())\n"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    commands = [
        [sys.executable, "-c", "import application as a; print('threads', a.active_count())"],
        [sys.executable, "-m", "flask", "--app", "application", "threads"],
    ]

    printed = [
        subprocess.run(
            command, check=True, cwd=tmp_path, env=environment, capture_output=True, text=True
        ).stdout.strip()
        for command in commands
    ]

    assert printed == ["threads 1", "threads 1"]
    assert not (tmp_path / "instance").exists()  # nor is an inbox made


def test_chunked_body_over_the_limit_is_413_and_not_cut(tmp_path):
    application = APPLICATION.replace(
        "hooks.init_app", "app.config['HOOKKIT_MAX_BODY'] = 1000\n    hooks.init_app"
    )
    padding = json.dumps(message())[:-1] + " " * 2000 + "}"

    with gunicorn(tmp_path, application) as server:
        small, large = (
            send_chunked(server.port, body) for body in (json.dumps(message()), padding)
        )

    assert (small, large) == (b"200", b"413")


def send_chunked(port, body):
    """Return the status that a body without a declared length is answered with."""
    head = (
        "POST /hooks/support HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        f"X-API-Key: {SECRET}\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    chunks = [body[start : start + 100] for start in range(0, len(body), 100)]
    framed = "".join(f"{len(chunk):x}\r\n{chunk}\r\n" for chunk in [*chunks, ""])
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall((head + framed).encode())
        return connection.recv(1000).split()[1]


def test_file_that_is_no_database_stops_the_start_and_says_so(tmp_path):
    (tmp_path / "inbox.db").write_bytes(b"this is a letter, not a database " * 50)

    with pytest.raises(ServerDied) as died, gunicorn(tmp_path, APPLICATION):
        pass

    assert "HOOKKIT_DATABASE: the inbox cannot be opened" in str(died.value)
    assert (tmp_path / "inbox.db").read_bytes().startswith(b"this is a letter")


def test_events_survive_kill_9_of_every_worker(tmp_path):
    slow = APPLICATION.replace(
        "with (HERE", "import time; time.sleep(0.05)\n        with (HERE"
    ).replace("hooks.init_app", "app.config['HOOKKIT_LEASE_S'] = 1\n    hooks.init_app")

    with gunicorn(tmp_path, slow) as server:
        accepted = [server.post(message(f"event-{number}"))[0] for number in range(100)]
        for pid in set(server.lines("imported")):
            os.kill(int(pid), 9)
        wait_until(lambda: len({line.split()[0] for line in server.lines("handled")}) == 100, 60)

    assert accepted == [200] * 100


def test_termination_lets_a_running_handler_end_and_settle(tmp_path):
    slow = APPLICATION.replace(
        "with (HERE",
        "(HERE / 'begun').touch(); import time; time.sleep(1)\n        with (HERE",
    )

    with gunicorn(tmp_path, slow, is_fresh=True) as server:
        server.post(message())
        wait_until((tmp_path / "begun").exists)

    inbox = open_inbox(f"sqlite:///{tmp_path / 'inbox.db'}")
    (record,) = inbox.find()
    inbox.close()
    assert (record.state, record.claim_count) == (State.DONE, 1)
    assert [line.split()[0] for line in server.lines("handled")] == ["event-1"]
