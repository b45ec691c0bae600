"""Forks processes that receive, handle, or both, and replaces each that dies.

``python fleet_process.py settings.json`` is run by ``tests.acceptance.fleet``. It imports nothing
of the tests, so that it runs with an older hookkit as well.
"""

import ctypes
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import Any
from unittest.mock import patch
from zlib import crc32

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from hookkit import HookKit, RetryPolicy, crash_points

# https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html
PR_SET_PDEATHSIG = 1
SENDERS = 2
LANES = 10
#: How many events a sender sends at once.
BURST = 10
#: How many events the senders may be ahead of the handlers.
MAX_BACKLOG = 150
#: How many seconds the handler takes of an event whose id says that it is slow.
SLOW_S = 0.02


class Files:
    """Files of one short line for each thing that has happened, written by all processes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def append(self, name: str, *words: object) -> None:
        """Append a line, whole or not at all, also when this process is killed right after it."""
        file = os.open(self.folder / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            os.write(file, (" ".join(map(str, words)) + "\n").encode())
        finally:
            os.close(file)

    def has(self, name: str) -> bool:
        """Tell whether somebody has made the file *name*."""
        return (self.folder / name).exists()

    def now(self) -> datetime:
        """Return the time by a clock that somebody may set: ``clock`` holds its hours of error."""
        wrong = (self.folder / "clock").read_text() if self.has("clock") else ""
        return datetime.now(UTC) + timedelta(hours=int(wrong or 0))

    def first_words(self, name: str, since: int) -> tuple[list[str], int]:
        """Return the first word of each line from position *since* on, and where they end."""
        if not self.has(name):
            return [], since
        with (self.folder / name).open("rb") as file:
            file.seek(since)
            read = file.read()
        lines = read[: read.rfind(b"\n") + 1]
        return [line.split()[0].decode() for line in lines.splitlines()], since + len(lines)


class Backlog:
    """Counts the events that are acknowledged and have not begun."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._read = {"acknowledged": 0, "runs": 0}
        self._begun: set[str] = set()
        self._waiting: set[str] = set()

    def count(self) -> int:
        """Read what was written since the last time, and return how many wait now."""
        acknowledged, begun = map(self._next_of, self._read)
        self._begun |= begun
        self._waiting -= begun
        self._waiting |= acknowledged - self._begun  # some begin before they are acknowledged
        return len(self._waiting)

    def _next_of(self, name: str) -> set[str]:
        words, self._read[name] = self._files.first_words(name, self._read[name])
        return set(words)


def make_hooks(files: Files, settings: dict[str, Any]) -> HookKit:
    """Return handlers whose effects can be counted."""
    hooks = HookKit()

    @hooks.on(
        "conversation:message",
        name="book",
        transactional=True,
        when=lambda event: "booked" in event.id,
    )
    def book(event: Any, run: Any) -> None:
        run.connection.execute(
            text("INSERT INTO effects (event_id, is_replay) VALUES (:event_id, :is_replay)"),
            {"event_id": event.id, "is_replay": int(run.is_replay)},
        )
        if run.attempt == 1 and event.id.endswith("7"):
            raise ValueError("not yet")

    @hooks.on(
        "conversation:message",
        name="handle",
        ordered=settings["ordered"],
        when=lambda event: "poison" not in event.id,
    )
    def handle(event: Any, run: Any) -> None:
        is_early = run.attempt == 1 and event.id.endswith("3")
        outcome = "failed" if is_early else "handled"
        files.append("runs", event.id, int(run.is_replay), os.getpid(), outcome)
        if is_early:
            raise ValueError("not yet")
        if "slow" in event.id:
            time.sleep(SLOW_S)

    @hooks.on(
        "conversation:message",
        name="poison",
        retry=RetryPolicy(max_attempts=settings["max_attempts"]),
        when=lambda event: "poison" in event.id,
    )
    def poison(event: Any, run: Any) -> None:
        files.append("runs", event.id, int(run.is_replay), os.getpid(), "killed")
        os.kill(os.getpid(), signal.SIGKILL)

    return hooks


def make_app(files: Files, settings: dict[str, Any]) -> Flask:
    """Return the application that every process serves."""
    app = Flask("fleet")
    app.config.update(settings["config"])
    app.config["HOOKKIT_RETRY"] = RetryPolicy(first_delay_s=0.05)
    make_hooks(files, settings).init_app(app)
    return app


