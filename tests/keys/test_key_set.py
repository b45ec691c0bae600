"""A set of keys is fetched from a server that is slow, down, redirecting, oversized or lying."""

import json
import logging
import threading
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as new_ec_key

from hookkit import Unavailable
from hookkit.core.errors import KeyPending
from hookkit.inbox.opening import MEMORY, open_inbox
from hookkit.keys import key_set
from hookkit.keys.budget import WAIT_BURST
from hookkit.keys.key_set import MAX_THREADS, QUESTION_BURST, QUESTIONS_PER_S, KeySet
from hookkit.keys.memory import ABSENT_S, FAILED_S, FRESH_S, STALE_HOLD_S, STALE_S
from hookkit.signatures.jwk_set import MAX_KEYS
from tests.key_server import SET, KeyServer, ec_jwk_of, jwk_of, response, shared_key
from tests.waiting import wait_until

KEYS = [shared_key(), shared_key(1)]
FIRST, SECOND = (jwk_of(key, name) for key, name in zip(KEYS, ("first", "second"), strict=True))
EC = ec_jwk_of(new_ec_key(SECP256R1()), "curve")
SECRET = {"kty": "oct", "k": "c2VjcmV0", "kid": "shared"}

#: Long enough for this machine when all is well, and not waited for elsewhere.
PATIENCE_S = 20
#: What a test can wait for a server that does not answer.
IMPATIENCE_S = 0.4


class Clock:
    def __init__(self):
        self.now = 1000.0
        self.started_at = datetime(2026, 3, 1, tzinfo=UTC)

    def __call__(self):
        return self.now

    def wall(self):
        return self.started_at + timedelta(seconds=self.now)


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
def set_of(server, clock):
    def make(algorithm="RS256", timeout_s=PATIENCE_S):
        return KeySet(
            server.set_url,
            algorithm,
            context=server.client_context(),
            clock=clock,
            timeout_s=timeout_s,
            wall_clock=clock.wall,
        )

    return make


def publish(server, *keys):
    server.answers[SET] = {"keys": list(keys)}


def break_down(server):
    server.answers[SET] = lambda it: it.sendall(response(500, b""))


def test_one_question_fetches_every_key(server, set_of):
    publish(server, FIRST, SECOND, EC, SECRET)
    keys = set_of()

    assert [keys.find(each).jwk for each in ("first", "second", "first")] == [
        json.dumps(each, sort_keys=True, separators=(",", ":")) for each in (FIRST, SECOND, FIRST)
    ]
    assert server.asked == {SET: 1}
    assert set_of("ES256").find("curve").key_id == "curve"


@pytest.mark.parametrize("key_id", ["shared", "curve", "of-a-stranger", "../x", "https://x/y"])
def test_id_of_no_key_of_the_set_is_none_and_gets_into_no_url(server, set_of, key_id):
    publish(server, FIRST, EC, SECRET)
    keys = set_of()

    assert [keys.find(key_id) for _ in range(3)] == [None] * 3
    assert server.asked == {SET: 1}


@pytest.mark.parametrize("key_id", ["", "k" * 65, "k\n", "k k", "schlüssel", "\ud800", "\x00"])
def test_id_that_is_none_asks_nobody(server, set_of, key_id):
    publish(server, FIRST)

    assert set_of().find(key_id) is None
    assert server.asked == {}


def test_key_that_is_new_is_fetched_at_once_and_the_old_one_stays_known(server, set_of):
    publish(server, FIRST)
    keys = set_of()
    keys.find("first")

    publish(server, FIRST, SECOND)

    assert keys.find("second").key_id == "second"
    assert keys.find("first").key_id == "first"
    assert server.asked == {SET: 2}


def test_key_that_the_set_has_no_more_is_forgotten(server, set_of, clock):
    publish(server, FIRST)
    keys = set_of()
    keys.find("first")

    publish(server, SECOND)
    assert keys.find("second").key_id == "second"
    assert keys.find("first") is None

    publish(server, FIRST, SECOND)
    clock.now += ABSENT_S
    assert keys.find("first").key_id == "first"


