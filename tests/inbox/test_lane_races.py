"""Threads, each with connections of its own, that race for the entries of lanes."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Lock

import pytest

from hookkit.core.attempts import Outcome
from hookkit.core.entry import State
from hookkit.inbox.opening import open_inbox
from tests.inbox.making import NOW, admit_in_lane, attempt, claim_in_lanes, done, record, waiting

FAILED = attempt(outcome=Outcome.FAILED)


class Lanes:
    """Counts what runs in each lane, and in which order it began."""

    def __init__(self):
        self.running = set()
        self.beside = []
        self.order = {}
        self._lock = Lock()

    def begin(self, entry):
        lane = entry.event_id.partition("/")[0]
        with self._lock:
            if lane in self.running:
                self.beside.append(entry.event_id)
            self.running.add(lane)
            self.order.setdefault(lane, []).append(entry.event_id)
        return lane

    def end(self, lane):
        with self._lock:
            self.running.discard(lane)


LANES, LENGTH, THREADS = 5, 6, 6


@pytest.fixture
def shared(inbox, request):
    """Return how each thread gets the inbox: on PostgreSQL through connections of its own."""
    if "postgresql" not in request.node.name:
        yield lambda: inbox
        return
    url = inbox._transactions.engine.url
    opened = []

    def open_another():
        opened.append(open_inbox(url))
        return opened[-1]

    yield open_another
    for each in opened:
        each.close()


@pytest.mark.parametrize("by_id", [False, True], ids=["all", "only"])
def test_racing_claims_never_run_two_entries_of_a_lane(inbox, shared, eager_threads, by_id):
    entry_ids = [
        entry_id
        for number in range(LENGTH)
        for lane in range(LANES)
        for entry_id in admit_in_lane(inbox, f"{lane}/{number}", lane=f"c-{lane}")
    ]
    lanes, start = Lanes(), Barrier(THREADS)
    only = entry_ids if by_id else None
    inboxes = [shared() for _ in range(THREADS)]

    def work(mine):
        start.wait()
        while mine.counts()[State.DONE] < LANES * LENGTH:
            entry = claim_in_lanes(mine, only=only)
            if entry is None:
                continue
            lane = lanes.begin(entry)
            failed = entry.claim_count == 1 and entry.event_id.endswith("/2")
            lanes.end(lane)
            settlement = waiting(FAILED, retry_after_s=0) if failed else done()
            assert mine.settle(entry, settlement, now=NOW, in_lanes=True)

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work, inboxes))

    assert lanes.beside == []
    numbers = [0, 1, 2, 2, 3, 4, 5]
    assert lanes.order == {
        f"{lane}": [f"{lane}/{number}" for number in numbers] for lane in range(LANES)
    }
    assert {record(inbox, each).state for each in entry_ids} == {State.DONE}


def test_racing_claims_never_take_over_two_entries_of_a_lane(inbox, shared, eager_threads):
    (replayed,) = admit_in_lane(inbox, "m-1")
    assert inbox.settle(claim_in_lanes(inbox), done(), now=NOW, in_lanes=True)
    admit_in_lane(inbox, "m-2")
    inbox.replay(replayed, now=NOW)
    start = Barrier(THREADS)
    inboxes = [shared() for _ in range(THREADS)]

    def claim_at_once(mine):
        start.wait()
        return claim_in_lanes(mine)

    with ThreadPoolExecutor(THREADS) as pool:
        claimed = [entry for entry in pool.map(claim_at_once, inboxes) if entry is not None]

    assert len(claimed) == 1
    assert inbox.counts()[State.RUNNING] == 1
