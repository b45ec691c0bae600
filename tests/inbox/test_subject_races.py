"""Deliveries about one subject that arrive at once."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from hookkit.inbox.opening import open_inbox
from hookkit.inbox.postgres.admit import PostgresStorage
from hookkit.inbox.sql.admit import admit
from hookkit.inbox.sql.rows import BodyCipher, prepared
from tests.inbox.making import after, deliver, item, payload
from tests.waiting import wait_until

THREADS = 8


def says(what, at):
    of = payload(received_at=after(at))
    return deliver(
        item(f"says-{what}", text=what, of=of, repeat_after_s=60).about("status"),
        received_at=after(at),
    )


def test_state_that_arrives_several_times_at_once_is_one_event(inbox):
    inbox.admit(says("on", 0))
    inbox.admit(says("off", 1))
    start = Barrier(THREADS)

    def deliver_one(number):
        start.wait()
        return inbox.admit(says("on", 2 + number / 1000)).admitted[0]

    with ThreadPoolExecutor(THREADS) as pool:
        admitted = list(pool.map(deliver_one, range(THREADS)))

    assert sum(one.is_new for one in admitted) == 1
    assert len({one.entry_id for one in admitted}) == 1
    assert len(inbox.find()) == 3


def test_state_waits_for_what_is_just_being_said_of_its_subject(postgres_url):
    inbox = open_inbox(postgres_url)
    inbox.admit(says("on", 0))
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"

    with ThreadPoolExecutor(1) as pool, inbox._transactions.write() as connection:
        storage = PostgresStorage(inbox._transactions, connection)
        admit(connection, storage, [prepared(says("off", 1), BodyCipher())])
        later = pool.submit(inbox.admit, says("on", 2))
        wait_until(lambda: connection.exec_driver_sql(waiting).scalar())
        connection.commit()
        assert later.result().admitted[0].is_new

    assert len(inbox.find()) == 3
    inbox.close()
