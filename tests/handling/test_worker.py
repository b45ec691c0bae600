"""What happens to a claimed entry, with a clock that stands still."""

import asyncio
import logging
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from threading import Condition, Thread
from threading import Event as ThreadEvent

import pytest

from hookkit import (
    ConfigurationError,
    Discard,
    HookKit,
    RetryLater,
    RetryPolicy,
    Unavailable,
    signals,
)
from hookkit.core.attempts import Outcome
from hookkit.core.entry import State, settle
from hookkit.core.errors import StoreRefused
from hookkit.core.provider import split
from hookkit.handling import pipeline as pipelines
from hookkit.handling.dispatch import Assignment
from hookkit.handling.pipeline import QUICK_S, Pipeline
from hookkit.handling.raised import MAX_ERROR_CHARS, describe
from hookkit.handling.settlements import Finished
from hookkit.handling.settlements import Outcome as Ended
from hookkit.handling.worker import Worker
from hookkit.inbox.opening import MEMORY, open_inbox
from hookkit.log import FIRST_LINES, flush_all
from hookkit.providers import load_providers
from tests.applications import admit, message

NOW = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)
SENDER = object()


class Clock:
    def __init__(self):
        self.now = NOW

    def __call__(self):
        return self.now

    def forward(self, seconds):
        self.now += timedelta(seconds=seconds)


class Bench:
    """An inbox with a worker over the handlers of a HookKit."""

    def __init__(self, hooks, inbox=None):
        self.clock = Clock()
        self.inbox = inbox or open_inbox(MEMORY)
        self.contexts = []
        assignment = Assignment(
            sender=SENDER,
            providers={"support": load_providers()["sunshine"]},
            registry=hooks._registry,
            retry=RetryPolicy(max_attempts=3, jitter=0),
            lease_s=60.0,
            context=self.context,
            inbox=lambda: self.inbox,
            clock=self.clock,
            jitter=lambda: 0.0,
        )
        self.worker = Worker(assignment)

    def expect_quick_handlers(self):
        """Have the next claim be of a group: the first ones are careful."""
        self.worker.pipeline._usual_s = 0.0001

    def finished_by_threads(self, count, ago_s=-60.0):
        """Return the pipeline, and so many entries that threads have just finished."""
        for number in range(count):
            self.admit(message(f"event-{number}"))
        claimed = self.inbox.claim(now=self.clock(), lease_s=60, limit=count, endpoints=["support"])
        at = time.monotonic() - ago_s
        return [
            self.worker.pipeline,
            *(
                Finished(
                    entry=entry,
                    event=self.worker._reader.read(entry),
                    settlement=settle([]),
                    at=at,
                    outcome=Ended(entry.id),
                )
                for entry in self.worker.leases.hold(claimed)
            ),
        ]

    @contextmanager
    def context(self):
        self.contexts.append("enter")
        try:
            yield
        except BaseException as error:
            self.contexts.append(type(error).__name__)
            raise
        self.contexts.append("leave")

    def admit(self, body):
        return admit(self.inbox, body, self.clock())

    def record(self):
        (record,) = self.inbox.find()
        return record

    def results(self):
        return [(each.number, each.handler, each.outcome) for each in self.record().attempts]


@pytest.fixture
def hooks():
    return HookKit()


@pytest.fixture
def away_once(monkeypatch):
    """Have a method of an inbox raise ``Unavailable`` the next *times*."""

    def away_once(inbox, name, *, times):
        method, left = getattr(inbox, name), list(range(times))

        def sometimes(*given, **how):
            if left:
                left.pop()
                raise Unavailable("away")
            return method(*given, **how)

        monkeypatch.setattr(inbox, name, sometimes)

    return away_once


class Turn(Condition):
    """A lock, or a condition, that tells when somebody wants it and how often it has notified."""

    def __init__(self):
        super().__init__()
        self.on_enter = lambda: None
        self.notified = 0

    def __enter__(self):
        self.on_enter()
        return super().__enter__()

    def notify_all(self):
        self.notified += 1
        super().notify_all()


