"""What was acknowledged is handled, however often and whenever the receiver is killed."""

import http.client
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from random import Random
from threading import Event

from hookkit.core.states import State
from hookkit.inbox.database import open_inbox
from tests.acceptance.servers import gunicorn
from tests.acceptance.test_gunicorn import APPLICATION
from tests.applications import message
from tests.scale import SCALE
from tests.waiting import wait_until

KILLS = 5 * SCALE
LEASE_S = 1
SENDERS = 2
SETTINGS = f"app.config['HOOKKIT_LEASE_S'] = {LEASE_S}\n    hooks.init_app"


class Load:
    """Senders that send each event until they hear 200, as vendors do."""

    def __init__(self):
        self.server = None
        self.acknowledged = []
        self.others = set()
        self.stop = Event()
        self._numbers = count()

    def send_on(self):
        while not self.stop.is_set():
            event_id = f"event-{next(self._numbers)}"
            while not self.stop.is_set():
                if self._is_acknowledged(event_id):
                    self.acknowledged.append(event_id)
                    break
                self.stop.wait(0.01)

    def _is_acknowledged(self, event_id):
        if self.server is None:
            return False
        try:
            status, _ = self.server.post(message(event_id))
        except (OSError, http.client.HTTPException, ValueError):
            return False  # the connection broke, before the answer or amid it
        if status != 200:
            self.others.add(status)
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


def test_nothing_acknowledged_is_lost_or_stuck_by_kill_9(tmp_path, database_url):
    application = APPLICATION.replace(
        "f\"sqlite:///{HERE / 'inbox.db'}\"", repr(database_url)
    ).replace("hooks.init_app", SETTINGS)
    assert (database_url in application, "LEASE_S" in application) == (True, True)
    random = Random(11)  # noqa: S311  # no secret depends on it
    load = Load()

    with ThreadPoolExecutor(SENDERS) as pool, ExitStack() as running:
        running.callback(load.stop.set)
        sending = [pool.submit(load.send_on) for _ in range(SENDERS)]
        load.server = running.enter_context(gunicorn(tmp_path, application))
        for number in range(KILLS):
            enough = len(load.acknowledged) + random.randint(1, 150)
            wait_until(lambda enough=enough: len(load.acknowledged) >= enough)
            is_last = number == KILLS - 1
            if random.random() < 0.5 and not is_last:
                workers = wait_for_workers(load.server)
                os.kill(random.choice(workers), signal.SIGKILL)
                continue
            kill_all(load.server)
            if is_last:
                # Nothing but the restart itself may wake the handlers.
                load.stop.set()
                for each in sending:
                    each.result()
            load.server = running.enter_context(gunicorn(tmp_path, application))
        inbox = open_inbox(database_url)
        wait_until(lambda: all_are_done(inbox.counts()), LEASE_S + 5)
        inbox.close()
        handled = {line.split()[0] for line in load.server.lines("handled")}

    assert set(load.acknowledged) - handled == set()
    assert load.others <= {503}
    assert len(load.acknowledged) == len(set(load.acknowledged)) > KILLS


def wait_for_workers(server):
    wait_until(lambda: workers_of(server))
    return workers_of(server)


def all_are_done(counts):
    return counts[State.DONE] == sum(counts.values())
