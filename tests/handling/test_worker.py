"""What happens to a claimed entry, with a clock that stands still."""

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from threading import Event as ThreadEvent
from threading import Thread

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
from hookkit.core.entry import State
from hookkit.core.provider import split
from hookkit.handling.dispatch import MAX_ERROR_CHARS, Assignment, describe
from hookkit.handling.worker import Worker
from hookkit.inbox.opening import MEMORY, open_inbox
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


def test_settlement_survives_a_store_that_is_away_for_a_moment(hooks, monkeypatch):
    monkeypatch.setattr("hookkit.handling.worker.SETTLE_PAUSES_S", (0.0, 0.0, 0.0))
    calls = []
    hooks.on("*", name="good")(calls.append)
    bench = Bench(hooks)
    bench.admit(message())
    settle, failures = bench.inbox.settle, iter([Unavailable("away"), Unavailable("away")])

    def sometimes(entry, settlement, **how):
        for failure in failures:
            raise failure
        return settle(entry, settlement, **how)

    monkeypatch.setattr(bench.inbox, "settle", sometimes)

    bench.worker.work()

    assert (bench.record().state, len(calls)) == (State.DONE, 1)


def test_settlement_that_is_never_taken_leaves_the_entry_to_its_lease(hooks, monkeypatch):
    monkeypatch.setattr("hookkit.handling.worker.SETTLE_PAUSES_S", (0.0,))
    hooks.on("*", name="good")(lambda event: None)
    bench = Bench(hooks)
    bench.admit(message())

    def never(entry, settlement, **how):
        raise Unavailable("away")

    monkeypatch.setattr(bench.inbox, "settle", never)

    states = bench.worker.work()

    assert (bench.record().state, list(states.values())) == (State.RUNNING, [State.RUNNING])


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


def test_asking_for_later_ever_again_ends_as_a_dead_letter(hooks):
    @hooks.on("*", name="later")
    def later(event):
        raise RetryLater(after=timedelta(0))

    bench = Bench(hooks)
    bench.admit(message())

    states = [state for _ in range(5) for state in bench.worker.work().values()]

    assert states == [State.WAITING, State.WAITING, State.DEAD]


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


def test_entry_whose_lease_ran_out_behind_a_slow_one_is_asked_back_for(hooks):
    seen = []
    bench = Bench(hooks)

    @hooks.on("*", name="slow")
    def slow(event):
        seen.append(event.id)
        bench.clock.forward(61)

    bench.admit(message("event-1"))
    bench.admit(message("event-2"))
    bench.admit(message("event-3"))

    def steal_the_third(*pair, settle=bench.inbox.settle_and_begin, **how):
        settled = settle(*pair, **how)
        bench.inbox.claim(now=how["now"], lease_s=600, limit=1, endpoints=["support"], only=[3])
        return settled

    bench.inbox.settle_and_begin = steal_the_third

    states = bench.worker.work(limit=3)

    assert seen == ["event-1", "event-2"]  # the second was still free, the third was not
    assert list(states) == [1, 2]


def test_event_that_kills_its_worker_spends_no_attempt_of_those_claimed_with_it(hooks):
    hooks.on("*", name="see")(lambda event: None)
    bench = Bench(hooks)
    dying = Bench(hooks, bench.inbox)
    for number in range(3):
        bench.admit(message(f"event-{number}"))
    dying.worker._run = None  # so that nothing comes after the claim

    with pytest.raises(TypeError):
        dying.worker.work(limit=3)
    bench.clock.forward(61)
    alone = bench.worker.work(limit=3)
    others = bench.worker.work(limit=3)

    assert (list(alone), list(others)) == ([1], [2, 3])
    assert {
        record.event_id: [(each.number, each.outcome) for each in record.attempts]
        for record in bench.inbox.find()
    } == {
        "event-0": [(1, Outcome.LOST), (2, Outcome.SUCCEEDED)],
        "event-1": [(1, Outcome.SUCCEEDED)],
        "event-2": [(1, Outcome.SUCCEEDED)],
    }


def test_what_others_have_claimed_meanwhile_does_not_run(hooks):
    seen = []
    bench = Bench(hooks)

    @hooks.on("*", name="slow")
    def slow(event):
        seen.append(event.id)
        bench.clock.forward(61)
        bench.inbox.claim(
            now=bench.clock(), lease_s=60, limit=9, endpoints=["support"], only=[2, 3]
        )

    for number in range(3):
        bench.admit(message(f"event-{number}"))

    states = bench.worker.work(limit=3)

    assert (seen, states) == (["event-0"], {1: State.DONE})


