"""The life of an entry, as one table.

Rule 1: an entry is written as PENDING, in the transaction that its sender's 200 waits for.
Rule 2: only a claim makes it RUNNING; the claim counts the attempt before anything runs. One
        that finds it held up in its lane makes it WAITING instead.
Rule 3: RUNNING is left by a settlement whose lease token still fits, and by nothing else;
        a lease that is over makes the entry claimable again, it stays RUNNING until then.
Rule 4: DONE and DEAD are left by a replay only.
"""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """Where an entry stands."""

    #: Admitted, never run, due at once.
    PENDING = "pending"
    #: A worker holds its lease.
    RUNNING = "running"
    #: Its next attempt is due later: a handler failed, or another of its lane goes first.
    WAITING = "waiting"
    #: Every handler that wanted it has succeeded, or nobody wanted it.
    DONE = "done"
    #: A handler is out of attempts: a dead letter, until somebody replays it.
    DEAD = "dead"


#: state -> the states that may follow it.
TRANSITIONS: dict[State, frozenset[State]] = {
    State.PENDING: frozenset({State.RUNNING, State.WAITING}),
    State.RUNNING: frozenset({State.RUNNING, State.WAITING, State.DONE, State.DEAD}),
    State.WAITING: frozenset({State.RUNNING, State.PENDING}),
    State.DONE: frozenset({State.PENDING}),
    State.DEAD: frozenset({State.PENDING}),
}

#: What a replay may start from: a person does not take an entry from its worker.
REPLAYABLE = frozenset({State.WAITING, State.DONE, State.DEAD})

#: What a settlement may end in.
SETTLED = frozenset({State.WAITING, State.DONE, State.DEAD})
