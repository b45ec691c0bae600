"""What is remembered of two versions says the same as everything read anew, and reads less."""

import pytest
from sqlalchemy import delete

from hookkit.application.app_state import state_of
from hookkit.handling.dispatch import Reader
from hookkit.inbox.records import Kept
from hookkit.inbox.sql.tables import deliveries, entries
from hookkit.switching import switch
from tests.cli.test_versions import Shop


@pytest.fixture
def shop():
    return Shop()


@pytest.fixture
def read(monkeypatch):
    """Return the ids of the entries whose bodies were read."""
    found = []
    unpatched = Reader.read

    def read(self, entry, *more):
        if isinstance(entry, Kept):  # a worker reads an ``Entry``
            found.append(entry.id)
        return unpatched(self, entry, *more)

    monkeypatch.setattr(Reader, "read", read)
    return found


def versions_of(shop):
    return state_of(shop.app).versions


def rows(shop):
    return versions_of(shop).status("support").rows


def see(shop, *names):
    for name in names:
        shop.old(name)
        shop.new(name)


def test_each_body_is_read_once_however_often_somebody_looks(shop, read):
    see(shop, "a", "b")
    rows(shop)
    assert sorted(set(read)) == [1, 2, 3, 4]
    del read[:]
    assert rows(shop) == rows(shop)
    assert read == []

    shop.new("c")
    rows(shop)

    assert read == [5]
    shop.old("c")  # its twin is read again, to be compared with it
    rows(shop)
    assert sorted(set(read)) == [5, 6]


def test_what_is_remembered_says_what_everything_read_anew_says(shop):
    for number in range(6):
        see(shop, f"pair-{number}")
        shop.old(f"alone-{number}")
        rows(shop)
    shop.wait_an_hour()
    remembered = rows(shop)

    versions_of(shop).after_fork()

    assert remembered == rows(shop)
    (row,) = remembered
    assert (row.paired, row.compared, row.missing_new) == (6, 6, 6)


def test_difference_outlives_the_bodies_and_not_the_entries(shop):
    see(shop, "a", "b")
    before = rows(shop)
    with versions_of(shop).inbox()._transactions.write() as connection:
        connection.execute(delete(deliveries))
    assert rows(shop) == before
    with versions_of(shop).inbox()._transactions.write() as connection:
        connection.execute(delete(entries).where(entries.c.id == 1))

    (row,) = rows(shop)

    assert (row.paired, row.compared) == (1, 1)
    (evidence,) = versions_of(shop).evidence.values()
    assert set(evidence._kinds) == {2, 3, 4}
    assert set(evidence._differences) == {(3, 4)}


def test_only_the_newest_are_compared(shop, read, monkeypatch):
    monkeypatch.setattr(switch, "LOOK_AT", 4)
    see(shop, "a", "b", "c")

    (row,) = rows(shop)

    assert row.paired == 2
    assert set(read) == {3, 4, 5, 6}
