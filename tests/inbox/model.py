"""What ``hookkit.inbox.inbox`` promises, as a model that is as simple as it can be.

It is written from the text of the interface and shares no code with an inbox.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from hookkit.core.attempts import Outcome
from hookkit.core.entry import State

CLAIMABLE = (State.PENDING, State.WAITING, State.RUNNING)
HELD_UP_S = 1
FINISHED = (Outcome.SUCCEEDED, Outcome.DISCARDED)


def what_of(item):
    """Return what *item* says, by the beginning of its id."""
    return item.event_id.partition("@")[0]


class ModelAttempt(NamedTuple):
    number: int
    handler: str
    outcome: Outcome
    replay: int
    retry_at: float | None


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
    #: How it was claimed last: in a group, as a suspect, or counted.
    kind: str = "c"
    conflicts: int = 0
    lost: int = 0
    lane: str | None = None
    subject: str | None = None
    #: What it says, whenever it says it.
    what: str = ""
    replay: int = 0
    chosen: frozenset[str] | None = None
    event_type: str | None = None
    attempts: list[ModelAttempt] = field(default_factory=list)
    #: How many of the attempts were made before it started over.
    forgotten: int = 0

    @property
    def age(self) -> tuple[Any, ...]:
        return self.due, self.delivery, self.position

    @property
    def place(self) -> tuple[int, int]:
        return self.delivery, self.position

    @property
    def tries(self) -> dict[str, tuple[Any, ...]]:
        """Of each handler: attempts, whether it is finished, gave up, and when it is due."""
        counted = self.attempts[self.forgotten :]
        tries = {}
        for name in {each.handler for each in counted}:
            mine = [each for each in counted if each.handler == name]
            present = [each for each in mine if each.replay == self.replay]
            is_chosen = self.chosen is not None and name in self.chosen
            holding = present if is_chosen else mine
            tries[name] = (
                len(present),
                any(each.outcome in FINISHED for each in holding),
                any(each.outcome is Outcome.GAVE_UP for each in present),
                present[-1].retry_at if present else None,
            )
        return tries


@dataclass
class ModelDelivery:
    number: int
    endpoint: str
    body: bytes
    received: float
    is_conflict: bool


class Model:
    """What an inbox promises; times are seconds, a claim is told by its number."""

    def __init__(self):
        self.entries = {}
        self.kept = []
        self.delivery_count = 0
        self.claim_count = 0
        self.again_count = 0

    def admit(self, now, endpoint, items, body):
        """Return for each item its entry, whether it is new, whether it conflicts.

        The id of a new event that was there before is still to be given.
        """
        self.delivery_count += 1
        delivery = self.delivery_count
        told = []
        for position, one in enumerate(items):
            found = self.find_duplicate(now, endpoint, one)
            is_new = found is None
            if found is None:
                found = ModelEntry(
                    endpoint, one.event_id, delivery, position, one.raw["text"], now, body, now
                )
                found.lane = one.lane
                found.subject, found.what = one.subject, what_of(one)
                is_taken = (endpoint, one.event_id) in self.entries
                if is_taken:
                    self.again_count += 1
                    found.event_id = f"again-{self.again_count}"
                self.entries[endpoint, found.event_id] = found
            told.append((found, is_new, found.text != one.raw["text"]))
        conflicting = {id(entry): entry for entry, _, is_conflict in told if is_conflict}
        for entry in conflicting.values():
            entry.conflicts += 1
        has_new = any(is_new for _, is_new, _ in told)
        is_there = any(
            one.is_conflict and (one.endpoint, one.body) == (endpoint, body) for one in self.kept
        )
        if has_new or (conflicting and not is_there):
            self.kept.append(ModelDelivery(delivery, endpoint, body, now, bool(conflicting)))
        return told

    def find_duplicate(self, now, endpoint, item):
        """Return the entry that *item* is a duplicate of, None when it is new."""
        if item.repeat_after_s is None:
            return self.entries.get((endpoint, item.event_id))
        about = [
            entry
            for entry in self.entries.values()
            if (entry.endpoint, entry.subject) == (endpoint, item.subject)
        ]
        if not about or about[-1].what != what_of(item):
            return None
        is_young = round(now - about[-1].received, 3) < item.repeat_after_s
        return about[-1] if is_young else None

    def give_id(self, entry, event_id):
        """Have *entry* be known by the id that the inbox gave it."""
        assert (entry.endpoint, event_id) not in self.entries
        self.entries = {
            (other.endpoint, event_id if other is entry else name): other
            for (_, name), other in self.entries.items()
        }
        entry.event_id = event_id

    def has_body(self, entry):
        return any(one.number == entry.delivery for one in self.kept)

    def beside(self, entry):
        """Return what else is to be handled in the lane of *entry*."""
        return [
            other
            for other in self.entries.values()
            if entry.lane is not None
            and (other.endpoint, other.lane) == (entry.endpoint, entry.lane)
            and other is not entry
            and other.state in CLAIMABLE
        ]

    def held_until(self, entry, now):
        """Return when that is due which *entry* must wait for, None when it need not wait."""
        others = self.beside(entry)
        earlier = [other for other in others if other.place < entry.place]
        running = [
            other.due
            for other in others
            if other.state is State.RUNNING
            # Its own lease may be over; it has begun, and waits for those alone that run as well.
            and (entry.state is not State.RUNNING or other.due > now or other in earlier)
        ]
        if running or entry.state is State.RUNNING:
            return max(running, default=None)
        in_order = [other for other in earlier if not other.replay and not entry.replay]
        return min(in_order, key=lambda other: other.place).due if in_order else None

    def release(self, entry, now):
        """Make due what waits first in the lane of *entry*."""
        waiting = [other for other in self.beside(entry) if other.state is State.WAITING]
        if waiting:
            min(waiting, key=lambda other: other.place).due = now

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

    def claim(self, now, lease, limit, endpoints, only, **how):
        due = self.claimable(now, endpoints, only)
        if not how["takes_lost"]:
            due = [entry for entry in due if entry.state is not State.RUNNING]
        if how["in_lanes"] and limit:
            due = self.free(due, now, puts_off=only is None)
        elif only is None:
            due = [
                entry
                for number, entry in enumerate(due)
                # A claim looks at so many of each state.
                if [each.state for each in due[:number]].count(entry.state) < limit
            ]
        chosen, kind, counted, lost = self.choose(due if limit else [], limit, how)
        self.claim_count += 1
        for entry in chosen:
            entry.state, entry.kind = State.RUNNING, kind
            entry.due, entry.holder = round(now + lease, 3), self.claim_count
            entry.claims += counted
            entry.lost += lost
        return chosen

    def choose(self, due, limit, how):
        """Return what is claimed, how, how many claims that counts, and how many were lost."""
        if due and due[0].state is State.RUNNING:
            if due[0].kind == "g":
                return due[:1], "s", 1, 0
            losses = 2 if due[0].kind == "s" else 1
            return due[:1], "c", losses, losses
        due = [entry for entry in due if entry.state is not State.RUNNING]
        attempts = how["max_attempts"]
        if attempts is None:
            return due[:limit], "c", 1, 0
        sharing = [entry for entry in due if not entry.lost and entry.claims + 3 <= attempts]
        if due and due[0] not in sharing:
            return due[:1] if how["takes_alone"] else [], "c", 1, 0
        return sharing[:limit], "g", 0, 0

    def give_back(self, held, now):
        for entry, holder in held:
            if entry.holder == holder:
                entry.holder = None
                entry.state = State.WAITING if entry.claims else State.PENDING
                entry.due = now if entry.claims else entry.received

    def free(self, due, now, *, puts_off):
        """Return what need not wait, one of each lane; what is before the first is put off."""
        untils = [self.held_until(entry, now) for entry in due]
        free, lanes = [], set()
        for entry, until in zip(due, untils, strict=True):
            if until is None:
                lane = (entry.endpoint, entry.lane if entry.lane is not None else entry.id)
                if lane not in lanes:
                    lanes.add(lane)
                    free.append(entry)
            elif puts_off and not free and entry.state is not State.RUNNING:
                entry.state, entry.due = State.WAITING, max(until, round(now + HELD_UP_S, 3))
        return free

    def renew(self, entry, holder, now, lease):
        if entry.holder != holder:
            return False
        entry.due = round(now + lease, 3)
        return True

    def transact(self, entry, holder, claims, handler, number):
        """Record a success with its effects; return whether *entry* is the holder's."""
        if entry.holder != holder:
            return False
        entry.claims = claims
        entry.attempts.append(ModelAttempt(number, handler, Outcome.SUCCEEDED, entry.replay, None))
        return True

    def settle(self, finished, now, *, in_lanes):
        """Return the ids of those that were settled."""
        settled = set()
        left = []
        for entry, holder, settlement in finished:
            if entry.holder != holder:
                continue
            settled.add(entry.id)
            for each in settlement.attempts:
                after_s = each.retry_after_s
                retry_at = None if after_s is None else round(now + after_s, 3)
                entry.attempts.append(
                    ModelAttempt(each.number, each.handler, each.outcome, entry.replay, retry_at)
                )
            entry.event_type = settlement.event_type or entry.event_type
            entry.state, entry.holder, entry.lost = settlement.state, None, 0
            entry.claims += entry.kind == "g" and bool(settlement.attempts)
            is_waiting = settlement.state is State.WAITING
            entry.due = round(now + settlement.retry_after_s, 3) if is_waiting else None
            if not is_waiting:
                left.append(entry)
        for entry in left if in_lanes else ():
            self.release(entry, now)
        return settled

    def replay(self, entry, now, handlers):
        if entry.state in (State.PENDING, State.RUNNING) or not self.has_body(entry):
            return False
        if entry.state is State.WAITING and handlers is not None:
            return False
        if entry.state is State.DONE and handlers is None:
            entry.forgotten = len(entry.attempts)
        entry.state, entry.due, entry.claims, entry.lost = State.PENDING, now, 0, 0
        entry.replay += 1
        entry.holder = None
        entry.chosen = handlers
        self.release(entry, now)
        return True

    def replay_all(self, wanted, now, handlers, after_id, limit):
        """Return the ids that were replayed, where to go on, and how many cannot run again."""
        found = [
            entry
            for entry in sorted(self.entries.values(), key=lambda entry: entry.id)
            if entry.id > after_id
            and entry.endpoint == wanted["endpoint"]
            and wanted["state"] in (None, entry.state)
            and wanted["type"] in (None, entry.event_type, "conversation:message")
            and (wanted["since"] is None or entry.received >= wanted["since"])
            and (wanted["until"] is None or entry.received < wanted["until"])
            and (
                wanted["outcome"] is None
                or (entry.replay, wanted["outcome"])
                in {(each.replay, each.outcome) for each in entry.attempts}
            )
        ][:limit]
        replayed = [entry.id for entry in found if self.replay(entry, now, handlers)]
        last_id = found[-1].id if len(found) == limit else None
        return replayed, last_id, len(found) - len(replayed)

    def prune(self, bodies_before, ids_before):
        """Return how many bodies and entries are gone."""
        unsettled = {one.delivery for one in self.entries.values() if one.state in CLAIMABLE}
        bodies = [
            one for one in self.kept if one.received < bodies_before and one.number not in unsettled
        ]
        gone = [
            entry
            for entry in self.entries.values()
            if entry.received < ids_before and entry.state not in CLAIMABLE
        ]
        self.kept = [one for one in self.kept if one not in bodies]
        for entry in gone:
            del self.entries[entry.endpoint, entry.event_id]
        return len(bodies), len(gone)

    def next_due(self, endpoints):
        due = [
            entry.due
            for entry in self.entries.values()
            if entry.endpoint in endpoints and entry.state in CLAIMABLE
        ]
        return min(due, default=None)
