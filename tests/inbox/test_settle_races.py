"""Settlements of a group that meet another transaction at one of its entries."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import update

from hookkit.core.attempts import Outcome
from hookkit.core.entry import State
from hookkit.inbox.opening import open_inbox
from hookkit.inbox.records import Terms
from hookkit.inbox.sql.settle import renew
from hookkit.inbox.sql.tables import entries
from tests.inbox.making import LEASE_S, NOW, admit, after, attempt, done, record
from tests.waiting import wait_until

WAITS_FOR_US = "SELECT count(*) FROM pg_locks WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))"


@pytest.fixture
def inbox(postgres_url):
    opened = open_inbox(postgres_url)
    yield opened
    opened.close()


@pytest.fixture
def group(inbox):
    admit(inbox, "first", "second", "third")
    terms = Terms(endpoints=["support"], lease_s=LEASE_S, limit=9, max_attempts=5)
    return inbox.settle_and_claim([], terms, now=NOW)[1]


def settle_beside(inbox, group, change):
    """Return the ids of what was settled while *change* was not committed yet."""
    finished = [
        (entry, done(attempt("greet"), attempt("book", Outcome.DISCARDED))) for entry in group
    ]
    with ThreadPoolExecutor(1) as pool, inbox._transactions.write() as connection:
        change(connection)
        settled = pool.submit(inbox.settle_and_claim, finished, None, now=after(1))
        wait_until(lambda: connection.exec_driver_sql(WAITS_FOR_US).scalar())
        connection.commit()
        return settled.result()[0]


def test_settlement_waits_for_a_renewal_and_counts(inbox, group):
    until_ms = round(after(2 * LEASE_S).timestamp() * 1000)

    settled = settle_beside(inbox, group, lambda connection: renew(connection, group, until_ms))

    assert settled == {entry.id for entry in group}
    for entry in group:
        stands = record(inbox, entry.id)
        assert (stands.state, stands.claim_count) == (State.DONE, 1)
        assert [each.handler for each in stands.attempts] == ["greet", "book"]


def test_settlement_waits_for_a_claim_of_another_and_leaves_it_alone(inbox, group):
    def claim_second(connection):
        of_second = update(entries).where(entries.c.id == group[1].id)
        connection.execute(of_second.values(lease_token="another"))

    settled = settle_beside(inbox, group, claim_second)

    assert settled == {group[0].id, group[2].id}
    stands = record(inbox, group[1].id)
    assert (stands.state, stands.claim_count, stands.attempts) == (State.RUNNING, 0, ())
    assert [len(record(inbox, each.id).attempts) for each in (group[0], group[2])] == [2, 2]