def test_batch_goes_on_when_a_thread_beside_it_claims_what_is_being_settled(hooks):
    seen = []
    hooks.on("*", name="see")(lambda event: seen.append(event.id))
    bench = Bench(hooks)
    for number in range(2):
        bench.admit(message(f"event-{number}"))
    settle_and_begin = bench.inbox.settle_and_begin

    def claimed_beside(*pair, **how):
        bench.inbox.settle_and_begin = settle_and_begin
        bench.clock.forward(61)
        assert bench.worker.work() == {}  # the first runs here already
        return settle_and_begin(*pair, **how)

    bench.inbox.settle_and_begin = claimed_beside

    states = bench.worker.work(limit=2)

    assert (seen, states) == (["event-0", "event-1"], {1: State.DONE, 2: State.DONE})
    assert bench.worker.leases.count == 0


def test_batch_waits_for_an_inbox_that_is_away(hooks):
    seen = []
    hooks.on("*", name="see")(lambda event: seen.append(event.id))
    bench = Bench(hooks)
    for number in range(2):
        bench.admit(message(f"event-{number}"))
    _, second = bench.inbox.claim(
        now=bench.clock(), lease_s=60, limit=1, ahead=1, endpoints=["support"]
    )
    bench.worker._claimed_ahead.append(second)

    def away(entry, **how):
        del bench.inbox.begin
        raise Unavailable("locked")

    bench.inbox.begin = away

    with pytest.raises(Unavailable, match="locked"):
        bench.worker.work()

    assert (bench.worker.has_claimed_ahead, bench.worker.work()) == (True, {second.id: State.DONE})
    assert seen == ["event-1"]


def test_batch_is_what_is_usually_handled_in_a_tenth_of_a_second(hooks, monkeypatch):
    now_s = [0.0]
    monkeypatch.setattr("hookkit.handling.worker.time.monotonic", lambda: now_s[0])

    @hooks.on("*", name="work")
    def work(event):
        now_s[0] += takes_s

    bench = Bench(hooks)
    counts = [bench.worker.batch_size]
    for takes_s in [0.001] * 40 + [0.01] * 40 + [30.0]:  # noqa: B007  # the handler uses it
        bench.admit(message(f"event-{len(counts)}"))
        bench.worker.work()
        counts.append(bench.worker.batch_size)

    assert counts[0] == 1
    assert counts[40] == 32
    assert 9 <= counts[80] <= 11
    assert counts[81] == 1


def test_settlement_that_is_told_late_loses_nothing_of_the_batch(hooks, monkeypatch):
    monkeypatch.setattr("hookkit.handling.worker.SETTLE_PAUSES_S", (0.0, 0.0))
    seen = []
    hooks.on("*", name="see")(lambda event: seen.append(event.id))
    bench = Bench(hooks)
    for number in range(3):
        bench.admit(message(f"event-{number}"))
    settle_and_begin = bench.inbox.settle_and_begin

    def answer_lost(*pair, **how):
        bench.inbox.settle_and_begin = settle_and_begin
        settle_and_begin(*pair, **how)
        raise Unavailable("the connection broke after the commit")

    bench.inbox.settle_and_begin = answer_lost

    bench.worker.work(limit=3)

    assert seen == ["event-0", "event-1", "event-2"]
    assert {(one.state, one.claim_count) for one in bench.inbox.find()} == {(State.DONE, 1)}


def test_batch_of_a_settlement_that_the_store_never_takes_goes_on(hooks, monkeypatch):
    monkeypatch.setattr("hookkit.handling.worker.SETTLE_PAUSES_S", (0.0,))
    seen = []
    hooks.on("*", name="see")(lambda event: seen.append(event.id))
    bench = Bench(hooks)
    for number in range(3):
        bench.admit(message(f"event-{number}"))

    def away(*pair, **how):
        raise Unavailable("locked")

    bench.inbox.settle_and_begin = away

    states = bench.worker.work(limit=3)

    assert seen == ["event-0", "event-1", "event-2"]
    assert states == {1: State.RUNNING, 2: State.RUNNING, 3: State.DONE}


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
