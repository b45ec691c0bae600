"""Every inbox against a model of what ``hookkit.inbox.base`` says, over random lives.

The model is written from the text of the interface and shares no code with an inbox. Each life
has endpoints of its own, so that one database serves all of them.
"""

from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from hookkit.core.errors import ReplayRefused
from hookkit.core.filter import Filter
from hookkit.core.ledger import Outcome
from hookkit.core.states import State
from hookkit.inbox.memory import MemoryInbox
from tests.inbox.making import (
    after,
    attempt,
    dead,
    deliver,
    done,
    gave_up,
    item,
    kept,
    payload,
    succeeded,
    waiting,
)
from tests.scale import SCALE

WINDOW_S = 10
CLAIMABLE = (State.PENDING, State.WAITING, State.RUNNING)

#: Not a whole number of windows, so that lives begin amid one; numbered across all tests.
lives = count(1)


@dataclass
class ModelEntry:
    endpoint: str
    event_id: str
    delivery: int
    position: int
    text: str
    received: float
    body: bytes
    due: float | None
    id: int = 0
    state: State = State.PENDING
    claims: int = 0
    holder: int | None = None
    is_replay: bool = False
    conflicts: int = 0
    lost: int = 0
    succeeded: frozenset[str] = frozenset()
    gave_up: frozenset[str] = frozenset()
    attempts: list[tuple[int, str, Outcome]] = field(default_factory=list)

    @property
    def age(self) -> tuple[Any, ...]:
        return self.due, self.delivery, self.position


class Model:
    """What an inbox promises; times are seconds, a claim is told by its number."""

    def __init__(self):
        self.entries = {}
        self.kept = []
        self.conflicting = set()
        self.claim_count = 0

    def admit(self, now, endpoint, items, body):
        """Return for each item its entry, whether it is new, whether it conflicts."""
        delivery = len(self.kept)
        told = []
        for position, one in enumerate(items):
            found = self.entries.get((endpoint, one.event_id))
            if found is None and one.repeat_after_s is not None:
                found = self.entries.get((endpoint, one.previous_event_id))
                if found is not None and round(now - found.received, 3) >= one.repeat_after_s:
                    found = None
            is_new = found is None
            if found is None:
                found = ModelEntry(
                    endpoint, one.event_id, delivery, position, one.raw["text"], now, body, now
                )
                self.entries[endpoint, one.event_id] = found
            told.append((found, is_new, found.text != one.raw["text"]))
        conflicting = {id(entry): entry for entry, _, is_conflict in told if is_conflict}
        for entry in conflicting.values():
            entry.conflicts += 1
        has_new = any(is_new for _, is_new, _ in told)
        if has_new or (conflicting and (endpoint, body) not in self.conflicting):
            self.kept.append((body, bool(conflicting)))
        if conflicting:
            self.conflicting.add((endpoint, body))
        return told

    def claimable(self, now, endpoints, only):
        due = [
            entry
            for entry in self.entries.values()
            if entry.endpoint in endpoints
            and (only is None or entry.id in only)
            and (
                entry.state is State.PENDING
                or (entry.state is State.WAITING and (only is not None or entry.due <= now))
                or (entry.state is State.RUNNING and entry.due <= now)
            )
        ]
        return sorted(due, key=lambda entry: entry.age)

    def claim(self, now, lease, limit, endpoints, only):
        chosen = self.claimable(now, endpoints, only)
        if chosen and chosen[0].state is State.RUNNING:
            chosen = chosen[:1]  # its lease is over: alone
        else:
            chosen = [entry for entry in chosen if entry.state is not State.RUNNING]
        chosen = chosen[:limit]
        self.claim_count += 1
        for entry in chosen:
            entry.lost += entry.state is State.RUNNING
            entry.state, entry.due, entry.holder = State.RUNNING, now + lease, self.claim_count
            entry.claims += 1
        return chosen

    def renew(self, entry, holder, now, lease):
        if entry.holder != holder:
            return False
        entry.due = now + lease
        return True

    def settle(self, entry, holder, settlement, now):
        if entry.holder != holder:
            return False
        for each in settlement.attempts:
            entry.attempts.append((each.number, each.handler, each.outcome))
            if each.outcome in (Outcome.SUCCEEDED, Outcome.DISCARDED):
                entry.succeeded |= {each.handler}
            if each.outcome is Outcome.GAVE_UP:
                entry.gave_up |= {each.handler}
        entry.state, entry.holder, entry.lost = settlement.state, None, 0
        is_waiting = settlement.state is State.WAITING
        entry.due = now + settlement.retry_after_s if is_waiting else None
        return True

    def replay(self, entry, now):
        if entry.state in (State.PENDING, State.RUNNING):
            return False
        if entry.state is State.DONE:
            entry.succeeded = frozenset()
        entry.gave_up = frozenset()
        entry.state, entry.due, entry.claims, entry.is_replay = State.PENDING, now, 0, True
        entry.lost = 0
        return True

    def next_due(self, endpoints):
        due = [
            entry.due
            for entry in self.entries.values()
            if entry.endpoint in endpoints and entry.state in CLAIMABLE
        ]
        return min(due, default=None)