def test_key_is_asked_for_again_when_it_is_no_longer_fresh(server, set_of, clock):
    publish(server, FIRST)
    keys = set_of()
    keys.find("first")

    clock.now += FRESH_S
    assert [keys.find("first").key_id for _ in range(3)] == ["first"] * 3
    assert server.asked == {SET: 2}

    publish(server, SECOND)
    clock.now += FRESH_S
    assert keys.find("first") is None


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(None, id="no set at the address"),
        pytest.param({"keys": []}, id="an empty set"),
        pytest.param({"keys": [SECRET, EC]}, id="no key of the algorithm"),
        pytest.param({"keys": [FIRST, SECOND | {"kid": "first"}]}, id="an id twice"),
        pytest.param({"keys": [FIRST] * (MAX_KEYS + 1)}, id="too many keys"),
        pytest.param(FIRST, id="a key and no set"),
        pytest.param(lambda it: it.sendall(response(500, b"{}")), id="broken"),
        pytest.param(lambda it: it.sendall(response(200, b"<html>")), id="HTML"),
        pytest.param(lambda it: it.sendall(response(200, b"x" * 1_000_000)), id="oversized"),
        pytest.param(lambda it: it.sendall(b"SSH-2.0-OpenSSH_9.9\r\n"), id="not HTTP"),
        pytest.param(lambda it: None, id="silent and gone"),
    ],
)
def test_set_of_no_use_changes_nothing(server, set_of, clock, answer):
    publish(server, FIRST)
    keys = set_of()
    keys.find("first")
    server.answers[SET] = answer

    with pytest.raises(Unavailable) as raised:
        keys.find("of-a-stranger")
    assert not isinstance(raised.value, KeyPending)
    assert keys.find("first").key_id == "first"

    # Nobody asks again at once, and the known key is used until it is stale.
    with pytest.raises(Unavailable, match="a moment ago"):
        keys.find("of-another")
    assert server.asked == {SET: 2}
    clock.now += FRESH_S
    assert [keys.find("first").key_id for _ in range(2)] == ["first"] * 2
    assert server.asked == {SET: 3}
    clock.now += STALE_HOLD_S
    assert keys.find("first").key_id == "first"
    assert server.asked == {SET: 4}
    clock.now += STALE_S
    with pytest.raises(Unavailable):
        keys.find("first")


def test_large_set_is_read(server, set_of):
    publish(server, FIRST | {"x5c": ["A" * 60_000]}, SECOND)

    assert set_of().find("second").key_id == "second"


def test_redirect_is_not_followed(server, set_of):
    server.answers["elsewhere"] = {"keys": [FIRST]}
    where = f"{server.base}/elsewhere/keys.json"
    server.answers[SET] = lambda it: it.sendall(response(302, b"", Location=where))

    with pytest.raises(Unavailable, match="status 302"):
        set_of().find("first")
    assert server.asked == {SET: 1}


def test_questions_for_unknown_keys_are_few_and_the_new_key_is_found(server, set_of, clock):
    publish(server, FIRST)
    keys = set_of()

    def name_strangers(prefix, count=50):
        pending = 0
        for number in range(count):
            try:
                assert keys.find(f"{prefix}-{number}") is None
            except KeyPending:
                pending += 1
        return pending

    assert name_strangers("a") == 50 - QUESTION_BURST
    assert server.asked == {SET: QUESTION_BURST}

    # A key that is new meanwhile is not refused: its sender is asked to send again.
    publish(server, FIRST, SECOND)
    with pytest.raises(KeyPending):
        keys.find("second")
    assert keys.find("first").key_id == "first"

    # Whoever asks next, whichever key is named, has the new one fetched.
    clock.now += 1 / QUESTIONS_PER_S
    assert name_strangers("b") == 49
    assert keys.find("second").key_id == "second"
    assert server.asked == {SET: QUESTION_BURST + 1}


def test_requests_share_one_question(server, set_of):
    asked, go_on = threading.Event(), threading.Event()

    def answer_late(connection):
        asked.set()
        go_on.wait(PATIENCE_S)
        connection.sendall(response(200, json.dumps({"keys": [FIRST, SECOND]}).encode()))

    server.answers[SET] = answer_late
    keys, found = set_of(), []
    names = ["first", "second", "first"]
    threads = [
        threading.Thread(target=lambda name=name: found.append(keys.find(name).key_id))
        for name in names
    ]
    for thread in threads:
        thread.start()
    asked.wait(PATIENCE_S)
    go_on.set()
    for thread in threads:
        thread.join()

    assert sorted(found) == sorted(names)
    assert server.asked == {SET: 1}


def test_few_requests_wait_and_what_was_asked_before_a_name_says_nothing_of_it(server, set_of):
    asked, go_on = threading.Event(), threading.Event()

    def answer_late(connection):
        asked.set()
        go_on.wait(PATIENCE_S)
        connection.sendall(response(200, json.dumps({"keys": [FIRST]}).encode()))

    server.answers[SET] = answer_late
    keys, told = set_of(), []

    def name(key_id):
        try:
            told.append((key_id, keys.find(key_id)))
        except KeyPending:
            told.append((key_id, "pending"))

    begun = threading.Thread(target=name, args=["asker"])
    begun.start()
    asked.wait(PATIENCE_S)
    waiting = [threading.Thread(target=name, args=[f"s{n}"]) for n in range(WAIT_BURST)]
    for thread in waiting:
        thread.start()
    wait_until(lambda: keys._waits._left < 1)
    name("one-too-many")
    assert told == [("one-too-many", "pending")]

    go_on.set()
    for thread in [begun, *waiting]:
        thread.join()
    assert dict(told) == {f"s{n}": "pending" for n in range(WAIT_BURST)} | {
        "asker": None,
        "one-too-many": "pending",
    }


