"""The pages of replays: which there were, how far one is, and how to pause or end it."""

from __future__ import annotations

from flask import request
from werkzeug.wrappers import Response

from hookkit.cli.flask_commands.filters import spelt
from hookkit.inbox.replay_records import Ending, ReplayRecord
from hookkit.web.console.access import Right
from hookkit.web.console.rendering import render
from hookkit.web.console.visit import PageRefused, Visit

#: How many replays the page shows: those that have not ended, then the newest.
LIMIT = 50

#: What an action has led to, by the word in the address.
_DONE = {
    "started": "The replay has begun. It goes on by itself, whoever looks.",
    "paused": "The replay is paused: nothing more becomes due until it goes on.",
    "gone_on": "The replay goes on.",
    "cancelled": "The replay has ended. What is due already still runs.",
}


def show_replays(visit: Visit) -> Response:
    """Show the replays, those that have not ended first."""
    found = visit.state.opening.inbox().replays.find(LIMIT)
    return render(
        visit,
        "replays.html",
        replays=[(each, named(each), standing_of(each)) for each in found],
        limit=LIMIT,
    )


def show_replay(visit: Visit, replay_id: int) -> Response:
    """Show how far one replay is."""
    record = _record(visit, replay_id)
    refused = sum(record.refused.values())
    left = None
    if record.previewed_count is not None:
        left = max(0, record.previewed_count - record.count)
    return render(
        visit,
        "replay.html",
        replay=record,
        name=named(record),
        standing=standing_of(record),
        results=visit.state.opening.inbox().replays.results(replay_id),
        refused_count=refused,
        left=left,
        is_inline=visit.state.runner_name == "inline",
        done=_DONE.get(request.args.get("did", "")),
    )


def pause(visit: Visit, replay_id: int) -> Response:
    """Have nothing more become due for now."""
    with visit.acting(Right.OPERATE, "pause", target=f"replay {replay_id}"):
        visit.state.replaying.pause(replay_id)
    return visit.to("replay_of_many", replay_id=replay_id, did="paused")


def go_on(visit: Visit, replay_id: int) -> Response:
    """Go on with a replay that was paused."""
    record = _record(visit, replay_id)
    with visit.acting(Right.OPERATE, "go on", target=f"replay {replay_id}"):
        if record.paused_at is not None or visit.state.runner_name != "inline":
            visit.state.replaying.unpause(replay_id)
    visit.state.begin_replays()
    return visit.to("replay_of_many", replay_id=replay_id, did="gone_on")


def cancel(visit: Visit, replay_id: int) -> Response:
    """End a replay where it is."""
    with visit.acting(Right.OPERATE, "cancel", target=f"replay {replay_id}"):
        visit.state.replaying.end(replay_id)
    return visit.to("replay_of_many", replay_id=replay_id, did="cancelled")


def named(record: ReplayRecord) -> str:
    """Return what people call a replay."""
    return record.title or spelt(record.wanted) or "every entry"


def standing_of(record: ReplayRecord) -> str:
    """Return how a replay stands, in a few words."""
    if record.ended_at is None:
        if record.per_second is None:
            return "a command does it"
        return "paused" if record.paused_at is not None else "goes on"
    words = {Ending.DONE: "done", Ending.FAILING: "stopped itself", Ending.CANCELLED: "cancelled"}
    return words.get(record.ending or Ending.DONE, "done")


def _record(visit: Visit, replay_id: int) -> ReplayRecord:
    record = visit.state.opening.inbox().replays.read(replay_id)
    if record is None:
        raise PageRefused(404, f"There is no replay {replay_id}.")
    return record
