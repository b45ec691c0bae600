"""Keys are fetched from a server that is slow, down, redirecting, oversized or lying."""

import json
import logging
import socket
import threading
import time
from contextlib import contextmanager

import pytest

from hookkit import Unavailable
from hookkit.core.errors import KeyPending
from hookkit.keys import https_get
from hookkit.keys import server as keys
from hookkit.keys.budget import MAX_MISSES, SUSPECT_BURST, SUSPECTS_PER_S, WAIT_BURST, Charge
from hookkit.keys.memory import ABSENT_S, FAILED_S, FRESH_S, MAX_KEYS, STALE_HOLD_S, STALE_S
from hookkit.keys.ring import KeyRing
from hookkit.keys.server import MAX_THREADS, MAX_WAITING, RESERVED_THREADS
from hookkit.keys.server import KeyServer as Client
from hookkit.signatures.rsa import read_key
from tests.key_server import KeyServer, jwk_of, private_jwk_of, private_key, response, shared_key
from tests.waiting import wait_until

KEY_ID = "EXaiWfZe20eSjklZ70074w"
KEY = shared_key()
OTHER_KEY = shared_key(1)
JWK = jwk_of(KEY, KEY_ID)

#: Long enough for this machine when all is well, and not waited for elsewhere.
PATIENCE_S = 20
VENDOR = "198.51.100.7"
#: What a test can wait for a server that does not answer.
IMPATIENCE_S = 0.4


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture(scope="module")
def _server(tmp_path_factory):
    server = KeyServer(tmp_path_factory.mktemp("keys"))
    yield server
    server.close()


@pytest.fixture
def server(_server):
    _server.answers.clear()
    _server.asked.clear()
    return _server


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def client_of(server, clock):
    def make(*bases, timeout_s=PATIENCE_S):
        return Client(
            bases or [server.base],
            context=server.client_context(),
            clock=clock,
            timeout_s=timeout_s,
        )

    return make


def jwk_that_is(client, key_id=KEY_ID):
    key = client.find(key_id)
    return None if key is None else key.public.public_numbers().n


def modulus(key):
    return key.public_key().public_numbers().n


def test_key_is_fetched_by_its_id_and_remembered(server, client_of):
    server.answers[KEY_ID] = JWK
    client = client_of()

    found = [client.find(KEY_ID) for _ in range(3)]

    assert {key.public.public_numbers().n for key in found} == {modulus(KEY)}
    assert found[0].key_id == KEY_ID
    assert server.asked == {KEY_ID: 1}


def test_key_without_an_id_is_the_one_that_was_asked_for(server, client_of):
    server.answers[KEY_ID] = jwk_of(KEY)

    assert client_of().find(KEY_ID).key_id == KEY_ID


def test_unknown_id_is_none_and_not_asked_for_again_soon(server, client_of, clock):
    client = client_of()

    assert [client.find(KEY_ID) for _ in range(3)] == [None] * 3
    assert server.asked == {KEY_ID: 1}

    server.answers[KEY_ID] = JWK
    clock.now += ABSENT_S
    assert jwk_that_is(client) == modulus(KEY)


