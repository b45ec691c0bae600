"""What ``hookkit.inbox.inbox`` promises: effects that are committed together with their success."""

from contextlib import suppress

import pytest
from sqlalchemy import text
from sqlalchemy.exc import InvalidRequestError, SQLAlchemyError
from sqlalchemy.orm import Session

from hookkit.core.attempts import Outcome
from hookkit.core.entry import State
from hookkit.core.errors import Unavailable
from hookkit.inbox.opening import open_inbox
from tests.inbox.making import (
    LEASE_S,
    NOW,
    admit,
    after,
    attempt,
    claim_one,
    done,
    record,
    succeeded,
    waiting,
)

INSERT = text("INSERT INTO effects VALUES ('x')")


@pytest.fixture
def inbox(sql_inbox):
    with sql_inbox._transactions.write() as connection:
        connection.execute(text("CREATE TABLE effects (name VARCHAR(10) PRIMARY KEY)"))
    return sql_inbox


def effects(inbox):
    with inbox._transactions.read() as connection:
        return list(connection.execute(text("SELECT name FROM effects ORDER BY 1")).scalars())


def outcomes(inbox, entry_id):
    return [(one.handler, one.number, one.outcome) for one in record(inbox, entry_id).attempts]


def work(outcome=Outcome.SUCCEEDED, use=lambda connection: None):
    """Return what writes an effect, and then does something with its connection."""

    def write(connection):
        connection.execute(INSERT)
        use(connection)
        return attempt(outcome=outcome)

    return write


def test_effects_and_success_are_committed_together(inbox):
    (entry_id,) = admit(inbox, "m-1")

    made = inbox.transact(claim_one(inbox), work())

    assert (made.outcome, made.is_recorded) == (Outcome.SUCCEEDED, True)
    assert effects(inbox) == ["x"]
    assert outcomes(inbox, entry_id) == [("greet", 1, Outcome.SUCCEEDED)]
    assert record(inbox, entry_id).state is State.RUNNING


def test_recorded_success_is_not_recorded_again_by_the_settlement(inbox):
    (entry_id,) = admit(inbox, "m-1")
    entry = claim_one(inbox)
    made = inbox.transact(entry, work())

    assert inbox.settle(entry, done(made, attempt("other")), now=NOW)

    assert [name for name, _, _ in outcomes(inbox, entry_id)] == ["greet", "other"]


@pytest.mark.parametrize(
    "outcome", [Outcome.FAILED, Outcome.GAVE_UP, Outcome.DISCARDED], ids=lambda each: each.value
)
def test_effects_of_what_has_not_succeeded_are_rolled_back(inbox, outcome):
    (entry_id,) = admit(inbox, "m-1")

    made = inbox.transact(claim_one(inbox), work(outcome))

    assert (made.outcome, made.is_recorded) == (outcome, False)
    assert effects(inbox) == []
    assert outcomes(inbox, entry_id) == []  # it is the settlement that tells it


def test_late_worker_keeps_no_effects(inbox):
    (entry_id,) = admit(inbox, "m-1")
    late = claim_one(inbox)
    claim_one(inbox, at=LEASE_S)

    made = inbox.transact(late, work())

    assert made is None
    assert (effects(inbox), outcomes(inbox, entry_id)) == ([], [])


def test_settled_entry_takes_no_effects(inbox):
    admit(inbox, "m-1")
    entry = claim_one(inbox)
    inbox.settle(entry, done(), now=NOW)

    assert inbox.transact(entry, work()) is None
    assert effects(inbox) == []


def test_success_is_known_to_the_next_claim_when_nobody_settled(inbox):
    admit(inbox, "m-1")
    inbox.transact(claim_one(inbox), work())

    again = claim_one(inbox, at=LEASE_S)

    assert (succeeded(again), again.lost_claim_count) == ({"greet"}, 1)


def test_lease_is_as_long_as_before(inbox):
    admit(inbox, "m-1")
    entry = claim_one(inbox)
    inbox.transact(entry, work())

    assert inbox.next_due_at(["support"]) == after(LEASE_S)
    assert inbox.renew([entry], now=after(1), lease_s=LEASE_S)


def test_success_of_a_replay_counts_for_that_replay(inbox):
    (entry_id,) = admit(inbox, "m-1")
    inbox.settle(claim_one(inbox), done(attempt()), now=NOW)
    inbox.replay(entry_id, now=NOW)

    inbox.transact(claim_one(inbox), work())

    assert [(one.number, one.replays) for one in record(inbox, entry_id).attempts] == [
        (1, 0),
        (1, 1),
    ]
    assert succeeded(claim_one(inbox, at=LEASE_S)) == {"greet"}


