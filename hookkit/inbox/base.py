"""What every inbox promises; ``tests/inbox`` holds each of them to it.

Rule 1: ``admit`` returns when the new entries are as durable as the store can make them.
Rule 2: an endpoint and an event id name one entry, however many deliveries race for it.
Rule 3: an entry has one lease token at a time; only its holder renews and settles.
Rule 4: every failure of the store is ``Unavailable``, and leaves nothing half written.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from hookkit.core.attempts import Attempt
from hookkit.core.delivery import Envelope
from hookkit.core.entry import EVERYTHING, REPLAYABLE, Entry, Filter, Receipt, Settlement, State
from hookkit.core.scheme import KeyBook
from hookkit.inbox.records import STEP, Batch, EntryRecord, Proofs, Pruned
from hookkit.inbox.version_book import VersionBook

#: Longest vendor type and payload version that are stored; what is longer is cut.
MAX_WORD_CHARS = 255
#: Longest problem and error that are stored; what is longer is cut.
MAX_TEXT_CHARS = 10_000

#: How many public keys of one vendor's server are kept; what was fetched first goes first.
MAX_KEPT_KEYS = 100

#: An entry that is held up in its lane is not looked at again for so long, in seconds.
HELD_UP_S = 1.0

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class Inbox(Protocol):
    """Stores entries and hands them out. Every method may raise ``Unavailable``.

    Attributes:
        versions: Switches payload versions.
        keys: The vendors' public keys that have proved deliveries.
    """

    @property
    def versions(self) -> VersionBook:
        """What was switched between payload versions."""

    @property
    def keys(self) -> KeyBook:
        """The vendors' public keys that have proved deliveries."""

    def admit(self, envelope: Envelope) -> Receipt:
        """Store the delivery and one entry per item that is new, in one transaction.

        A duplicate stores nothing. A duplicate with other content keeps its delivery,
        marked as a conflict; the first content stays what is handled. The same conflicting
        bytes, sent again, are counted and not kept again.

        With modes in the envelope, overridden by what was switched, an entry of a version in
        shadow is SHADOW and one of an ignored version IGNORED. A live one is PENDING, unless
        its fact is owned by an entry of another version: then it is a TWIN. What is only
        ignored is kept without its bytes.

        An item with ``repeat_after_s`` is a duplicate as well when its previous event id
        names an entry that was received less than so many seconds before it.
        """

    def claim(
        self,
        *,
        now: datetime,
        lease_s: float,
        limit: int,
        endpoints: Collection[str],
        ahead: int = 0,
        only: Collection[int] | None = None,
        in_lanes: bool = False,
    ) -> list[Entry]:
        """Lease up to *limit* due entries of *endpoints*, oldest first, and count the attempt.

        Up to *ahead* more are set aside for the holder of the token, and returned after
        these: WAITING, due when the lease is over, their attempt not counted. Each of them is
        handled after ``begin`` or ``settle_and_begin``, so that a worker that dies has spent
        the attempt of none but what it was handling.

        Due are PENDING entries, WAITING ones whose next attempt is due, and RUNNING ones
        whose lease is over. With *only*, just these entries, and WAITING ones at once.
        The claim is committed before it returns.

        Oldest is what has been due longest: since it was received or replayed, since its
        next attempt was due, since its lease was over; within a delivery the payload's
        order holds. An entry whose lease is over is claimed alone, so that an event that
        kills its worker takes no neighbour with it.

        With *in_lanes*, the entries of one lane run one at a time and in the order they
        were admitted, also across processes, and one entry is claimed at most, and none set
        aside: one is held
        up while another of its lane is RUNNING, or while an earlier one is PENDING or
        WAITING. A replayed entry has lost its place: it neither waits for earlier ones nor
        holds up later ones. Those that ran side by side before there were lanes are taken
        over one after the other. What is found to be held up becomes WAITING, due with what
        it waits for (the RUNNING one, else the first) and not within ``HELD_UP_S``, so that
        a backlog behind one entry is not looked through again by each claim.
        """

    def begin(self, entry: Entry, *, now: datetime, lease_s: float) -> bool:
        """Lease *entry*, which was set aside, and count the attempt.

        False when it belongs to another claim by now, or was replayed.
        """

    def give_back(self, set_aside: Collection[Entry], *, now: datetime) -> None:
        """Have others claim at once what was set aside and not begun."""

    def renew(self, entry: Entry, *, now: datetime, lease_s: float) -> bool:
        """Extend the lease of *entry*; False when it belongs to another claim by now.

        One that is over can be extended as long as nobody else has claimed the entry.
        """

    def settle(
        self, entry: Entry, settlement: Settlement, *, now: datetime, in_lanes: bool = False
    ) -> bool:
        """Record the attempts and the next state; False, and nothing recorded, when fenced.

        With *in_lanes*, the first entry that was held up in its lane is due at once when
        this one is DONE or DEAD.
        """

    def settle_and_begin(
        self,
        entry: Entry,
        settlement: Settlement,
        following: Entry,
        *,
        now: datetime,
        lease_s: float,
    ) -> tuple[bool, bool]:
        """Settle *entry* and begin *following*, which was set aside, by one commit.

        Returns:
            What ``settle`` and ``begin`` would; either may fail without the other.
        """

    def transact(self, entry: Entry, work: Callable[[Any], Attempt]) -> Attempt | None:
        """Run *work* in a transaction whose commit also records that it succeeded.

        Args:
            work: Called once with a SQLAlchemy ``Connection`` to the inbox's own database,
                which it may neither commit nor roll back.

        Returns:
            What *work* returned, marked as recorded when it succeeded; nothing of what it
            wrote is kept otherwise. None, and nothing kept, when the entry belongs to
            another claim by now.

        Raises:
            ConfigurationError: This inbox has no transactions.
        """

    def replay(
        self, entry_id: int, *, now: datetime, handlers: Collection[str] | None = None
    ) -> None:
        """Make an entry PENDING again, with all its attempts before it.

        A DONE entry runs every handler again, a WAITING or DEAD one those that have not
        succeeded. With *handlers* just these run, whether they have succeeded or not. From
        then on the entry's claims say that it is a replay. What it held up in its lane is
        due at once.

        Raises:
            ReplayRefused: No such entry, it is PENDING or RUNNING, or its bytes are gone; or
                it is WAITING, and *handlers* are given, so that the others would not run.
        """

    def replay_all(
        self,
        wanted: Filter,
        *,
        now: datetime,
        handlers: Collection[str] | None = None,
        after_id: int = 0,
        up_to_id: int | None = None,
        limit: int = 100,
    ) -> Batch:
        """Replay entries, lowest id first, passing over those that ``replay`` would refuse.

        Args:
            after_id: Only entries with a higher id.
            up_to_id: Only entries with this id or a lower one; None is all.
            limit: How many entries are looked at.
        """

    def prune(
        self,
        *,
        bodies_before: datetime,
        ids_before: datetime,
        after: tuple[int, int] = (0, 0),
        limit: int = 200,
    ) -> Pruned:
        """Delete what was received before a moment, oldest first, in one short transaction.

        Bytes go before ids: an entry without bytes still stops duplicates, and cannot be
        replayed. What is PENDING, RUNNING or WAITING is kept whatever its age.

        Args:
            after: Where the step before this one ended.
            limit: How many deliveries, and how many entries, are looked at.
        """

    def has_due(self, endpoints: Collection[str], *, now: datetime) -> bool:
        """Tell whether a claim may find anything at *endpoints*, without a write.

        It is sure to find something unless it goes by lanes.
        """

    def next_due_at(self, endpoints: Collection[str]) -> datetime | None:
        """Return when the next entry of *endpoints* becomes claimable, None when none waits.

        A time in the past means now.
        """

    def find(self, wanted: Filter = EVERYTHING, *, limit: int = 100) -> Sequence[EntryRecord]:
        """Return entries, newest first."""

    def counts(self) -> dict[State, int]:
        """Return how many entries are in each state; every state is there."""

    def proofs(self, after_id: int = 0, before_id: int | None = None, limit: int = STEP) -> Proofs:
        """Tell what proved the newest of the kept deliveries between two ids.

        Args:
            limit: How many ids are looked through at most, whatever is stored.
        """

    def after_fork(self) -> None:
        """Forget connections that belong to the parent process."""

    def close(self) -> None:
        """Give back what the inbox holds; it can be used again and opens anew."""