def elapse(seconds):
    """Return when so much time has passed on the clock that handlers are measured by."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


def test_handler_gets_the_event_once(hooks):
    seen = []
    hooks.on("conversation:message", name="see")(lambda event: seen.append(event.message.text))
    bench = Bench(hooks)
    bench.admit(message(text="Hello"))

    states = bench.worker.work()
    again = bench.worker.work()

    assert (seen, list(states.values()), again) == (["Hello"], [State.DONE], {})
    assert bench.results() == [(1, "see", Outcome.SUCCEEDED)]


def test_failed_handler_is_tried_again_when_it_is_due(hooks):
    attempts = []

    @hooks.on("*", name="flaky")
    def flaky(event, run):
        attempts.append((run.attempt, run.is_replay))
        if run.attempt == 1:
            raise ValueError("not yet")

    bench = Bench(hooks)
    bench.admit(message())

    first = bench.worker.work()
    too_early = bench.worker.work()
    bench.clock.forward(5)
    second = bench.worker.work()

    assert [*first.values(), *second.values()] == [State.WAITING, State.DONE]
    assert too_early == {}
    assert attempts == [(1, False), (2, False)]
    assert bench.record().attempts[0].error == "ValueError: not yet"
    assert bench.record().attempts[0].raised_at.startswith("tests/handling/test_worker.py:")


def test_handler_that_succeeded_is_not_run_again_by_a_retry(hooks):
    calls = []
    hooks.on("*", name="good")(lambda event: calls.append("good"))

    @hooks.on("*", name="bad")
    def bad(event):
        calls.append("bad")
        raise ValueError

    bench = Bench(hooks)
    bench.admit(message())

    bench.worker.work()
    bench.clock.forward(5)
    bench.worker.work()

    assert calls == ["good", "bad", "bad"]


def test_entry_is_dead_after_exactly_the_attempts_of_its_policy(hooks):
    calls = []

    @hooks.on("*", name="bad")
    def bad(event):
        calls.append(event.id)
        raise ValueError

    dead = []
    bench = Bench(hooks)
    bench.admit(message())

    with signals.event_dead.connected_to(lambda sender, **what: dead.append(what), SENDER):
        states = []
        for _ in range(5):
            states += bench.worker.work().values()
            bench.clock.forward(4000)

    assert states == [State.WAITING, State.WAITING, State.DEAD]
    assert (len(calls), len(dead)) == (3, 1)


def test_handler_out_of_attempts_leaves_the_others_theirs(hooks):
    calls = []

    @hooks.on("*", name="once", retry=RetryPolicy(max_attempts=1))
    def once(event):
        calls.append("once")
        raise ValueError

    @hooks.on("*", name="thrice")
    def thrice(event):
        calls.append("thrice")
        if calls.count("thrice") < 3:
            raise ValueError

    bench = Bench(hooks)
    bench.admit(message())

    states = []
    for _ in range(3):
        states += bench.worker.work().values()
        bench.clock.forward(4000)

    assert calls == ["once", "thrice", "thrice", "thrice"]
    assert states == [State.WAITING, State.WAITING, State.DEAD]


def test_entry_that_killed_its_workers_is_dead_without_a_run(hooks):
    calls = []
    hooks.on("*", name="deadly")(calls.append)
    bench = Bench(hooks)
    bench.admit(message())
    for _ in range(3):  # three workers claim it and are never heard of again
        bench.inbox.claim(now=bench.clock(), lease_s=60, limit=1, endpoints=["support"])
        bench.clock.forward(61)

    states = bench.worker.work()

    assert (list(states.values()), calls) == ([State.DEAD], [])


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(SystemExit(3), id="sys.exit"),
        pytest.param(GeneratorExit(), id="GeneratorExit"),
        pytest.param(asyncio.CancelledError(), id="cancelled"),
        pytest.param(RecursionError(), id="recursion"),
        pytest.param(MemoryError(), id="memory"),
    ],
)
def test_whatever_a_handler_raises_is_a_failed_attempt(hooks, error):
    @hooks.on("*", name="bad")
    def bad(event):
        raise error

    bench = Bench(hooks)
    bench.admit(message())

    states = bench.worker.work()

    assert list(states.values()) == [State.WAITING]
    assert bench.results() == [(1, "bad", Outcome.FAILED)]


def test_keyboard_interrupt_is_the_persons_not_the_handlers(hooks):
    @hooks.on("*", name="long")
    def long(event):
        raise KeyboardInterrupt

    bench = Bench(hooks)
    bench.admit(message())

    with pytest.raises(KeyboardInterrupt):
        bench.worker.work()

    assert bench.record().state is State.RUNNING


def test_coroutine_function_is_run_to_its_end(hooks):
    seen = []

    @hooks.on("*", name="later")
    async def later(event):
        await asyncio.sleep(0)
        seen.append(event.type)

    bench = Bench(hooks)
    bench.admit(message())

    bench.worker.work()

    assert seen == ["conversation:message"]


def test_each_attempt_has_a_context_that_its_error_leaves(hooks):
    @hooks.on("*", name="bad")
    def bad(event):
        raise ValueError

    hooks.on("*", name="good")(lambda event: None)
    bench = Bench(hooks)
    bench.admit(message())

    bench.worker.work()

    assert bench.contexts == ["enter", "ValueError", "enter", "leave"]


def test_when_that_raises_is_a_failed_attempt_of_its_handler_alone(hooks):
    seen = []
    hooks.on("*", name="picky", when=lambda event: event.nothing)(seen.append)
    hooks.on("*", name="plain")(lambda event: seen.append("plain"))
    bench = Bench(hooks)
    bench.admit(message())

    bench.worker.work()

    assert seen == ["plain"]
    assert bench.results() == [(1, "picky", Outcome.FAILED), (1, "plain", Outcome.SUCCEEDED)]


@pytest.mark.parametrize("error", [SystemExit(), GeneratorExit(), KeyboardInterrupt()])
def test_whatever_when_raises_in_a_thread_ends_no_worker(hooks, error):
    def when(event):
        raise error

    hooks.on("*", name="picky", when=when)(lambda event: None)
    bench = Bench(hooks)
    bench.admit(message())

    with ThreadPoolExecutor(1) as threads:
        states = threads.submit(bench.worker.work).result()

    assert list(states.values()) == [State.WAITING]


def test_when_is_asked_in_a_context_of_its_own(hooks):
    hooks.on("*", name="picky", when=lambda event: False)(lambda event: None)
    bench = Bench(hooks)
    bench.admit(message())

    bench.worker.work()

    assert bench.contexts == ["enter", "leave"]


def test_when_is_not_asked_about_what_the_rest_refuses(hooks):
    asked = []
    hooks.on("*", version="v1", name="old", when=asked.append)(lambda event: None)
    bench = Bench(hooks)
    bench.admit(message())

    bench.worker.work()

    assert asked == []


def test_body_of_many_events_is_taken_apart_once(hooks, monkeypatch):
    body = message("event-0")
    body["events"] = [message(f"event-{number}")["events"][0] for number in range(50)]
    calls = []
    monkeypatch.setattr(
        "hookkit.handling.dispatch.split", lambda *a, **k: calls.append(1) or split(*a, **k)
    )
    seen = []
    hooks.on("*", name="see")(lambda event: seen.append(event.id))
    bench = Bench(hooks)
    bench.admit(body)

    while bench.worker.work():
        pass

    assert (len(calls), len(set(seen))) == (1, 50)


def test_event_that_nobody_wants_is_done_and_told_once_per_kind(hooks, caplog):
    unhandled = []
    bench = Bench(hooks)
    bench.admit(message("event-1"))
    bench.admit(message("event-2"))

    receiver = lambda sender, **what: unhandled.append(what["event"].id)  # noqa: E731
    with signals.event_unhandled.connected_to(receiver, SENDER):
        states = bench.worker.work(limit=2)

    assert set(states.values()) == {State.DONE}
    assert unhandled == ["event-1", "event-2"]
    told = [each for each in caplog.records if getattr(each, "action", "") == "event_unhandled"]
    assert len(told) == 1
    assert '@hooks.on("conversation:message")\ndef handle_conversation_message(event):' in (
        told[0].getMessage()
    )


@pytest.mark.parametrize(
    ("vendor_type", "trigger"),
    [
        pytest.param("conversation:reaction", "sunshine/conversation:reaction", id="a word"),
        pytest.param("x\nforged line", "unknown", id="a line break"),
        pytest.param("", "unknown", id="nothing"),
    ],
)
def test_unknown_word_is_logged_only_if_it_looks_like_a_word(hooks, caplog, vendor_type, trigger):
    body = message()
    body["events"][0]["type"] = vendor_type
    bench = Bench(hooks)
    bench.admit(body)

    bench.worker.work()

    assert bench.results() == [(1, "", Outcome.UNKNOWN)]
    assert f'@hooks.on("{trigger}")' in caplog.text
    assert "forged line" not in caplog.text


def test_kinds_told_of_are_bounded(hooks, caplog):
    bench = Bench(hooks)
    for number in range(130):
        body = message(f"event-{number}")
        body["events"][0]["type"] = f"kind:{number}"
        bench.admit(body)

    bench.worker.work(limit=130)

    told = [each for each in caplog.records if getattr(each, "action", "") == "event_unhandled"]
    assert len(told) == 100


def test_fallback_gets_what_nobody_wants_and_nothing_else(hooks):
    seen = []

    @hooks.fallback
    def rest(event):
        seen.append(event.id)

    hooks.on("conversation:message", when=lambda event: event.id == "event-1")(lambda event: None)
    bench = Bench(hooks)
    bench.admit(message("event-1"))
    bench.admit(message("event-2"))

    bench.worker.work(limit=2)

    assert seen == ["event-2"]


def test_failed_fallback_is_tried_again(hooks):
    calls = []

    @hooks.fallback
    def rest(event, run):
        calls.append(run.attempt)
        if run.attempt == 1:
            raise ValueError

    bench = Bench(hooks)
    bench.admit(message())

    bench.worker.work()
    bench.clock.forward(5)
    states = bench.worker.work()

    assert (calls, list(states.values())) == ([1, 2], [State.DONE])


def test_fenced_worker_settles_nothing(hooks, caplog):
    bench = Bench(hooks)

    @hooks.on("*", name="slow")
    def slow(event):
        bench.clock.forward(61)  # paused past its lease, and another worker takes over
        bench.inbox.claim(now=bench.clock(), lease_s=60, limit=1, endpoints=["support"])

    settled = []
    bench.admit(message())

    with signals.event_settled.connected_to(lambda sender, **what: settled.append(what), SENDER):
        bench.worker.work()

    assert bench.record().state is State.RUNNING
    assert (bench.record().attempts, settled) == ((), [])
    assert "settle_fenced" in [getattr(each, "action", None) for each in caplog.records]


def test_settlement_survives_a_store_that_is_away_and_nothing_begins_meanwhile(hooks, away_once):
    seen = []
    bench = Bench(hooks)
    bench.expect_quick_handlers()

    @hooks.on("*", name="slow")
    def slow(event):
        seen.append(event.id)
        away_once(bench.inbox, "settle_and_claim", times=2 if len(seen) == 1 else 0)
        elapse(QUICK_S * 2)

    for number in range(2):
        bench.admit(message(f"event-{number}"))

    for _ in range(2):
        with pytest.raises(Unavailable, match="away"):
            bench.worker.work()
    assert (seen, bench.worker.leases.count) == (["event-0"], 1)
    bench.worker.work()

    assert seen == ["event-0", "event-1"]
    assert {(one.state, len(one.attempts)) for one in bench.inbox.find()} == {(State.DONE, 1)}


def test_settlement_of_a_caller_that_waits_is_given_up(hooks, monkeypatch, away_once):
    monkeypatch.setattr("hookkit.handling.pipeline.WRITE_PAUSES_S", (0.0, 0.0))
    bench = Bench(hooks)
    hooks.on("*", name="see")(lambda event: away_once(bench.inbox, "settle_and_claim", times=9))
    bench.admit(message())

    with pytest.raises(Unavailable, match="away"):
        bench.worker.work(only=[1])

    assert (bench.record().state, bench.worker.leases.count) == (State.RUNNING, 0)


def test_caller_that_waits_gets_the_outcome_from_a_store_that_was_away(
    hooks, monkeypatch, away_once
):
    monkeypatch.setattr("hookkit.handling.pipeline.WRITE_PAUSES_S", (0.0, 0.0))
    bench = Bench(hooks)
    hooks.on("*", name="see")(lambda event: away_once(bench.inbox, "settle_and_claim", times=2))
    bench.admit(message())

    with pytest.raises(Unavailable, match="away"):
        bench.worker.work(only=[1])

    assert bench.record().state is State.DONE


def test_settlement_that_the_store_refuses_holds_up_no_other(hooks, monkeypatch, caplog):
    hooks.on("*", name="see")(lambda event: None)
    # However slow this machine is, each handler counts as quick.
    monkeypatch.setattr("hookkit.handling.pipeline.QUICK_S", 60.0)
    bench = Bench(hooks)
    bench.expect_quick_handlers()
    for number in range(3):
        bench.admit(message(f"event-{number}"))
    settle_and_claim = bench.inbox.settle_and_claim

    def refuse_the_second(finished, terms, **how):
        if any(entry.id == 2 for entry, _ in finished):
            raise StoreRefused("too long")
        return settle_and_claim(finished, terms, **how)

    monkeypatch.setattr(bench.inbox, "settle_and_claim", refuse_the_second)

    with pytest.raises(StoreRefused):
        bench.worker.work()

    stand = {one.event_id: one.state for one in bench.inbox.find()}
    assert stand == {
        "event-0": State.DONE,
        "event-1": State.RUNNING,
        "event-2": State.DONE,
    }
    assert [each.entry_id for each in caplog.records if each.action == "settle_refused"] == [2]
    assert bench.worker.work() == {}
    assert bench.worker.leases.count == 0


def test_lease_of_a_running_handler_is_renewed(hooks):
    started, finish = ThreadEvent(), ThreadEvent()

    @hooks.on("*", name="slow")
    def slow(event):
        started.set()
        assert finish.wait(30)

    bench = Bench(hooks)
    bench.admit(message())
    thread = Thread(target=bench.worker.work)
    thread.start()
    assert started.wait(30)
    bench.clock.forward(50)

    bench.worker.leases.renew()
    bench.clock.forward(50)
    stolen = bench.inbox.claim(now=bench.clock(), lease_s=60, limit=1, endpoints=["support"])
    finish.set()
    thread.join()

    assert stolen == []
    assert bench.record().state is State.DONE


def test_replay_runs_every_handler_again_and_says_so(hooks):
    runs = []
    hooks.on("*", name="see")(lambda event, run: runs.append((run.attempt, run.is_replay)))
    bench = Bench(hooks)
    bench.admit(message())
    bench.worker.work()

    bench.inbox.replay(bench.record().id, now=bench.clock())
    bench.worker.work()

    assert runs == [(1, False), (1, True)]


def test_stored_error_is_short_and_survives_a_broken_exception():
    class Broken(Exception):
        def __str__(self):
            raise RuntimeError

    assert len(describe(ValueError("x" * 10_000_000))) == MAX_ERROR_CHARS
    assert "Broken" in describe(Broken())


def test_failed_attempt_is_logged_with_its_traceback_and_signalled(hooks, caplog):
    @hooks.on("*", name="bad")
    def bad(event):
        raise ValueError("broken order system")

    failed = []
    bench = Bench(hooks)
    bench.admit(message())

    with signals.attempt_failed.connected_to(lambda sender, **what: failed.append(what), SENDER):
        bench.worker.work()

    (record,) = [each for each in caplog.records if each.action == "attempt_failed"]
    assert (record.levelno, record.handler, record.exc_info[0]) == (
        logging.WARNING,
        "bad",
        ValueError,
    )
    assert (failed[0]["handler"], failed[0]["attempt"]) == ("bad", 1)
    assert isinstance(failed[0]["error"], ValueError)


def test_text_of_a_message_reaches_no_log(hooks, caplog):
    caplog.set_level(logging.DEBUG)
    hooks.on("conversation:message", name="good")(lambda event: None)
    bench = Bench(hooks)
    bench.admit(message(text="my card number is 4111"))
    bench.admit(b"my card number is 4111")

    bench.worker.work(limit=2)

    assert caplog.records
    assert "4111" not in caplog.text


def test_discarded_event_is_done_and_not_handled_again(hooks):
    calls = []

    @hooks.on("*", name="picky")
    def picky(event):
        calls.append("picky")
        raise Discard("a test order")

    @hooks.on("*", name="flaky")
    def flaky(event, run):
        calls.append("flaky")
        if run.attempt == 1:
            raise ValueError

    bench = Bench(hooks)
    bench.admit(message())

    states = [*bench.worker.work().values()]
    bench.clock.forward(5)
    states += bench.worker.work().values()

    assert (calls, states) == (["picky", "flaky", "flaky"], [State.WAITING, State.DONE])
    assert bench.results()[0] == (1, "picky", Outcome.DISCARDED)
    assert "a test order" in bench.record().attempts[0].error


def test_discard_is_no_failure_to_be_told_of(hooks, caplog):
    @hooks.on("*", name="picky")
    def picky(event):
        raise Discard("a test order")

    bench = Bench(hooks)
    bench.admit(message())

    bench.worker.work()

    assert "attempt_failed" not in [getattr(each, "action", None) for each in caplog.records]


def test_handler_that_asks_for_a_later_time_is_run_then(hooks):
    attempts = []

    @hooks.on("*", name="later")
    def later(event, run):
        attempts.append(run.attempt)
        if run.attempt == 1:
            raise RetryLater(after=timedelta(minutes=10))

    bench = Bench(hooks)
    bench.admit(message())

    bench.worker.work()
    bench.clock.forward(599)
    too_early = bench.worker.work()
    bench.clock.forward(1)
    bench.worker.work()

    assert (too_early, attempts) == ({}, [1, 2])


class NotYet(RetryLater):
    def __init__(self):
        """Say nothing of a time."""


@pytest.mark.parametrize(
    "ask",
    [lambda: RetryLater(timedelta.max), lambda: RetryLater(5), NotYet],
    ids=["too late", "no time", "no word"],
)
def test_asking_for_no_possible_time_fails_one_attempt_of_one_handler(hooks, ask):
    @hooks.on("*", name="later")
    def later(event):
        raise ask()

    seen = []
    hooks.on("*", name="other")(seen.append)
    bench = Bench(hooks)
    bench.admit(message())

    bench.worker.work()

    (entry,) = bench.inbox.find()
    assert [each.outcome for each in entry.attempts] == [Outcome.FAILED, Outcome.SUCCEEDED]
    assert (entry.state, len(seen)) == (State.WAITING, 1)


def test_asking_for_later_ever_again_ends_as_a_dead_letter(hooks):
    @hooks.on("*", name="later")
    def later(event):
        raise RetryLater(after=timedelta(0))

    bench = Bench(hooks)
    bench.admit(message())

    states = bench.worker.work()

    assert states == {1: State.DEAD}
    assert [number for number, *_ in bench.results()] == [1, 2, 3]


def test_permanent_error_is_not_tried_again_and_leaves_the_others_their_attempts(hooks):
    calls = []

    @hooks.on("*", name="broken", retry=RetryPolicy(permanent=(LookupError,)))
    def broken(event):
        calls.append("broken")
        raise KeyError("no such customer")

    @hooks.on("*", name="flaky")
    def flaky(event, run):
        calls.append("flaky")
        if run.attempt == 1:
            raise ValueError

    bench = Bench(hooks)
    bench.admit(message())

    states = [*bench.worker.work().values()]
    bench.clock.forward(5)
    states += bench.worker.work().values()

    assert (calls, states) == (["broken", "flaky", "flaky"], [State.WAITING, State.DEAD])
    assert bench.results()[0] == (1, "broken", Outcome.GAVE_UP)


def test_replay_asks_a_handler_that_gave_up_again(hooks):
    calls = []

    @hooks.on("*", name="broken", retry=RetryPolicy(permanent=(ValueError,)))
    def broken(event, run):
        calls.append(run.is_replay)
        if not run.is_replay:
            raise ValueError

    bench = Bench(hooks)
    bench.admit(message())
    bench.worker.work()

    bench.inbox.replay(bench.record().id, now=bench.clock())
    states = bench.worker.work()

    assert (calls, list(states.values())) == ([False, True], [State.DONE])


def test_attempt_of_a_worker_that_was_never_heard_of_again_is_recorded_as_lost(hooks):
    hooks.on("*", name="see")(lambda event: None)
    bench = Bench(hooks)
    bench.admit(message())
    bench.inbox.claim(now=bench.clock(), lease_s=60, limit=1, endpoints=["support"])
    bench.clock.forward(61)

    bench.worker.work()

    assert bench.results() == [(1, "see", Outcome.LOST), (2, "see", Outcome.SUCCEEDED)]


def test_entry_whose_lease_ran_out_behind_a_slow_one_is_still_ours_if_nobody_took_it(hooks):
    seen = []
    bench = Bench(hooks)
    bench.expect_quick_handlers()

    @hooks.on("*", name="slow")
    def slow(event):
        seen.append(event.id)
        bench.clock.forward(61)
        if len(seen) == 1:
            bench.inbox.claim(
                now=bench.clock(), lease_s=600, limit=1, endpoints=["support"], only=[3]
            )
            bench.worker.leases.renew()

    for number in (1, 2, 3):
        bench.admit(message(f"event-{number}"))

    states = bench.worker.work()

    assert seen == ["event-1", "event-2"]
    assert states == {1: State.DONE, 2: State.DONE}


def test_event_that_kills_its_worker_spends_no_attempt_of_those_claimed_with_it(hooks):
    hooks.on("*", name="see")(lambda event: None)
    bench = Bench(hooks)
    dying = Bench(hooks, bench.inbox)
    dying.expect_quick_handlers()
    for number in range(3):
        bench.admit(message(f"event-{number}"))
    dying.worker._handle = None  # so that nothing comes after the claim

    with pytest.raises(TypeError):
        dying.worker.work()
    bench.clock.forward(61)
    bench.worker.work()

    assert {
        record.event_id: [(each.number, each.outcome) for each in record.attempts]
        for record in bench.inbox.find()
    } == {f"event-{number}": [(1, Outcome.SUCCEEDED)] for number in range(3)}


@pytest.mark.parametrize("attempts", [1, 2, 3, 5])
def test_event_that_kills_its_worker_is_dead_after_as_many_runs_as_it_has_attempts(hooks, attempts):
    runs = []

    @hooks.on("*", name="deadly", retry=RetryPolicy(max_attempts=attempts, jitter=0))
    def deadly(event):
        runs.append(event.id)
        if event.id == "event-1":
            raise KeyboardInterrupt  # nothing after it runs, as if the process were gone

    first = Bench(hooks)
    for number in range(3):
        first.admit(message(f"event-{number}"))
    bench = first
    for _ in range(9):
        bench.expect_quick_handlers()
        with suppress(KeyboardInterrupt):
            bench.worker.work()
        clock, bench = bench.clock, Bench(hooks, first.inbox)
        bench.clock = clock
        object.__setattr__(bench.worker.assignment, "clock", clock)
        clock.forward(61)

    assert runs.count("event-1") == attempts
    stand = {one.event_id: one for one in first.inbox.find()}
    assert [stand[f"event-{number}"].state for number in range(3)] == [
        State.DONE,
        State.DEAD,
        State.DONE,
    ]
    for innocent in ("event-0", "event-2"):
        recorded = stand[innocent].attempts
        assert [(each.number, each.outcome) for each in recorded] == [(1, Outcome.SUCCEEDED)]


def test_what_others_have_claimed_meanwhile_does_not_run_once_that_is_known(hooks):
    seen = []
    bench = Bench(hooks)
    bench.expect_quick_handlers()

    @hooks.on("*", name="slow")
    def slow(event):
        seen.append(event.id)
        bench.clock.forward(61)
        for _ in range(2):
            bench.inbox.claim(
                now=bench.clock(), lease_s=60, limit=9, endpoints=["support"], only=[2, 3]
            )
        bench.worker.leases.renew()

    for number in range(3):
        bench.admit(message(f"event-{number}"))

    states = bench.worker.work()

    assert (seen, states) == (["event-0"], {1: State.DONE})


def test_result_of_an_entry_that_others_have_claimed_meanwhile_does_not_count(hooks, caplog):
    bench = Bench(hooks)
    bench.expect_quick_handlers()

    @hooks.on("*", name="slow")
    def slow(event):
        bench.clock.forward(61)
        bench.inbox.claim(now=bench.clock(), lease_s=60, limit=9, endpoints=["support"], only=[2])

    for number in range(2):
        bench.admit(message(f"event-{number}"))

    states = bench.worker.work()

    assert states == {1: State.DONE, 2: State.RUNNING}
    assert [each.entry_id for each in caplog.records if each.action == "settle_fenced"] == [2]


def test_entries_that_a_lost_process_had_claimed_are_logged_when_they_run_again(hooks, caplog):
    bench = Bench(hooks)
    for number in range(12):
        bench.admit(message(f"event-{number}"))
    # A process that never comes back.
    bench.inbox.claim(now=bench.clock(), lease_s=60, limit=12, endpoints=["support"])
    bench.clock.forward(61)

    bench.worker.work()
    flush_all()

    found = [each for each in caplog.records if each.action == "lease_lost"]
    assert [each.entry_id for each in found[:FIRST_LINES]] == list(range(1, FIRST_LINES + 1))
    assert found[0].getMessage() == (
        "entry 1 runs again: its lease ended before it was settled; most often its process was"
        " killed"
    )
    (rest,) = found[FIRST_LINES:]
    assert (rest.levelno, rest.left_out) == (logging.WARNING, 2)


def test_entry_that_runs_for_the_first_time_is_not_logged_as_run_again(hooks, caplog):
    bench = Bench(hooks)
    bench.admit(message())

    bench.worker.work()

    assert "lease_lost" not in [getattr(each, "action", None) for each in caplog.records]


def test_group_goes_on_when_a_thread_beside_it_claims_what_is_held_here(hooks):
    seen = []
    bench = Bench(hooks)
    bench.expect_quick_handlers()

    @hooks.on("*", name="see")
    def see(event):
        seen.append(event.id)
        if len(seen) == 1:
            bench.clock.forward(61)
            beside = Pipeline(bench.worker.assignment, bench.worker.leases, None, only=[1, 2])
            for _ in range(2):
                assert beside.next() is None  # they are handled here already

    for number in range(2):
        bench.admit(message(f"event-{number}"))

    states = bench.worker.work()

    assert (seen, states) == (["event-0", "event-1"], {1: State.DONE, 2: State.DONE})
    assert bench.worker.leases.count == 0


def test_group_is_kept_while_the_inbox_is_away(hooks, away_once):
    seen = []
    bench = Bench(hooks)
    bench.expect_quick_handlers()

    @hooks.on("*", name="see")
    def see(event):
        seen.append(event.id)
        elapse(QUICK_S * 2)
        away_once(bench.inbox, "settle_and_claim", times=len(seen) == 1)

    for number in range(2):
        bench.admit(message(f"event-{number}"))
    with pytest.raises(Unavailable, match="away"):
        bench.worker.work()

    bench.worker.work()

    assert seen == ["event-0", "event-1"]
    assert {one.state for one in bench.inbox.find()} == {State.DONE}


def test_group_is_what_is_usually_handled_in_a_tenth_of_a_second(hooks, monkeypatch):
    now_s = [0.0]
    monkeypatch.setattr("hookkit.handling.worker.time.monotonic", lambda: now_s[0])

    @hooks.on("*", name="work")
    def work(event):
        now_s[0] += takes_s

    bench = Bench(hooks)
    sizes = [bench.worker.pipeline.group_size]
    for takes_s in [0.001] * 40 + [0.01] * 40 + [30.0]:  # noqa: B007  # the handler uses it
        bench.admit(message(f"event-{len(sizes)}"))
        bench.worker.work()
        sizes.append(bench.worker.pipeline.group_size)

    assert sizes[0] == 1
    assert sizes[40] == 64
    assert 9 <= sizes[80] <= 11
    assert sizes[81] == 1


def test_settlement_whose_answer_was_lost_loses_nothing_of_the_group(hooks):
    seen = []
    hooks.on("*", name="see")(lambda event: seen.append(event.id))
    bench = Bench(hooks)
    bench.expect_quick_handlers()
    for number in range(3):
        bench.admit(message(f"event-{number}"))
    settle_and_claim = bench.inbox.settle_and_claim

    def answer_lost(finished, terms, **how):
        told = settle_and_claim(finished, terms, **how)
        if finished:
            bench.inbox.settle_and_claim = settle_and_claim
            raise Unavailable("the connection broke after the commit")
        return told

    bench.inbox.settle_and_claim = answer_lost

    with pytest.raises(Unavailable, match="broke"):
        bench.worker.work()
    bench.worker.work()

    assert seen == ["event-0", "event-1", "event-2"]
    assert {(one.state, one.claim_count) for one in bench.inbox.find()} == {(State.DONE, 1)}


def test_settlements_of_quick_handlers_share_a_commit_with_the_next_claim(hooks, monkeypatch):
    for patience in ("AGE_S", "QUICK_S"):
        monkeypatch.setattr(f"hookkit.handling.pipeline.{patience}", 60.0)
    hooks.on("*", name="see")(lambda event: None)
    bench = Bench(hooks)
    bench.expect_quick_handlers()
    for number in range(130):
        bench.admit(message(f"event-{number}"))
    settle_and_claim, told = bench.inbox.settle_and_claim, []

    def note(finished, terms, **how):
        settled, claimed = settle_and_claim(finished, terms, **how)
        told.append((len(settled), len(claimed)))
        return settled, claimed

    monkeypatch.setattr(bench.inbox, "settle_and_claim", note)
    monkeypatch.setattr(Pipeline, "group_size", 64)

    bench.worker.work()

    assert told == [(0, 64), (48, 48), (48, 18), (34, 0)]


def test_what_a_caller_that_waits_has_not_begun_is_left_to_the_next(hooks, monkeypatch, away_once):
    monkeypatch.setattr("hookkit.handling.pipeline.WRITE_PAUSES_S", (0.0, 0.0))
    seen = []
    bench = Bench(hooks)

    @hooks.on("*", name="see")
    def see(event):
        seen.append(event.id)
        elapse(QUICK_S * 2)
        away_once(bench.inbox, "settle_and_claim", times=len(seen) == 1)

    for number in range(3):
        bench.admit(message(f"event-{number}"))
    with pytest.raises(Unavailable, match="away"):
        bench.worker.work(only=[1, 2, 3])

    states = bench.worker.work(only=[2, 3])

    assert (seen, states) == (
        ["event-0", "event-1", "event-2"],
        {2: State.DONE, 3: State.DONE},
    )
    assert {(one.state, one.claim_count) for one in bench.inbox.find()} == {(State.DONE, 1)}


def test_claim_that_comes_after_a_stop_begins_nothing_and_is_given_back(hooks, monkeypatch):
    seen = []
    hooks.on("*", name="see")(lambda event: seen.append(event.id))
    bench = Bench(hooks)
    bench.expect_quick_handlers()
    for number in range(3):
        bench.admit(message(f"event-{number}"))
    settle_and_claim, pipeline = bench.inbox.settle_and_claim, bench.worker.pipeline

    def stopped_meanwhile(*given, **how):
        told = settle_and_claim(*given, **how)
        pipeline.close()
        return told

    monkeypatch.setattr(bench.inbox, "settle_and_claim", stopped_meanwhile)

    states = bench.worker.work()
    pipeline.end()

    assert (seen, states) == ([], {})
    assert {(one.state, one.claim_count) for one in bench.inbox.find()} == {(State.PENDING, 0)}


def test_process_that_slept_past_its_leases_begins_nothing_of_what_it_had_claimed(
    hooks, monkeypatch
):
    seen, slept_s = [], [0.0]
    monotonic = time.monotonic
    monkeypatch.setattr("time.monotonic", lambda: monotonic() + slept_s[0])
    bench = Bench(hooks)
    bench.expect_quick_handlers()

    @hooks.on("*", name="sleep")
    def sleep(event):
        seen.append(event.id)
        slept_s[0] += 61

    for number in range(3):
        bench.admit(message(f"event-{number}"))
    states = bench.worker.work()

    assert (seen, states) == (["event-0"], {1: State.DONE})
    assert bench.worker.leases.count == 0


def test_renewed_lease_may_begin_however_long_ago_it_was_claimed(hooks, monkeypatch):
    seen, slept_s = [], [0.0]
    monotonic = time.monotonic
    monkeypatch.setattr("time.monotonic", lambda: monotonic() + slept_s[0])
    bench = Bench(hooks)
    bench.expect_quick_handlers()

    @hooks.on("*", name="sleep")
    def sleep(event):
        seen.append(event.id)
        slept_s[0] += 40
        bench.worker.leases.renew()

    for number in range(3):
        bench.admit(message(f"event-{number}"))
    bench.worker.work()

    assert seen == ["event-0", "event-1", "event-2"]


def test_claim_that_is_not_noted_yet_does_not_fence_the_thread_that_handles_it(hooks, monkeypatch):
    seen, settled = [], ThreadEvent()
    bench = Bench(hooks)
    settle_and_claim = bench.inbox.settle_and_claim
    threads = ThreadPoolExecutor(1)
    claimed = ThreadEvent()

    @hooks.on("*", name="see")
    def see(event):
        seen.append(event.id)
        if len(seen) == 1:
            bench.clock.forward(61)
            beside.append(threads.submit(bench.worker.work, only=[1]))
            assert claimed.wait(30)

    def note(finished, terms, **how):
        told = settle_and_claim(finished, terms, **how)
        if finished:
            settled.set()
        elif seen:
            claimed.set()
            assert settled.wait(30)  # it was found to belong to another claim
        return told

    beside = []
    monkeypatch.setattr(bench.inbox, "settle_and_claim", note)
    bench.admit(message("event-0"))

    states = bench.worker.work()
    others = [each.result(30) for each in beside]
    threads.shutdown()

    assert (seen, states, others) == (["event-0"], {1: State.DONE}, [{}])
    assert bench.worker.leases.count == 0


def test_settlements_that_are_being_written_count_among_those_that_wait(hooks, monkeypatch):
    monkeypatch.setattr(pipelines, "MAX_GROUP", 3)
    bench = Bench(hooks)
    pipeline, first, second, third = bench.finished_by_threads(3)
    pipeline._turn, wanted, happened = Turn(), ThreadEvent(), []

    def settle_third():
        pipeline.settle(third, took_s=0.0)
        happened.append("went on")
        wanted.set()

    def write(*given, told=bench.inbox.settle_and_claim, **how):
        if not happened:
            pipeline._turn.on_enter = wanted.set
            beside.append(threads.submit(settle_third))
            assert wanted.wait(30)
            happened.append("written")
        return told(*given, **how)

    monkeypatch.setattr(bench.inbox, "settle_and_claim", write)
    beside = []
    with ThreadPoolExecutor(1) as threads:
        for each in (first, second):
            pipeline.settle(each, took_s=0.0)
        pipeline.flush()
        beside[0].result(30)

    assert happened == ["written", "went on"]


def test_first_settlement_of_several_at_once_wakes_who_waits_for_it(hooks):
    bench = Bench(hooks)
    pipeline, first, second = bench.finished_by_threads(2)
    pipeline._changed, wanted = Turn(), ThreadEvent()

    class Queue(deque):
        def append(self, one):
            super().append(one)
            if one is first:
                pipeline._changed.on_enter = wanted.set
                beside.append(threads.submit(pipeline.settle, second, 0.0))
                assert wanted.wait(30)
            wanted.set()

    pipeline._settlements._waiting, beside = Queue(), []
    with ThreadPoolExecutor(1) as threads:
        pipeline.settle(first, took_s=0.0)
        beside[0].result(30)

    assert pipeline._changed.notified >= 1


def test_settlements_that_the_thread_of_the_leases_writes_are_reported_by_another(hooks):
    bench = Bench(hooks)
    pipeline, first = bench.finished_by_threads(1, ago_s=1.0)
    settled = []

    with signals.event_settled.connected_to(lambda sender, **what: settled.append(what), SENDER):
        pipeline._settlements.add(first)
        pipeline.flush_left()
        written, reported = bench.record().state, list(settled)
        pipeline.flush()

    assert (written, reported, len(settled)) == (State.DONE, [], 1)


def test_slow_handler_waits_until_its_settlement_is_written(hooks, monkeypatch):
    monkeypatch.setattr("hookkit.handling.pipeline.QUICK_S", -1.0)
    bench = Bench(hooks)
    done = []

    @hooks.on("*", name="look")
    def look(event):
        done.append(sum(one.state is State.DONE for one in bench.inbox.find()))

    bench.expect_quick_handlers()
    for number in range(3):
        bench.admit(message(f"event-{number}"))

    bench.worker.work()

    assert done == [0, 1, 2]


def test_entries_with_too_few_attempts_for_a_group_are_claimed_one_by_one(hooks, monkeypatch):
    retry = RetryPolicy(max_attempts=2)
    hooks.on("*", name="see", retry=retry)(lambda event: None)
    bench = Bench(hooks)
    bench.expect_quick_handlers()
    for number in range(2):
        bench.admit(message(f"event-{number}"))
    claims = []
    monkeypatch.setattr(
        bench.inbox,
        "settle_and_claim",
        lambda *given, told=bench.inbox.settle_and_claim, **how: (
            claims.append(told(*given, **how)) or claims[-1]
        ),
    )

    bench.worker.work()

    assert [[entry.claim_count for entry in claimed] for _, claimed in claims if claimed] == [
        [1],
        [1],
    ]
    assert {one.claim_count for one in bench.inbox.find()} == {1}


@pytest.mark.parametrize("permanent", [[ValueError], (ValueError(),), ValueError, ("ValueError",)])
def test_permanent_must_be_exceptions(permanent):
    with pytest.raises(ConfigurationError, match="permanent must be a tuple of exceptions"):
        RetryPolicy(permanent=permanent)


def test_retry_later_cannot_be_in_the_past():
    with pytest.raises(ValueError, match="must not be negative"):
        RetryLater(after=timedelta(seconds=-1))


def test_forked_child_does_not_keep_its_parents_leases(hooks):
    bench = Bench(hooks)
    bench.admit(message())

    @hooks.on("*", name="slow")
    def slow(event):
        bench.worker.after_fork()  # what a child does while its parent is in here
        bench.clock.forward(50)
        bench.worker.leases.renew()

    bench.worker.work()
    (record,) = bench.inbox.find()

    assert record.state is State.DONE
    assert bench.worker.leases.count == 0
