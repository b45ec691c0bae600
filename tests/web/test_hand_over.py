"""Deliveries that are handed to the threads of the process that received them."""

import logging
from datetime import UTC, datetime, timedelta
from threading import Event

import pytest

from hookkit import HookKit, RetryPolicy
from hookkit.core.attempts import Outcome
from hookkit.core.entry import State
from hookkit.handling import pipeline as pipelines
from hookkit.inbox.inbox import Inbox
from tests.applications import ENDPOINTS, make_app, message, post
from tests.waiting import DEADLINE_S, wait_until


class Place:
    """An application whose pool handles what its own client delivers."""

    def __init__(self, folder, hooks, **config):
        self.app = make_app(
            hooks,
            HOOKKIT_DATABASE=f"sqlite:///{folder}/inbox.db",
            **{"HOOKKIT_RUNNER": "thread", "HOOKKIT_WORKERS": 1} | config,
        )
        self.state = self.app.extensions["hookkit"]
        self.inbox = self.state.opening.inbox()
        self.leases = []
        admit = self.inbox.admit

        def note(envelope, lease=None):
            self.leases.append(lease)
            return admit(envelope, lease)

        self.inbox.admit = note

    def post(self, *event_ids):
        body = message(event_ids[0])
        body["events"] = [message(each)["events"][0] for each in event_ids]
        assert post(self.app.test_client(), body).status_code == 200

    def stands(self):
        return {each.event_id: each for each in self.inbox.find()}

    def all_done(self):
        return {each.state for each in self.stands().values()} == {State.DONE}


@pytest.fixture
def hooks():
    return HookKit()


@pytest.fixture
def places(tmp_path):
    opened = []

    def make(hooks, **config):
        opened.append(Place(tmp_path, hooks, **config))
        return opened[-1]

    yield make
    for each in opened:
        each.state.stop()


@pytest.fixture
def reads(monkeypatch):
    """The entries that were read from the inbox, and not handed over."""
    taken = []
    before = Inbox.settle_and_claim

    def note(self, *given, **how):
        settled, claimed = before(self, *given, **how)
        taken.extend(entry.event_id for entry in claimed)
        return settled, claimed

    monkeypatch.setattr(Inbox, "settle_and_claim", note)
    return taken


def test_event_is_handed_over_and_handled_without_being_claimed(hooks, places, reads):
    seen = []
    hooks.on("*", name="see")(lambda event: seen.append((event.id, event.received_at)))
    place = places(hooks)

    place.post("event-1", "event-2")
    wait_until(lambda: len(seen) == 2 and place.all_done())

    assert [lease is not None for lease in place.leases] == [True]
    assert reads == []
    stands = place.stands()
    assert seen == [(each, stands[each].received_at) for each in ("event-1", "event-2")]
    for each in stands.values():
        assert (each.claim_count, [(one.number, one.outcome) for one in each.attempts]) == (
            1,
            [(1, Outcome.SUCCEEDED)],
        )


def test_redelivery_is_not_handed_over_again(hooks, places):
    seen = []
    hooks.on("*", name="see")(lambda event: seen.append(event.id))
    place = places(hooks)

    for _ in range(3):
        place.post("event-1")
    place.post("event-1", "event-2")
    wait_until(lambda: len(seen) == 2 and place.all_done())

    assert seen == ["event-1", "event-2"]


@pytest.mark.parametrize("reason", ["lanes", "modes", "few attempts", "no pool"])
def test_event_is_left_to_claims_where_it_cannot_be_handed_over(hooks, places, reason):
    retry = RetryPolicy(max_attempts=2) if reason == "few attempts" else None
    seen = []
    hooks.on("*", name="see", ordered=reason == "lanes", retry=retry)(
        lambda event: seen.append(event.id)
    )
    endpoints = {"support": ENDPOINTS["support"] | {"versions": {"v2": "live"}}}
    config = {"HOOKKIT_ENDPOINTS": endpoints} if reason == "modes" else {}
    place = places(hooks, **config | ({"HOOKKIT_RUNNER": "none"} if reason == "no pool" else {}))

    place.post("event-1")

    assert place.leases == [None]
    if reason != "no pool":
        wait_until(lambda: seen == ["event-1"])


def test_no_more_than_a_few_wait_for_a_thread(hooks, places, monkeypatch):
    monkeypatch.setattr(pipelines, "MAX_HANDED_OVER", 2)
    begun, may_end, seen = Event(), Event(), []

    @hooks.on("*", name="wait")
    def wait(event):
        begun.set()
        assert may_end.wait(DEADLINE_S)
        seen.append(event.id)

    place = places(hooks)
    place.post("event-0")
    assert begun.wait(DEADLINE_S)
    for number in range(1, 5):
        place.post(f"event-{number}")
    may_end.set()
    wait_until(lambda: len(seen) == 5 and place.all_done())

    assert [lease is not None for lease in place.leases] == [True, True, True, False, False]
    assert sorted(seen) == [f"event-{number}" for number in range(5)]


