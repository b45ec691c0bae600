"""A stranger sends 100 forged key ids a second, and the vendor's deliveries are taken all the same.

The key server is a real one over TLS. ``make soak`` makes the stranger go on for longer.
"""

import itertools
import json
import secrets
import threading
import time
from collections import Counter
from datetime import UTC, datetime

import pytest

from hookkit import HookKit
from hookkit.providers.eight_by_eight.signature import SIGNATURE
from hookkit.signatures.detached_jws import write_header
from tests.applications import make_app
from tests.key_server import KeyServer, jwk_of, private_jwk_of, private_key, response
from tests.providers.eight_by_eight_bodies import BODY, headers
from tests.scale import SCALE
from tests.waiting import wait_until

FORGED_PER_S = 100
#: How long the stranger goes on before the vendor sends anything.
ALONE_S = 1.0 * SCALE
#: Within so long the vendor's key is asked for, and then its delivery accepted.
SOON_S = 2.0
#: How long the vendor waits before it sends again what was answered 503.
AGAIN_S = 0.25

KEYS = {key_id: private_key() for key_id in ("first-key", "second-key")}
VENDOR = "198.51.100.7"

#: Where the stranger sends from, by the number of its request.
STRANGERS = {
    "one address": lambda number: "203.0.113.1",
    "some addresses": lambda number: f"203.0.113.{number % 200}",
    "a new address each time": lambda number: (
        f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
    ),
    "a new address of one network each time": lambda number: f"2001:db8::{number & 0xFFFF:x}",
    "the vendor's own address": lambda number: VENDOR,
}


@pytest.fixture
def server(tmp_path, monkeypatch):
    server = KeyServer(tmp_path)
    server.accepted_at = {}
    monkeypatch.setenv("SSL_CERT_FILE", str(server.ca_file))
    yield server
    server.close()


def application(server, database):
    endpoints = {"support": {"provider": "8x8", "key_bases": [server.base]}}
    return make_app(HookKit(), HOOKKIT_ENDPOINTS=endpoints, HOOKKIT_DATABASE=database)


def post(app, address, sent):
    return app.test_client().post(
        "/hooks/support", data=BODY, headers=sent, environ_base={"REMOTE_ADDR": address}
    )


def genuine(key_id, event_id):
    secret = json.dumps(private_jwk_of(KEYS[key_id], key_id)).encode()
    return headers(BODY, at=datetime.now(UTC), secret=secret, event_id=event_id)


class Stranger:
    """Posts forged key ids until the end of the block, from several threads."""

    def __init__(self, app, address_of):
        self.answers = Counter()
        self.count = itertools.count()
        self._app, self._address_of = app, address_of
        self._is_over = threading.Event()
        threads = 10
        self._pause_s = threads / FORGED_PER_S
        self._threads = [threading.Thread(target=self._forge) for _ in range(threads)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._is_over.set()
        for thread in self._threads:
            thread.join()

    def _forge(self):
        sent = genuine("first-key", "forged")
        signature = sent[SIGNATURE].rpartition(".")[2]
        while not self._is_over.wait(self._pause_s):
            number = next(self.count)
            token = f"{write_header(secrets.token_urlsafe(16))}..{signature}"
            answer = post(self._app, self._address_of(number), sent | {SIGNATURE: token})
            self.answers[answer.status_code, answer.json["code"]] += 1


def deliver(app, server, key_id, event_id):
    """Post as the vendor does, again after each 503; return all statuses and what it took."""
    began_at, statuses, asked_at = time.monotonic(), [], None
    pause = threading.Event()
    while time.monotonic() - began_at < 20:
        answer = post(app, VENDOR, genuine(key_id, event_id))
        statuses.append(answer.status_code)
        if asked_at is None and server.asked[key_id]:
            asked_at = time.monotonic()
        if answer.status_code != 503:
            break
        assert answer.headers["Retry-After"]
        pause.wait(AGAIN_S)
    accepted_at = time.monotonic()
    return statuses, (asked_at or accepted_at) - began_at, accepted_at - (asked_at or began_at)


@pytest.mark.parametrize("strangers", STRANGERS)
def test_vendor_is_heard_while_a_stranger_forges_key_ids(server, tmp_path, strangers):
    database = f"sqlite:///{tmp_path}/inbox.db"
    server.answers["first-key"] = jwk_of(KEYS["first-key"], "first-key")
    app = application(server, database)

    with Stranger(app, STRANGERS[strangers]) as stranger:
        stranger._is_over.wait(ALONE_S)
        first = deliver(app, server, "first-key", "event-1")
        again = post(app, VENDOR, genuine("first-key", "event-2")).status_code

    # The process starts anew, and the vendor's server has no word for the key it had.
    server.answers["first-key"] = lambda it: it.sendall(response(500, b""))
    server.answers["second-key"] = jwk_of(KEYS["second-key"], "second-key")
    asked = server.asked["first-key"]
    app = application(server, database)
    with Stranger(app, STRANGERS[strangers]) as other:
        other._is_over.wait(ALONE_S)
        restarted = post(app, VENDOR, genuine("first-key", "event-3")).status_code
        second = deliver(app, server, "second-key", "event-4")

    print(strangers, first, second, stranger.answers, other.answers, server.asked.total())
    for statuses, asked_after_s, accepted_after_s in (first, second):
        assert set(statuses[:-1]) <= {503}
        assert statuses[-1] == 200
        assert asked_after_s < SOON_S
        assert accepted_after_s < SOON_S
    assert (again, restarted) == (200, 200)
    assert server.asked["first-key"] == asked
    assert {status for status, _ in stranger.answers + other.answers} <= {401, 503}
    entries = app.extensions["hookkit"].open_inbox().find()
    assert {each.event_id for each in entries} == {f"tenant-1:event-{n}" for n in (1, 2, 3, 4)}