class Sender:
    """Sends as a vendor does: each event again until it is acknowledged."""

    def __init__(self, client: FlaskClient, files: Files, settings: dict[str, Any]) -> None:
        self._client = client
        self._files = files
        self._settings = settings

    def send_on(self, number: int) -> None:
        """Send on until nothing is to be sent, and say so, also when something has gone wrong."""
        try:
            self._send_until_silent(number)
        finally:
            self._files.append("quiet", os.getpid(), number)

    def _send_until_silent(self, number: int) -> None:
        """Send what a test has asked for, and events of our own."""
        backlog = Backlog(self._files)
        for each in count():
            if self._files.has("silent"):
                return
            for wanted in sorted((self._files.folder / "to-send").iterdir()):
                if self.send(wanted.name):
                    wanted.unlink(missing_ok=True)
            kind = ("quick", "booked", "quick", "slow" if each % 20 == 3 else "quick")[each % 4]
            event_id = f"{kind}-{os.getpid()}-{number}-{each}"
            while not self.send(event_id):
                if self._files.has("silent"):
                    return
                time.sleep(0.01)
            if each % 10 == 0:
                self.send(event_id)  # a vendor that has not heard the answer
            if each % BURST == 0:  # what comes at once is claimed together
                time.sleep(BURST * self._settings["pause_s"])
            while backlog.count() > MAX_BACKLOG and not self._files.has("silent"):
                time.sleep(0.01)

    def send(self, event_id: str) -> bool:
        """Send a message with this id; return whether it was acknowledged."""
        body = deepcopy(self._settings["body"])
        (event,) = body["events"]
        event["id"] = event_id
        event["payload"]["message"]["id"] = f"message-of-{event_id}"
        event["payload"]["conversation"]["id"] = f"conversation-{crc32(event_id.encode()) % LANES}"
        answer = self._client.post(
            "/hooks/support", json=body, headers={"X-API-Key": self._settings["secret"]}
        )
        if answer.status_code == 200:
            self._files.append("acknowledged", event_id)
            return True
        self._files.append("refused", answer.status_code)
        return False


def live(role: str, files: Files, settings: dict[str, Any]) -> None:
    """Be a process of the fleet until SIGTERM: ``web``, ``admits`` or ``handles``."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    may_end = Event()
    signal.signal(signal.SIGTERM, lambda *_: may_end.set())
    if role == "admits":
        settings = settings | {"config": settings["config"] | {"HOOKKIT_RUNNER": "none"}}
    if settings["crash_at"]:
        crash_points._armed(settings["crash_at"])  # not before the fork
    patch("hookkit.application.app_state.utc_now", files.now).start()
    app = make_app(files, settings)
    state = app.extensions["hookkit"]
    if role != "admits":
        state.start()
    if role != "handles":
        sender = Sender(app.test_client(), files, settings)
        for number in range(SENDERS):
            Thread(target=sender.send_on, args=(number,), daemon=True).start()
    # A wait without an end would not be interrupted by the signal.
    while not may_end.wait(60):
        pass
    state.stop()


def fork(run: Callable[[], None]) -> int:
    """Return the id of a process that runs *run* and ends."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        run()
        status = 0
    except BaseException:  # noqa: BLE001  # whatever it is, the child must not go on as its parent
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stderr.flush()
        os._exit(status)


def warm_up(settings: dict[str, Any]) -> None:
    """Build here what every application needs, so that a process that is forked starts at once."""
    config = settings["config"] | {"HOOKKIT_DATABASE": "memory://", "HOOKKIT_RUNNER": "none"}
    with TemporaryDirectory() as folder:
        files, warming = Files(Path(folder)), settings | {"config": config}
        app = make_app(files, warming)
        Sender(app.test_client(), files, warming).send("quick")
        app.extensions["hookkit"].worker.work()
        app.extensions["hookkit"].stop()


def main(path: str) -> None:
    """Keep as many processes of each role as the settings say, until the file ``ending``."""
    settings = json.loads(Path(path).read_text())
    files = Files(Path(path).parent)
    warm_up(settings)
    roles: dict[int, str] = {}

    def start(role: str) -> None:
        pid = fork(lambda: live(role, files, settings))
        roles[pid] = role
        files.append("born", pid, role)

    for role in settings["roles"]:
        start(role)
    while roles:
        pid, status = os.wait()
        files.append("died", pid, os.waitstatus_to_exitcode(status))
        role = roles.pop(pid)
        if not files.has("ending"):
            start(role)


if __name__ == "__main__":
    main(sys.argv[1])
