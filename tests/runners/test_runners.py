"""The embedded pool, over a memory inbox and a real clock."""

import logging
import os
import sys
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from threading import Barrier, Event, active_count

import pytest

from hookkit import HookKit, RetryPolicy, Unavailable
from hookkit.core.entry import State
from hookkit.handling.dispatch import Assignment
from hookkit.handling.worker import Worker
from hookkit.inbox.opening import MEMORY, open_inbox
from hookkit.inbox.records import Pruned
from hookkit.operating.housekeeping import Upkeep
from hookkit.operating.presence import Presence, workers_seen
from hookkit.providers import load_providers
from hookkit.runners import thread as pools_of_threads
from hookkit.runners.base import Runner, leases_kept
from hookkit.runners.inline import InlineRunner
from hookkit.runners.thread import ThreadRunner
from tests.applications import admit, message
from tests.waiting import DEADLINE_S, wait_until


def now():
    return datetime.now(UTC)


class Pool:
    """A pool over the handlers of a HookKit, and what it is fed from."""

    def __init__(self, hooks, **options):
        self.inbox = open_inbox(MEMORY)
        assignment = Assignment(
            sender=self,
            providers={"support": load_providers()["sunshine"]},
            registry=hooks._registry,
            retry=RetryPolicy(max_attempts=3, first_delay_s=0, jitter=0),
            lease_s=60.0,
            context=nullcontext,
            inbox=lambda: self.inbox,
            clock=now,
            jitter=lambda: 0.0,
        )
        self.worker = Worker(assignment)
        self.runner = ThreadRunner(
            self.worker,
            **(
                {
                    "threads": 2,
                    "poll_s": 0.01,
                    "prune": lambda wait: (0, 0),
                    "promote": lambda: 0,
                    "replay": lambda: None,
                    "write_counts": lambda: None,
                    "presence": Presence(
                        inbox=lambda: self.inbox,
                        clock=now,
                        name="shop",
                        threads=2,
                        endpoints=["support"],
                    ),
                }
                | options
            ),
        )

    def admit(self, event_id="event-1"):
        return admit(self.inbox, message(event_id), now())

    def all_done(self):
        counts = self.inbox.counts()
        return counts[State.DONE] == sum(counts.values())


@pytest.fixture
def hooks():
    return HookKit()


@pytest.fixture
def pools():
    started = []
    yield started
    for pool in started:
        pool.runner.stop()


def started(pools, hooks, **options):
    pool = Pool(hooks, **options)
    pools.append(pool)
    pool.runner.start()
    return pool


def test_pool_is_woken_by_what_is_admitted(pools, hooks):
    seen = Event()
    hooks.on("*", name="see")(lambda event: seen.set())
    pool = started(pools, hooks, poll_s=3600)
    wait_until(lambda: pool.runner._condition._waiters)  # all polls are an hour away

    pool.runner.answer(pool.admit())

    assert seen.wait(DEADLINE_S)


def test_pool_finds_what_another_process_admitted_by_polling(pools, hooks):
    seen = Event()
    hooks.on("*", name="see")(lambda event: seen.set())
    pool = started(pools, hooks)

    pool.admit()

    assert seen.wait(DEADLINE_S)


def test_pool_finds_a_backlog_at_its_start(pools, hooks):
    seen = Event()
    hooks.on("*", name="see")(lambda event: seen.set())
    pool = Pool(hooks, poll_s=3600)
    pools.append(pool)
    pool.admit()

    pool.runner.start()

    assert seen.wait(DEADLINE_S)


@pytest.fixture
def held_up(pools, hooks):
    """A pool for whose one entry the first claim gets nothing, and the list of its claims."""
    pool = Pool(hooks, threads=1, poll_s=3600)
    pools.append(pool)
    claims, settle_and_claim = [], pool.inbox.settle_and_claim

    def claim_later(finished, terms, **how):
        claims.append(terms)
        return settle_and_claim(finished, terms, **how) if len(claims) > 1 else (set(), [])

    pool.inbox.settle_and_claim = claim_later
    pool.admit()
    return pool, claims


def test_pool_looks_again_soon_when_what_is_due_is_held_up(held_up, hooks):
    pool, _ = held_up
    seen = Event()
    hooks.on("*", name="see")(lambda event: seen.set())

    pool.runner.start()  # the next poll is an hour away, and nothing wakes it

    assert seen.wait(DEADLINE_S)


