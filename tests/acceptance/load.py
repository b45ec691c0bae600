"""Receivers under load that are killed, and what is left of what they acknowledged."""

import http.client
import os
import signal
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from threading import Event

from sqlalchemy import create_engine, make_url, text

from hookkit.core.entry import Filter, State
from hookkit.inbox.opening import open_inbox
from tests.applications import ENDPOINTS, message
from tests.waiting import wait_until

LEASE_S = 1
SENDERS = 2

#: Each event is handled by two: one writes a row to the inbox's own database, one a line to a
#: file. Every seventh fails at first.
APPLICATION = f"""
    import os
    from pathlib import Path
    from flask import Flask
    from hookkit import HookKit, RetryPolicy
    from sqlalchemy import text

    HERE = Path(__file__).parent
    # First: with a backlog, handlers run before the rest is read, and the process may die of them.
    (HERE / "imported").open("a").write(f"{{os.getpid()}}\\n")
    hooks = HookKit()

    @hooks.on("conversation:message", name="book", transactional=True)
    def book(event, run):
        run.connection.execute(
            text("INSERT INTO effects (event_id) VALUES (:event_id)"), {{"event_id": event.id}}
        )
        if run.attempt == 1 and event.id.endswith("7"):
            raise ValueError("not yet")

    @hooks.on("conversation:message", name="handle")
    def handle(event, run):
        if run.attempt == 1 and event.id.endswith("3"):
            raise ValueError("not yet")
        with (HERE / "handled").open("a") as file:  # one short write is appended whole
            file.write(f"{{event.id}} {{os.getpid()}}\\n")

    app = Flask(__name__)
    app.config["HOOKKIT_ENDPOINTS"] = {ENDPOINTS!r}
    app.config["HOOKKIT_DATABASE"] = %r
    app.config["HOOKKIT_LEASE_S"] = {LEASE_S}
    app.config["HOOKKIT_RETRY"] = RetryPolicy(first_delay_s=0.05)
    hooks.init_app(app)

    @app.get("/")
    def page():
        return "up"
"""  # noqa: S608  # it is a handler's


class Load:
    """Senders that send each event until they hear 200, as vendors do.

    With a pause after each, what is handled more slowly than received does not pile up.
    """

    def __init__(self, pause_s=0.0):
        self.pause_s = pause_s
        self.server = None
        self.acknowledged = []
        self.others = set()
        self.refused = 0
        self.broken = 0
        self.stop = Event()
        self._numbers = count()

    def __str__(self):
        counts = f"{len(self.acknowledged)} acknowledged, {self.refused} refused"
        return f"{counts} ({self.others}), {self.broken} broken"

    def send_on(self):
        while not self.stop.is_set():
            event_id = f"event-{next(self._numbers)}"
            while not self.stop.is_set():
                if self._is_acknowledged(event_id):
                    self.acknowledged.append(event_id)
                    self.stop.wait(self.pause_s)
                    break
                self.stop.wait(0.01)

    def _is_acknowledged(self, event_id):
        if self.server is None:
            return False
        try:
            status, _ = self.server.post(message(event_id))
        except (OSError, http.client.HTTPException, ValueError):
            self.broken += 1
            return False  # the connection broke, before the answer or amid it
        if status != 200:
            self.others.add(status)
            self.refused += 1
        return status == 200


def workers_of(server):
    """Return the processes that serve and are children of the server's own."""
    return [int(pid) for pid in server.lines("imported") if parent_of(pid) == server.process.pid]


def parent_of(pid):
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return int(stat.rpartition(")")[2].split()[1])


def kill_all(server):
    # A master that is stopped makes no new workers meanwhile.
    server.process.send_signal(signal.SIGSTOP)
    for pid in workers_of(server):
        os.kill(pid, signal.SIGKILL)
    server.process.kill()
    server.process.wait()


@contextmanager
def sending(load):
    """Send until the end of the block."""
    with ThreadPoolExecutor(SENDERS) as pool:
        senders = [pool.submit(load.send_on) for _ in range(SENDERS)]
        try:
            yield
        finally:
            load.stop.set()
        for each in senders:
            each.result()


def wait_for_workers(server):
    wait_until(lambda: workers_of(server))
    return workers_of(server)


def all_are_done(counts):
    return counts[State.DONE] == sum(counts.values())


@contextmanager
def own_engine(database_url):
    url = make_url(database_url)
    is_postgres = url.get_backend_name() == "postgresql"
    engine = create_engine(url.set(drivername="postgresql+psycopg") if is_postgres else url)
    try:
        yield engine
    finally:
        engine.dispose()


def make_effects_table(database_url):
    """Make the table of the transactional handler, which refuses no second effect."""
    with own_engine(database_url) as engine, engine.begin() as connection:
        connection.execute(text("CREATE TABLE effects (event_id VARCHAR(100))"))


def effects_in(database_url):
    """Return how often each event has had its effect."""
    with own_engine(database_url) as engine, engine.connect() as connection:
        return Counter(connection.execute(text("SELECT event_id FROM effects")).scalars())


def assert_all_is_settled(database_url, server, acknowledged):
    """Assert that all is done in time, nothing of *acknowledged* is lost, no effect is twice."""
    inbox = open_inbox(database_url)
    try:
        wait_until(lambda: all_are_done(inbox.counts()), told=lambda: f"{inbox.counts()}")
        stored = {each.event_id for each in inbox.find(Filter(), limit=10**6)}
    finally:
        inbox.close()
    effects = effects_in(database_url)
    handled = {line.split()[0] for line in server.lines("handled")}
    assert set(acknowledged) - handled == set()
    assert set(acknowledged) - effects.keys() == set()
    assert {event_id for event_id, times in effects.items() if times != 1} == set()
    assert effects.keys() == handled == stored
