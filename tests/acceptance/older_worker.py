"""A worker of hookkit as it was before it claimed in groups, reduced to what it wrote.

Each entry was claimed by itself and counted at once, its lease token was hexadecimal, and an
entry whose lease was over was charged with one lost claim, whoever had claimed it. What a thread
claimed behind the first entry was set aside: WAITING, under its token, until it was begun.
"""

import secrets
from typing import NamedTuple

from sqlalchemy import text

from hookkit.inbox.records import to_ms

_DUE = """
    SELECT id, event_id, state, attempt_count FROM hookkit_entries
    WHERE state = 'pending' OR (state IN ('waiting', 'running') AND due_at_ms <= :now_ms)
    ORDER BY due_at_ms, delivery_id, position LIMIT 32
"""
_LEASE = """
    UPDATE hookkit_entries SET state = 'running', lease_token = :token, due_at_ms = :until_ms,
        attempt_count = attempt_count + 1,
        lost_claim_count = lost_claim_count + CASE WHEN state = 'running' THEN 1 ELSE 0 END
    WHERE id = :entry_id
"""
_SET_ASIDE = """
    UPDATE hookkit_entries SET state = 'waiting', lease_token = :token, due_at_ms = :until_ms
    WHERE id = :entry_id
"""
_BEGIN = """
    UPDATE hookkit_entries SET state = 'running', due_at_ms = :until_ms,
        attempt_count = :claim_count
    WHERE id = :entry_id AND lease_token = :token
"""
_SETTLE = """
    UPDATE hookkit_entries SET state = 'done', due_at_ms = NULL, lease_token = NULL,
        lost_claim_count = 0
    WHERE id = :entry_id AND lease_token = :token
"""
_FINISHED = """
    SELECT handler FROM hookkit_attempts WHERE entry_id = :entry_id AND outcome = 'succeeded'
"""
_RECORD = """
    INSERT INTO hookkit_attempts (entry_id, generation, replay_count, number, handler, outcome,
        started_at_ms, ended_at_ms)
    SELECT id, generation, replay_count, attempt_count, :handler, 'succeeded', :now_ms, :now_ms
    FROM hookkit_entries WHERE id = :entry_id
"""


class Claimed(NamedTuple):
    entry_id: int
    event_id: str
    token: str
    claim_count: int


class OlderWorker:
    """Claims, begins and settles with the older statements, one transaction each.

    Args:
        write_effect: Called with the connection and an event's id: the effect of the handler
            ``book``, which is transactional.
    """

    def __init__(self, inbox, write_effect, lease_s=60):
        self._inbox = inbox
        self._write_effect = write_effect
        self._lease_ms = round(lease_s * 1000)

    def claim(self, now):
        """Return what was claimed; only the first has begun."""
        times = {"now_ms": to_ms(now), "until_ms": to_ms(now) + self._lease_ms}
        token = secrets.token_hex(16)
        with self._inbox._transactions.write() as connection:
            is_postgres = connection.dialect.name == "postgresql"
            locking = " FOR UPDATE SKIP LOCKED" if is_postgres else ""
            due = connection.execute(text(_DUE + locking), times).all()
            # What was lost is claimed alone.
            lost = due[:1] if due and due[0].state == "running" else []
            due = lost or [each for each in due if each.state != "running"]
            for number, each in enumerate(due):
                told = times | {"entry_id": each.id, "token": token}
                connection.execute(text(_SET_ASIDE if number else _LEASE), told)
        return [Claimed(each.id, each.event_id, token, each.attempt_count + 1) for each in due]

    def begin(self, claimed, now):
        told = claimed._asdict() | {"until_ms": to_ms(now) + self._lease_ms}
        with self._inbox._transactions.write() as connection:
            return connection.execute(text(_BEGIN), told).rowcount == 1

    def settle(self, claimed, now):
        """Write the effect, if it is not there, and record all; return whether it is ours."""
        told = claimed._asdict() | {"now_ms": to_ms(now)}
        with self._inbox._transactions.write() as connection:
            if connection.execute(text(_SETTLE), told).rowcount != 1:
                return False
            finished = set(connection.execute(text(_FINISHED), told).scalars())
            if "book" not in finished:
                self._write_effect(connection, claimed.event_id)
            for handler in {"book", "handle"} - finished:
                connection.execute(text(_RECORD), told | {"handler": handler})
        return True