def test_backlog_comes_before_what_arrives(hooks, places):
    begun, may_end, seen = Event(), Event(), []

    @hooks.on("*", name="wait")
    def wait(event):
        seen.append(event.id)
        begun.set()
        assert may_end.wait(DEADLINE_S)

    before = places(hooks, HOOKKIT_RUNNER="none")
    before.post("old-1", "old-2", "old-3")
    place = places(hooks)
    place.state.start()
    assert begun.wait(DEADLINE_S)

    place.post("new")
    may_end.set()
    wait_until(lambda: len(seen) == 4)

    assert place.leases == [None]
    assert seen[-1] == "new"


def test_what_a_stop_finds_waiting_is_given_back_at_once(hooks, places):
    begun, may_end = Event(), Event()

    @hooks.on("*", name="wait")
    def wait(event):
        begun.set()
        assert may_end.wait(DEADLINE_S)

    place = places(hooks)
    place.post("event-0")
    assert begun.wait(DEADLINE_S)
    place.post("event-1")
    assert place.stands()["event-1"].state is State.RUNNING
    give_back = place.inbox.give_back

    def go_on(*given, **how):
        give_back(*given, **how)
        may_end.set()

    place.inbox.give_back = go_on
    place.state.stop()

    stands = {name: (each.state, each.claim_count) for name, each in place.stands().items()}
    assert stands == {"event-0": (State.DONE, 1), "event-1": (State.PENDING, 0)}


def test_what_arrives_during_a_stop_is_given_back(hooks, places, caplog):
    caplog.set_level(logging.INFO)
    hooks.on("*", name="see")(lambda event: None)
    place = places(hooks)
    place.post("event-0")
    wait_until(place.all_done)
    offer = place.state.runner.offer

    def offer_and_stop():
        lease = offer()
        place.state.worker.pipeline.close()
        return lease

    place.state.runner.offer = offer_and_stop
    place.post("event-1")

    stood = place.stands()["event-1"]
    assert (stood.state, stood.claim_count, stood.attempts) == (State.PENDING, 0, ())


def test_event_of_a_process_that_died_is_handled_by_another_and_charged_nothing(
    hooks, places, monkeypatch
):
    seen = []
    hooks.on("*", name="see")(lambda event: seen.append(event.id))
    dead = places(hooks)
    dead.state.start()
    monkeypatch.setattr(dead.state.worker.pipeline, "take", lambda *given: None)
    dead.post("event-1")
    assert dead.stands()["event-1"].state is State.RUNNING

    place = places(hooks, HOOKKIT_RUNNER="none")
    clock = lambda: datetime.now(UTC) + timedelta(seconds=61)  # noqa: E731
    object.__setattr__(place.state.worker.assignment, "clock", clock)
    place.state.worker.work()

    stood = place.stands()["event-1"]
    assert (seen, stood.state, stood.claim_count) == (["event-1"], State.DONE, 1)
    assert [(one.number, one.outcome) for one in stood.attempts] == [(1, Outcome.SUCCEEDED)]


@pytest.fixture
def patient(monkeypatch):
    """Nothing is written because of its age, and no handler is slow."""
    for name in ("AGE_S", "LEFT_S", "QUICK_S"):
        monkeypatch.setattr(pipelines, name, 60.0)


def test_idle_thread_waits_for_deliveries_and_settles_all_of_them_together(hooks, places, patient):
    seen = []
    hooks.on("*", name="see")(lambda event: seen.append(event.id))
    place = places(hooks, HOOKKIT_WORKERS=4)
    # A thread that begins or looks by itself writes what another has left, if that does not wait.
    runner = place.state.runner
    runner._poll_s = DEADLINE_S
    place.state.start()
    wait_until(lambda: len(runner._condition._waiters) == 4)

    for number in range(1, 6):
        place.post(f"event-{number}")
        wait_until(lambda number=number: len(seen) == number)
        # A delivery that comes before would wake another thread.
        wait_until(lambda: place.state.worker.pipeline._is_lingering)
    before = {each.state for each in place.stands().values()}
    place.state.stop()

    assert before == {State.RUNNING}
    assert place.all_done()


def test_what_is_not_handed_over_does_not_wait_for_what_is(hooks, places, patient):
    seen = []
    hooks.on("*", name="see")(lambda event: seen.append(event.id))
    place = places(hooks)
    place.post("event-1")
    wait_until(lambda: seen == ["event-1"])

    place.state.runner.offer = lambda: None
    place.post("event-2")

    wait_until(lambda: place.all_done() and len(seen) == 2)
