"""A look that takes too long is given up; what a vendor or a handler waits for is not."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import create_engine, event, text

from hookkit.core.errors import TookTooLong
from hookkit.inbox.opening import open_inbox
from hookkit.inbox.sql.patience import looking
from tests.inbox.making import admit

_COUNTING = (
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n {}) SELECT max(i) FROM n"
)
ENDLESS = text(_COUNTING.format(""))
LONG = text(_COUNTING.format("WHERE i < 300000"))


def test_look_that_takes_too_long_is_given_up_and_the_next_one_is_answered(sql_inbox):
    with looking(0.1):
        with pytest.raises(TookTooLong, match=r"longer than 0\.1 s"):
            read(sql_inbox, ENDLESS)

        assert sql_inbox.find() == []
    admit(sql_inbox, "event-1")
    assert read(sql_inbox, LONG) == 300_000


def test_look_on_the_users_own_engine_is_given_up_as_well(sqlite_url):
    engine = create_engine(sqlite_url)
    inbox = open_inbox(engine)

    with looking(0.1):
        with pytest.raises(TookTooLong, match=r"longer than 0\.1 s"):
            read(inbox, ENDLESS)

        assert inbox.find() == []
    with engine.connect() as connection:
        assert connection.execute(LONG).scalar_one() == 300_000
    inbox.close()
    engine.dispose()


def test_writing_and_other_threads_take_their_time(sql_inbox):
    with looking(0.001), ThreadPoolExecutor(1) as pool:
        with sql_inbox._transactions.write() as connection:
            assert connection.execute(LONG).scalar_one() == 300_000
        assert pool.submit(read, sql_inbox, LONG).result() == 300_000


def test_progress_handler_of_the_users_own_engine_stays(sqlite_url):
    engine, calls = create_engine(sqlite_url), []
    event.listen(
        engine, "connect", lambda driver, _: driver.set_progress_handler(lambda: calls.append(1), 1)
    )
    inbox = open_inbox(engine)

    with looking(0.1):
        assert inbox.find() == []
        calls.clear()
        assert inbox.find() == []

    assert calls
    inbox.close()
    engine.dispose()


def read(inbox, statement):
    with inbox._transactions.read() as connection:
        return connection.execute(statement).scalar_one()
