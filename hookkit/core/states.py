"""The life of an entry, as one table.

Rule 1: an entry is written as PENDING, in the transaction that its sender's 200 waits for;
        as SHADOW, TWIN or IGNORED where payload versions arrive side by side.
Rule 2: only a claim makes it RUNNING; the claim counts the attempt before anything runs. One
        that finds it held up in its lane makes it WAITING instead; so does one that sets it
        aside for the thread that is to run it next.
Rule 3: RUNNING is left by a settlement whose lease token still fits, and by nothing else;
        a lease that is over makes the entry claimable again, it stays RUNNING until then.
Rule 4: DONE and DEAD are left by a replay only.
Rule 5: SHADOW is left by a promotion only: a switch of versions, or a twin that never came.
        TWIN and IGNORED are never left.
"""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """Where an entry stands."""

    #: Admitted, never run, due at once.
    PENDING = "pending"
    #: A worker holds its lease.
    RUNNING = "running"
    #: It is due later: a handler failed, another of its lane goes first, or it was claimed
    #: together with another and has not begun.
    WAITING = "waiting"
    #: Every handler that wanted it has succeeded, or nobody wanted it.
    DONE = "done"
    #: A handler is out of attempts: a dead letter, until somebody replays it.
    DEAD = "dead"
    #: Of a version in shadow: kept and not run, until somebody switches to that version.
    SHADOW = "shadow"
    #: Another version's entry runs for the same fact.
    TWIN = "twin"
    #: Of a version that is ignored: kept as an id.
    IGNORED = "ignored"


#: state -> the states that may follow it.
TRANSITIONS: dict[State, frozenset[State]] = {
    State.PENDING: frozenset({State.RUNNING, State.WAITING}),
    State.RUNNING: frozenset({State.RUNNING, State.WAITING, State.DONE, State.DEAD}),
    State.WAITING: frozenset({State.RUNNING, State.PENDING}),
    State.DONE: frozenset({State.PENDING}),
    State.DEAD: frozenset({State.PENDING}),
    State.SHADOW: frozenset({State.PENDING}),
    State.TWIN: frozenset(),
    State.IGNORED: frozenset(),
}

#: What an entry may be written as.
FIRST = frozenset({State.PENDING, State.SHADOW, State.TWIN, State.IGNORED})

#: What a replay may start from: a person does not take an entry from its worker.
REPLAYABLE = frozenset({State.WAITING, State.DONE, State.DEAD})

#: No worker has anything to do for an entry in one of these, now or later by itself.
AT_REST = frozenset({State.DONE, State.DEAD, State.SHADOW, State.TWIN, State.IGNORED})

#: What a settlement may end in.
SETTLED = frozenset({State.WAITING, State.DONE, State.DEAD})
