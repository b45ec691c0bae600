"""The cockpit of an endpoint's payload versions: compare, rehearse, switch, go back, retire.

Rule 1: nothing is switched unless its version is typed, with the right ``switch``.
Rule 2: a form knows how many changes there were when its page was made: after another one it does
        nothing, so that a second press of a button, or an old page, switches nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from threading import Lock

from flask import request
from werkzeug.wrappers import Response

from hookkit.core.errors import ConfigurationError
from hookkit.core.modes import Mode
from hookkit.core.text import sentence
from hookkit.switching.switch import Status
from hookkit.web.console.access import Right
from hookkit.web.console.rehearsals import LIMIT_S, Rehearsed, rehearsals_of
from hookkit.web.console.rendering import render
from hookkit.web.console.visit import LONGEST_REASON, PageRefused, Visit

#: How long a person waits for a rehearsal before the page says that it runs, in seconds.
_WAIT_S = 20.0

_DONE = {
    "switched": "It is switched, in every process at once. The way back is below.",
    "retired": "The version is ignored from now on.",
    "rehearsing": "The rehearsal runs. Open this page again to see what came of it.",
}

_MOST_FACTS = 20

# Two presses of one button at once: the second finds what the first has changed.
_CHANGING = Lock()


def show_versions(visit: Visit, at: str) -> Response:
    """Show the modes of an endpoint's versions, and what speaks for a switch and against it."""
    _check_endpoint(visit, at)
    try:
        status = visit.state.versions.status(at, request.args.get("to") or None)
    except ConfigurationError as error:
        raise PageRefused(404, sentence(str(error))) from None
    rehearsed = None
    if status.new is not None:
        rehearsed = rehearsals_of(visit.state.app).last(at, status.new, visit.now)
    return _page(visit, status, rehearsed)


def rehearse(visit: Visit, at: str) -> Response:
    """Try a switch on what is kept, without running handlers; wait a little for the result."""
    _check_endpoint(visit, at)
    version = request.form.get("version", "")
    rehearsals = rehearsals_of(visit.state.app)
    with visit.acting(Right.OPERATE, "rehearse", target=f"{at} {version}"):
        versions = visit.state.versions
        begun = rehearsals.begin(
            at, version, visit.now, lambda is_over: versions.rehearse(at, version, is_over=is_over)
        )
        if begun is None:
            raise PageRefused(409, "A rehearsal runs already: wait until it has ended.")
        begun.ended.wait(_WAIT_S)
        if begun.error is not None:
            raise begun.error
    if begun.found is None:
        return visit.to("versions", at=at, to=version, did="rehearsing")
    # At once, and not by a redirection: another process would not know the result.
    return _page(visit, versions.status(at, version), begun)


def switch(visit: Visit, at: str) -> Response:
    """Make a version live in place of the others."""
    _check_endpoint(visit, at)
    do = partial(visit.state.versions.switch, at, who=visit.access.user)
    return _change(visit, at, "switch", do, did="switched")


def retire(visit: Visit, at: str) -> Response:
    """Ignore a version from now on."""
    _check_endpoint(visit, at)
    do = partial(visit.state.versions.retire, at, who=visit.access.user)
    return _change(visit, at, "retire", do, did="retired")


def _change(visit: Visit, at: str, action: str, do: Callable[..., object], *, did: str) -> Response:
    """Do *action* to the version that the form names, if all that it needs is filled in."""
    form = request.form
    version, reason = form.get("version", ""), form.get("reason", "").strip()
    is_forced = "force" in form
    _check_unchanged(visit, at)
    mistakes = {}
    if form.get("confirm", "").strip() != version:
        mistakes["confirm"] = f"Write {version}, as it stands here."
    if is_forced and not reason:
        mistakes["reason"] = "Say why, in spite of the reasons against it: it is recorded."
    if len(reason) > LONGEST_REASON:
        mistakes["reason"] = f"Write at most {LONGEST_REASON} characters."
    if mistakes:
        other = version if action == "switch" else None
        status = visit.state.versions.status(at, other)
        return _page(visit, status, None, mistakes={f"{action} {version}": mistakes})
    with visit.acting(Right.SWITCH, action, target=f"{at} {version}", reason=reason), _CHANGING:
        _check_unchanged(visit, at)
        do(version, is_forced=is_forced)
    return visit.to("versions", at=at, did=did)


def _check_endpoint(visit: Visit, at: str) -> None:
    if at not in visit.state.settings.endpoints:
        raise PageRefused(404, f"The settings have no endpoint {at}.")


def _check_unchanged(visit: Visit, at: str) -> None:
    log = visit.state.opening.inbox().switches.log(at)
    if request.form.get("changes") != str(len(log)):
        raise PageRefused(
            409, f"The versions of {at} were changed since this page was opened: look at it again."
        )


def _page(
    visit: Visit,
    status: Status,
    rehearsed: Rehearsed | None,
    *,
    mistakes: Mapping[str, Mapping[str, str]] | None = None,
) -> Response:
    live = [version for version, mode in status.modes.items() if mode is Mode.LIVE]
    used = _used_before(visit, status)
    return render(
        visit,
        "versions.html",
        status=400 if mistakes else 200,
        found=status,
        is_back=status.new in used,
        live=live,
        others=[each for each in status.modes if each != status.new and live != [each]],
        retirable=[each for each in status.modes if each in used and live],
        step=_step(status, rehearsed, is_mistaken=bool(mistakes)),
        rehearsed=rehearsed,
        limit_s=LIMIT_S,
        most_facts=_MOST_FACTS,
        mistakes=mistakes or {},
        written=request.form if mistakes else {},
        done=_DONE.get(request.args.get("did", "")),
    )


def _used_before(visit: Visit, status: Status) -> set[str]:
    """Return the versions in shadow that were live, by the settings or by a switch."""
    configured = visit.state.settings.endpoints[status.endpoint].modes or {}
    used = {version for version, mode in configured.items() if mode is Mode.LIVE}
    used |= {each.version for each in status.log if each.mode is Mode.LIVE and not each.vendor_type}
    return {each for each in used if status.modes.get(each) is Mode.SHADOW}


def _step(status: Status, rehearsed: Rehearsed | None, *, is_mistaken: bool) -> int:
    """Return the number of the step that comes next."""
    if is_mistaken:
        return 5
    if status.new is None:
        return 1
    if any(not tick.has_come for tick in status.triggers) and not status.is_safe:
        return 2
    if not status.is_safe:
        return 3
    is_clean = rehearsed is not None and rehearsed.found is not None and rehearsed.found.is_clean
    return 5 if is_clean else 4
