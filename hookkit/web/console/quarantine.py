"""The pages of refused deliveries: why they are refused, and how they are verified again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from flask import request
from werkzeug.wrappers import Response

from hookkit.cli.flask_commands.quarantine import target_of, unreleased
from hookkit.core.errors import Unavailable
from hookkit.inbox.records import Refused
from hookkit.operating.refusals import ENDED, Outcome, Release
from hookkit.web.console.access import Right
from hookkit.web.console.events import read_time
from hookkit.web.console.ids import row_id
from hookkit.web.console.rendering import render
from hookkit.web.console.visit import PageRefused, Visit

#: How many refused deliveries a page lists.
LIMIT = 100

#: How many one press of the button verifies again, since a person waits for them.
AT_ONCE = 100

#: For how many endpoints the newest refusal is explained above the list.
_MOST_EXPLAINED = 5

_DONE = {
    "released": "released",
    "duplicate": "received before",
    "refused": "still refused",
    "left": "left for the next time",
}


class _Chosen(NamedTuple):
    """Which refused deliveries the address chooses; *mistake* says what is wrong with it."""

    at: str | None
    since: datetime | None
    mistake: str | None = None


def show_quarantine(visit: Visit) -> Response:
    """List refused deliveries, newest first, and say why the newest of each endpoint is one."""
    chosen = _chosen(visit, request.args.get("at", ""), request.args.get("since", ""))
    below = request.args.get("below", "")
    below_id = row_id(below)
    if below and below_id is None:
        raise PageRefused(400, "The number of a refused delivery is a whole number.")
    refusals = visit.state.refusals
    found: Sequence[Refused] = ()
    if chosen.mistake is None:
        found = refusals.find(
            endpoint=chosen.at, since=chosen.since, below_id=below_id, limit=LIMIT
        )
    pending = [each for each in found if each.released_at is None]
    return render(
        visit,
        "quarantine.html",
        status=400 if chosen.mistake else 200,
        found=found,
        next_id=found[-1].id if len(found) == LIMIT else None,
        is_first=below_id is None,
        at=chosen.at or "",
        since=request.args.get("since", ""),
        since_text="" if chosen.since is None else f"{chosen.since:%Y-%m-%dT%H:%M:%SZ}",
        mistake=chosen.mistake,
        up_to_id=max((each.id for each in pending), default=0),
        pending=len(pending),
        reasons=[] if below_id else list(_reasons(visit, pending)),
        endpoints=sorted(visit.state.settings.endpoints),
        done=_done(),
    )


def show_refused(visit: Visit, refused_id: int) -> Response:
    """Say why one delivery is refused, by the settings of today."""
    refused = _refused(visit, refused_id)
    found = visit.state.refusals.diagnose(refused_id)
    return render(
        visit,
        "refused.html",
        refused=refused,
        found=found,
        is_proven=found.outcome is Outcome.RELEASED,
        done=_done(),
    )


def release(visit: Visit, refused_id: int) -> Response:
    """Verify one delivery again, and admit it if it is proven."""
    _refused(visit, refused_id)
    counts = _release(visit, [refused_id])
    return visit.to("refused", refused_id=refused_id, **counts)


def release_all(visit: Visit) -> Response:
    """Verify what the page has listed of an endpoint again, and admit what is proven."""
    form = request.form
    chosen = _chosen(visit, form.get("at", ""), form.get("since", ""))
    up_to_id = row_id(form.get("up_to", ""))
    if chosen.mistake or chosen.at is None or up_to_id is None:
        raise PageRefused(400, "Choose an endpoint on the page of the quarantine first.")
    waiting = unreleased(visit.state.refusals, chosen.at, chosen.since)
    wanted = [each for each in waiting if each <= up_to_id]
    if not wanted:
        raise PageRefused(409, "Nothing is left of what was listed: look at the list again.")
    counts = _release(visit, wanted[:AT_ONCE])
    counts["left"] = len(wanted[AT_ONCE:])
    return visit.to("quarantine", at=chosen.at, since=form.get("since") or None, **counts)


def _release(visit: Visit, refused_ids: Collection[int]) -> dict[str, int]:
    """Return how many ended how."""
    counts = Counter[str]()
    with visit.acting(Right.OPERATE, "release", target=target_of(list(refused_ids))):
        for each in visit.state.refusals.release(refused_ids):
            counts[_word(each)] += 1
    return dict(counts)


def _word(release: Release) -> str:
    if release.outcome not in ENDED:
        return "refused"
    return "released" if release.outcome is Outcome.RELEASED else "duplicate"


def _done() -> str | None:
    """Return what an action has led to, by the numbers in the address."""
    counts = {name: row_id(request.args.get(name, "")) for name in _DONE}
    parts = [f"{count} {_DONE[name]}" for name, count in counts.items() if count is not None]
    if not parts:
        return None
    whole = counts["refused"] is None and counts["left"] is None
    return f"{', '.join(parts)}." if whole else f"{', '.join(parts)}. See why below."


def _chosen(visit: Visit, at: str, since: str) -> _Chosen:
    at, since = at.strip(), since.strip()
    if at and at not in visit.state.settings.endpoints:
        return _Chosen(None, None, "Choose one of the endpoints of the settings.")
    if not since:
        return _Chosen(at or None, None)
    try:
        return _Chosen(at or None, read_time(since))
    except ValueError as error:
        return _Chosen(at or None, None, str(error))


def _refused(visit: Visit, refused_id: int) -> Refused:
    found = visit.state.opening.inbox().quarantine.find(ids=[refused_id])
    if not found:
        raise PageRefused(
            404, f"There is no refused delivery {refused_id}; it may have made room for others."
        )
    return found[0]


def _reasons(visit: Visit, pending: Sequence[Refused]) -> Iterator[tuple[Refused, str]]:
    """Yield why the newest refused delivery of each endpoint is refused."""
    newest: dict[str, Refused] = {}
    for each in pending:
        newest.setdefault(each.endpoint, each)
    for each in list(newest.values())[:_MOST_EXPLAINED]:
        try:
            yield each, visit.state.refusals.diagnose(each.id).text
        except Unavailable as error:
            yield each, str(error)
