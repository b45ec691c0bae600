"""The page that replays many entries: which they are, what would run, and the form that starts it.

Rule 1: what runs is what its preview counted. Entries that arrive later are left out, and times
        such as "2h ago" are resolved when the page is opened.
Rule 2: a group of dead letters is named by a digest: its error may hold personal data.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from flask import request
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from hookkit.cli.flask_commands.entries import short_error, short_name
from hookkit.cli.flask_commands.filters import spelt
from hookkit.core.entry import EVERYTHING, Filter, State
from hookkit.core.masking import masked_error
from hookkit.inbox.replay_records import Bulk
from hookkit.inbox.sights import DeadGroup
from hookkit.operating.replays import Preview
from hookkit.web.console.access import Right
from hookkit.web.console.events import Chosen, chosen_of, filter_of
from hookkit.web.console.rendering import render
from hookkit.web.console.visit import LONGEST_REASON, PageRefused, Visit

#: If more entries than this would run, their number must be typed first.
TYPED_ABOVE = 100

#: How many entries become due in a second, unless somebody says otherwise; and the most.
PER_SECOND = 20
MAX_PER_SECOND = 1000

_MOST_DIGITS = 18


@dataclass(frozen=True, slots=True, kw_only=True)
class _Choice:
    """What a replay is about.

    Attributes:
        title: What people call it.
        fields: What the form sends back, so that the same is chosen.
        wanted: The entries.
        up_to_id: The newest entry that is meant.
    """

    title: str
    fields: Mapping[str, str]
    wanted: Filter
    up_to_id: int


def key_of(group: DeadGroup) -> str:
    """Return what an address calls a group of dead letters."""
    text = f"{group.handler}\0{group.error}"
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:16]


def title_of(group: DeadGroup) -> str:
    """Return what people call a group of dead letters."""
    error = short_error(masked_error(group.error))
    return f"{short_name(group.handler) or 'no handler'}: {error}"


def show_bulk(visit: Visit) -> Response:
    """Show what would run again, and ask for the rest."""
    choice = _choice(visit, request.args)
    preview = _preview(visit, choice)
    return _form(visit, choice, preview, MultiDict({"per_second": str(PER_SECOND)}), {})


def start(visit: Visit) -> Response:
    """Record the replay; from then on housekeeping does it."""
    given = request.form
    choice = _choice(visit, given)
    handlers = given.getlist("handler") or None
    preview = _preview(visit, choice, handlers)
    mistakes = _mistakes(given, preview)
    if mistakes:
        return _form(visit, choice, preview, given, mistakes)
    if not preview.count:
        raise PageRefused(409, "Nothing of it can run again now: see why on its page.")
    bulk = Bulk(choice.title, int(given["per_second"]), choice.up_to_id, preview.count)
    reason = given["reason"].strip()
    is_group = "group" in choice.fields
    with visit.acting(
        Right.OPERATE,
        "replay",
        target=choice.title,
        wanted=None if is_group else choice.wanted,
        reason=reason,
    ):
        started = visit.state.replaying.start(
            choice.wanted, handlers=handlers, reason=reason, who=visit.access.user, bulk=bulk
        )
    visit.state.begin_replays()
    return visit.to("replay_of_many", replay_id=started.id, did="started")


def _preview(visit: Visit, choice: _Choice, handlers: Sequence[str] | None = None) -> Preview:
    return visit.state.replaying.preview(
        choice.wanted, handlers, up_to_id=choice.up_to_id, is_brief=True
    )


def _form(
    visit: Visit,
    choice: _Choice,
    preview: Preview,
    given: MultiDict[str, str],
    mistakes: Mapping[str, str],
) -> Response:
    return render(
        visit,
        "bulk.html",
        status=400 if mistakes else 200,
        choice=choice,
        preview=preview,
        given=given,
        ticked=given.getlist("handler"),
        mistakes=mistakes,
        by_handler=preview.handlers.most_common(),
        refused=preview.refused.most_common(),
        handlers=visit.state.worker.assignment.registry.names,
        is_typed=preview.count > TYPED_ABOVE,
        most_per_second=MAX_PER_SECOND,
        longest_reason=LONGEST_REASON,
    )


def _mistakes(given: Mapping[str, str], preview: Preview) -> dict[str, str]:
    """Return what is wrong with the form, by its field."""
    mistakes = {}
    reason = given.get("reason", "").strip()
    if not reason:
        mistakes["reason"] = "Say why, for the record."
    elif len(reason) > LONGEST_REASON:
        mistakes["reason"] = f"Write at most {LONGEST_REASON} characters."
    pace = _number(given.get("per_second", ""))
    if pace is None or not 1 <= pace <= MAX_PER_SECOND:
        mistakes["per_second"] = f"Write a whole number from 1 to {MAX_PER_SECOND}."
    seen = _number(given.get("count", "")) or 0
    if preview.count > seen:
        mistakes["typed"] = f"There are {preview.count} by now, and not {seen}: look again."
    elif preview.count > TYPED_ABOVE and _number(given.get("typed", "")) != seen:
        mistakes["typed"] = f"Write {seen}, which is how many events run again."
    return mistakes


def _number(text: str) -> int | None:
    text = text.strip()
    is_number = text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS
    return int(text) if is_number else None


def _choice(visit: Visit, given: Mapping[str, str]) -> _Choice:
    """Return what an address, or a form, chooses.

    Raises:
        PageRefused: It chooses nothing that can be replayed.
    """
    up_to_id = _number(given.get("up_to", ""))
    if up_to_id is None:
        up_to_id = visit.state.opening.inbox().replays.newest_id()
    if "group" in given:
        return _group_choice(visit, given["group"], up_to_id)
    chosen = chosen_of(given)
    mistakes: dict[str, str] = {}
    wanted = filter_of(chosen, mistakes)
    if mistakes:
        raise PageRefused(400, f"Nothing is chosen: mend {', '.join(mistakes)}.")
    wanted = replace(wanted, since=_whole(wanted.since), until=_whole(wanted.until))
    if wanted == EVERYTHING:
        raise PageRefused(404, "Choose some events first: come here from a list of events.")
    fields = _resolved(chosen, wanted) | {"up_to": str(up_to_id)}
    return _Choice(title=spelt(wanted), fields=fields, wanted=wanted, up_to_id=up_to_id)


def _group_choice(visit: Visit, key: str, up_to_id: int) -> _Choice:
    for group in visit.state.opening.inbox().reading.dead_groups():
        if key_of(group) == key:
            return _Choice(
                title=title_of(group),
                fields={"group": key, "up_to": str(up_to_id)},
                wanted=Filter(entry_ids=_up_to(group.entry_ids, up_to_id), state=State.DEAD),
                up_to_id=up_to_id,
            )
    raise PageRefused(
        404, "This group of dead letters is gone: its events were replayed or pruned."
    )


def _up_to(entry_ids: Sequence[int], up_to_id: int) -> list[int]:
    return sorted(each for each in entry_ids if each <= up_to_id)


def _whole(moment: datetime | None) -> datetime | None:
    """Return *moment* as exactly as a form sends it back."""
    return None if moment is None else moment.replace(microsecond=0)


def _resolved(chosen: Chosen, wanted: Filter) -> dict[str, str]:
    """Return the fields that choose the same at any later time."""
    moments = {"since": wanted.since, "until": wanted.until}
    fixed = {
        name: moment.isoformat().replace("+00:00", "Z")
        for name, moment in moments.items()
        if moment
    }
    return chosen.given | fixed
