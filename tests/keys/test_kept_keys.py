"""Keys that have proved a delivery are known to every process, and after a restart."""

import contextlib
import logging
from datetime import UTC, datetime, timedelta

import pytest

from hookkit import Unavailable
from hookkit.core.scheme import KeptKey
from hookkit.inbox.opening import MEMORY, open_inbox
from hookkit.keys.memory import FRESH_S, STALE_S
from hookkit.keys.server import KeyServer as Client
from hookkit.keys.shared import LOAD_AGAIN_S
from hookkit.signatures.rsa import read_key
from tests.key_server import KeyServer, jwk_of, response, shared_key
from tests.waiting import wait_until

KEY_ID = "EXaiWfZe20eSjklZ70074w"
KEY = shared_key()
OTHER_KEY = shared_key(1)
VENDOR = "198.51.100.7"
PATIENCE_S = 20


class Clocks:
    """Two clocks that go on together: a process starts its own at any number."""

    def __init__(self):
        self.now = datetime(2026, 3, 1, 10, tzinfo=UTC)
        self.start = self.now

    def pass_by(self, seconds):
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clocks():
    return Clocks()


@pytest.fixture(scope="module")
def _server(tmp_path_factory):
    server = KeyServer(tmp_path_factory.mktemp("keys"))
    yield server
    server.close()


@pytest.fixture
def server(_server):
    _server.answers.clear()
    _server.asked.clear()
    _server.answers[KEY_ID] = jwk_of(KEY, KEY_ID)
    return _server


@pytest.fixture
def book():
    return open_inbox(MEMORY).keys


@pytest.fixture
def process_of(server, clocks, book):
    def start(book=book, *bases):
        """Return the key server of a process that has just started."""
        origin = clocks.now

        def clock():
            return 5.0 + (clocks.now - origin).total_seconds()

        client = Client(
            bases or [server.base],
            context=server.client_context(),
            clock=clock,
            wall_clock=lambda: clocks.now,
            timeout_s=PATIENCE_S,
        )
        client.use_book(lambda: book)
        return client

    return start


def prove(client):
    """Have a delivery proved by the key, as the receiver does; return the key's modulus."""
    key = client.find(KEY_ID, VENDOR)
    client.note_proof(KEY_ID, VENDOR)
    client.save()
    return key.public.public_numbers().n


def modulus(key):
    return key.public_key().public_numbers().n


def break_down(server):
    server.answers[KEY_ID] = lambda it: it.sendall(response(500, b""))


def test_key_that_proved_a_delivery_is_known_at_start(server, process_of):
    prove(process_of())
    break_down(server)

    assert prove(process_of()) == modulus(KEY)
    assert server.asked == {KEY_ID: 1}


def test_key_that_proved_nothing_is_not_kept(process_of, book, server):
    client = process_of()
    client.find(KEY_ID, VENDOR)
    client.save()

    assert list(book.load(client.name)) == []


def test_key_is_kept_once_and_again_when_it_was_fetched_again(process_of, clocks, book):
    client = process_of()
    kept = []
    book.keep = lambda server, key: kept.append((server, key.fetched_at))
    for _ in range(3):
        prove(client)
    first = clocks.now
    clocks.pass_by(FRESH_S)
    for _ in range(3):
        prove(client)

    assert kept == [(client.name, first), (client.name, clocks.now)]


def test_key_that_another_process_has_learned_is_not_asked_for(server, process_of, clocks):
    first, second = process_of(), process_of()
    second.find("another", VENDOR)
    prove(first)

    clocks.pass_by(LOAD_AGAIN_S)

    assert prove(second) == modulus(KEY)
    assert server.asked == {KEY_ID: 1, "another": 1}


def forge(client, count):
    """Name as many ids that no key has, from the address of the vendor."""
    for number in range(count):
        with contextlib.suppress(Unavailable):
            client.find(f"forged-{number}", VENDOR)
        wait_until(lambda: client._threads == 0)


def test_inbox_is_asked_for_keys_at_most_once_a_second(process_of, clocks, book):
    loads = []
    load, book.load = book.load, lambda server: loads.append(server) or load(server)
    client = process_of()

    forge(client, 50)
    assert loads == [client.name]
    clocks.pass_by(LOAD_AGAIN_S)
    forge(client, 50)
    assert loads == [client.name] * 2


