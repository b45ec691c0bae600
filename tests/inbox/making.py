"""What the tests of the inboxes admit and settle."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import select

from hookkit.core.attempts import Attempt, Outcome
from hookkit.core.delivery import Envelope, Payload
from hookkit.core.entry import Settlement, State
from hookkit.inbox.sql.tables import deliveries

NOW = datetime(2024, 3, 1, 10, 0, 5, 123000, tzinfo=UTC)
LEASE_S = 60


def after(seconds):
    return NOW + timedelta(seconds=seconds)


def payload(endpoint="support", received_at=NOW, **changes):
    made = Payload(
        provider="sunshine",
        endpoint=endpoint,
        version="v2",
        received_at=received_at,
        headers={"content-type": "application/json"},
        document={},
    )
    return replace(made, **changes)


def item(event_id, *, text="hello", of=None, vendor_type="conversation:message", **more):
    raw = {"text": text}
    return (of or payload()).item(raw=raw, vendor_type=vendor_type, event_id=event_id, **more)


def deliver(*items, endpoint="support", received_at=NOW, body=None, **changes):
    made = Envelope(
        endpoint=endpoint,
        provider="sunshine",
        version="v2",
        received_at=received_at,
        body=json.dumps([dict(one.raw) for one in items]).encode() if body is None else body,
        headers={"content-type": "application/json"},
        secret_index=0,
        items=items,
    )
    return replace(made, **changes)


def admit(inbox, *event_ids, endpoint="support", received_at=NOW):
    """Admit one delivery with these events, and return the ids of their entries."""
    of = payload(endpoint, received_at)
    items = [item(event_id, of=of) for event_id in event_ids]
    receipt = inbox.admit(deliver(*items, endpoint=endpoint, received_at=received_at))
    return [one.entry_id for one in receipt.admitted]


def claim(inbox, *, at=0, limit=10, endpoints=("support",), lease_s=LEASE_S, **more):
    return inbox.claim(now=after(at), lease_s=lease_s, limit=limit, endpoints=endpoints, **more)


def claim_one(inbox, **how):
    (entry,) = claim(inbox, **how)
    return entry


def admit_in_lane(inbox, *event_ids, lane="c-1", endpoint="support", at=0):
    """Admit one delivery with these events of *lane*, and return the ids of their entries."""
    items = [item(event_id, lane=lane) for event_id in event_ids]
    receipt = inbox.admit(deliver(*items, endpoint=endpoint, received_at=after(at)))
    return [one.entry_id for one in receipt.admitted]


def claim_in_lanes(inbox, **how):
    """Return the event id of what is claimed next, None when nothing is due."""
    claimed = claim(inbox, in_lanes=True, **how)
    assert len(claimed) <= 1
    return claimed[0] if claimed else None


def attempt(handler="greet", outcome=Outcome.SUCCEEDED, **changes):
    made = Attempt(handler=handler, number=1, outcome=outcome, started_at=NOW, ended_at=after(0.25))
    return replace(made, **changes)


def done(*attempts):
    return Settlement(state=State.DONE, retry_after_s=None, attempts=attempts)


def dead(*attempts):
    return Settlement(state=State.DEAD, retry_after_s=None, attempts=attempts)


def waiting(*attempts, retry_after_s=30.0):
    return Settlement(state=State.WAITING, retry_after_s=retry_after_s, attempts=attempts)


def settled(inbox, event_id, settlement=None, **how):
    """Admit an event, settle it, and return the id of its entry."""
    (entry_id,) = admit(inbox, event_id, **how)
    entry = claim_one(inbox, only=[entry_id], endpoints=(how.get("endpoint", "support"),))
    assert inbox.settle(entry, settlement or done(attempt()), now=NOW)
    return entry_id


def succeeded(entry):
    return {name for name, tries in entry.tries.items() if tries.is_finished}


def gave_up(entry):
    return {name for name, tries in entry.tries.items() if tries.gave_up}


def record(inbox, entry_id):
    return next(one for one in inbox.find(limit=1000) if one.id == entry_id)


def kept(inbox):
    """Return of each delivery that is kept its body, and whether it is a conflict."""
    columns = deliveries.c.body, deliveries.c.is_conflict
    with inbox._transactions.read() as connection:
        return [tuple(row) for row in connection.execute(select(*columns).order_by("id"))]
