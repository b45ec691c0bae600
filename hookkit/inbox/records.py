"""What an inbox tells people of its entries, and how texts and times are stored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from hookkit.core.attempts import Outcome
from hookkit.core.body import Headers
from hookkit.core.delivery import Delivery
from hookkit.core.entry import Filter, State
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


def cut_to_ms(moment: datetime) -> datetime:
    """Return *moment* without what is shorter than a millisecond."""
    # ``moment.replace``, and ``timedelta`` with a keyword, take twice as long in each delivery.
    return moment - timedelta(0, 0, moment.microsecond % 1000)


def seconds_to_ms(seconds: float) -> int:
    """Return a duration in whole milliseconds."""
    return round(seconds * 1000)


def later(milliseconds: int, seconds: float) -> int:
    """Return the moment *seconds* after another, both in milliseconds since the epoch."""
    return milliseconds + seconds_to_ms(seconds)


#: An entry is claimed in a group while so many of its attempts are left. If it kills its worker,
#: the first loss is charged with the second; a neighbour that was beside two killers has spent
#: nothing by then, and is to run.
FEWEST_IN_GROUP = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a claim asks for.

    Attributes:
        endpoints: The names of the endpoints whose entries are claimed.
        lease_s: How many seconds the holder may take before others may claim it.
        limit: How many entries at most.
        only: Ids of entries; just these are claimed, and WAITING ones at once.
        in_lanes: Whether the entries of one lane run one at a time, in the order of arrival.
        max_attempts: The fewest attempts that any handler has. Entries with enough of them left
            are claimed as a group, and their claims counted when they are settled. None counts
            every claim at once.
        takes_lost: Whether an entry whose lease is over may be claimed.
        takes_alone: Whether an entry may be claimed that cannot be in a group.
    """

    endpoints: Collection[str]
    lease_s: float
    limit: int
    only: Collection[int] | None = None
    in_lanes: bool = False
    max_attempts: int | None = None
    takes_lost: bool = True
    takes_alone: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRecord:
    """One recorded attempt of one handler.

    Attributes:
        number: Which attempt of its handler, the first is 1; a replay counts from 1 again.
        handler: ``""`` when no handler was there to run.
        replays: How often the entry had been replayed by then; 0 is its first run.
        retry_at: When the handler was to be tried again; None when it was not.
        raised_at: As ``Attempt`` has it.
    """

    number: int
    handler: str
    outcome: Outcome
    started_at: datetime
    ended_at: datetime
    error: str | None
    replays: int = 0
    retry_at: datetime | None = None
    raised_at: str | None = None


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
        problem: Why it could not be understood when it was admitted.
        event_type: What it was read as when it was last handled; None before that.
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
    problem: str | None = None
    event_type: str | None = None


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


class ReadAs(NamedTuple):
    """What an entry is read as today, as the inbox stores it."""

    entry_id: int
    event_type: str
    problem: str | None


class Batch(NamedTuple):
    """What one step of replaying many entries did.

    Attributes:
        entry_ids: The entries that became PENDING.
        last_id: Where to go on; None at the end.
        refused: How many entries cannot run again, by the reason.
    """

    entry_ids: list[int]
    last_id: int | None
    refused: Counter[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """What a person does to an inbox.

    Attributes:
        who: Who does it, as they or their application said.
        right: What allows it: a right of the console, or ``command`` of the command line.
        action: ``replay``, ``pause``, ``go on``, ``cancel``, ``reveal``, ``release``, ``rehearse``,
            ``switch`` or ``retire``.
        target: What it is done to.
        wanted: The entries that it is done to, if a filter chooses them.
        reason: Why, as they said.
        address: Where they are; ``""`` on the machine itself.
    """

    who: str
    right: str
    action: str
    target: str = ""
    wanted: Filter | None = None
    reason: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActRecord:
    """What a person did.

    Attributes:
        at: When it began.
        result: ``done``, or why not; None if that was not recorded.
    """

    id: int
    at: datetime
    act: Act
    result: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRecord:
    """A process that runs handlers.

    Attributes:
        id: Another one whenever a process starts.
        name: What the application is called.
        version: That of hookkit.
        threads: How many threads run handlers.
        endpoints: The names of the endpoints whose entries are claimed.
        seen_at: When it last said that it is there.
    """

    id: str
    name: str
    host: str
    pid: int
    version: str
    threads: int
    endpoints: tuple[str, ...]
    started_at: datetime
    seen_at: datetime


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


class IdSpan(NamedTuple):
    """Ids above one and below another; None is no bound."""

    after_id: int = 0
    before_id: int | None = None


class Proofs(NamedTuple):
    """Which secrets proved the deliveries from one id to another.

    Attributes:
        first_id: The first that was looked for; ids are not all there.
        last_id: The last, less than ``first_id`` where there are none.
    """

    first_id: int
    last_id: int
    uses: Sequence[ProofUse]


class Room(NamedTuple):
    """How much is kept of what an endpoint refuses.

    Attributes:
        rows: So many deliveries.
        bytes: So many bytes of bodies.
        weak_codes: The codes of refusals of which less is kept.
        weak_rows: So many of these.
    """

    rows: int
    bytes: int
    weak_codes: Collection[str]
    weak_rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A refused delivery as people see it.

    Attributes:
        id: Its number in the quarantine.
        endpoint: The endpoint that refused it.
        received_at: When it arrived.
        code: The code of its refusal.
        network: Whose address it came from: of IPv6 the site.
        size: The length of its body as it came, in bytes.
        released_at: When it was verified again and admitted; None before.
    """

    id: int
    endpoint: str
    received_at: datetime
    code: str
    network: str
    size: int
    released_at: datetime | None


class RefusedDelivery(NamedTuple):
    """A refused delivery with what was sent.

    Attributes:
        refused: What people see of it.
        delivery: What was sent, every secret in it hidden; None if it was released, if no
            encryption key fits, or if it was damaged.
    """

    refused: Refused
    delivery: Delivery | None


@dataclass(frozen=True, slots=True, order=True)
class Drifted:
    """Something that a vendor sends and that is not read.

    Attributes:
        kind: ``field``, ``type`` or ``problem``.
        name: The path of the field, the vendor's word, or what the problem is.
    """

    provider: str
    version: str
    kind: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftRecord:
    """When something was sent that is not read.

    Attributes:
        first_on: The first day on which it was noticed, in UTC.
        last_on: The last one.
        count: In how many events; fields are looked for in samples alone.
    """

    provider: str
    version: str
    kind: str
    name: str
    first_on: date
    last_on: date
    count: int
