"""The thread that publishes wake-ups, and what it does while the broker is away."""

import socket
from threading import Event

import pytest

from hookkit.runners.celery import wake_ups
from hookkit.runners.celery.wake_ups import MOST_WANTED, WakeUps
from tests.waiting import DEADLINE_S, wait_until


@pytest.fixture(autouse=True)
def _is_quick(monkeypatch):
    monkeypatch.setattr(wake_ups, "PAUSE_S", 0.0)
    monkeypatch.setattr(wake_ups, "BREAK_S", 0.01)


@pytest.fixture
def wake():
    """Return what makes wake-ups of a function that publishes; they end with the test."""
    made = []

    def make(publish):
        made.append(WakeUps(publish))
        return made[-1]

    yield make
    for each in made:
        each.stop()


def test_nothing_runs_until_a_wake_up_is_wanted(wake):
    assert wake(lambda entry_id: True)._thread is None


def test_what_is_wanted_while_the_broker_answers_shares_a_few_wake_ups(wake):
    published, begun, go_on = [], Event(), Event()

    def publish(entry_id):
        published.append(entry_id)
        begun.set()
        return go_on.wait(DEADLINE_S)

    ups = wake(publish)
    ups.want(1, 7)
    assert begun.wait(DEADLINE_S)
    for number in range(10):
        ups.want(1, number)  # returns at once, whatever the broker does
    ups.want(10**6, 42)
    go_on.set()

    wait_until(lambda: len(published) == 1 + MOST_WANTED)
    ups.stop()
    assert published == [7] + [42] * MOST_WANTED


def test_nothing_more_is_wanted_once_enough_wait(wake):
    published = []

    def publish(entry_id):
        published.append(entry_id)
        return len(published) < 3

    ups = wake(publish)
    ups.want(10, 1)
    wait_until(lambda: len(published) == 3)
    ups.stop()

    assert published == [1, 1, 1]


def test_failure_is_told_once_and_so_is_its_end_and_nothing_is_forgotten(wake, caplog):
    errors = [OSError(111, "Connection refused")] * 3
    published = []

    def publish(entry_id):
        if errors:
            raise errors.pop()
        published.append(entry_id)
        return True

    wake(publish).want(2, 9)

    wait_until(lambda: len(published) == 2)
    assert published == [9, 9]
    assert [record.action for record in caplog.records] == [
        "broker_unavailable",
        "broker_available",
    ]
    assert "Connection refused" in caplog.text


def test_broker_is_left_alone_for_a_while_after_a_failure(wake, monkeypatch):
    monkeypatch.setattr(wake_ups, "BREAK_S", 3600.0)
    tries = []

    def publish(entry_id):
        tries.append(entry_id)
        raise OSError

    ups = wake(publish)
    ups.want(1, 5)
    wait_until(lambda: ups._outage.is_on)
    for _ in range(100):
        ups.want(1)
    ups.stop()  # ends the thread, which has had its chances

    assert tries == [5]


def test_what_the_broker_says_is_not_logged_since_it_may_quote_a_password(wake, caplog):
    def publish(entry_id):
        raise ValueError("redis://:hunter2@broker") from socket.gaierror(-2, "Name not known")

    wake(publish).want(1)

    wait_until(lambda: caplog.records)
    assert "ValueError: Name not known" in caplog.text
    assert "hunter2" not in caplog.records[0].getMessage()


def test_end_publishes_what_is_wanted(monkeypatch):
    monkeypatch.setattr(wake_ups, "PAUSE_S", 3600.0)
    published = []
    ups = WakeUps(lambda entry_id: published.append(entry_id) or True)
    ups.want(3, 8)

    ups.stop()
    ups.want(1)

    assert published == [8, 8, 8]
    assert not ups._thread.is_alive()


def test_end_does_not_wait_for_a_broker_that_is_away(monkeypatch):
    monkeypatch.setattr(wake_ups, "BREAK_S", 3600.0)
    tries = []

    def publish(entry_id):
        tries.append(entry_id)
        raise OSError

    ups = WakeUps(publish)
    ups.want(3, 6)
    wait_until(lambda: ups._outage.is_on)

    ups.stop()

    assert tries == [6]
    assert not ups._thread.is_alive()