@pytest.mark.parametrize(
    "key_id",
    [
        "",
        "../../oauth/v2/token?x=",
        "..%2f",
        "a/b",
        "a" * 65,
        "key\n",
        "schlüssel",
        "\uff11\uff12",
        "key id",
        "key#",
        "\ud800",
        "\x00",
    ],
    ids=ascii,
)
def test_id_that_is_none_never_gets_into_a_url(server, client_of, key_id):
    assert client_of().find(key_id) is None
    assert server.asked == {}


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(lambda it: it.sendall(response(500, b"{}")), id="broken"),
        pytest.param(lambda it: it.sendall(response(403, b"{}")), id="forbidding"),
        pytest.param(lambda it: it.sendall(response(429, b"{}")), id="overrun"),
        pytest.param(lambda it: it.sendall(response(204, b"")), id="empty"),
        pytest.param(lambda it: None, id="silent and gone"),
        pytest.param(lambda it: it.sendall(b"SSH-2.0-OpenSSH_9.9\r\n"), id="not HTTP"),
        pytest.param(lambda it: it.sendall(response(200, b"x" * 100_000)), id="oversized"),
        pytest.param(
            lambda it: it.sendall(b"HTTP/1.1 200 -\r\nX: " + b"x" * 100_000 + b"\r\n\r\n{}"),
            id="oversized header",
        ),
        pytest.param(
            lambda it: it.sendall(b"HTTP/1.1 200 -\r\nContent-Length: 500\r\n\r\n{"),
            id="breaking off",
        ),
        pytest.param(
            lambda it: it.sendall(
                b"HTTP/1.1 200 -\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n"
            ),
            id="badly chunked",
        ),
        pytest.param(lambda it: it.sendall(response(200, b"<html></html>")), id="HTML"),
        pytest.param(lambda it: it.sendall(response(200, b"[]")), id="a list"),
        pytest.param(lambda it: it.sendall(response(200, b"\xff")), id="no text"),
        pytest.param({}, id="no key"),
        pytest.param({"kty": "oct", "k": "c2VjcmV0", "kid": KEY_ID}, id="shared secret"),
        pytest.param(jwk_of(KEY, "another"), id="lying: another id"),
        pytest.param(JWK | {"alg": "HS256"}, id="lying: another algorithm"),
        pytest.param(JWK | {"use": "enc"}, id="lying: another use"),
        pytest.param(JWK | {"e": "AQ"}, id="lying: exponent 1"),
        pytest.param(jwk_of(private_key(1024), KEY_ID), id="lying: a small key"),
        pytest.param(private_jwk_of(KEY, KEY_ID), id="lying: a private key"),
    ],
)
def test_answer_of_no_use_is_no_key_and_no_stranger(server, client_of, answer):
    server.answers[KEY_ID] = answer

    with pytest.raises(Unavailable):
        client_of().find(KEY_ID)


def test_redirect_is_not_followed(server, client_of):
    server.answers["elsewhere"] = JWK
    where = f"{server.base}/elsewhere/public"
    server.answers[KEY_ID] = lambda it: it.sendall(response(302, b"", Location=where))

    with pytest.raises(Unavailable, match="status 302"):
        client_of().find(KEY_ID)
    assert server.asked == {KEY_ID: 1}


@pytest.mark.parametrize("status", [400, 404, 410, 422])
def test_server_that_says_there_is_none_is_not_down(server, client_of, status):
    server.answers[KEY_ID] = lambda it: it.sendall(response(status, b"{}"))

    assert client_of().find(KEY_ID) is None


def test_server_that_cannot_be_reached_is_down(client_of):
    with pytest.raises(Unavailable, match="ConnectionRefusedError"):
        client_of("https://127.0.0.1:1/jwk").find(KEY_ID)


