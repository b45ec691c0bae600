"""The quarantine and the counts of an inbox, on both databases."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from cryptography.fernet import Fernet

from hookkit.core.delivery import Delivery
from hookkit.inbox.opening import open_inbox
from hookkit.inbox.records import Room
from hookkit.inbox.sql.tables import quarantine
from tests.inbox.making import NOW, after

ROOM = Room(rows=10, bytes=1000, weak_codes={"signature_missing"}, weak_rows=3)
WRONG, MISSING = "signature_mismatch", "signature_missing"


def keep(
    inbox, body=b"{}", *, at=0, code=WRONG, network="198.51.100.7", endpoint="support", room=ROOM
):
    delivery = Delivery(
        endpoint=endpoint,
        body=body,
        headers={"x-api-key": "0" * 64, "x-odd": "caf\xe9\udc80"},
        received_at=after(at),
        query="a=1",
        path_token="t\udc80",
        address=network,
        salt=b"salt",
    )
    inbox.quarantine.keep(delivery, code, network, len(body), room)
    return delivery


def ids(inbox, **how):
    return [each.id for each in inbox.quarantine.find(**how)]


def networks(inbox):
    return sorted(each.network for each in inbox.quarantine.find(limit=None))


def test_what_is_kept_can_be_read_as_it_was(inbox):
    kept = keep(inbox, bytes(range(256)))

    refused, delivery = inbox.quarantine.read(1)

    assert delivery == kept
    assert (refused.endpoint, refused.code, refused.size) == ("support", WRONG, 256)
    assert (refused.received_at, refused.released_at) == (NOW, None)


def test_there_is_nothing_under_another_id(inbox):
    assert inbox.quarantine.read(7) is None


def test_newest_is_listed_first_and_options_choose(inbox):
    keep(inbox)
    keep(inbox, at=60, endpoint="shop")
    keep(inbox, at=120)

    assert ids(inbox) == [3, 2, 1]
    assert ids(inbox, limit=2) == [3, 2]
    assert ids(inbox, endpoint="support") == [3, 1]
    assert ids(inbox, since=after(60)) == [3, 2]


def test_release_marks_once_and_deletes_what_was_sent(inbox):
    keep(inbox)

    assert inbox.quarantine.release(1, after(9))
    assert not inbox.quarantine.release(1, after(10))

    refused, delivery = inbox.quarantine.read(1)
    assert (refused.released_at, delivery) == (after(9), None)
    assert (refused.code, refused.size) == (WRONG, 2)


def test_no_more_is_kept_of_an_endpoint_than_there_is_room_for(inbox):
    for number in range(3 * ROOM.rows):
        keep(inbox, at=number)
    keep(inbox, endpoint="shop")

    assert len(ids(inbox, endpoint="support")) == ROOM.rows
    assert len(ids(inbox, endpoint="shop")) == 1


def test_no_more_bytes_are_kept_than_there_is_room_for(inbox):
    for number in range(5):
        keep(inbox, b"x" * 300, at=number)

    assert sum(each.size for each in inbox.quarantine.find()) <= ROOM.bytes


def test_delivery_that_is_larger_than_the_room_pushes_out_nothing_else(inbox):
    keep(inbox)

    keep(inbox, b"x" * 2000)

    assert ids(inbox) == [1]


def test_flood_of_one_network_pushes_out_its_own(inbox):
    for number in range(3):
        keep(inbox, at=number)

    for number in range(100):
        keep(inbox, at=number, network="203.0.113.9")

    assert networks(inbox).count("198.51.100.7") == 3


def test_networks_share_the_room(inbox):
    for number in range(3):
        keep(inbox, at=number)
    for number in range(50):
        keep(inbox, at=number, network=f"203.0.113.{number % 3}")

    counts = {each: networks(inbox).count(each) for each in networks(inbox)}

    assert len(counts) == 4
    assert min(counts.values()) >= 2


def test_bytes_of_one_network_push_out_its_own(inbox):
    keep(inbox, b"x" * 100)

    for number in range(20):
        keep(inbox, b"x" * 400, at=number, network="203.0.113.9")

    assert 1 in ids(inbox)


def test_first_delivery_of_each_minute_stays(inbox):
    for number in range(40):
        keep(inbox, at=number * 15)

    received = [each.received_at for each in inbox.quarantine.find()]

    assert len({each.replace(second=0, microsecond=0) for each in received}) == ROOM.rows


def test_what_nothing_can_prove_has_a_share_of_its_own(inbox):
    keep(inbox)

    for number in range(20):
        keep(inbox, at=number, code=MISSING, network=f"203.0.113.{number}")

    codes = [each.code for each in inbox.quarantine.find()]
    assert (codes.count(MISSING), codes.count(WRONG)) == (ROOM.weak_rows, 1)


def test_what_was_released_makes_room_first(inbox):
    for number in range(ROOM.rows):
        keep(inbox, at=number, network=f"203.0.113.{number}")
    inbox.quarantine.release(4, after(60))

    keep(inbox, at=90)

    assert 4 not in ids(inbox)
    assert len(ids(inbox)) == ROOM.rows


def test_what_was_received_long_ago_is_deleted(inbox):
    keep(inbox)
    keep(inbox, at=60)

    inbox.quarantine.prune(after(60))

    assert ids(inbox) == [2]


def test_network_can_be_any_text(inbox):
    keep(inbox, network="caf\xe9\x00" * 20)

    assert len(networks(inbox)[0]) <= 64


def test_threads_of_two_processes_stay_within_the_room(sql_url):
    inboxes = [open_inbox(sql_url) for _ in range(2)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: keep(inboxes[number % 2], at=number), range(60)))

    keep(inboxes[0], at=99)

    assert len(ids(inboxes[0])) == ROOM.rows
    for each in inboxes:
        each.close()


# Encryption


OLD, NEW = (Fernet.generate_key().decode() for _ in range(2))
MARK = b"a-text-that-nobody-may-read"


def test_no_file_holds_what_was_sent(sqlite_url, tmp_path):
    inbox = open_inbox(sqlite_url, encryption_keys=[NEW])
    delivery = Delivery(
        endpoint="support", body=MARK, headers={"x-sum": MARK.decode()}, received_at=NOW
    )

    inbox.quarantine.keep(delivery, WRONG, "", 2, ROOM)

    files = [path.read_bytes() for path in tmp_path.glob("inbox.db*")]
    read = inbox.quarantine.read(1).delivery
    inbox.close()
    assert not any(MARK in each for each in files)
    assert (read.body, read.headers) == (MARK, {"x-sum": MARK.decode()})


@pytest.mark.parametrize(("keys", "is_readable"), [([NEW, OLD], True), ([NEW], False), ([], False)])
def test_what_was_encrypted_is_read_by_any_key_of_the_list(sql_url, keys, is_readable):
    before = open_inbox(sql_url, encryption_keys=[OLD])
    kept = keep(before)
    before.close()

    inbox = open_inbox(sql_url, encryption_keys=keys)

    assert inbox.quarantine.read(1).delivery == (kept if is_readable else None)
    inbox.close()


@pytest.mark.parametrize(
    "damage",
    [{"body": b"{ }"}, {"request": "{"}, {"request": "[]"}, {"request": '{"salt": 3}'}],
    ids=str,
)
def test_what_was_damaged_is_not_read(inbox, damage):
    keep(inbox)
    with inbox._transactions.write() as connection:
        connection.execute(quarantine.update().values(damage))

    assert inbox.quarantine.read(1).delivery is None


# Counts


def test_counts_of_a_minute_add_up(inbox):
    minute = int(NOW.timestamp()) // 60
    inbox.minutes.add({(minute, "support", "new"): 2, (minute, "shop", "new"): 1})
    inbox.minutes.add({(minute, "support", "new"): 3, (minute + 1, "support", WRONG): 1})

    sums = inbox.minutes.sums(NOW, NOW + timedelta(minutes=2))

    assert sums == {("support", "new"): 5, ("shop", "new"): 1, ("support", WRONG): 1}


def test_sums_are_of_the_minutes_that_are_touched(inbox):
    minute = int(NOW.timestamp()) // 60
    inbox.minutes.add({(minute + number, "support", "new"): 10**number for number in range(3)})
    start = NOW.replace(second=0, microsecond=0)

    assert inbox.minutes.sums(start, start) == {}
    assert inbox.minutes.sums(start, after(0)) == {("support", "new"): 1}
    assert inbox.minutes.sums(after(0), start + timedelta(minutes=2)) == {("support", "new"): 11}


def test_nothing_is_added_of_no_counts(inbox):
    inbox.minutes.add({})

    assert inbox.minutes.sums(NOW, after(60)) == {}


def test_counts_of_many_processes_lose_nothing(sql_url):
    minute = int(NOW.timestamp()) // 60
    inboxes = [open_inbox(sql_url) for _ in range(2)]
    codes = [f"code-{number}" for number in range(20)]

    def add(number):
        order = codes if number % 2 else codes[::-1]
        inboxes[number % 2].minutes.add({(minute, "support", code): 1 for code in order})

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add, range(40)))

    assert set(inboxes[0].minutes.sums(NOW, after(60)).values()) == {40}
    for each in inboxes:
        each.close()


def test_counts_of_long_ago_are_deleted(inbox):
    minute = int(NOW.timestamp()) // 60
    inbox.minutes.add({(minute - 1, "support", "new"): 1, (minute, "support", "new"): 2})

    inbox.minutes.prune(NOW)

    assert inbox.minutes.sums(NOW - timedelta(days=1), after(60)) == {("support", "new"): 2}


def test_more_endpoints_than_fit_into_a_statement_can_be_counted(inbox):
    minute = int(NOW.timestamp()) // 60

    inbox.minutes.add({(minute, f"e-{number}", "new"): 1 for number in range(2000)})

    assert len(inbox.minutes.sums(NOW, after(60))) == 2000