def storable_text(text: str, max_chars: int = MAX_TEXT_CHARS) -> str:
    """Return *text*, which came out of a payload, as text that every database stores.

    Lone surrogates and NUL are written as escapes (see ``bounded_id``). What is too long is
    cut and ends in an ellipsis: it is read by people, nothing is told apart by it.
    """
    if len(text) > max_chars:
        text = f"{text[: max_chars - 1]}\u2026"
    if text.isascii() and "\x00" not in text:
        return text
    # An escape is longer than what it stands for, hence the second cut.
    text = text.encode("utf-8", "backslashreplace").decode().replace("\x00", "\\x00")
    return text if len(text) <= max_chars else f"{text[: max_chars - 1]}\u2026"


def to_ms(moment: datetime) -> int:
    """Return aware *moment* as whole milliseconds since the epoch, cut and not rounded."""
    return (moment - _EPOCH) // _MILLISECOND


def from_ms(milliseconds: int) -> datetime:
    """Return *milliseconds* since the epoch as an aware moment in UTC."""
    return _EPOCH + milliseconds * _MILLISECOND


def later(milliseconds: int, seconds: float) -> int:
    """Return the moment that is *seconds* after another, both in milliseconds since the epoch."""
    return milliseconds + round(seconds * 1000)


def refusal(entry_id: int, state: State | None, *, has_body: bool, is_chosen: bool) -> str | None:
    """Return why an entry cannot be replayed, None when it can.

    Args:
        state: None when there is no such entry.
        is_chosen: Whether chosen handlers are asked for.
    """
    if state is None:
        return f"there is no entry {entry_id}"
    if state not in REPLAYABLE:
        return f"entry {entry_id} is {state}"
    if is_chosen and state is State.WAITING:
        return f"entry {entry_id} is waiting for its next attempt; handlers cannot be chosen now"
    return None if has_body else f"the bytes of entry {entry_id} are gone"