def test_server_that_never_answers_is_given_up_and_heard_when_it_does(server, set_of, clock):
    go_on = threading.Event()

    def answer_never(connection):
        go_on.wait(PATIENCE_S)

    server.answers[SET] = answer_never
    keys = set_of(timeout_s=IMPATIENCE_S)

    with pytest.raises(Unavailable, match=r"in time|Timeout"):
        keys.find("first")
    with pytest.raises(Unavailable, match="a moment ago"):
        keys.find("first")
    go_on.set()

    wait_until(lambda: keys._threads == 0)
    publish(server, FIRST)
    clock.now += FAILED_S
    assert keys.find("first").key_id == "first"


def test_question_that_takes_too_long_is_given_up_by_whoever_comes_next(server, set_of):
    asked, go_on = threading.Event(), threading.Event()

    def answer_never(connection):
        asked.set()
        go_on.wait(PATIENCE_S)

    server.answers[SET] = answer_never
    keys, told = set_of(), []

    def name():
        with pytest.raises(Unavailable, match="in time"):
            keys.find("first")
        told.append("first")

    begun = threading.Thread(target=name)
    begun.start()
    asked.wait(PATIENCE_S)
    keys._asked.give_up_at_s = 0

    with pytest.raises(Unavailable, match="a moment ago"):
        keys.find("second")
    begun.join()
    assert told == ["first"]
    go_on.set()
    wait_until(lambda: keys._threads == 0)


def test_threads_that_hang_are_few(server, set_of, clock, monkeypatch):
    go_on = threading.Event()
    # The name of the host is looked up for ever, which nothing can break off.
    monkeypatch.setattr(key_set.Download, "run", lambda *_: go_on.wait(PATIENCE_S) and None)
    keys = set_of(timeout_s=0.01)

    for number in range(MAX_THREADS + 2):
        with pytest.raises(Unavailable):
            keys.find(f"k{number}")
        clock.now += 60

    assert keys._threads == MAX_THREADS
    go_on.set()
    wait_until(lambda: keys._threads == 0)


def test_process_without_threads_to_spare_is_unavailable(set_of, monkeypatch):
    def refuse(_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    keys = set_of()

    with pytest.raises(Unavailable, match="no thread"):
        keys.find("first")
    assert keys._threads == 0


def test_fault_of_our_own_leaves_nobody_waiting(server, set_of, monkeypatch):
    publish(server, FIRST)
    monkeypatch.setattr(key_set, "read_set", lambda *_: 1 / 0)

    with pytest.raises(Unavailable, match="ZeroDivisionError"):
        set_of().find("first")


def test_child_process_starts_without_its_parents_question(server, set_of):
    publish(server, FIRST)
    keys = set_of()
    keys._lock.acquire()
    keys._threads = MAX_THREADS
    keys._asked = object()

    keys.after_fork()

    assert keys.find("first").key_id == "first"


def test_key_that_proved_a_delivery_is_known_to_other_processes(server, set_of, clock):
    publish(server, FIRST, SECOND)
    book = open_inbox(MEMORY).keys
    keys, another = set_of(), set_of()
    for each in (keys, another):
        each.use_book(lambda: book)
    keys.find("first")
    keys.note_proof("first", "198.51.100.7")
    keys.save()
    break_down(server)

    assert another.find("first").jwk == keys.find("first").jwk
    with pytest.raises(Unavailable):
        another.find("second")

    # The key is taken out of the set: no process starts with it any more.
    publish(server, SECOND)
    clock.now += FRESH_S
    assert keys.find("first") is None
    wait_until(lambda: list(book.load(keys.name)) == [])


def test_every_address_and_algorithm_has_keys_of_its_own(server, set_of):
    assert len({set_of().name, set_of("ES256").name, KeySet("https://x/y", "RS256").name}) == 3


def test_log_says_what_was_asked_and_found(server, set_of, caplog):
    caplog.set_level(logging.INFO, "hookkit")
    publish(server, FIRST)
    keys = set_of()
    keys.find("first")
    for number in range(3):
        keys.find(f"of-a-stranger-{number}")
    break_down(server)
    with pytest.raises(Unavailable):
        keys.find("of-another")

    lines = [(each.action, each.getMessage()) for each in caplog.records]
    assert lines == [
        ("key_fetched", "asked for key first: fetched"),
        ("key_fetched", "asked for key of-a-stranger-0: there is none"),
        ("key_unavailable", "cannot fetch key of-another: key server 127.0.0.1: status 500"),
    ]
