"""Notices what vendors send that hookkit does not read: new fields, new types, new problems.

Types and problems are counted in every event. Fields are looked for in the first event of its type
in this process, in one of a hundred up to the thousandth, and in one of a thousand after that, once
its handlers have run. A field that the vendor's own samples show, and that hookkit leaves out on
purpose, is not reported.
"""

from __future__ import annotations

import logging
import re
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib import resources
from threading import Lock

from hookkit.core.delivery import Item
from hookkit.core.entry import Entry
from hookkit.core.errors import Unavailable
from hookkit.core.event import Event, EventType
from hookkit.core.masking import masked_error
from hookkit.core.provider import Provider, split
from hookkit.core.unread import unread_fields
from hookkit.inbox.inbox import Inbox
from hookkit.inbox.records import Drifted
from hookkit.log import BoundedLog

#: Fields are looked for in one of this many events of a type. To look takes as long as to handle
#: three events, so that it is done less often where there are many.
ONE_OF = 100
MANY = 1000
ONE_OF_MANY = 1000

#: How many findings of a day and kinds of events a process remembers; the others are left out.
MAX_FOUND = 200
MAX_KINDS = 1000

#: How often counts are written, in seconds; a new finding is written at once.
WRITE_S = 60.0

#: A larger body is not looked through, in bytes.
MAX_BYTES = 100_000

_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_:.-]{0,79}")
#: The ends of the names of files that lie beside the samples.
_NO_BODIES = (".expected.json", ".headers.json")

_INDEX = re.compile(r"\[\d+\]")
_TYPE_UNKNOWN = "type: not known"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

#: What the samples of the last providers show: a test suite makes an application for each test.
_found: deque[tuple[Provider, frozenset[tuple[str, str]]]] = deque(maxlen=64)


class DriftSentinel:
    """Notices drift among the events that this process handles.

    Args:
        inbox: Returns the inbox; may raise ``Unavailable``.
        clock: Returns the time as aware UTC.
    """

    def __init__(self, *, inbox: Callable[[], Inbox], clock: Callable[[], datetime]) -> None:
        self._inbox = inbox
        self._clock = clock
        self._log = BoundedLog()
        self.after_fork()

    def after_fork(self) -> None:
        """Begin anew in a child process."""
        self._lock = Lock()
        self._documented: dict[str, frozenset[tuple[str, str]]] = {}
        self._counts: dict[tuple[str, str, str], int] = {}
        self._day = _EPOCH.date()
        self._known: set[Drifted] = set()
        self._waiting = Counter[Drifted]()
        self._write_at_s = 0.0

    def note(self, provider: Provider, entry: Entry, event: Event) -> None:
        """Look at an event that was handled; nothing that goes wrong here leaves this method."""
        kind = (event.provider, event.version, event.vendor_type)
        count = self._counts.get(kind, 0)
        if count or len(self._counts) < MAX_KINDS:
            self._counts[kind] = count + 1
        else:
            count = 1
        one_of = ONE_OF if count < MANY else ONE_OF_MANY
        is_sample = not count % one_of and event.type is not EventType.UNKNOWN
        if not (is_sample or event.problems):
            return
        try:
            found = set(_problems_of(event))
            if is_sample:
                found.update(self._fields_of(provider, entry, event))
            if found:
                self._add(found)
        except Unavailable:
            # What was found stays counted.
            self._write_at_s = time.monotonic() + WRITE_S
        except Exception as error:  # noqa: BLE001  # the event is handled, whatever happens here
            self._log.write(
                logging.ERROR,
                (),
                "cannot look for fields that are not read",
                error=error,
                extra={"action": "drift_failed"},
                at_once=1,
            )

    def write(self) -> None:
        """Write what was counted, and log what is new today.

        Raises:
            Unavailable: The inbox cannot be reached; it stays counted.
        """
        with self._lock:
            self._write_at_s = time.monotonic() + WRITE_S
            waiting, self._waiting = self._waiting, Counter()
            day = self._day
        if not waiting:
            return
        try:
            new = self._inbox().drift.add(day, waiting)
        except Unavailable:
            with self._lock:
                self._waiting.update(waiting)
            raise
        for each in new:
            self._report(each)

    def _add(self, found: set[Drifted]) -> None:
        today = self._clock().date()
        if today != self._day:
            self.write()
        with self._lock:
            if today != self._day:
                self._day, self._known = today, set()
            room = MAX_FOUND - len(self._known)
            new = sorted(found - self._known)[: max(0, room)]
            self._known.update(new)
            self._waiting.update(found & self._known)
        if new or time.monotonic() >= self._write_at_s:
            self.write()

    def _fields_of(self, provider: Provider, entry: Entry, event: Event) -> Iterator[Drifted]:
        version, item = provider.versions.get(event.version), _item_of(provider, entry)
        if version is None or item is None:
            return
        unread = unread_fields(version, item)
        if not unread:
            return  # as usual, and the vendor's samples need not be read
        documented = self._documented.get(provider.name)
        if documented is None:
            documented = self._documented[provider.name] = _documented_of(provider)
        for path in unread:
            if (event.version, path) not in documented:
                yield Drifted(event.provider, event.version, "field", path)

    def _report(self, each: Drifted) -> None:
        self._log.write(
            logging.WARNING,
            (each.provider, each.version, each.kind),
            "%s %s sends what is not read: %s %s; see `flask hookkit drift`",
            each.provider,
            each.version or "(version unknown)",
            each.kind,
            each.name,
            extra={
                "action": "drift",
                "provider": each.provider,
                "version": each.version,
                "kind": each.kind,
                "drifted": each.name,
            },
        )


