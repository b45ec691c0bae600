"""What is received is counted in the process, and written now and then."""

import logging
from collections import Counter

import pytest

from hookkit.core.entry import Admitted, Receipt
from hookkit.core.errors import Unavailable
from hookkit.receiving import minutes
from hookkit.receiving.minutes import MAX_WAITING, MinuteCounts


class Store:
    """Takes the place of an inbox."""

    def __init__(self):
        self.sums = Counter()
        self.writes = 0
        self.error = None

    @property
    def minutes(self):
        return self

    def add(self, counts):
        if self.error is not None:
            raise self.error
        self.writes += 1
        self.sums.update(counts)


@pytest.fixture
def store():
    return Store()


@pytest.fixture
def counts(store):
    return MinuteCounts(lambda: store, clock=lambda: 120.5)


def admitted(*, is_new=False, is_conflict=False):
    return Admitted(entry_id=1, event_id="1", is_new=is_new, is_conflict=is_conflict)


def test_nothing_is_written_for_each_request(counts, store):
    for _ in range(1000):
        counts.note("shop", "signature_mismatch")

    assert store.writes == 0


def test_counts_are_written_by_minute_endpoint_and_code(counts, store):
    counts.note("shop", "signature_mismatch")
    counts.note("shop", "signature_mismatch")
    counts.note("other", "new", 3)

    counts.write()

    assert store.sums == {(2, "shop", "signature_mismatch"): 2, (2, "other", "new"): 3}


def test_events_that_came_before_are_counted_by_what_they_came_to(counts, store):
    one_of_each = (
        admitted(is_new=True),
        admitted(is_new=True),
        admitted(),
        admitted(is_conflict=True),
    )
    counts.note_duplicates("shop", Receipt(admitted=one_of_each))

    counts.write()

    assert {code: count for (_, _, code), count in store.sums.items()} == {
        "duplicate": 1,
        "conflict": 1,
    }


def test_what_was_written_is_not_written_again(counts, store):
    counts.note("shop", "new")

    counts.write()
    counts.write()

    assert (store.writes, store.sums.total()) == (1, 1)


def test_delivery_writes_what_nobody_has_written(counts, store, monkeypatch):
    monkeypatch.setattr(minutes, "WRITE_S", 0.0)
    counts.after_fork()

    counts.note("shop", "new")

    assert store.sums.total() == 1


@pytest.mark.parametrize("error", [Unavailable("the inbox is away"), RuntimeError("a mistake")])
def test_inbox_that_is_away_fails_no_delivery(counts, store, monkeypatch, caplog, error):
    monkeypatch.setattr(minutes, "WRITE_S", 0.0)
    counts.after_fork()
    store.error = error

    counts.note("shop", "new")
    counts.note("shop", "new")

    assert [record.action for record in caplog.records] == ["counts_failed"]
    assert caplog.records[0].levelno == logging.WARNING


def test_counts_wait_for_an_inbox_that_is_away(counts, store):
    store.error = Unavailable("the inbox is away")
    counts.note("shop", "new")
    counts.write()
    store.error = None
    counts.note("shop", "new")

    counts.write()

    assert store.sums == {(2, "shop", "new"): 2}


def test_counts_that_wait_are_bounded_and_the_newest_stay(store):
    minute = 0
    counts = MinuteCounts(lambda: store, clock=lambda: 60.0 * minute)
    store.error = Unavailable("the inbox is away")
    for minute in range(MAX_WAITING + 500):  # noqa: B007  # the clock reads it
        counts.note("shop", "new")
    counts.write()
    store.error = None

    counts.write()

    assert len(store.sums) == MAX_WAITING
    assert min(store.sums)[0] == 500


def test_child_process_counts_nothing_of_its_parent(counts, store):
    counts.note("shop", "new")

    counts.after_fork()
    counts.write()

    assert not store.sums