@pytest.mark.parametrize("ending", ["commit", "rollback"])
def test_ending_the_transaction_is_refused(inbox, ending):
    admit(inbox, "m-1")

    with pytest.raises(Unavailable) as raised:
        inbox.transact(claim_one(inbox), work(use=lambda connection: getattr(connection, ending)()))

    assert isinstance(raised.value.__cause__, InvalidRequestError)
    assert "must neither commit nor roll back" in str(raised.value.__cause__)
    assert effects(inbox) == []


@pytest.mark.parametrize("ending", ["commit", "rollback"])
def test_refused_ending_that_is_passed_over_parts_no_effect_from_its_success(inbox, ending):
    (entry_id,) = admit(inbox, "m-1")

    def end(connection):
        with suppress(SQLAlchemyError):
            getattr(connection, ending)()

    with suppress(Unavailable):
        inbox.transact(claim_one(inbox), work(use=end))

    assert len(effects(inbox)) == len(outcomes(inbox, entry_id))


def test_savepoints_may_be_used(inbox):
    admit(inbox, "m-1")

    def use(connection):
        with suppress(SQLAlchemyError), connection.begin_nested():
            connection.execute(INSERT)  # the same again
        with connection.begin_nested():
            connection.execute(text("INSERT INTO effects VALUES ('y')"))

    made = inbox.transact(claim_one(inbox), work(use=use))

    assert made.is_recorded
    assert effects(inbox) == ["x", "y"]


def test_session_takes_part_in_the_transaction(inbox):
    admit(inbox, "m-1", "m-2")
    first, second = (claim_one(inbox, limit=1) for _ in range(2))

    def use(connection):
        with Session(connection) as session:
            session.execute(text("INSERT INTO effects VALUES ('y')"))
            session.flush()

    inbox.transact(first, work(Outcome.FAILED, use))
    after_failure = effects(inbox)
    inbox.transact(second, work(use=use))

    assert (after_failure, effects(inbox)) == ([], ["x", "y"])


def test_session_commits_nothing_before_the_success_is_recorded(inbox):
    admit(inbox, "m-1")

    def use(connection):
        with suppress(SQLAlchemyError), Session(connection) as session:
            session.execute(text("INSERT INTO effects VALUES ('y')"))
            session.commit()

    inbox.transact(claim_one(inbox), work(Outcome.FAILED, use))

    assert effects(inbox) == []


def test_error_of_the_database_that_the_handler_passed_over_keeps_no_half(inbox):
    (entry_id,) = admit(inbox, "m-1")

    def use(connection):
        with suppress(SQLAlchemyError):
            connection.execute(INSERT)  # the same again

    with suppress(Unavailable):  # PostgreSQL takes nothing more in such a transaction
        inbox.transact(claim_one(inbox), work(use=use))

    assert len(effects(inbox)) == len(outcomes(inbox, entry_id))


def test_what_the_work_raises_rolls_back_and_is_not_hidden(inbox):
    admit(inbox, "m-1")
    entry = claim_one(inbox)

    def interrupt(connection):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        inbox.transact(entry, work(use=interrupt))

    assert effects(inbox) == []
    assert inbox.transact(entry, work()).is_recorded


def test_handler_gets_a_connection_that_its_success_does_not_burden(inbox):
    admit(inbox, "m-1", "m-2")
    first, second = (claim_one(inbox, limit=1) for _ in range(2))
    inbox.transact(first, work(Outcome.FAILED))

    # Nothing is left on the pooled connection that would refuse hookkit's own endings.
    assert inbox.settle(first, waiting(attempt(outcome=Outcome.FAILED)), now=NOW)
    assert inbox.transact(second, work()).is_recorded
    with inbox._transactions.engine.connect() as connection:
        connection.execute(text("INSERT INTO effects VALUES ('z')"))
        connection.commit()
    assert effects(inbox) == ["x", "z"]


def test_handler_on_postgresql_waits_for_locks_as_long_as_usual(postgres_url):
    inbox = open_inbox(postgres_url)
    admit(inbox, "m-1")
    settings = []

    def look(connection):
        settings.append(connection.exec_driver_sql("SHOW lock_timeout").scalar_one())
        settings.append(connection.exec_driver_sql("SHOW transaction_isolation").scalar_one())
        return attempt()

    inbox.transact(claim_one(inbox), look)

    inbox.close()
    assert settings == ["0", "read committed"]