def _problems_of(event: Event) -> Iterator[Drifted]:
    if event.type is EventType.UNKNOWN and _TYPE_UNKNOWN in event.problems:
        is_word = _WORD.fullmatch(event.vendor_type)
        word = event.vendor_type if is_word else "(no word)"
        yield Drifted(event.provider, event.version, "type", word)
    for line in event.problems:
        if line != _TYPE_UNKNOWN:
            said = masked_error(_INDEX.sub("[]", line))
            yield Drifted(event.provider, event.version, "problem", said)


def _item_of(provider: Provider, entry: Entry) -> Item | None:
    """Return the item of *entry*; None if it cannot be looked through."""
    if entry.body is None or len(entry.body) > MAX_BYTES:
        return None
    items = split(
        provider,
        endpoint=entry.endpoint,
        body=entry.body,
        headers=entry.headers,
        received_at=entry.received_at,
    )
    item = items[min(entry.position, len(items) - 1)]
    return item if item.problem is None else None


def _sample_bodies(provider: Provider) -> Iterator[bytes]:
    """Yield the bodies in the vendor's folder that its documentation shows."""
    yield from (each.body for each in provider.samples)
    try:
        folder = resources.files(provider.package or f"hookkit.providers.{provider.name}")
    except ModuleNotFoundError:  # a provider of another package may have no samples
        return
    for version in provider.versions:
        samples = folder.joinpath("samples", version)
        for file in samples.iterdir() if samples.is_dir() else ():
            if file.name.endswith(".json") and not file.name.endswith(_NO_BODIES):
                yield file.read_bytes()


def _documented_of(provider: Provider) -> frozenset[tuple[str, str]]:
    """Return ``documented_unread``, remembered: it looks through up to a hundred samples."""
    for other, found in tuple(_found):
        if other.versions is provider.versions and other.options == provider.options:
            return found
    found = documented_unread(provider)
    _found.append((provider, found))
    return found


def documented_unread(provider: Provider) -> frozenset[tuple[str, str]]:
    """Return the fields of the vendor's samples that are not read, each with its version."""
    found: set[tuple[str, str]] = set()
    for body in _sample_bodies(provider):
        items = split(provider, endpoint="", body=body, headers={}, received_at=_EPOCH)
        for item in items:
            name = item.payload.version
            if name in provider.versions and item.problem is None:
                paths = unread_fields(provider.versions[name], item)
                found.update((name, path) for path in paths)
    return frozenset(found)
