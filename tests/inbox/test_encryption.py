"""Bodies at rest: unreadable without a key, readable with any key of the list."""

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import select

from hookkit.inbox.opening import open_inbox
from hookkit.inbox.sql.rows import BodyCipher
from hookkit.inbox.sql.tables import deliveries
from tests.inbox.making import NOW, admit, claim, claim_one, deliver, done, item, kept

BODY = b"a-text-that-nobody-but-us-may-read"
OLD, NEW = (Fernet.generate_key().decode() for _ in range(2))


@pytest.fixture
def opened(sql_url):
    """Return how an inbox with these keys is opened."""
    inboxes = []

    def open_with(*keys):
        inboxes.append(open_inbox(sql_url, encryption_keys=keys))
        return inboxes[-1]

    yield open_with
    for inbox in inboxes:
        inbox.close()


def test_no_file_holds_what_was_sent(sqlite_url, tmp_path):
    inbox = open_inbox(sqlite_url, encryption_keys=[NEW])
    plain = open_inbox(f"sqlite:///{tmp_path}/plain.db")
    for each in (inbox, plain):
        each.admit(deliver(item("m-1", text="kept in no column"), body=BODY))

    found = {path.name: BODY in path.read_bytes() for path in tmp_path.glob("*.db*")}
    texts = {b"kept in no column" in path.read_bytes() for path in tmp_path.glob("inbox.db*")}

    for each in (inbox, plain):
        each.close()
    assert {name for name, is_readable in found.items() if is_readable} == {"plain.db-wal"}
    assert texts == {False}


def test_table_holds_a_token_of_the_first_key(opened):
    inbox = opened(NEW, OLD)
    inbox.admit(deliver(item("m-1"), body=BODY))

    ((stored, _),) = kept(inbox)

    assert BODY not in stored
    assert Fernet(NEW).decrypt(stored) == BODY


def test_claim_returns_the_bytes_that_were_sent(opened):
    body = bytes(range(256))
    inbox = opened(NEW)
    inbox.admit(deliver(item("m-1"), item("m-2"), body=body))

    assert [entry.body for entry in claim(inbox)] == [body, body]


def test_comparison_of_versions_reads_the_bytes_that_were_sent(opened):
    inbox = opened(NEW)
    inbox.admit(deliver(item("m-1"), body=BODY))

    assert [each.body for each in inbox.kept("support")] == [BODY]
    assert [each.body for each in opened(OLD).kept("support")] == [None]


def test_bodies_of_older_keys_are_read_as_long_as_these_are_listed(opened):
    opened(OLD).admit(deliver(item("m-1"), body=BODY))
    rotated = opened(NEW, OLD)
    rotated.admit(deliver(item("m-2"), body=b"new"))

    bodies = [entry.body for entry in claim(rotated)]

    assert bodies == [BODY, b"new"]


def test_bodies_of_before_there_were_keys_are_read(opened):
    opened().admit(deliver(item("m-1"), body=BODY))
    inbox = opened(NEW)
    inbox.admit(deliver(item("m-2"), body=b"new"))

    with inbox._transactions.read() as connection:
        marks = list(connection.scalars(select(deliveries.c.is_encrypted).order_by("id")))

    assert marks == [False, True]
    assert [entry.body for entry in claim(inbox)] == [BODY, b"new"]


@pytest.mark.parametrize("keys", [(), (OLD,)], ids=["no key", "another key"])
def test_body_whose_key_is_missing_is_none_and_its_neighbours_are_read(opened, keys):
    opened(NEW).admit(deliver(item("m-1"), body=BODY))
    inbox = opened(*keys)
    inbox.admit(deliver(item("m-2"), body=b"new"))

    claimed = claim(inbox)

    assert [entry.body for entry in claimed] == [None, b"new"]


def test_body_is_read_again_once_its_key_is_back(opened):
    (entry_id,) = admit(opened(NEW), "m-1")
    without = opened()
    without.settle(claim_one(without), done(), now=NOW)

    inbox = opened(OLD, NEW)
    inbox.replay(entry_id, now=NOW)

    assert claim_one(inbox).body is not None


def test_same_conflicting_bytes_are_kept_once_though_no_two_tokens_are_equal(opened):
    inbox = opened(NEW)
    inbox.admit(deliver(item("m-1"), body=b"first"))

    for _ in range(2):
        inbox.admit(deliver(item("m-1", text="other"), body=b"second"))

    assert [is_conflict for _, is_conflict in kept(inbox)] == [False, True]


def test_body_that_only_looks_like_a_token_is_left_as_it_is(opened):
    token = Fernet(NEW).encrypt(b"somebody else's")
    opened().admit(deliver(item("m-1"), body=token))

    assert claim_one(opened(NEW)).body == token


def test_token_that_was_changed_is_not_decrypted():
    token = bytearray(BodyCipher([NEW]).encrypt(BODY))
    token[20] ^= 1

    assert BodyCipher([NEW, OLD]).decrypt(bytes(token)) is None


def test_without_a_key_bodies_stay_as_they_are_and_no_token_is_read():
    cipher = BodyCipher([])

    assert (cipher.is_on, cipher.encrypt(BODY)) == (False, BODY)
    assert cipher.decrypt(BodyCipher([NEW]).encrypt(BODY)) is None


@pytest.mark.parametrize("keys", [["short"], [NEW, "é" * 44]])
def test_what_is_no_key_is_refused(keys):
    with pytest.raises(ValueError):  # noqa: PT011  # cryptography says it in its own words
        BodyCipher(keys)