def test_age_of_a_key_goes_on_across_restarts(server, process_of, clocks):
    prove(process_of())
    server.answers[KEY_ID] = jwk_of(OTHER_KEY, KEY_ID)

    clocks.pass_by(FRESH_S - 1)
    assert prove(process_of()) == modulus(KEY)
    clocks.pass_by(1)
    assert prove(process_of()) == modulus(OTHER_KEY)
    break_down(server)
    assert prove(process_of()) == modulus(OTHER_KEY)


def test_old_key_is_good_after_a_restart_while_the_server_is_down_and_not_for_ever(
    server, process_of, clocks
):
    prove(process_of())
    break_down(server)

    clocks.pass_by(STALE_S - 1)
    assert prove(process_of()) == modulus(KEY)
    clocks.pass_by(1)
    with pytest.raises(Unavailable):
        process_of().find(KEY_ID, VENDOR)


def test_key_that_was_known_long_ago_is_asked_for_whoever_forges(server, process_of, clocks):
    prove(process_of())
    clocks.pass_by(STALE_S + 1)
    client = process_of()
    forge(client, 100)

    assert prove(client) == modulus(KEY)


def test_key_that_the_server_has_no_more_is_kept_no_more(server, process_of, clocks, book):
    client = process_of()
    prove(client)
    del server.answers[KEY_ID]
    clocks.pass_by(FRESH_S)

    assert client.find(KEY_ID, VENDOR) is None
    wait_until(lambda: not book.load(client.name))
    break_down(server)
    with pytest.raises(Unavailable):
        process_of().find(KEY_ID, VENDOR)


def test_key_of_another_server_is_not_believed(server, process_of, book):
    prove(process_of())
    elsewhere = process_of(book, f"{server.base}/elsewhere")

    del server.answers[KEY_ID]

    assert elsewhere.find(KEY_ID, VENDOR) is None


def test_clock_that_was_wrong_makes_no_key_good_for_longer(server, process_of, clocks, book):
    client = process_of()
    ahead = clocks.now + timedelta(days=400)
    book.keep(client.name, KeptKey(KEY_ID, read_key(jwk_of(KEY, KEY_ID)).jwk, ahead))
    server.answers[KEY_ID] = jwk_of(OTHER_KEY, KEY_ID)

    assert prove(client) == modulus(KEY)
    clocks.pass_by(FRESH_S)
    assert prove(client) == modulus(OTHER_KEY)


@pytest.mark.parametrize("jwk", ["", "{}", "[]", '{"kty":"RSA","n":"AQAB","e":"AQ"}', "{" * 1000])
def test_kept_key_that_cannot_be_used_is_passed_over(server, process_of, clocks, book, jwk):
    client = process_of()
    book.keep(client.name, KeptKey("bad", jwk, clocks.now))
    book.keep(client.name, KeptKey(KEY_ID, jwk, clocks.now))

    assert prove(client) == modulus(KEY)
    assert server.asked == {KEY_ID: 1}


class Away:
    """An inbox that is away until somebody brings it back."""

    def __init__(self, book):
        self.book = book
        self.is_away = True

    def __getattr__(self, name):
        if self.is_away:
            raise Unavailable("the inbox is away")
        return getattr(self.book, name)


def test_inbox_that_is_away_costs_no_delivery_and_gets_the_key_later(
    server, process_of, clocks, book, caplog
):
    away = Away(book)
    client = process_of(away)
    for _ in range(3):
        assert prove(client) == modulus(KEY)
    assert [each.action for each in caplog.records if each.levelno >= logging.WARNING] == [
        "keys_not_kept"
    ]

    away.is_away = False
    prove(client)

    assert [key.key_id for key in book.load(client.name)] == [KEY_ID]


def test_inbox_that_is_away_at_start_is_asked_again(server, process_of, clocks, book):
    prove(process_of())
    break_down(server)
    away = Away(book)
    client = process_of(away)
    with pytest.raises(Unavailable):
        client.find(KEY_ID, VENDOR)

    away.is_away = False
    clocks.pass_by(LOAD_AGAIN_S)

    assert prove(client) == modulus(KEY)