def test_pool_rests_when_what_is_due_is_held_up(held_up, monkeypatch):
    monkeypatch.setattr(pools_of_threads, "HELD_UP_POLL_S", 3600)
    pool, claims = held_up

    pool.runner.start()
    wait_until(lambda: pool.runner._condition._waiters)
    pool.runner.stop()

    assert len(claims) == 1
    assert pool.inbox.counts()[State.PENDING] == 1


@pytest.fixture
def batch_of_three(pools, hooks):
    """A pool whose one thread handles the first of three that it has claimed."""
    begun, may_end = Event(), Event()

    @hooks.on("*", name="wait")
    def wait(event):
        begun.set()
        may_end.wait(DEADLINE_S)

    pool = Pool(hooks, threads=1, poll_s=0.01)
    pools.append(pool)
    pool.worker.pipeline._usual_s = 0.001
    for number in range(3):
        pool.admit(f"event-{number}")
    pool.runner.start()
    assert begun.wait(DEADLINE_S)
    yield pool, may_end
    may_end.set()


def test_pool_that_stops_gives_back_what_it_has_not_begun(batch_of_three):
    pool, may_end = batch_of_three
    claimed = []

    def claim_and_go_on(set_aside, *, now, give_back=pool.inbox.give_back):
        give_back(set_aside, now=now)
        claimed.extend(
            pool.inbox.claim(now=now, lease_s=60, limit=9, endpoints=["support"]),
        )
        may_end.set()

    pool.inbox.give_back = claim_and_go_on

    pool.runner.stop()

    assert [(entry.event_id, entry.claim_count) for entry in claimed] == [
        ("event-1", 1),
        ("event-2", 1),
    ]
    assert pool.inbox.counts()[State.DONE] == 1


def test_pool_whose_inbox_is_away_at_the_end_stops_all_the_same(batch_of_three, caplog):
    pool, may_end = batch_of_three

    def away(set_aside, *, now):
        may_end.set()
        raise Unavailable("locked")

    pool.inbox.give_back = away

    pool.runner.stop()

    assert pool.inbox.counts()[State.DONE] == 1
    assert "cannot give back 2 entries: locked" in caplog.text


def test_error_of_a_settlement_does_not_end_the_renewal_of_leases(hooks, monkeypatch, caplog):
    pool, renewed = Pool(hooks), Event()
    object.__setattr__(pool.worker.assignment, "lease_s", 0.3)
    pipeline = pool.worker.pipeline

    def fail():
        raise ValueError("a bug")

    monkeypatch.setattr(pipeline, "wait_for_unwritten", lambda done, timeout_s: True)
    monkeypatch.setattr(pipeline, "flush_left", fail)
    monkeypatch.setattr(pool.worker.leases, "renew", renewed.set)

    with leases_kept(pool.worker):
        assert renewed.wait(DEADLINE_S)

    assert "settle_failed" in [record.action for record in caplog.records]


def test_idle_thread_takes_what_another_thread_has_claimed_ahead(pools, hooks):
    together = Barrier(2)
    hooks.on("*", name="meet")(lambda event: together.wait(DEADLINE_S))
    pool = Pool(hooks)
    pools.append(pool)
    pool.worker.pipeline._usual_s = 0.001
    pool.admit("event-1")
    pool.admit("event-2")

    pool.runner.start()

    wait_until(pool.all_done)
    assert not together.broken


def test_pool_says_that_it_is_there_until_it_stops(hooks):
    hooks.on("*", name="see")(lambda event: None)
    pool = Pool(hooks)
    pool.runner.start()
    wait_until(lambda: workers_seen(pool.inbox, now()))

    (seen,) = workers_seen(pool.inbox, now())
    pool.runner.stop()

    assert (seen.name, seen.pid, seen.threads, seen.endpoints) == (
        "shop",
        os.getpid(),
        2,
        ("support",),
    )
    assert not workers_seen(pool.inbox, now())


def test_handlers_run_side_by_side(pools, hooks):
    together = Barrier(2)
    hooks.on("*", name="meet")(lambda event: together.wait(DEADLINE_S))
    pool = started(pools, hooks)

    pool.runner.answer(pool.admit("event-1"))
    pool.runner.answer(pool.admit("event-2"))

    wait_until(pool.all_done)
    assert not together.broken


def test_failed_handler_is_tried_again_by_the_pool(pools, hooks):
    attempts = []

    @hooks.on("*", name="flaky")
    def flaky(event, run):
        attempts.append(run.attempt)
        if run.attempt < 3:
            raise ValueError

    pool = started(pools, hooks)

    pool.runner.answer(pool.admit())

    wait_until(pool.all_done)
    assert attempts == [1, 2, 3]


