"""The pages of the console that every test of all pages visits; a new page is put in here."""

from copy import deepcopy
from typing import NamedTuple

from hookkit.core.entry import Filter, State
from hookkit.inbox.replay_records import Bulk
from tests.applications import message, post
from tests.cli.test_versions import V1_1
from tests.console.ops import MOVING_SECRET


class Visited(NamedTuple):
    """A page, below the console; the entries are those of ``Ops.receive_all``."""

    path: str
    right: str = "view"


PAGES_TO_VISIT = (
    Visited("/"),
    Visited("/dead"),
    Visited("/?last=7d&at=support"),
    Visited("/?last=never&at=nowhere"),
    Visited("/replays"),
    Visited("/replays/1"),
    Visited("/replays/new", "operate"),
    Visited("/replays/new?state=dead&since=2h", "operate"),
    Visited("/replays/new?group=0", "operate"),
    Visited("/events"),
    Visited("/events?state=dead"),
    Visited("/events?state=done&type=conversation:message&since=30d"),
    Visited("/events?at=nowhere"),
    Visited("/events?state=deed&since=never"),
    Visited("/events/1"),
    Visited("/events/2"),
    Visited("/events/999"),
    Visited("/events/1?try=1", "operate"),
    Visited("/events/1/fixture", "operate"),
    Visited("/endpoints"),
    Visited("/endpoints/support"),
    Visited("/endpoints/nowhere"),
    Visited("/versions/moving"),
    Visited("/versions/support"),
    Visited("/quarantine"),
    Visited("/quarantine?at=support&since=2h"),
    Visited("/quarantine?since=never"),
    Visited("/quarantine/1"),
    Visited("/live"),
    Visited("/live?at=support&state=dead"),
    Visited("/live?state=deed"),
    Visited("/handlers"),
    Visited("/audit"),
    Visited("/audit?below=1"),
)


def fill(ops):
    """Have something to show in every part of every page, for somebody with every right."""
    ops.receive_all()
    ops.is_broken = True
    post(ops.client, message("event-1", "other content"))
    post(ops.client, message("refused"), secret="of-nobody")
    ops.receive("event-3", "event-4")
    ops.error = "no customer 'Ada'"
    ops.receive("event-5")
    report_both(ops, "a", "b")
    ops.as_user("reveal", "switch")
    ops.post("/events/1/replay", {"reason": "the shop is back"}, page="/events/1")
    ops.inbox.replays.start(
        Filter(state=State.DEAD),
        handlers=None,
        reason="the shop is back",
        who="ada@example.com",
        now=ops.now(),
        bulk=Bulk("forward: RuntimeError: the shop is away", 1, 4, 3),
    )
    ops.state.advance_replays()
    ops.post("/replays/1/pause", page="/replays/1")
    ops.state.receiver.report.minutes.write()


def report_both(ops, *names):
    """Have each event reported in both versions of the endpoint ``moving``."""
    for name in names:
        old = deepcopy(V1_1)
        old["messages"][0]["_id"] = f"message-of-{name}"
        for body in (old, message(name)):
            post(ops.client, body, url="/hooks/moving", secret=MOVING_SECRET)
