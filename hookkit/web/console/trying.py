"""What would become of one event today: it is read anew, and nothing is run or written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from hookkit.core.attempts import FINISHED
from hookkit.core.entry import Filter
from hookkit.core.masking import masked_id
from hookkit.handling.dispatch import Reader
from hookkit.inbox.records import EntryRecord, Kept
from hookkit.inbox.sights import Detail
from hookkit.operating.renormalizing import Changed
from hookkit.switching.comparison import Difference, differences
from hookkit.web.console.visit import Visit

#: Columns of the inbox that hold what a sender calls itself.
_IDS = ("stored lane", "stored fact")


class Rereading(NamedTuple):
    """What today's code makes of an entry.

    Attributes:
        event_type: What it is read as.
        changed: What is read otherwise than what is stored.
        handlers: Those that wait for its type, and how each stands.
    """

    event_type: str
    changed: Sequence[Changed]
    handlers: Sequence[tuple[str, str]]


def try_again(visit: Visit, detail: Detail) -> Rereading | None:
    """Return what today's code makes of an entry; None if it cannot be read."""
    record = detail.record
    report = visit.state.renormalizing.compare(Filter(entry_ids=[record.id]))
    if detail.body is None or not report.read:
        return None
    assignment = visit.state.worker.assignment
    event = Reader(assignment.providers).read(detail.kept)
    names = [each.name for each in assignment.registry.of_type(event.type)]
    return Rereading(
        event_type=event.type.value,
        changed=[_without_names(each) for each in report.changed],
        handlers=list(_standing(record, names)),
    )


def _without_names(changed: Changed) -> Changed:
    if changed.path not in _IDS:
        return changed
    old, new = (each and masked_id(each) for each in (changed.old, changed.new))
    return changed._replace(old=old, new=new)


def _standing(record: EntryRecord, names: Sequence[str]) -> Iterator[tuple[str, str]]:
    last = {each.handler: each.outcome for each in record.attempts}
    for name in names:
        if name not in last:
            yield name, "has not run; whether its condition holds is seen when it runs"
        elif last[name] in FINISHED:
            yield name, "has succeeded, and runs again only if you choose it"
        else:
            yield name, f"{last[name].value.replace('_', ' ')} last, and runs again"


def twin_differences(
    visit: Visit, detail: Detail, twin: Kept | None
) -> Sequence[Difference] | None:
    """Return the fields that an entry and its twin read differently; None if one has no body."""
    providers = visit.state.worker.assignment.providers
    if twin is None or detail.body is None or twin.body is None:
        return None
    if not {detail.record.endpoint, twin.endpoint} <= set(providers):
        return None
    reader = Reader(providers)
    return list(differences(reader.read(detail.kept), reader.read(twin)))