def test_pool_prunes_a_while_after_its_start_and_goes_on(pools, hooks, monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    monkeypatch.setattr("hookkit.runners.thread.UPKEEP_FIRST_S", 0.0)
    monkeypatch.setattr("hookkit.runners.thread.UPKEEP_S", 0.0)
    outcomes = [Unavailable("down"), RuntimeError("a bug"), (3, 2), (0, 0)]
    ended = Event()

    def prune(wait):
        if not outcomes:
            ended.set()
            return 0, 0
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    started(pools, hooks, prune=prune)

    assert ended.wait(DEADLINE_S)
    told = [record for record in caplog.records if "prune" in getattr(record, "action", "")]
    assert [(record.action, record.levelname) for record in told] == [
        ("prune_failed", "WARNING"),
        ("prune_failed", "ERROR"),
        ("pruned", "INFO"),
    ]
    assert told[2].getMessage() == "deleted the bodies of 3 deliveries and 2 entries"


def test_pool_prunes_nothing_in_its_first_moments(pools, hooks):
    pruned = Event()
    seen = Event()
    hooks.on("*", name="see")(lambda event: seen.set())

    pool = started(pools, hooks, prune=lambda wait: pruned.set() or (0, 0))
    pool.runner.answer(pool.admit())

    assert seen.wait(DEADLINE_S)
    assert not pruned.is_set()


def test_pool_goes_on_with_replays_also_after_an_error(pools, hooks, caplog, monkeypatch):
    monkeypatch.setattr("hookkit.runners.thread.REPLAY_S", 0.0)
    monkeypatch.setattr("hookkit.operating.housekeeping.REPLAY_S", 0.0)
    monkeypatch.setattr("hookkit.operating.housekeeping.PROMOTE_S", 0.0)
    outcomes = [Unavailable("down"), RuntimeError("a bug"), 0.0, None]
    ended = Event()

    def replay():
        if not outcomes:
            ended.set()
            return 60.0
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    started(pools, hooks, replay=replay)

    assert ended.wait(DEADLINE_S)
    told = [record for record in caplog.records if "replay" in getattr(record, "action", "")]
    assert [(record.action, record.levelname) for record in told] == [("replay_failed", "ERROR")]


def test_stopped_pool_prunes_no_further(hooks, monkeypatch):
    monkeypatch.setattr("hookkit.runners.thread.UPKEEP_FIRST_S", 0.0)
    begun, waits = Event(), []

    def prune(wait):
        begun.set()
        waits.append(wait(DEADLINE_S))  # between two steps
        return 0, 0

    pool = Pool(hooks, prune=prune)
    pool.runner.start()
    assert begun.wait(DEADLINE_S)

    pool.runner.stop()

    wait_until(lambda: waits)
    assert waits == [True]


def test_pruning_by_the_pool_ends_between_two_steps():
    steps = []

    class Endless:
        def prune(self, **how):
            steps.append(how)
            return Pruned(1, 1, (len(steps), len(steps)))

    inbox = Endless()
    upkeep = Upkeep(
        inbox=lambda: inbox,
        clock=now,
        keep_bodies=timedelta(days=1),
        keep_ids=timedelta(days=2),
    )

    gone = upkeep.prune(lambda seconds: len(steps) == 3)

    assert gone == (3, 3)
    assert [each["after"] for each in steps] == [(0, 0), (1, 1), (2, 2)]
    assert {each["bodies_before"] - each["ids_before"] for each in steps} == {timedelta(days=1)}
    assert len({each["bodies_before"] for each in steps}) == 1


def test_handlers_of_one_conversation_never_run_side_by_side(pools, hooks):
    seen, running = [], []

    @hooks.on("*", name="write", ordered=True)
    def write(event, run):
        running.append(event.id)
        seen.append((event.id, len(running)))
        failed = event.id == "event-3" and run.attempt < 3
        running.remove(event.id)
        if failed:
            raise ValueError("not yet")

    pool = Pool(hooks, threads=4)
    pools.append(pool)
    for number in range(20):
        pool.admit(f"event-{number}")

    pool.runner.start()

    wait_until(pool.all_done)
    order = [number for number in range(20) for _ in range(3 if number == 3 else 1)]
    assert seen == [(f"event-{number}", 1) for number in order]


def test_starting_twice_starts_one_pool(pools, hooks):
    pool = started(pools, hooks)
    running = active_count()

    pool.runner.start()

    assert active_count() == running


def test_stop_waits_for_what_runs_and_starts_nothing_new(hooks):
    begun, finish, seen = Event(), Event(), []

    @hooks.on("*", name="slow")
    def slow(event):
        begun.set()
        assert finish.wait(DEADLINE_S)
        seen.append(event.id)

    pool = Pool(hooks, threads=1)
    pool.admit("event-1")
    pool.admit("event-2")
    pool.runner.start()
    assert begun.wait(DEADLINE_S)
    pool.runner._stop.set()
    finish.set()

    pool.runner.stop()

    assert seen == ["event-1"]
    assert not any(thread.is_alive() for thread in pool.runner._threads)
    assert pool.inbox.counts()[State.PENDING] == 1


def test_stop_does_not_wait_for_ever(hooks, caplog):
    begun, finish = Event(), Event()

    @hooks.on("*", name="endless")
    def endless(event):
        begun.set()
        finish.wait(DEADLINE_S)

    pool = Pool(hooks, grace_s=0.0)
    pool.admit()
    pool.runner.start()
    assert begun.wait(DEADLINE_S)

    pool.runner.stop()
    finish.set()
    for thread in pool.runner._threads:
        thread.join()

    assert "stop_incomplete" in [record.action for record in caplog.records]


def test_stopped_pool_stays_stopped(hooks):
    pool = Pool(hooks)
    pool.runner.stop()

    pool.runner.start()

    assert pool.runner._threads == []


@pytest.mark.parametrize(
    ("error", "action"),
    [
        pytest.param(Unavailable("down"), "worker_unavailable", id="store away"),
        pytest.param(RuntimeError("a bug"), "worker_failed", id="a bug"),
    ],
)
def test_pool_survives_what_goes_wrong_around_it(pools, hooks, caplog, error, action):
    seen = Event()
    hooks.on("*", name="see")(lambda event: seen.set())
    pool = Pool(hooks)
    pools.append(pool)
    errors = [error] * 3
    has_due = pool.inbox.has_due

    def sometimes(endpoints, **how):
        if errors:
            raise errors.pop()
        return has_due(endpoints, **how)

    pool.inbox.has_due = sometimes
    pool.admit()

    pool.runner.start()

    assert seen.wait(DEADLINE_S)
    assert action in [getattr(record, "action", None) for record in caplog.records]


def test_leases_are_renewed_while_the_pool_runs(pools, hooks):
    renewed = Event()
    pool = Pool(hooks)
    pools.append(pool)
    object.__setattr__(pool.worker.assignment, "lease_s", 0.03)
    pool.worker.leases.renew = renewed.set

    pool.runner.start()

    assert renewed.wait(DEADLINE_S)


def test_failed_renewal_is_logged_and_tried_again(pools, hooks, caplog):
    caplog.set_level(logging.ERROR)
    calls, twice = [], Event()
    pool = Pool(hooks)
    pools.append(pool)
    object.__setattr__(pool.worker.assignment, "lease_s", 0.03)

    def broken():
        calls.append(1)
        if len(calls) == 2:
            twice.set()
        raise RuntimeError

    pool.worker.leases.renew = broken

    pool.runner.start()

    assert twice.wait(DEADLINE_S)
    wait_until(lambda: "renew_failed" in [record.action for record in caplog.records])


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork")
def test_child_of_a_fork_has_no_pool_until_it_is_started(pools, hooks):
    pool = started(pools, hooks)
    pool.runner.stop()  # no thread of this test may be inside a lock while it forks
    for thread in pool.runner._threads:
        thread.join()

    child = os.fork()
    if child == 0:  # pragma: no cover  # another process, which must not return to pytest
        code = 1
        try:
            pool.worker.after_fork()
            pool.runner.after_fork()
            assert pool.runner._threads == []
            pool.runner.start()
            pool.admit()
            wait_until(pool.all_done)
            code = 0
        finally:
            os._exit(code)

    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.parametrize("error", [SystemExit(), KeyboardInterrupt()])
def test_handler_that_raises_what_ends_programs_ends_no_thread(pools, hooks, error):
    seen = Event()

    @hooks.on("*", name="bad", when=lambda event: event.id == "event-1")
    def bad(event):
        raise error

    hooks.on("*", name="see", when=lambda event: event.id == "event-2")(lambda event: seen.set())
    pool = started(pools, hooks, threads=1)
    pool.runner.answer(pool.admit("event-1"))

    pool.runner.answer(pool.admit("event-2"))

    assert seen.wait(DEADLINE_S)


def test_outage_is_told_once_and_so_is_its_end(pools, hooks, caplog):
    seen = Event()
    hooks.on("*", name="see")(lambda event: seen.set())
    pool = Pool(hooks, threads=1)
    pools.append(pool)
    errors = [Unavailable("down")] * 20
    has_due = pool.inbox.has_due

    def sometimes(endpoints, **how):
        if errors:
            raise errors.pop()
        return has_due(endpoints, **how)

    pool.inbox.has_due = sometimes
    pool.admit()

    pool.runner.start()

    assert seen.wait(DEADLINE_S)
    wait_until(lambda: "worker_available" in [record.action for record in caplog.records])
    actions = [record.action for record in caplog.records]
    assert actions.count("worker_unavailable") == 1
    assert actions.count("worker_available") == 1


def test_inline_keeps_the_lease_of_a_slow_handler(hooks):
    pool = Pool(hooks)
    object.__setattr__(pool.worker.assignment, "lease_s", 0.06)
    pool.worker.after_fork()
    renewed, renew = Event(), pool.worker.leases.renew

    def tell():
        renew()
        renewed.set()

    pool.worker.leases.renew = tell
    hooks.on("*", name="slow")(lambda event: renewed.wait(DEADLINE_S))

    receipt = InlineRunner(pool.worker).answer(pool.admit())

    assert (receipt.status, renewed.is_set()) == (200, True)


def test_idle_runner_leaves_entries_to_others(hooks):
    pool = Pool(hooks)
    runner = Runner()
    for step in (runner.start, runner.after_fork, runner.stop):
        step()

    receipt = pool.admit()

    assert runner.answer(receipt) is receipt
    assert pool.inbox.counts()[State.PENDING] == 1


def test_inline_runs_before_the_answer(hooks):
    seen = []
    hooks.on("*", name="see")(lambda event: seen.append(event.id))
    pool = Pool(hooks)

    receipt = InlineRunner(pool.worker).answer(pool.admit())

    assert (receipt.status, seen) == (200, ["event-1"])


def test_inline_failure_is_503_and_the_redelivery_is_the_retry(hooks):
    attempts = []

    @hooks.on("*", name="flaky", retry=RetryPolicy(first_delay_s=3600, max_delay_s=3600))
    def flaky(event, run):
        attempts.append(run.attempt)
        if run.attempt == 1:
            raise ValueError

    pool = Pool(hooks)
    runner = InlineRunner(pool.worker)

    first, second, third = (runner.answer(pool.admit()) for _ in range(3))

    assert [first.status, second.status, third.status] == [503, 200, 200]
    assert (first.code, first.retry_after_s, second.duplicate_count) == ("handler_failed", 10, 1)
    assert attempts == [1, 2]


def test_inline_duplicate_of_a_running_entry_is_503(hooks):
    pool = Pool(hooks)
    pool.admit()
    pool.inbox.claim(now=now(), lease_s=60, limit=1, endpoints=["support"])

    receipt = InlineRunner(pool.worker).answer(pool.admit())

    assert (receipt.status, receipt.code) == (503, "handler_failed")


def test_inline_dead_letter_is_no_longer_the_vendors_business(hooks):
    @hooks.on("*", name="bad", retry=RetryPolicy(max_attempts=1))
    def bad(event):
        raise ValueError

    pool = Pool(hooks)
    runner = InlineRunner(pool.worker)

    answers = [runner.answer(pool.admit()).status for _ in range(2)]

    assert answers == [200, 200]
    assert pool.inbox.counts()[State.DEAD] == 1


@pytest.mark.parametrize("error", [None, Unavailable("locked"), ValueError("a bug")], ids=repr)
def test_pool_promotes_again_and_again_whatever_comes_of_it(pools, hooks, monkeypatch, error):
    monkeypatch.setattr(pools_of_threads, "PROMOTE_S", 0.01)
    promotions = []

    def promote():
        promotions.append(1)
        if error is not None:
            raise error
        return 0

    started(pools, hooks, promote=promote)

    wait_until(lambda: len(promotions) > 2)


def test_stop_waits_for_housekeeping_that_has_begun(pools, hooks, monkeypatch):
    monkeypatch.setattr(pools_of_threads, "PROMOTE_S", 0.01)
    begun, ended = Event(), []

    def promote():
        begun.set()
        pool.runner._stop.wait(DEADLINE_S)
        ended.append(pool.runner._upkeep.is_alive())
        return 0

    pool = Pool(hooks, promote=promote)
    pools.append(pool)
    pool.runner.start()
    assert begun.wait(DEADLINE_S)

    pool.runner.stop()

    assert ended == [True]
    assert not pool.runner._upkeep.is_alive()
