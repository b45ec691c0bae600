"""Reads kept bodies again with today's code, and finds what is read otherwise than before.

What an inbox stores of a reading is compared with every entry: type, problem, lane, fact, and
the place in its delivery. Whole events are not stored. To compare those, ``snapshot`` is taken with
the old code and given to the new code. It holds no values, but a hash of each, and words that
anybody may see.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, NamedTuple

from hookkit.core.delivery import Item
from hookkit.core.entry import EVERYTHING, Filter
from hookkit.core.errors import ConfigurationError
from hookkit.core.event import Event
from hookkit.core.leaves import leaves, spelling
from hookkit.core.masking import masked_error, shown
from hookkit.core.provider import Provider, normalize, split
from hookkit.inbox.inbox import Inbox
from hookkit.inbox.records import MAX_WORD_CHARS, Kept, ReadAs, storable_text

#: How many entries are read at a time.
PAGE = 50

#: The most rows of a report; a payload must not make it endless.
MAX_ROWS = 1000

_FORMAT = "hookkit renormalize 1"
_NUMBER = re.compile(r"\[\d+\]")

#: The value of a leaf: its hash, and what may be shown of it.
_Hashed = Sequence[str]


#: What a correction writes.
_CORRECTED = frozenset({"stored event_type", "stored problem"})


class _Difference(NamedTuple):
    """A field that differs, and what may be shown of its values."""

    path: str
    old: str | None
    new: str | None


class Changed(NamedTuple):
    """A field that is read otherwise, in the events of one type.

    Attributes:
        path: The attribute, with ``[]`` for each element of an array; ``stored`` before it
            for a column of the inbox.
        old, new: What may be shown of the values of the first such event; None for no value.
        entry_id: The first such event.
        entries: How many there are.
    """

    endpoint: str
    version: str
    vendor_type: str
    path: str
    old: str | None
    new: str | None
    entry_id: int
    entries: int


@dataclass(slots=True)
class Report:
    """What was found.

    Attributes:
        read: How many entries were read again.
        unreadable: How many were not, since their bytes are gone or cannot be decrypted.
        differing: How many entries differ from what was stored or saved of them.
        written: In how many entries something was corrected.
        changed: One for each type of event and field.
        is_whole: Whether every field that differs is in ``changed``.
    """

    read: int = 0
    unreadable: int = 0
    differing: int = 0
    written: int = 0
    changed: list[Changed] = field(default_factory=list)
    is_whole: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Renormalizing:
    """Reads again what one application's inbox keeps.

    Attributes:
        inbox: Returns the inbox; may raise ``Unavailable``.
        providers: The provider of each endpoint that the application serves, by its name.
    """

    inbox: Callable[[], Inbox]
    providers: Mapping[str, Provider]

    def compare(
        self, wanted: Filter = EVERYTHING, *, saved: Iterable[str] = (), writes: bool = False
    ) -> Report:
        """Compare what entries are read as with what is stored of them, and with a snapshot.

        Args:
            wanted: Which entries are read.
            saved: The lines of a snapshot; with them, only its entries are read.
            writes: Whether event types and problems are corrected in the inbox.

        Raises:
            ConfigurationError: *saved* was not made by ``snapshot``.
        """
        found = _Found()
        before = _Snapshot(saved)
        pages = self._saved_pages(wanted, before) if before.is_given else self._pages(wanted)
        for page in pages:
            corrections = []
            for kept, item, event in self._read(page, found.report):
                stored = _stored_differences(kept, item, event)
                found.add(kept, [*stored, *before.differences(kept.id, event)])
                if any(each.path in _CORRECTED for each in stored):
                    corrections.append(_read_as(kept.id, item, event))
            if writes and corrections:
                found.report.written += self.inbox().record_readings(corrections)
        return found.finished()

    def snapshot(self, wanted: Filter = EVERYTHING) -> Iterator[str]:
        """Yield the lines of a snapshot of what entries are read as by this code, newest first."""
        salt = secrets.token_hex(16)
        yield json.dumps({"format": _FORMAT, "salt": salt})
        for page in self._pages(wanted):
            for kept, _, event in self._read(page, Report()):
                yield json.dumps({"id": kept.id, "leaves": _hashed(event, salt)})

    def _pages(self, wanted: Filter) -> Iterator[Sequence[Kept]]:
        below_id = None
        while page := self.inbox().kept(wanted=wanted, below_id=below_id, limit=PAGE):
            yield page
            below_id = page[-1].id

    def _saved_pages(self, wanted: Filter, before: _Snapshot) -> Iterator[Sequence[Kept]]:
        while entry_ids := before.next_ids(PAGE):
            yield self.inbox().kept(wanted=replace(wanted, entry_ids=entry_ids), limit=PAGE)

    def _read(self, page: Sequence[Kept], report: Report) -> Iterator[tuple[Kept, Item, Event]]:
        last: tuple[int, Sequence[Item]] = (0, ())
        for kept in page:
            provider = self.providers.get(kept.endpoint)
            if provider is None or kept.body is None:
                report.unreadable += 1
                continue
            if last[0] != kept.delivery_id:
                last = kept.delivery_id, _items(provider, kept)
            items = last[1]
            # As a worker reads it.
            item = items[min(kept.position, len(items) - 1)]
            report.read += 1
            yield kept, item, normalize(provider, replace(item, event_id=kept.event_id))


def _items(provider: Provider, kept: Kept) -> Sequence[Item]:
    return split(
        provider,
        endpoint=kept.endpoint,
        body=kept.body or b"",
        headers=kept.headers,
        received_at=kept.received_at,
    )


def _read_as(entry_id: int, item: Item, event: Event) -> ReadAs:
    return ReadAs(entry_id, event.type.value, _storable(item.problem))


def _storable(text: str | None) -> str | None:
    return None if text is None else storable_text(text)


def _stored_differences(kept: Kept, item: Item, event: Event) -> list[_Difference]:
    """Return the columns that a reading decides and that differ."""
    pairs = {
        "vendor_type": (kept.vendor_type, storable_text(item.vendor_type, MAX_WORD_CHARS)),
        "version": (kept.version, storable_text(item.payload.version, MAX_WORD_CHARS)),
        "lane": (kept.lane, item.lane),
        "fact": (kept.fact, item.fact),
        "problem": (kept.problem, _storable(item.problem)),
    }
    if kept.event_type is not None:  # else nobody has handled it yet
        pairs["event_type"] = kept.event_type, event.type.value
    return [
        _Difference(f"stored {name}", *(each and masked_error(each) for each in (old, new)))
        for name, (old, new) in pairs.items()
        if old != new
    ]


def _hashed(event: Event, salt: str) -> dict[str, _Hashed]:
    return {
        path: (_digest(salt, path, value), shown(value, _NUMBER.sub("[]", path)))
        for path, value in leaves(event)
    }


def _digest(salt: str, path: str, value: Any) -> str:
    spelt = f"{salt}\0{path}\0{spelling(value)}"
    return hashlib.sha256(spelt.encode("utf-8", "surrogatepass")).hexdigest()[:32]


class _Snapshot:
    """What a snapshot says of the entries that are being looked at.

    Args:
        lines: The lines of the file; empty without a file.
    """

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = iter(lines)
        first = next(self._lines, None)
        self.is_given = first is not None
        head = {} if first is None else _object(first)
        if self.is_given and head.get("format") != _FORMAT:
            raise ConfigurationError("the file was not made by --save of this version of hookkit")
        self._salt = str(head.get("salt"))
        self._of_page: dict[int, Mapping[str, _Hashed]] = {}

    def next_ids(self, limit: int) -> list[int]:
        """Return the ids of the next entries, of which ``differences`` can be asked then."""
        page = [_object(line) for line in islice(self._lines, limit)]
        try:
            self._of_page = {int(each["id"]): dict(each["leaves"]) for each in page}
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigurationError("the file is damaged: a line is not of an entry") from error
        return list(self._of_page)

    def differences(self, entry_id: int, event: Event) -> Iterator[_Difference]:
        """Yield each leaf that differs."""
        if entry_id not in self._of_page:
            return
        old, new = self._of_page[entry_id], _hashed(event, self._salt)
        for path in {**old, **new}:
            one, other = old.get(path, (None, None)), new.get(path, (None, None))
            if one[0] != other[0]:
                yield _Difference(_NUMBER.sub("[]", path), one[1], other[1])


def _object(line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ConfigurationError("the file was not made by --save, or is damaged")
    return found


class _Found:
    """Groups what differs by type of event and field."""

    def __init__(self) -> None:
        self.report = Report()
        self._rows: dict[tuple[str, str, str, str], Changed] = {}

    def add(self, kept: Kept, differing: Sequence[_Difference]) -> None:
        """Count an entry once for each field that differs."""
        self.report.differing += bool(differing)
        for path, old, new in {each.path: each for each in reversed(differing)}.values():
            key = kept.endpoint, kept.version, kept.vendor_type, path
            row = self._rows.get(key)
            if row is not None:
                self._rows[key] = row._replace(entries=row.entries + 1)
            elif len(self._rows) < MAX_ROWS:
                self._rows[key] = Changed(*key, old=old, new=new, entry_id=kept.id, entries=1)
            else:
                self.report.is_whole = False

    def finished(self) -> Report:
        """Return the report, with the most frequent differences first."""
        self.report.changed = sorted(self._rows.values(), key=lambda each: -each.entries)
        return self.report
