"""A process says that it runs handlers, and others see whether it still does."""

from datetime import timedelta

import pytest

from hookkit.core.errors import Unavailable
from hookkit.inbox.opening import open_inbox
from hookkit.operating import presence
from hookkit.operating.checkup import about_waiting
from hookkit.operating.presence import GONE_AFTER, Presence, workers_seen
from tests.inbox.making import NOW, after


class Life:
    """A process with a clock of its own."""

    def __init__(self, inbox, monkeypatch, *, threads=2):
        self.inbox = inbox
        self.now_s = 0.0
        monkeypatch.setattr(presence.time, "monotonic", lambda: 1000 + self.now_s)
        self.presence = Presence(
            inbox=self._open,
            clock=lambda: after(self.now_s),
            name="shop",
            threads=threads,
            endpoints=["support", "sales"],
        )

    def _open(self):
        if self.inbox is None:
            raise Unavailable("away")
        return self.inbox


@pytest.fixture
def inbox(sql_url):
    opened = open_inbox(sql_url)
    yield opened
    opened.close()


def test_process_is_seen_as_long_as_it_beats(inbox, monkeypatch):
    life = Life(inbox, monkeypatch)
    life.presence.beat()
    life.now_s = 29.0
    life.presence.beat()
    assert [each.seen_at for each in workers_seen(inbox, NOW)] == [NOW]
    life.now_s = 31.0
    life.presence.beat()

    (seen,) = workers_seen(inbox, after(31) + GONE_AFTER)

    assert (seen.started_at, seen.seen_at) == (NOW, after(31))
    assert (seen.threads, seen.endpoints) == (2, ("support", "sales"))
    assert not workers_seen(inbox, after(31.001) + GONE_AFTER)


def test_child_of_a_fork_is_another_process_and_leaves_alone(inbox, monkeypatch):
    life = Life(inbox, monkeypatch)
    life.presence.beat()
    (parent,) = workers_seen(inbox, NOW)
    life.presence.after_fork()
    life.presence.beat()
    assert len(workers_seen(inbox, NOW)) == 2

    life.presence.leave()

    assert [each.id for each in workers_seen(inbox, NOW)] == [parent.id]


def test_process_without_threads_is_no_worker(inbox, monkeypatch):
    life = Life(inbox, monkeypatch, threads=0)
    life.presence.beat()
    life.presence.leave()

    assert not workers_seen(inbox, NOW)


def test_inbox_that_is_away_stops_no_process(monkeypatch, caplog):
    life = Life(None, monkeypatch)
    life.presence.beat()
    life.presence.leave()

    assert not caplog.records  # what runs handlers reports it


def test_worker_that_was_not_seen_for_long_is_forgotten(inbox, monkeypatch):
    life = Life(inbox, monkeypatch)
    life.presence.beat()
    inbox.workers.prune(NOW)
    assert len(inbox.workers.seen(NOW - timedelta(days=2))) == 1

    inbox.workers.prune(after(0.001))

    assert not inbox.workers.seen(NOW - timedelta(days=2))


@pytest.mark.parametrize(
    ("overdue_s", "workers", "runner", "words"),
    [
        (9, 0, "thread", None),
        (11, 0, "thread", "no worker was seen lately"),
        (11, 1, "thread", None),
        (61, 2, "thread", "2 workers run: are handlers slow"),
        (59, 0, "inline", None),
        (61, 0, "inline", "when its sender sends it again"),
    ],
)
def test_what_waits_needs_somebody_sooner_if_no_worker_was_seen(overdue_s, workers, runner, words):
    found = about_waiting(overdue_s, workers, runner)

    assert (found is None) == (words is None)
    assert words is None or words in found
