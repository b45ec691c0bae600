"""A fleet of processes on one inbox that are killed, and what they have left."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter, defaultdict
from contextlib import contextmanager, suppress
from itertools import count
from statistics import median
from typing import NamedTuple

from sqlalchemy import text

from hookkit.core.entry import Filter, State
from hookkit.inbox.opening import open_inbox
from tests.acceptance.fleet_process import SENDERS
from tests.acceptance.forking import ForkedPython
from tests.acceptance.load import own_engine, parent_of
from tests.acceptance.servers import ROOT
from tests.applications import ENDPOINTS, MESSAGE_V2, SECRET
from tests.waiting import DEADLINE_S, wait_until

numbers = count(1)

#: Longer than a busy machine lets a process wait for its turn to renew.
LEASE_S = 3
#: Of quick handlers, what a process may have to run again when it is killed.
QUICK_AGAIN = 64


class Run(NamedTuple):
    """A line that the handler wrote as soon as it had begun."""

    event_id: str
    replays: str
    pid: int
    outcome: str


class Fleet:
    """Processes that receive and handle events; each that dies is replaced.

    Attributes:
        killed: The ids of those that were killed from outside.
    """

    def __init__(self, folder, database_url, threads):
        self.folder = folder
        self.database_url = database_url
        self.threads = threads
        self.killed = set()
        self.replayed = []
        self.process = None

    def lines(self, name):
        path = self.folder / name
        return [line.split() for line in path.read_text().splitlines()] if path.exists() else []

    def runs(self):
        return [
            Run(event, replays, int(pid), how) for event, replays, pid, how in self.lines("runs")
        ]

    @property
    def progress(self):
        """Return what grows with each run of a handler."""
        path = self.folder / "runs"
        return path.stat().st_size if path.exists() else 0

    def dead(self):
        """Return by process how it ended, of those that have."""
        return {int(pid): int(status) for pid, status in self.lines("died")}

    @property
    def kill_count(self):
        return sum(status == -signal.SIGKILL for status in self.dead().values())

    def alive(self):
        return [
            int(pid)
            for pid, _ in self.lines("born")
            if parent_of(int(pid)) == self.process.pid and int(pid) not in self.killed
        ]

    def everyone(self):
        """Return all processes that there ever were."""
        return [int(pid) for pid, _ in self.lines("born")]

    def one_alive(self, random):
        """Return a process that is alive, as soon as there is one."""
        wait_until(self.alive)
        return random.choice(self.alive() or [self.everyone()[-1]])

    def wait_for_progress(self, count):
        """Wait until handlers have run about *count* times more."""
        enough = self.progress + 30 * count
        wait_until(lambda: self.progress >= enough or not self.is_running(), 4 * DEADLINE_S)
        assert self.is_running(), self.log()

    def set_clock(self, hours):
        """Have all processes believe that it is so many hours later than it is."""
        new = self.folder / "clock-new"
        new.write_text(str(hours))
        new.rename(self.folder / "clock")

    def kill(self, *pids):
        for pid in pids:
            self.killed.add(pid)
            with suppress(ProcessLookupError):  # a poison was faster
                os.kill(pid, signal.SIGKILL)

    def send(self, *event_ids):
        """Have a process that receives send these next, in one go."""
        for event_id in event_ids:
            (self.folder / "to-send" / event_id).touch()

    def is_sent(self):
        return not any((self.folder / "to-send").iterdir())

    def is_running(self):
        return self.process.poll() is None

    def log(self):
        return (self.folder / "fleet.log").read_text()[-5000:]

    def is_quiet(self):
        """Tell whether no process is amid a delivery any more."""
        dead = self.dead()
        quiet = Counter(int(pid) for pid, _ in self.lines("quiet"))
        return all(
            int(pid) in dead or quiet[int(pid)] == SENDERS
            for pid, role in self.lines("born")
            if role != "handles"
        )

    def settle(self, *, sends=True):
        """Send nothing more, and wait until all is settled."""
        if sends:
            wait_until(self.is_sent)
        (self.folder / "silent").touch()
        wait_until(self.is_quiet)
        inbox = open_inbox(self.database_url)
        try:
            wait_until(lambda: is_settled(inbox.counts()), 4 * DEADLINE_S)
        finally:
            inbox.close()

    def end(self, how=signal.SIGTERM):
        (self.folder / "ending").touch()
        (self.folder / "silent").touch()

        def is_over():
            for pid in self.alive():  # one may have been born meanwhile
                with suppress(ProcessLookupError):
                    os.kill(pid, how)
            return not self.is_running()

        wait_until(is_over)


def is_settled(counts):
    return counts[State.DONE] + counts[State.DEAD] == sum(counts.values())


@contextmanager
def fleet(folder, database_url, *roles, threads=2, path=ROOT, joins=False, **more):
    """Run a fleet until the end of the block.

    Args:
        roles: ``web`` admits and handles, ``admits`` and ``handles`` do one of them.
        path: Where the hookkit is that it runs.
        joins: Whether another fleet has been in the same folder, or still is.
        more: ``crash_at`` (a crash point that kills each process, and at which visit),
            ``max_attempts`` (of an event that kills its process), ``ordered`` (the handler),
            ``pause_s`` (how long a sender rests for each event; it sends some at once).
    """
    settings = {
        "roles": roles,
        "ordered": False,
        "max_attempts": 5,
        "pause_s": 0.005,
        "crash_at": "",
        "secret": SECRET,
        "body": MESSAGE_V2,
        "config": {
            "HOOKKIT_ENDPOINTS": ENDPOINTS,
            "HOOKKIT_DATABASE": database_url,
            "HOOKKIT_LEASE_S": LEASE_S,
            "HOOKKIT_WORKERS": threads,
            "HOOKKIT_RUNNER": "thread",
        },
        **more,
    }
    settings_path = folder / f"settings-{next(numbers)}.json"
    settings_path.write_text(json.dumps(settings))
    (folder / "to-send").mkdir(exist_ok=True)
    for name in ("silent", "ending"):
        (folder / name).unlink(missing_ok=True)
    if not joins:
        make_effects_table(database_url)
    running = Fleet(folder, database_url, threads)
    # Another hookkit is another than the one that was imported where processes are forked.
    start = ForkedPython if path == ROOT else subprocess.Popen
    with (folder / "fleet.log").open("ab") as log:
        running.process = start(
            [sys.executable, ROOT / "tests/acceptance/fleet_process.py", settings_path],
            env=os.environ | {"PYTHONPATH": f"{path}", "PYTHONSAFEPATH": "1"},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        yield running
    finally:
        if running.is_running():
            running.end(signal.SIGKILL)


def make_effects_table(database_url):
    """Make the table of the transactional handler, which refuses no second effect."""
    with own_engine(database_url) as engine, engine.begin() as connection:
        connection.execute(text("CREATE TABLE effects (event_id VARCHAR(100), is_replay INTEGER)"))


def effects_in(database_url):
    """Return how often each event has had its effect, by event and whether it was replayed."""
    with own_engine(database_url) as engine, engine.connect() as connection:
        rows = connection.execute(text("SELECT event_id, is_replay FROM effects"))
        return Counter((event_id, str(is_replay)) for event_id, is_replay in rows)


def records_in(database_url):
    inbox = open_inbox(database_url)
    try:
        return {one.event_id: one for one in inbox.find(Filter(), limit=10**6)}
    finally:
        inbox.close()


def again_by_process(runs):
    """Return of each process which runs were not the last: (slow ones, quick ones).

    A run that failed on purpose, or that killed its process on purpose, is not counted.
    """
    last = {(run.event_id, run.replays): run for run in runs if run.outcome == "handled"}
    again = defaultdict(lambda: [0, 0])
    seen = set()
    for run in reversed(runs):
        key = (run.event_id, run.replays)
        if run.outcome == "handled" and key in seen:
            again[run.pid]["slow" not in run.event_id] += 1
        seen.add(key)
    assert last.keys() <= seen
    return again


def assert_nothing_is_lost_or_doubled(running):
    """Assert of a fleet that has settled all what is promised whatever was killed."""
    records, effects = records_in(running.database_url), effects_in(running.database_url)
    handled = {(run.event_id, run.replays) for run in running.runs() if run.outcome == "handled"}
    acknowledged = {event_id for (event_id,) in running.lines("acknowledged")}
    poisons = {event_id for event_id in records if event_id.startswith("poison")}
    replayed = {(event_id, "1") for event_id in running.replayed}
    good_ids = records.keys() - poisons
    good = {(event_id, "0") for event_id in good_ids} | replayed
    assert acknowledged - records.keys() == set()
    assert good - handled == set()
    assert handled - good == set()
    assert {key: times for key, times in effects.items() if times != 1} == {}
    assert effects.keys() == {key for key in good if "booked" in key[0]}
    assert {each: records[each] for each in good_ids if records[each].state != State.DONE} == {}
    assert {records[each].state for each in poisons} <= {State.DEAD}
    assert [status for (status,) in running.lines("refused") if status != "503"] == []


def assert_no_more_is_run_again_than_promised(running, *paused):
    """Assert how much is run again for each kill, and return the counts.

    Args:
        paused: Processes that could not renew their leases for a while.
    """
    again = again_by_process(running.runs())
    killed = {pid for pid, status in running.dead().items() if status == -signal.SIGKILL}
    killed |= set(paused)
    for pid in killed:
        slow, quick = again[pid]
        assert slow <= running.threads
        assert slow + quick <= running.threads + QUICK_AGAIN
    assert {pid: again[pid] for pid in again.keys() - killed if any(again[pid])} == {}
    return [sum(again[pid]) for pid in killed]


def report(title, running, counts):
    """Print the figures of a run: pytest shows them with ``-rP``."""
    print(  # noqa: T201  # figures that somebody asks for
        f"\n{title}: {len(counts)} kills, {len(running.lines('acknowledged'))} events"
        f" acknowledged, {len(running.runs())} runs, run again for a kill: median"
        f" {median(counts or [0]):g}, max {max(counts, default=0)}, in all {sum(counts)}"
    )
