"""What an inbox tells people of its entries, and how texts and times are stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from hookkit.core.attempts import Outcome
from hookkit.core.body import Headers
from hookkit.core.entry import State
from hookkit.core.modes import Mode

#: Longest vendor type and payload version that are stored; what is longer is cut.
MAX_WORD_CHARS = 255
#: Longest problem and error that are stored; what is longer is cut.
MAX_TEXT_CHARS = 10_000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def storable_text(text: str, max_chars: int = MAX_TEXT_CHARS) -> str:
    """Return *text*, which came out of a payload, as text that every database stores.

    Lone surrogates and NUL are written as escapes (see ``bounded_id``). A text that is too
    long is cut and ends in an ellipsis: only people read it, no program compares it.
    """
    if len(text) > max_chars:
        text = f"{text[: max_chars - 1]}\u2026"
    if text.isascii() and "\x00" not in text:
        return text
    # An escape is longer than what it stands for, hence the second cut.
    text = text.encode("utf-8", "backslashreplace").decode().replace("\x00", "\\x00")
    return text if len(text) <= max_chars else f"{text[: max_chars - 1]}\u2026"


def to_ms(moment: datetime) -> int:
    """Return aware *moment* as whole milliseconds since the epoch, rounded down."""
    return (moment - _EPOCH) // _MILLISECOND


def from_ms(milliseconds: int) -> datetime:
    """Return *milliseconds* since the epoch as an aware moment in UTC."""
    return _EPOCH + milliseconds * _MILLISECOND


def seconds_to_ms(seconds: float) -> int:
    """Return a duration in whole milliseconds."""
    return round(seconds * 1000)


def later(milliseconds: int, seconds: float) -> int:
    """Return the moment *seconds* after another, both in milliseconds since the epoch."""
    return milliseconds + seconds_to_ms(seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRecord:
    """One recorded attempt of one handler.

    Attributes:
        number: Which attempt of its handler, the first is 1; a replay counts from 1 again.
        handler: ``""`` when no handler was there to run.
        replays: How often the entry had been replayed by then; 0 is its first run.
        retry_at: When the handler was to be tried again; None when it was not.
    """

    number: int
    handler: str
    outcome: Outcome
    started_at: datetime
    ended_at: datetime
    error: str | None
    replays: int = 0
    retry_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryRecord:
    """How an entry stands, for people and tests; a worker gets an ``Entry``.

    Attributes:
        claim_count: How often it was claimed since it was admitted or last replayed.
        next_attempt_at: When it will be tried again; None unless it is WAITING.
        conflicts: How many deliveries brought the same event id with other content.
        event_type: What it was read as when it was last handled; None before that.
        replays: How often a person asked for it to run again.
        has_body: Whether its bytes are still kept.
        attempts: Oldest first, of every run and replay.
    """

    id: int
    endpoint: str
    event_id: str
    vendor_type: str
    version: str
    lane: str | None
    fact: str | None
    problem: str | None
    state: State
    claim_count: int
    next_attempt_at: datetime | None
    received_at: datetime
    conflicts: int
    event_type: str | None
    replays: int
    has_body: bool
    attempts: tuple[AttemptRecord, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """An entry with the bytes that it lies in, to be read again; nothing is claimed.

    Attributes:
        delivery_id: Entries of one delivery share it, and its bytes.
        position: The item's place in its delivery.
        body: None once it was deleted, and where it was encrypted with a key that is not there.
    """

    id: int
    endpoint: str
    event_id: str
    delivery_id: int
    position: int
    vendor_type: str
    version: str
    lane: str | None
    fact: str | None
    state: State
    received_at: datetime
    body: bytes | None = field(repr=False)
    headers: Headers = field(repr=False)


class Switched(NamedTuple):
    """A mode that somebody has switched.

    Attributes:
        vendor_type: ``""`` is the whole version.
        who: Who did it, as they said.
    """

    version: str
    vendor_type: str
    mode: Mode
    since: datetime
    who: str


class Batch(NamedTuple):
    """What one step of replaying many entries did.

    Attributes:
        entry_ids: The entries that became PENDING.
        last_id: Where to go on; None at the end.
    """

    entry_ids: list[int]
    last_id: int | None


class Pruned(NamedTuple):
    """What one step of pruning deleted.

    Attributes:
        bodies: Deliveries whose bytes are gone.
        ids: Entries that are gone, with their attempts.
        last: Where to go on, a delivery's id and an entry's; None at the end.
    """

    bodies: int
    ids: int
    last: tuple[int, int] | None


#: How many ids of deliveries a look at proofs goes through at most, whatever is stored.
STEP = 20_000


class ProofUse(NamedTuple):
    """When deliveries to an endpoint were proved by one secret.

    Attributes:
        fingerprint: The secret's name; ``""`` where none was kept, None where no secret
            was asked for.
        first_at: When the first of them was received.
        last_at: When the last of them was.
    """

    endpoint: str
    fingerprint: str | None
    first_at: datetime
    last_at: datetime


class Proofs(NamedTuple):
    """Which secrets proved the deliveries from one id to another.

    Attributes:
        first_id: The first that was looked for; ids are not all there.
        last_id: The last, less than ``first_id`` where there are none.
    """

    first_id: int
    last_id: int
    uses: Sequence[ProofUse]
