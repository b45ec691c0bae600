"""Every inbox against a model of what ``hookkit.inbox.inbox`` says, over random lives.

One database serves all lives: each begins with an empty inbox, and endpoints of its own.
"""

from dataclasses import replace
from itertools import count

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

from hookkit.core.attempts import Outcome
from hookkit.core.entry import Filter, State
from hookkit.core.errors import ReplayRefused
from hookkit.inbox.records import Terms
from hookkit.inbox.sql.tables import attempts, deliveries, entries
from tests.inbox.making import (
    NOW,
    after,
    attempt,
    dead,
    deliver,
    done,
    item,
    kept,
    payload,
    waiting,
)
from tests.inbox.model import Model
from tests.scale import times

WINDOW_S = 10
#: Of one event it holds forever in which lane it is.
LANES = {"a": "l-1", "b": "l-1", "c": "l-1", "d": "l-2", "e": None}
#: What it is about; of the others that is their own content.
SUBJECTS = {"a": "status", "b": "status"}

#: Not a whole number of windows, so that lives begin amid one; numbered across all tests.
lives = count(1)


some_items = st.lists(
    st.tuples(st.sampled_from("abcde"), st.sampled_from("xy"), st.booleans()),
    min_size=1,
    max_size=4,
)
some_endpoints = st.sets(st.sampled_from("st"), min_size=1)
some_outcomes = st.dictionaries(
    st.sampled_from(["greet", "store", ""]),
    st.tuples(st.sampled_from(Outcome), st.integers(1, 3), st.sampled_from([None, 5, 3600])),
    max_size=3,
)
some_seconds = st.sampled_from(
    [0.001, 0.999, 5, WINDOW_S, 30, 60, 60, 3600, -0.001, -5, -60, -3600]
)
some_terms = st.fixed_dictionaries(
    {
        "in_lanes": st.booleans(),
        "max_attempts": st.sampled_from([None, 1, 3, 4, 9]),
        "takes_lost": st.booleans(),
        "takes_alone": st.booleans(),
    }
)
some_leases = st.sampled_from([1, 60])
some_handlers = st.none() | st.frozensets(st.sampled_from(["greet", "store"]), min_size=1)
an_index = st.integers(0, 6)