def test_name_without_an_address_is_down(client_of, monkeypatch):
    def find_none(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    monkeypatch.setattr(https_get.socket, "getaddrinfo", find_none)

    with pytest.raises(Unavailable, match="gaierror"):
        client_of("https://there-is-none.invalid/jwk").find(KEY_ID)


def test_name_with_no_address_at_all_is_down(client_of, monkeypatch):
    monkeypatch.setattr(https_get.socket, "getaddrinfo", lambda *_, **__: [])

    with pytest.raises(Unavailable, match="OSError"):
        client_of().find(KEY_ID)


def test_download_that_is_broken_off_before_it_begins_ends_at_once(server):
    download = https_get.Download(f"{server.base}/{KEY_ID}/public", server.client_context())
    download.abort()

    with pytest.raises(Unavailable, match="TimeoutError"):
        download.run(PATIENCE_S)
    assert server.asked == {}


def test_certificate_of_nobody_is_down(server, clock):
    with pytest.raises(Unavailable, match="SSLCertVerificationError"):
        Client([server.base], clock=clock, timeout_s=PATIENCE_S).find(KEY_ID)


def test_certificate_of_another_host_is_down(server, client_of):
    server.answers[KEY_ID] = JWK
    elsewhere = server.base.replace("127.0.0.1", "127.0.0.2")

    with pytest.raises(Unavailable):
        client_of(elsewhere).find(KEY_ID)
    assert server.asked == {}


def test_name_is_found_at_whatever_address_answers(server, client_of):
    server.answers[KEY_ID] = JWK

    # "localhost" is often ::1 first, where nobody listens.
    assert client_of(server.base.replace("127.0.0.1", "localhost")).find(KEY_ID)


@pytest.fixture
def deaf_addresses(monkeypatch):
    """Addresses at which nobody answers -> the timeouts within which one was waited for."""
    waited = {}

    class Socket(socket.socket):
        def connect(self, address):
            if address in waited:
                waited[address].append(self.gettimeout())
                raise TimeoutError
            super().connect(address)

    monkeypatch.setattr(https_get.socket, "socket", Socket)
    return waited


@pytest.mark.parametrize("count", [1, 3])
def test_address_that_never_answers_leaves_time_for_the_next(
    server, client_of, deaf_addresses, monkeypatch, count
):
    server.answers[KEY_ID] = JWK
    deaf = [("192.0.2.1", number) for number in range(count)]
    deaf_addresses |= {address: [] for address in deaf}
    found = [
        (socket.AF_INET, socket.SOCK_STREAM, 0, "", address)
        for address in [*deaf, ("127.0.0.1", server.port)]
    ]
    monkeypatch.setattr(https_get.socket, "getaddrinfo", lambda *_, **__: found)

    assert client_of().find(KEY_ID)

    for tried, address in enumerate(deaf):
        # Nothing has used up time here: each share is that of the addresses that are left.
        (timeout_s,) = deaf_addresses[address]
        assert timeout_s <= PATIENCE_S / (count + 1 - tried)


def drip(connection):
    """Send a header that never ends, one byte at a time."""
    connection.sendall(b"HTTP/1.1 200 -\r\nX: ")
    drip_bytes(connection)


def drip_body(connection):
    connection.sendall(b"HTTP/1.1 200 -\r\nContent-Length: 9999\r\n\r\n")
    drip_bytes(connection)


def drip_bytes(connection):
    pause = threading.Event()
    while True:
        connection.sendall(b"x")
        pause.wait(IMPATIENCE_S / 20)


def continue_for_ever(connection):
    pause = threading.Event()
    while True:
        connection.sendall(b"HTTP/1.1 100 -\r\n\r\n")
        pause.wait(IMPATIENCE_S / 20)


def hang(connection):
    connection.recv(1)


SLOW = [hang, drip, drip_body, continue_for_ever]


@pytest.mark.parametrize("slow", SLOW, ids=lambda each: each.__name__)
def test_request_waits_no_longer_than_it_may(server, client_of, slow):
    server.answers[KEY_ID] = slow
    client = client_of(timeout_s=IMPATIENCE_S)

    begin = time.monotonic()
    with pytest.raises(Unavailable, match=r"in time|TimeoutError"):
        client.find(KEY_ID)

    assert time.monotonic() - begin < IMPATIENCE_S + 1
    # What nobody waits for any more ends too.
    wait_until(lambda: client._threads == 0)


def test_server_that_shakes_no_hands_is_broken_off(client_of, server):
    with socket_that_listens() as port:
        client = client_of(f"https://127.0.0.1:{port}/jwk", timeout_s=IMPATIENCE_S)

        with pytest.raises(Unavailable):
            client.find(KEY_ID)
        wait_until(lambda: client._threads == 0)


@contextmanager
def socket_that_listens():
    """Yield the port of a socket whose connections nobody takes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_requests_for_one_key_wait_for_one_answer(server, client_of):
    gate = threading.Event()

    def answer(connection):
        gate.wait(PATIENCE_S)
        connection.sendall(response(200, json.dumps(JWK).encode()))

    server.answers[KEY_ID] = answer
    client = client_of()
    found = []
    waiting = [
        threading.Thread(target=lambda: found.append(jwk_that_is(client))) for _ in range(20)
    ]
    for thread in waiting:
        thread.start()
    wait_until(lambda: server.asked[KEY_ID] == 1)
    gate.set()
    for thread in waiting:
        thread.join()

    assert found == [modulus(KEY)] * 20
    assert server.asked == {KEY_ID: 1}


def find_in_vain(client, key_id):
    with pytest.raises(Unavailable):
        client.find(key_id)


def test_known_key_never_waits_for_an_unknown_one(server, client_of):
    gate = threading.Event()
    server.answers |= {KEY_ID: JWK, "slow": lambda it: gate.wait(PATIENCE_S)}
    client = client_of()
    client.find(KEY_ID)
    slow = threading.Thread(target=find_in_vain, args=[client, "slow"])
    slow.start()
    wait_until(lambda: server.asked["slow"] == 1)

    begin = time.monotonic()
    assert jwk_that_is(client) == modulus(KEY)
    took_s = time.monotonic() - begin

    gate.set()
    slow.join()
    assert took_s < 1


def test_key_is_asked_for_again_when_it_is_old(server, client_of, clock):
    server.answers[KEY_ID] = JWK
    client = client_of()
    client.find(KEY_ID)
    server.answers[KEY_ID] = jwk_of(OTHER_KEY, KEY_ID)

    clock.now += FRESH_S - 1
    assert jwk_that_is(client) == modulus(KEY)
    clock.now += 1
    assert jwk_that_is(client) == modulus(OTHER_KEY)


def test_key_that_the_server_has_no_more_is_forgotten(server, client_of, clock):
    server.answers[KEY_ID] = JWK
    client = client_of()
    client.find(KEY_ID)
    del server.answers[KEY_ID]

    clock.now += FRESH_S

    assert client.find(KEY_ID) is None
    assert client.find(KEY_ID) is None


def test_old_key_is_good_while_the_server_is_down_and_not_for_ever(server, client_of, clock):
    server.answers[KEY_ID] = JWK
    client = client_of()
    client.find(KEY_ID)
    server.answers[KEY_ID] = lambda it: it.sendall(response(500, b""))

    clock.now += FRESH_S
    assert [jwk_that_is(client) for _ in range(3)] == [modulus(KEY)] * 3
    assert server.asked[KEY_ID] == 2  # and asked no more for a while
    clock.now += STALE_HOLD_S
    assert jwk_that_is(client) == modulus(KEY)
    assert server.asked[KEY_ID] == 3

    clock.now += STALE_S
    with pytest.raises(Unavailable):
        client.find(KEY_ID)


def test_old_key_serves_the_others_while_one_asks_anew(server, client_of, clock):
    server.answers[KEY_ID] = JWK
    client = client_of()
    client.find(KEY_ID)
    gate = threading.Event()
    server.answers[KEY_ID] = lambda it: gate.wait(PATIENCE_S)
    clock.now += FRESH_S
    asking = threading.Thread(target=client.find, args=[KEY_ID])
    asking.start()
    wait_until(lambda: server.asked[KEY_ID] == 2)

    assert jwk_that_is(client) == modulus(KEY)

    gate.set()
    asking.join()


def test_server_that_failed_is_left_alone_for_a_moment(server, client_of, clock):
    server.answers[KEY_ID] = lambda it: it.sendall(response(500, b""))
    client = client_of()

    for _ in range(3):
        with pytest.raises(Unavailable):
            client.find(KEY_ID)
    assert server.asked == {KEY_ID: 1}

    server.answers[KEY_ID] = JWK
    clock.now += FAILED_S
    assert jwk_that_is(client) == modulus(KEY)


#: So many ids of one address are asked for before it is known for forged ids, and after that.
FREELY = MAX_MISSES + SUSPECT_BURST


def find_or_none(client, key_id, address=""):
    """Return what is found; "pending" if it is not waited for."""
    try:
        return client.find(key_id, address)
    except KeyPending:
        return "pending"


def find_all(client, ids, address=""):
    """Return what is found, once every look-up has ended."""
    found = []
    for key_id in ids:
        found.append(find_or_none(client, key_id, address))
        wait_until(lambda: client._threads == 0)
    return found


def numbered(word, count=500):
    return [f"{word}-{number}" for number in range(count)]


def test_forged_ids_of_one_address_make_no_flood(server, client_of, clock):
    client = client_of()

    found = find_all(client, numbered("forged"))

    assert found.count("pending") == 500 - found.count(None) >= 500 - FREELY
    assert server.asked.total() == FREELY

    clock.now += 2 / SUSPECTS_PER_S
    find_all(client, numbered("more"))
    assert server.asked.total() == FREELY + 2


def test_time_in_which_nobody_asks_saves_up_no_lookups(server, client_of, clock):
    client = client_of()

    clock.now += 1_000_000

    find_all(client, numbered("forged"))
    assert server.asked.total() == FREELY


def test_forged_ids_take_nothing_from_known_keys(server, client_of):
    server.answers[KEY_ID] = JWK
    client = client_of()
    client.find(KEY_ID)
    find_all(client, numbered("forged", 50))

    assert jwk_that_is(client) == modulus(KEY)


def test_keys_that_there_are_use_nothing_up(server, client_of):
    client = client_of()
    for number in range(FREELY * 3):
        server.answers[f"key-{number}"] = jwk_of(KEY, f"key-{number}")

        assert client.find(f"key-{number}")


def test_server_that_is_down_is_asked_for_few_ids(server, client_of, clock):
    client = client_of()
    for number in range(50):
        server.answers[f"down-{number}"] = lambda it: it.sendall(response(500, b""))
        with pytest.raises(Unavailable):
            client.find(f"down-{number}")
        wait_until(lambda: client._threads == 0)

    assert server.asked.total() == 1 + SUSPECT_BURST

    clock.now += 1 / SUSPECTS_PER_S
    assert find_all(client, ["another"]) == [None]
    assert server.asked["another"] == 1
    # It is back.
    assert find_all(client, ["one-more"]) == [None]


def test_memory_of_a_server_that_has_every_key_is_bounded(server, client_of):
    client = client_of()
    for number in range(MAX_KEYS + 5):
        server.answers[f"key-{number}"] = jwk_of(KEY, f"key-{number}")
        client.find(f"key-{number}")

    assert len(client._memory._known) == MAX_KEYS
    assert client.find("key-0")
    assert server.asked["key-0"] == 2


def test_next_base_is_asked_for_what_the_first_does_not_have(server, client_of):
    server.answers[KEY_ID] = JWK
    client = client_of("https://127.0.0.1:1/jwk", server.base)

    assert jwk_that_is(client) == modulus(KEY)
    # That one does not know it is no proof while the other cannot be asked.
    with pytest.raises(Unavailable):
        client.find("unknown")


def test_base_that_hangs_leaves_time_for_the_next(server, client_of):
    server.answers[KEY_ID] = JWK
    with socket_that_listens() as port:
        client = client_of(f"https://127.0.0.1:{port}/jwk", server.base, timeout_s=2.0)

        assert jwk_that_is(client) == modulus(KEY)


def test_key_that_comes_too_late_is_there_for_the_next(server, client_of, monkeypatch):
    gate = threading.Event()
    client = client_of(timeout_s=0.01)
    server.answers[KEY_ID] = JWK
    fetch = client._fetch

    def fetch_late(lookup):
        gate.wait(PATIENCE_S)
        lookup.is_given_up = False
        client._timeout_s = PATIENCE_S
        return fetch(lookup)

    monkeypatch.setattr(client, "_fetch", fetch_late)
    with pytest.raises(Unavailable, match="in time"):
        client.find(KEY_ID)
    gate.set()
    wait_until(lambda: client._threads == 0)

    assert jwk_that_is(client) == modulus(KEY)


def test_lookup_that_was_given_up_asks_nobody_any_more(server, client_of):
    lookup = keys._Lookup(KEY_ID, is_given_up=True)

    assert client_of()._fetch(lookup) is None
    assert server.asked == {}


def test_lookups_without_an_answer_are_few(server, client_of, clock):
    gate = threading.Event()
    client = client_of(timeout_s=0.01)
    client._fetch = lambda lookup: gate.wait(PATIENCE_S) and None
    for number in range(MAX_THREADS * 2):
        with pytest.raises(Unavailable):
            client.find(f"hanging-{number}", f"192.0.2.{number}")
        clock.now += 1 / SUSPECTS_PER_S

    assert client._threads == MAX_THREADS - RESERVED_THREADS
    client.note_proof("none", VENDOR)
    with pytest.raises(Unavailable, match="in time"):
        client.find("one-more", VENDOR)
    assert client._threads == MAX_THREADS - RESERVED_THREADS + 1

    gate.set()
    wait_until(lambda: client._threads == 0)


def waits_for(client, key_id, address):
    """Tell whether a request waited for the server, which gives no answer."""
    with pytest.raises(Unavailable) as raised:
        client.find(key_id, address)
    return not isinstance(raised.value, KeyPending)


def test_few_requests_of_strangers_wait_for_a_server_that_hangs(server, client_of):
    gate = threading.Event()
    client = client_of(timeout_s=0.01)
    client._fetch = lambda lookup: gate.wait(PATIENCE_S) and None

    waited = [waits_for(client, f"id-{n}", f"192.0.2.{n}") for n in range(MAX_THREADS)]

    assert sum(waited) <= WAIT_BURST

    gate.set()
    wait_until(lambda: client._threads == 0)


def test_key_is_looked_up_for_a_request_that_does_not_wait(server, client_of):
    server.answers[KEY_ID] = JWK
    client = client_of()
    while client._budget.may_wait("192.0.2.1", Charge(), client._clock()):
        pass

    assert find_or_none(client, KEY_ID, VENDOR) == "pending"
    wait_until(lambda: client._threads == 0)

    assert jwk_that_is(client) == modulus(KEY)
    assert server.asked == {KEY_ID: 1}


def test_proven_address_waits_for_a_lookup_that_others_do_not_wait_for(server, client_of):
    gate = threading.Event()

    def answer(connection):
        gate.wait(PATIENCE_S)
        connection.sendall(response(200, json.dumps(JWK).encode()))

    server.answers[KEY_ID] = answer
    client = client_of()
    client.note_proof("none", VENDOR)
    while client._budget.may_wait("192.0.2.1", Charge(), client._clock()):
        pass
    assert find_or_none(client, KEY_ID, "192.0.2.1") == "pending"
    assert find_or_none(client, KEY_ID, "192.0.2.2") == "pending"
    found = []
    waiting = threading.Thread(target=lambda: found.append(client.find(KEY_ID, VENDOR)))
    waiting.start()
    wait_until(lambda: client._waiting == 1)
    gate.set()
    waiting.join()

    assert [modulus(KEY)] == [key.public.public_numbers().n for key in found]
    assert server.asked == {KEY_ID: 1}


def test_number_of_requests_that_wait_is_bounded(client_of):
    client = client_of()
    client._waiting = MAX_WAITING
    client.note_proof("none", VENDOR)

    assert find_or_none(client, KEY_ID, VENDOR) == "pending"
    wait_until(lambda: client._threads == 0)


@pytest.mark.parametrize("slow", SLOW, ids=lambda each: each.__name__)
def test_lookup_that_nobody_waits_for_ends_too(server, client_of, slow):
    server.answers[KEY_ID] = slow
    client = client_of(timeout_s=IMPATIENCE_S)
    client._waiting = MAX_WAITING
    assert find_or_none(client, KEY_ID) == "pending"

    def is_over():
        find_or_none(client, "another")
        return client._threads == 0

    wait_until(is_over)
    assert not client._lookups


def test_old_key_is_used_while_no_thread_is_free_to_ask_anew(server, client_of, clock):
    server.answers[KEY_ID] = JWK
    client = client_of()
    client.find(KEY_ID)
    clock.now += FRESH_S
    client._threads = MAX_THREADS

    assert jwk_that_is(client) == modulus(KEY)
    assert server.asked == {KEY_ID: 1}


def test_process_without_threads_to_spare_is_unavailable(client_of, monkeypatch):
    class NoThread:
        def __init__(self, **_):
            pass

        def start(self):
            raise RuntimeError("can't start new thread")

    monkeypatch.setattr(keys, "Thread", NoThread)
    client = client_of()

    with pytest.raises(Unavailable, match="no thread"):
        client.find(KEY_ID)
    assert client._threads == 0


def test_fault_of_our_own_leaves_nobody_waiting(client_of, monkeypatch):
    monkeypatch.setattr(keys, "Download", None)

    with pytest.raises(Unavailable, match="TypeError"):
        client_of().find(KEY_ID)


def test_child_process_starts_without_its_parents_lookups(server, client_of):
    server.answers[KEY_ID] = JWK
    client = client_of()
    client.find(KEY_ID)
    client._lock.acquire()
    client._threads = MAX_THREADS

    client.after_fork()

    assert client.find(KEY_ID)
    assert client.find("another") is None
    assert server.asked == {KEY_ID: 1, "another": 1}


def test_log_names_the_key_and_the_reason(server, client_of, caplog):
    caplog.set_level(logging.INFO, "hookkit")
    server.answers |= {KEY_ID: JWK, "broken": lambda it: it.sendall(response(500, b"secret"))}
    client = client_of()

    client.find(KEY_ID)
    client.find("absent")
    with pytest.raises(Unavailable):
        client.find("broken")

    assert [(record.action, record.getMessage()) for record in caplog.records] == [
        ("key_fetched", f"asked for key {KEY_ID}: fetched"),
        ("key_fetched", "asked for key absent: there is none"),
        ("key_unavailable", "cannot fetch key broken: key server 127.0.0.1: status 500"),
    ]


# The keys of an endpoint


def ring(*given, server=None):
    return KeyRing(tuple(read_key(each) for each in given), server)


class Having:
    """A key server that has one key, whatever its id."""

    def __init__(self):
        self.asked = []

    def find(self, key_id, address=""):
        self.asked.append(key_id)
        return read_key(jwk_of(OTHER_KEY, key_id))


def test_key_in_the_settings_is_found_by_its_id():
    found = ring(JWK, jwk_of(OTHER_KEY, "other")).find("other")

    assert [key.public.public_numbers().n for key in found] == [modulus(OTHER_KEY)]


def test_id_that_no_key_has_finds_nothing():
    assert ring(JWK).find("other") == []


def test_key_without_an_id_may_be_any():
    assert len(ring(jwk_of(KEY), JWK).find("other")) == 1
    assert len(ring(jwk_of(KEY)).find(KEY_ID)) == 1


def test_no_server_can_replace_a_key_of_the_settings():
    server = Having()

    found = ring(JWK, server=server).find(KEY_ID)

    assert [key.public.public_numbers().n for key in found] == [modulus(KEY)]
    assert server.asked == []


def test_server_is_asked_for_the_others():
    server = Having()

    found = ring(JWK, jwk_of(KEY), server=server).find("other")

    assert [key.public.public_numbers().n for key in found] == [modulus(OTHER_KEY), modulus(KEY)]
    assert server.asked == ["other"]
