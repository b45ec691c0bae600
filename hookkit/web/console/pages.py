"""Every page of the console, in the order of the navigation."""

from __future__ import annotations

from hookkit.web.console.access import Right
from hookkit.web.console.audit import show_audit
from hookkit.web.console.bulk import show_bulk, start
from hookkit.web.console.dead import show_dead
from hookkit.web.console.endpoints import show_endpoint, show_endpoints
from hookkit.web.console.event import replay, reveal, show_event
from hookkit.web.console.events import show_events
from hookkit.web.console.export import export, export_revealed
from hookkit.web.console.files import send_file
from hookkit.web.console.fixture import show_fixture
from hookkit.web.console.handlers import show_handlers
from hookkit.web.console.live import send_changes, show_live
from hookkit.web.console.overview import show_overview
from hookkit.web.console.preferences import prefer
from hookkit.web.console.quarantine import (
    release,
    release_all,
    show_quarantine,
    show_refused,
)
from hookkit.web.console.replays import cancel, go_on, pause, show_replay, show_replays
from hookkit.web.console.versions import rehearse, retire, show_versions, switch
from hookkit.web.console.visit import Page

#: Ids that a database can look for.
_ENTRY = "<int(min=1, max=9223372036854775807):entry_id>"
_REPLAY = "<int(min=1, max=9223372036854775807):replay_id>"
_REFUSED = "<int(min=1, max=9223372036854775807):refused_id>"

PAGES = (
    Page("/", "first", show_overview, title="Overview"),
    Page("/events", "events", show_events, title="Events"),
    Page("/events/export", "export", export),
    Page(
        "/events/export/reveal",
        "export_revealed",
        export_revealed,
        right=Right.REVEAL,
        is_action=True,
    ),
    Page(f"/events/{_ENTRY}", "event", show_event),
    Page(f"/events/{_ENTRY}/reveal", "reveal", reveal, right=Right.REVEAL, is_action=True),
    Page(f"/events/{_ENTRY}/replay", "replay", replay, right=Right.OPERATE, is_action=True),
    Page(f"/events/{_ENTRY}/fixture", "fixture", show_fixture, right=Right.OPERATE),
    Page("/dead", "dead", show_dead, title="Dead letters"),
    Page("/replays", "replays", show_replays, title="Replays"),
    Page("/replays/new", "bulk", show_bulk, right=Right.OPERATE),
    Page("/replays/start", "start", start, right=Right.OPERATE, is_action=True),
    Page(f"/replays/{_REPLAY}", "replay_of_many", show_replay),
    Page(f"/replays/{_REPLAY}/pause", "pause", pause, right=Right.OPERATE, is_action=True),
    Page(f"/replays/{_REPLAY}/go-on", "go_on", go_on, right=Right.OPERATE, is_action=True),
    Page(f"/replays/{_REPLAY}/cancel", "cancel", cancel, right=Right.OPERATE, is_action=True),
    Page("/endpoints", "endpoints", show_endpoints, title="Endpoints"),
    Page("/endpoints/<at>", "endpoint", show_endpoint),
    Page("/versions/<at>", "versions", show_versions),
    Page("/versions/<at>/rehearse", "rehearse", rehearse, right=Right.OPERATE, is_action=True),
    Page("/versions/<at>/switch", "switch", switch, right=Right.SWITCH, is_action=True),
    Page("/versions/<at>/retire", "retire", retire, right=Right.SWITCH, is_action=True),
    Page("/quarantine", "quarantine", show_quarantine, title="Quarantine"),
    Page(f"/quarantine/{_REFUSED}", "refused", show_refused),
    Page(
        f"/quarantine/{_REFUSED}/release", "release", release, right=Right.OPERATE, is_action=True
    ),
    Page("/quarantine/release", "release_all", release_all, right=Right.OPERATE, is_action=True),
    Page("/live", "live", show_live, title="Live"),
    Page("/live/changes", "changes", send_changes),
    Page("/handlers", "handlers", show_handlers, title="Handlers"),
    Page("/audit", "audit", show_audit, title="Audit"),
    Page("/preferences", "preferences", prefer, is_action=True),
    Page("/static/<edition>/<name>", "file", send_file, is_counted=False),
)