class Life(RuleBasedStateMachine):
    """One inbox and one model, told the same; they must answer the same."""

    def __init__(self, inbox):
        super().__init__()
        self.inbox = inbox
        empty(inbox)  # a life that ended in an error has left its own
        self.model = Model()
        self.now = 0.0
        self.held = []  # (entry as it was claimed, entry of the model, number of the claim)
        self.known = []

    @initialize()
    def name_the_endpoints(self):
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
                lane=LANES[letter],
                repeat_after_s=WINDOW_S if is_repeating else None,
            ).about(SUBJECTS.get(letter))
            for letter, text, is_repeating in told
        ]
        envelope = deliver(*items, endpoint=name, received_at=now)

        receipt = self.inbox.admit(envelope)
        expected = self.model.admit(self.now, name, items, envelope.body)

        assert len(receipt.admitted) == len(expected)
        for said, (entry, is_new, is_conflict) in zip(receipt.admitted, expected, strict=True):
            if is_new:
                entry.id = said.entry_id
                if entry.event_id.startswith("again-"):
                    self.model.give_id(entry, said.event_id)
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

    @rule(limit=st.integers(0, 4), endpoints=some_endpoints, lease=some_leases, how=some_terms)
    def claim(self, limit, endpoints, lease, how):
        names = {self.names[endpoint] for endpoint in endpoints}

        self._claim(limit, names, lease, **how)

    @rule(
        limit=st.integers(1, 4),
        endpoints=some_endpoints,
        lease=some_leases,
        only=st.sets(st.integers(0, 12), max_size=8),
        how=some_terms,
    )
    def claim_these(self, limit, endpoints, lease, only, how):
        # Now and then an id that nobody has.
        ids = [*(entry.id for entry in self.known), 10**6]
        these = {ids[index % len(ids)] for index in only}

        names = {self.names[endpoint] for endpoint in endpoints}
        self._claim(limit, names, lease, these, **how)

    def _claim(self, limit, endpoints, lease, only=None, *, finished=(), **how):
        """Settle *finished*, and claim by the same commit."""
        terms = Terms(endpoints=endpoints, lease_s=lease, limit=limit, only=only, **how)
        settled, claimed = self.inbox.settle_and_claim(
            [(claimed, settlement) for claimed, _, _, settlement in finished],
            terms,
            now=after(self.now),
            in_lanes=how["in_lanes"],
        )
        assert settled == self.model.settle(
            [(entry, holder, settlement) for _, entry, holder, settlement in finished],
            self.now,
            in_lanes=how["in_lanes"],
        )
        expected = self.model.claim(self.now, lease, limit, endpoints, only, **how)

        assert [
            (one.id, one.endpoint, one.event_id, one.position, one.received_at, one.body)
            for one in claimed
        ] == [
            (one.id, one.endpoint, one.event_id, one.position, after(one.received), one.body)
            for one in expected
        ]
        assert [
            (one.claim_count, one.lost_claim_count, told_tries(one), one.replays, one.chosen)
            for one in claimed
        ] == [
            (
                # Told as it will be once it is settled.
                one.claims + (one.kind == "g"),
                *(one.lost, one.tries, one.replay, one.chosen),
            )
            for one in expected
        ]
        holder = self.model.claim_count
        self.held += [(*pair, holder) for pair in zip(claimed, expected, strict=True)]
        return claimed

    @precondition(lambda self: self.held)
    @rule(indices=st.lists(an_index, max_size=3))
    def give_back(self, indices):
        held = [self.held[-1 - index % len(self.held)] for index in indices]

        self.inbox.give_back([claimed for claimed, _, _ in held], now=after(self.now))

        self.model.give_back([(entry, holder) for _, entry, holder in held], self.now)

    @precondition(lambda self: self.held)
    @rule(index=an_index, lease=some_leases)
    def renew(self, index, lease):
        claimed, entry, holder = self.held[-1 - index % len(self.held)]

        was_renewed = self.inbox.renew([claimed], now=after(self.now), lease_s=lease)

        assert bool(was_renewed) == self.model.renew(entry, holder, self.now, lease)

    @precondition(lambda self: self.held)
    @rule(index=an_index, handler=st.sampled_from(["greet", "store"]), number=st.integers(1, 3))
    def transact(self, index, handler, number):
        claimed, entry, holder = self.held[-1 - index % len(self.held)]

        made = self.inbox.transact(claimed, lambda _: attempt(handler, number=number))

        is_ours = self.model.transact(entry, holder, claimed.claim_count, handler, number)
        assert (made is not None) == is_ours

    @precondition(lambda self: self.held)
    @rule(
        indices=st.lists(an_index, min_size=1, max_size=3),
        make=st.sampled_from([done, waiting, dead]),
        results=some_outcomes,
        event_type=st.sampled_from([None, "other", "test"]),
        next_limit=st.integers(0, 3),
        lease=some_leases,
        how=some_terms,
    )
    def settle(self, indices, make, results, event_type, next_limit, lease, how):
        held = {index % len(self.held) for index in indices}
        settlement = make(
            *(
                attempt(handler, outcome, number=number, retry_after_s=retry_after_s)
                for handler, (outcome, number, retry_after_s) in results.items()
            )
        )
        settlement = replace(settlement, event_type=event_type)

        self._claim(
            next_limit,
            {self.names["s"]},
            lease,
            finished=[(*self.held[-1 - index], settlement) for index in sorted(held)],
            **how,
        )

    @precondition(lambda self: self.known)
    @rule(index=an_index, is_settled=st.booleans(), handlers=some_handlers)
    def replay(self, index, is_settled, handlers):
        settled = [entry for entry in self.known if entry.holder is None and entry.claims]
        among = (is_settled and settled) or self.known
        entry = among[index % len(among)]
        was_replayed = True

        try:
            self.inbox.replay(entry.id, now=after(self.now), handlers=handlers)
        except ReplayRefused:
            was_replayed = False

        assert was_replayed == self.model.replay(entry, self.now, handlers)

    @precondition(lambda self: self.known)
    @rule(
        index=an_index,
        endpoint=st.sampled_from("st"),
        state=st.none() | st.sampled_from([State.DONE, State.DEAD, State.WAITING]),
        outcome=st.none() | st.sampled_from(Outcome),
        kind=st.sampled_from([None, "other", "conversation:message"]),
        edges=st.sampled_from(["", "since", "until"]),
        handlers=some_handlers,
        limit=st.sampled_from([1, 2, 100]),
    )
    def replay_many(self, index, endpoint, state, outcome, kind, edges, handlers, limit):
        edge = self.known[index % len(self.known)]
        wanted = {"endpoint": self.names[endpoint], "state": state, "outcome": outcome}
        wanted |= {"type": kind, "since": None, "until": None}
        times = {edges: edge.received} if edges else {}
        told = Filter(**wanted | {name: after(time) for name, time in times.items()})
        after_id = 0
        while after_id is not None:
            batch = self.inbox.replay_all(
                told, now=after(self.now), handlers=handlers, after_id=after_id, limit=limit
            )
            expected = self.model.replay_all(wanted | times, self.now, handlers, after_id, limit)

            told_of = (batch.entry_ids, batch.last_id, batch.refused.total())
            assert told_of == expected
            after_id = batch.last_id

    @rule(
        bodies=st.sampled_from([-3600, -30, 0, 0.001, 60]),
        ids=st.sampled_from([-3600, -30, 0, 0.001, 60]),
    )
    def prune(self, bodies, ids):
        self._prune(self.now + bodies, self.now + ids)

    def _prune(self, bodies_before, ids_before):
        gone = self.inbox.prune(
            bodies_before=after(bodies_before), ids_before=after(ids_before), limit=10_000
        )
        expected = self.model.prune(round(bodies_before, 3), round(ids_before, 3))

        assert gone == (*expected, None)
        self.known = [one for one in self.known if one in self.model.entries.values()]
        assert kept(self.inbox) == [(one.body, one.is_conflict) for one in self.model.kept]

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

        assert counted == {state: states.count(state) for state in State}

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
        attempts = [
            (each.number, each.handler, each.outcome, each.replays, each.retry_at)
            for each in one.attempts
        ]
        return (
            *(one.endpoint, one.event_id, one.state, one.claim_count, one.conflicts),
            *(one.received_at, one.next_attempt_at, attempts),
            *(one.lane, one.replays, one.has_body, one.event_type),
        )

    def _told_by_the_model(self, entry):
        next_at = after(entry.due) if entry.state is State.WAITING else None
        return (
            *(entry.endpoint, entry.event_id, entry.state, entry.claims, entry.conflicts),
            *(after(entry.received), next_at),
            [
                (*each[:4], None if each.retry_at is None else after(each.retry_at))
                for each in entry.attempts
            ],
            *(entry.lane, entry.replay, self.model.has_body(entry), entry.event_type),
        )

    def teardown(self):
        """Claim all that is left, in whatever order it is due, and settle it."""
        if not hasattr(self, "names"):
            return
        self.now += 10**5
        # In lanes: whatever has happened, none of them is stuck.
        how = {"in_lanes": True, "max_attempts": 5, "takes_lost": True, "takes_alone": True}
        names = set(self.names.values())
        while claimed := self._claim(2, names, 60, **how):
            finished = [(*each, done()) for each in self.held[-len(claimed) :]]
            self._claim(0, names, 60, finished=finished, **how)
        self.entries_agree()
        assert all(entry.state in (State.DONE, State.DEAD) for entry in self.known)
        assert kept(self.inbox) == [(one.body, one.is_conflict) for one in self.model.kept]
        # The next life begins with an empty inbox.
        self._prune(10**6, 10**6)
        assert (self.known, self.inbox.find()) == ([], [])


def empty(inbox):
    with inbox._transactions.write() as connection:
        for table in (attempts, entries, deliveries):
            connection.execute(table.delete())


def told_tries(entry):
    return {
        name: (one.count, one.is_finished, one.gave_up, seconds(one.due_at))
        for name, one in entry.tries.items()
    }


def seconds(moment):
    return None if moment is None else round((moment - NOW).total_seconds(), 3)


def test_inbox_and_model_never_differ(inbox):
    # By what a step costs on each.
    is_sqlite = inbox._transactions.engine.dialect.name == "sqlite"
    lives = times(40, 80) if is_sqlite else times(15, 25)
    run_state_machine_as_test(
        lambda: Life(inbox),
        settings=settings(
            max_examples=lives,
            stateful_step_count=40,
            derandomize=True,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