some_items = st.lists(
    st.tuples(st.sampled_from("abcde"), st.sampled_from("xy"), st.booleans()),
    min_size=1,
    max_size=4,
)
some_endpoints = st.sets(st.sampled_from("st"), min_size=1)
some_outcomes = st.dictionaries(
    st.sampled_from(["greet", "store", ""]),
    st.tuples(st.sampled_from(Outcome), st.integers(1, 3)),
    max_size=3,
)
some_seconds = st.sampled_from(
    [0.001, 0.999, 5, WINDOW_S, 30, 60, 60, 3600, -0.001, -5, -60, -3600]
)
some_leases = st.sampled_from([1, 60])
an_index = st.integers(0, 6)


class Life(RuleBasedStateMachine):
    """One inbox and one model, told the same; they must answer the same."""

    def __init__(self, inbox):
        super().__init__()
        self.inbox = inbox
        self.model = Model()
        self.now = 0.0
        self.held = []  # (entry as it was claimed, entry of the model, number of the claim)
        self.known = []
        self.kept_before = len(kept(inbox))
        self.counted_before = inbox.counts()

    @initialize()
    def begin(self):
        number = next(lives)
        self.names = {"s": f"support-{number}", "t": f"sales-{number}"}

    @rule(endpoint=st.sampled_from("st"), told=some_items)
    def admit(self, endpoint, told):
        name, now = self.names[endpoint], after(self.now)
        of = payload(name, now)
        items = [
            item(
                # Of one event it holds forever whether its vendor gives it an id.
                f"r-{letter}" if is_repeating else letter,
                text=text,
                of=of,
                repeat_after_s=WINDOW_S if is_repeating else None,
            )
            for letter, text, is_repeating in told
        ]
        envelope = deliver(*items, endpoint=name, received_at=now)

        receipt = self.inbox.admit(envelope)
        expected = self.model.admit(self.now, name, items, envelope.body)

        assert len(receipt.admitted) == len(expected)
        for said, (entry, is_new, is_conflict) in zip(receipt.admitted, expected, strict=True):
            if is_new:
                entry.id = said.entry_id
                self.known.append(entry)
            assert (said.entry_id, said.event_id) == (entry.id, entry.event_id)
            assert (said.is_new, said.is_conflict) == (is_new, is_conflict)
            assert said.state is entry.state

    @rule(seconds=some_seconds)
    def set_the_clock(self, seconds):
        self.now = round(self.now + seconds, 3)

    @precondition(lambda self: self.known)
    @rule(index=an_index, early=st.sampled_from([0, 0.001]), is_of_window=st.booleans())
    def set_the_clock_to_an_edge(self, index, early, is_of_window):
        entry = self.known[-1 - index % len(self.known)]
        moment = entry.received + WINDOW_S if is_of_window or entry.due is None else entry.due
        self.now = round(moment - early, 3)

    @rule(limit=st.integers(0, 4), endpoints=some_endpoints, lease=some_leases)
    def claim(self, limit, endpoints, lease):
        self._claim(limit, {self.names[endpoint] for endpoint in endpoints}, lease)

    @rule(
        limit=st.integers(1, 6),
        endpoints=some_endpoints,
        lease=some_leases,
        only=st.sets(st.integers(0, 12), max_size=8),
    )
    def claim_these(self, limit, endpoints, lease, only):
        # Now and then an id that nobody has.
        ids = [*(entry.id for entry in self.known), 10**6]
        these = {ids[index % len(ids)] for index in only}

        self._claim(limit, {self.names[endpoint] for endpoint in endpoints}, lease, these)

    def _claim(self, limit, endpoints, lease, only=None):
        claimed = self.inbox.claim(
            now=after(self.now), lease_s=lease, limit=limit, endpoints=endpoints, only=only
        )
        expected = self.model.claim(self.now, lease, limit, endpoints, only)

        assert [
            (one.id, one.endpoint, one.event_id, one.position, one.received_at, one.body)
            for one in claimed
        ] == [
            (one.id, one.endpoint, one.event_id, one.position, after(one.received), one.body)
            for one in expected
        ]
        assert [
            (one.claims, one.lost_claims, succeeded(one), gave_up(one), one.replay > 0)
            for one in claimed
        ] == [(one.claims, one.lost, one.succeeded, one.gave_up, one.is_replay) for one in expected]
        holder = self.model.claim_count
        self.held += [(*pair, holder) for pair in zip(claimed, expected, strict=True)]
        return claimed

    @precondition(lambda self: self.held)
    @rule(index=an_index, lease=some_leases)
    def renew(self, index, lease):
        claimed, entry, holder = self.held[-1 - index % len(self.held)]

        was_renewed = self.inbox.renew(claimed, now=after(self.now), lease_s=lease)

        assert was_renewed == self.model.renew(entry, holder, self.now, lease)

    @precondition(lambda self: self.held)
    @rule(index=an_index, make=st.sampled_from([done, waiting, dead]), results=some_outcomes)
    def settle(self, index, make, results):
        claimed, entry, holder = self.held[-1 - index % len(self.held)]
        settlement = make(
            *(
                attempt(handler, outcome, number=number)
                for handler, (outcome, number) in results.items()
            )
        )

        was_settled = self.inbox.settle(claimed, settlement, now=after(self.now))

        assert was_settled == self.model.settle(entry, holder, settlement, self.now)

    @precondition(lambda self: self.known)
    @rule(index=an_index, is_settled=st.booleans())
    def replay(self, index, is_settled):
        settled = [entry for entry in self.known if entry.holder is None and entry.claims]
        among = (is_settled and settled) or self.known
        entry = among[index % len(among)]
        was_replayed = True

        try:
            self.inbox.replay(entry.id, now=after(self.now))
        except ReplayRefused:
            was_replayed = False

        assert was_replayed == self.model.replay(entry, self.now)

    @rule()
    def replay_what_is_not_there(self):
        with pytest.raises(ReplayRefused):
            self.inbox.replay(10**6, now=after(self.now))

    @invariant()
    def entries_agree(self):
        found = [one for name in self.names.values() for one in self._find(name)]

        assert {one.id: self._told_by_the_inbox(one) for one in found} == {
            entry.id: self._told_by_the_model(entry) for entry in self.known
        }
        assert len(found) == len(self.known)

    @invariant()
    def counts_agree(self):
        counted = self.inbox.counts()
        states = [entry.state for entry in self.known]

        assert {state: counted[state] - self.counted_before[state] for state in State} == {
            state: states.count(state) for state in State
        }

    @invariant()
    def what_is_due_next_agrees(self):
        for endpoints in ({self.names["s"]}, set(self.names.values())):
            expected = self.model.next_due(endpoints)

            due_at = self.inbox.next_due_at(endpoints)
            has_due = self.inbox.has_due(endpoints, now=after(self.now))

            assert has_due == bool(self.model.claimable(self.now, endpoints, None))
            assert due_at == (None if expected is None else after(expected))

    @precondition(lambda self: self.known)
    @rule(state=st.sampled_from(State), limit=st.integers(1, 5))
    def find(self, state, limit):
        name = self.names["s"]
        there = [each for each in self.known if each.endpoint == name and each.state is state]
        delivery_of = {entry.id: entry.delivery for entry in there}

        found = [one.id for one in self.inbox.find(Filter(endpoint=name, state=state), limit=limit)]

        # Newest first; the items of one delivery are of one age.
        newest = sorted(delivery_of.values(), reverse=True)[:limit]
        assert [delivery_of[each] for each in found] == newest
        assert len(set(found)) == len(found)

    def _find(self, name):
        return self.inbox.find(Filter(endpoint=name), limit=1000)

    def _told_by_the_inbox(self, one):
        attempts = [(each.number, each.handler, each.outcome) for each in one.attempts]
        return (
            *(one.endpoint, one.event_id, one.state, one.attempt_count, one.conflicts),
            *(one.received_at, one.next_attempt_at, attempts),
        )

    def _told_by_the_model(self, entry):
        next_at = after(entry.due) if entry.state is State.WAITING else None
        return (
            *(entry.endpoint, entry.event_id, entry.state, entry.claims, entry.conflicts),
            *(after(entry.received), next_at, entry.attempts),
        )

    def teardown(self):
        """Claim all that is left, in whatever order it is due, and settle it."""
        if not hasattr(self, "names"):
            return
        self.now += 10**5
        while self._claim(2, set(self.names.values()), 60):
            for claimed, entry, holder in self.held[-2:]:
                if entry.holder == holder:
                    assert self.inbox.settle(claimed, done(), now=after(self.now))
                    assert self.model.settle(entry, holder, done(), self.now)
        self.entries_agree()
        assert all(entry.state in (State.DONE, State.DEAD) for entry in self.known)
        assert kept(self.inbox)[self.kept_before :] == self.model.kept


def test_inbox_and_model_never_differ(inbox):
    is_memory = isinstance(inbox, MemoryInbox)
    is_sqlite = not is_memory and inbox._transactions.engine.dialect.name == "sqlite"
    # By what a step costs on each.
    lives_of = 150 if is_memory else 25 if is_sqlite else 12
    run_state_machine_as_test(
        lambda: Life(inbox),
        settings=settings(
            max_examples=lives_of * SCALE,
            stateful_step_count=40,
            derandomize=True,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
