"""Attempts, due times, lanes and transactions of handlers, with a clock that stands still."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from threading import Event as ThreadEvent

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import text

from hookkit import Discard, HookKit, RetryLater, RetryPolicy, Unavailable
from hookkit.core.attempts import Outcome
from hookkit.core.entry import State
from hookkit.inbox.opening import open_inbox
from tests.applications import message
from tests.handling.test_worker import Bench

SOON = RetryPolicy(max_attempts=5, first_delay_s=10, factor=1, max_delay_s=10, jitter=0)
LATE = RetryPolicy(max_attempts=2, first_delay_s=100, factor=1, max_delay_s=100, jitter=0)


@pytest.fixture
def hooks():
    return HookKit()


class Failing:
    """A handler that fails so many times, and notes when it was called."""

    def __init__(self, hooks, name, times, **options):
        self.at = []
        self.times = times
        self.bench = None
        hooks.on("*", name=name, **options)(self)

    def __call__(self, event, run):
        self.at.append((run.attempt, self.bench.elapsed()))
        if len(self.at) <= self.times:
            raise ValueError("not yet")


class TimedBench(Bench):
    """A bench that knows how many seconds have passed."""

    def __init__(self, hooks, *handlers, inbox=None):
        super().__init__(hooks, inbox)
        self.began = self.clock()
        for handler in handlers:
            handler.bench = self

    def elapsed(self):
        return (self.clock() - self.began).total_seconds()

    def work_until(self, seconds, step=10):
        """Let the worker try every so many seconds; return the states that it came to."""
        states = []
        while self.elapsed() <= seconds:
            states += [state.value for state in self.worker.work().values()]
            self.clock.forward(step)
        return states


def test_each_handler_has_due_times_of_its_own(hooks):
    soon = Failing(hooks, "soon", 2, retry=SOON)
    late = Failing(hooks, "late", 1, retry=LATE)
    bench = TimedBench(hooks, soon, late)
    bench.admit(message())

    states = bench.work_until(120)

    assert soon.at == [(1, 0), (2, 10), (3, 20)]
    assert late.at == [(1, 0), (2, 100)]
    assert states == ["waiting", "waiting", "waiting", "done"]


def test_each_handler_has_attempts_of_its_own(hooks):
    soon = Failing(hooks, "soon", 4, retry=SOON)
    late = Failing(hooks, "late", 9, retry=LATE)
    bench = TimedBench(hooks, soon, late)
    bench.admit(message())

    states = bench.work_until(200)

    assert [attempt for attempt, _ in soon.at] == [1, 2, 3, 4, 5]
    assert late.at == [(1, 0), (2, 100)]
    assert states[-1] == "dead"
    assert bench.results()[-1] == (2, "late", Outcome.FAILED)


def test_entry_waits_for_the_handler_that_is_due_first(hooks):
    soon = Failing(hooks, "soon", 1, retry=SOON)
    late = Failing(hooks, "late", 1, retry=LATE)
    bench = TimedBench(hooks, soon, late)
    bench.admit(message())

    next_at = []
    for _ in range(2):
        bench.worker.work()
        next_at.append((bench.record().next_attempt_at - bench.began).total_seconds())
        bench.clock.forward(10)

    assert next_at == [10, 100]


def test_time_that_a_handler_asks_for_is_its_own(hooks):
    calls = []

    @hooks.on("*", name="closed", retry=SOON)
    def closed(event, run):
        calls.append("closed")
        if run.attempt == 1:
            raise RetryLater(after=timedelta(seconds=1000))

    soon = Failing(hooks, "soon", 1, retry=SOON)
    bench = TimedBench(hooks, soon)
    bench.admit(message())

    bench.work_until(990)
    before = list(calls)
    bench.work_until(1010)

    assert soon.at == [(1, 0), (2, 10)]
    assert (before, calls) == (["closed"], ["closed", "closed"])


def test_lost_claim_is_an_attempt_of_those_that_were_due_and_of_no_other(hooks):
    soon = Failing(hooks, "soon", 1, retry=SOON)
    late = Failing(hooks, "late", 1, retry=RetryPolicy(first_delay_s=1000, jitter=0))
    good = Failing(hooks, "good", 0)
    bench = TimedBench(hooks, soon, late, good)
    bench.admit(message())
    bench.worker.work()
    bench.clock.forward(10)
    bench.inbox.claim(now=bench.clock(), lease_s=60, limit=1, endpoints=["support"])
    bench.clock.forward(60)

    bench.worker.work()
    bench.clock.forward(1000)
    bench.worker.work()

    assert bench.results()[3:] == [
        (2, "soon", Outcome.LOST),
        (3, "soon", Outcome.SUCCEEDED),
        (2, "late", Outcome.SUCCEEDED),
    ]
    assert len(good.at) == 1


def test_lost_claims_are_no_more_than_the_attempts_that_were_left(hooks):
    late = Failing(hooks, "late", 0, retry=LATE)
    soon = Failing(hooks, "soon", 0, retry=SOON)
    bench = TimedBench(hooks, late, soon)
    bench.admit(message())
    for _ in range(3):
        bench.inbox.claim(now=bench.clock(), lease_s=60, limit=1, endpoints=["support"])
        bench.clock.forward(60)

    states = bench.worker.work()

    assert bench.results() == [
        *((number, "late", Outcome.LOST) for number in (1, 2)),
        *((number, "soon", Outcome.LOST) for number in (1, 2, 3)),
        (4, "soon", Outcome.SUCCEEDED),
    ]
    assert (late.at, list(states.values())) == ([], [State.DEAD])


def test_replay_of_chosen_handlers_runs_no_other(hooks):
    first, second = Failing(hooks, "first", 0), Failing(hooks, "second", 0)
    bench = TimedBench(hooks, first, second)
    bench.admit(message())
    bench.worker.work()

    bench.inbox.replay(bench.record().id, now=bench.clock(), handlers=["second"])
    states = bench.worker.work()

    assert (len(first.at), len(second.at)) == (1, 2)
    assert list(states.values()) == [State.DONE]


def test_replay_of_chosen_handlers_leaves_an_entry_dead_that_another_has_failed(hooks):
    broken = Failing(hooks, "broken", 9, retry=RetryPolicy(max_attempts=1))
    other = Failing(hooks, "other", 0)
    bench = TimedBench(hooks, broken, other)
    bench.admit(message())
    bench.worker.work()

    bench.inbox.replay(bench.record().id, now=bench.clock(), handlers=["other"])
    by_choice = bench.worker.work()
    bench.inbox.replay(bench.record().id, now=bench.clock())
    broken.times = 0
    by_all = bench.worker.work()

    assert [*by_choice.values(), *by_all.values()] == [State.DEAD, State.DONE]
    assert (len(broken.at), len(other.at)) == (2, 2)


def test_replay_before_the_delay_is_over_runs_at_once(hooks):
    late = Failing(hooks, "late", 1, retry=LATE)
    bench = TimedBench(hooks, late)
    bench.admit(message())
    bench.worker.work()

    bench.inbox.replay(bench.record().id, now=bench.clock())
    states = bench.worker.work()

    assert late.at == [(1, 0), (1, 0)]
    assert list(states.values()) == [State.DONE]


def test_entry_that_is_asked_for_runs_handlers_that_are_not_due(hooks):
    late = Failing(hooks, "late", 1, retry=LATE)
    bench = TimedBench(hooks, late)
    bench.admit(message())
    bench.worker.work()

    states = bench.worker.work(only=[bench.record().id])

    assert (late.at, list(states.values())) == ([(1, 0), (2, 0)], [State.DONE])


def test_application_with_an_ordered_handler_works_in_lanes(hooks):
    seen = []

    @hooks.on("*", name="write", ordered=True, retry=LATE)
    def write(event, run):
        seen.append((event.id, run.attempt))
        if event.id == "event-1" and run.attempt == 1:
            raise ValueError("not yet")

    bench = TimedBench(hooks)
    for number in (1, 2):
        bench.admit(message(f"event-{number}"))

    first = bench.worker.work()
    held_up = bench.worker.work()
    bench.clock.forward(100)
    rest = bench.worker.work()

    assert (list(first.values()), held_up) == ([State.WAITING], {})
    assert list(rest.values()) == [State.DONE, State.DONE]
    assert seen == [("event-1", 1), ("event-1", 2), ("event-2", 1)]


def test_application_without_an_ordered_handler_does_not(hooks):
    Failing(hooks, "late", 1, retry=LATE).bench = bench = TimedBench(hooks)
    for number in (1, 2):
        bench.admit(message(f"event-{number}"))

    assert len(bench.worker.work(limit=10)) == 2


# Transactional handlers


@pytest.fixture
def sql_inbox(tmp_path):
    opened = open_inbox(f"sqlite:///{tmp_path}/inbox.db")
    with opened._transactions.write() as connection:
        connection.execute(text("CREATE TABLE effects (event_id TEXT)"))
    yield opened
    opened.close()


def effects(inbox):
    with inbox._transactions.read() as connection:
        return list(connection.execute(text("SELECT event_id FROM effects")).scalars())


def book(hooks, raises=(), **options):
    """Register a transactional handler; its attempts raise these, None is nothing."""
    left = list(raises)

    @hooks.on("*", name="book", transactional=True, **options)
    def write(event, run):
        run.connection.execute(text("INSERT INTO effects VALUES (:id)"), {"id": event.id})
        error = left.pop(0) if left else None
        if error is not None:
            raise error


def test_effects_of_a_failed_attempt_are_gone_and_those_of_its_retry_stay(hooks, sql_inbox):
    book(hooks, [ValueError("not yet")])
    bench = TimedBench(hooks, inbox=sql_inbox)
    bench.admit(message())

    states = [*bench.worker.work().values()]
    between = effects(sql_inbox)
    bench.clock.forward(5)
    states += bench.worker.work().values()

    assert (between, effects(sql_inbox)) == ([], ["event-1"])
    assert states == [State.WAITING, State.DONE]
    assert bench.results() == [(1, "book", Outcome.FAILED), (2, "book", Outcome.SUCCEEDED)]


def test_effects_of_a_discarded_event_are_gone(hooks, sql_inbox):
    book(hooks, [Discard("a test order")])
    bench = TimedBench(hooks, inbox=sql_inbox)
    bench.admit(message())

    states = bench.worker.work()

    assert (effects(sql_inbox), list(states.values())) == ([], [State.DONE])
    assert bench.results() == [(1, "book", Outcome.DISCARDED)]


def test_handler_that_would_commit_by_itself_has_failed_and_is_told_why(hooks, sql_inbox):
    hooks.on("*", name="hasty", transactional=True)(lambda event, run: run.connection.commit())
    bench = TimedBench(hooks, inbox=sql_inbox)
    bench.admit(message())

    bench.worker.work()

    (recorded,) = bench.record().attempts
    assert recorded.outcome is Outcome.FAILED
    assert "must neither commit nor roll back run.connection" in recorded.error


def test_only_a_transactional_handler_has_a_connection(hooks, sql_inbox):
    connections = []
    hooks.on("*", name="plain")(lambda event, run: connections.append(run.connection))
    bench = TimedBench(hooks, inbox=sql_inbox)
    bench.admit(message())

    bench.worker.work()

    assert connections == [None]


def test_success_whose_settlement_was_lost_is_not_repeated(hooks, sql_inbox, monkeypatch):
    book(hooks)
    plain = Failing(hooks, "plain", 0)
    dying = TimedBench(hooks, plain, inbox=sql_inbox)
    dying.admit(message())
    settle_and_claim = sql_inbox.settle_and_claim

    def never(finished, terms, **how):
        if finished:
            raise Unavailable("away")
        return settle_and_claim(finished, terms, **how)

    sql_inbox.settle_and_claim = never
    with pytest.raises(Unavailable, match="away"):
        dying.worker.work()
    sql_inbox.settle_and_claim = settle_and_claim
    bench = TimedBench(hooks, plain, inbox=sql_inbox)
    bench.clock.forward(61)
    states = bench.worker.work()

    assert (effects(sql_inbox), len(plain.at)) == (["event-1"], 2)
    assert list(states.values()) == [State.DONE]
    assert bench.results() == [
        (1, "book", Outcome.SUCCEEDED),
        (1, "plain", Outcome.SUCCEEDED),
    ]


def test_store_that_is_away_at_the_commit_is_a_failed_attempt(hooks, sql_inbox):
    book(hooks)
    bench = TimedBench(hooks, inbox=sql_inbox)
    bench.admit(message())
    transact = sql_inbox.transact

    def commit_and_go_away(entry, work):
        transact(entry, work)
        raise Unavailable("the connection broke while it answered")

    sql_inbox.transact = commit_and_go_away
    first = bench.worker.work()
    sql_inbox.transact = transact
    bench.clock.forward(5)
    second = bench.worker.work()

    assert [*first.values(), *second.values()] == [State.WAITING, State.DONE]
    assert effects(sql_inbox) == ["event-1"]


def test_fenced_worker_keeps_no_effects_and_runs_no_further_handler(hooks, sql_inbox, caplog):
    bench = TimedBench(hooks, inbox=sql_inbox)
    overtaken, further = ThreadEvent(), []

    @hooks.on("*", name="slow")
    def slow(event):
        bench.clock.forward(61)
        sql_inbox.claim(now=bench.clock(), lease_s=60, limit=1, endpoints=["support"])
        overtaken.set()

    book(hooks)
    hooks.on("*", name="further")(further.append)
    bench.admit(message())

    states = bench.worker.work()

    assert overtaken.is_set()
    assert (effects(sql_inbox), further, bench.results()) == ([], [], [])
    assert list(states.values()) == [State.RUNNING]
    assert "settle_fenced" in [getattr(each, "action", None) for each in caplog.records]


def test_when_that_raises_opens_no_transaction(hooks, sql_inbox):
    book(hooks, when=lambda event: 1 / 0)
    bench = TimedBench(hooks, inbox=sql_inbox)
    bench.admit(message())

    bench.worker.work()

    assert effects(sql_inbox) == []
    assert bench.results() == [(1, "book", Outcome.FAILED)]


def test_transactional_handlers_of_one_event_are_committed_one_by_one(hooks, sql_inbox):
    book(hooks)

    @hooks.on("*", name="other", transactional=True, retry=RetryPolicy(max_attempts=1))
    def other(event, run):
        run.connection.execute(text("INSERT INTO effects VALUES ('other')"))
        raise ValueError

    bench = TimedBench(hooks, inbox=sql_inbox)
    bench.admit(message())

    states = bench.worker.work()

    assert (effects(sql_inbox), list(states.values())) == (["event-1"], [State.DEAD])


# Bodies that cannot be read


def test_event_whose_key_is_missing_is_a_dead_letter_that_a_replay_runs(hooks, tmp_path):
    seen = []
    hooks.on("conversation:message", name="see")(lambda event: seen.append(event.id))
    url, key = f"sqlite:///{tmp_path}/inbox.db", Fernet.generate_key().decode()
    with_key = open_inbox(url, encryption_keys=[key])
    TimedBench(hooks, inbox=with_key).admit(message())
    without = open_inbox(url)
    bench = TimedBench(hooks, inbox=without)

    states = bench.work_until(100, step=1)
    recorded = bench.record().attempts
    without.close()
    bench = TimedBench(hooks, inbox=with_key)
    with_key.replay(bench.record().id, now=bench.clock())
    again = bench.worker.work()
    with_key.close()

    assert states == ["waiting", "waiting", "dead"]
    assert {(each.handler, each.outcome) for each in recorded} == {("", Outcome.FAILED)}
    assert [each.number for each in recorded] == [1, 2, 3]
    assert "HOOKKIT_ENCRYPTION_KEYS" in recorded[0].error
    assert key not in recorded[0].error
    assert (list(again.values()), seen) == ([State.DONE], ["event-1"])


def test_lanes_of_two_conversations_run_side_by_side(hooks):
    together = Barrier(2)
    hooks.on("*", name="meet", ordered=True)(lambda event: together.wait(30))
    bench = TimedBench(hooks)
    for number in (1, 2):
        body = message(f"event-{number}")
        body["events"][0]["payload"]["conversation"]["id"] = f"conversation-{number}"
        bench.admit(body)

    with ThreadPoolExecutor(2) as pool:
        states = [pool.submit(bench.worker.work) for _ in range(2)]

    assert {state for each in states for state in each.result().values()} == {State.DONE}
