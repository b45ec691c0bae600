"""A stranger sends 100 forged key ids a second, and the vendor's deliveries are taken all the same.

The key server is a real one, over TLS. ``make soak`` has the stranger go on for longer.
"""

import itertools
import json
import logging
import secrets
import threading
import time
from collections import Counter
from datetime import UTC, datetime

import pytest

from hookkit import HookKit
from hookkit.keys.budget import MAX_MISSES, SUSPECT_BURST, SUSPECTS_PER_S, TOTAL_PER_S
from hookkit.keys.server import MAX_THREADS
from hookkit.providers.eight_by_eight.signature import SIGNATURE
from hookkit.signatures.detached_jws import write_header
from tests.applications import make_app
from tests.key_server import KeyServer, jwk_of, private_jwk_of, response, shared_key
from tests.providers.eight_by_eight_bodies import BODY, headers
from tests.scale import SCALE

FORGED_PER_S = 100
#: From so many threads of a server.
AT_ONCE = 10
#: How long the stranger goes on before the vendor sends anything.
ALONE_S = 1.0 * SCALE
#: Within so long the vendor's key is asked for, and after that its delivery accepted.
SOON_S = 2.0
#: How long the vendor waits before it sends again what was answered 503.
AGAIN_S = 0.25

KEYS = {"first-key": shared_key(), "second-key": shared_key(1)}
VENDOR = "198.51.100.7"

#: Where the stranger sends from, by the number of the request.
STRANGERS = {
    "one address": lambda number: "203.0.113.1",
    "some addresses": lambda number: f"203.0.113.{number % 200}",
    "a new address each time": lambda number: f"10.0.{number >> 8 & 255}.{number & 255}",
    "a new address of one site each time": lambda number: f"2001:db8::{number & 0xFFFF:x}",
    "the address of the vendor": lambda number: VENDOR,
}
#: Those of whom one network alone is served at once.
OF_ONE_NETWORK = {"one address", "a new address of one site each time"}


class Vendor:
    """The vendor: its key server, and its deliveries."""

    def __init__(self, server):
        self.server = server
        self.asked_at = {}

    def publish(self, key_id):
        answer = response(200, json.dumps(jwk_of(KEYS[key_id], key_id)).encode())

        def tell(connection):
            self.asked_at.setdefault(key_id, time.monotonic())
            connection.sendall(answer)

        self.server.answers[key_id] = tell

    def break_down(self, key_id):
        self.server.answers[key_id] = lambda it: it.sendall(response(500, b""))

    def deliver(self, app, key_id, event_id):
        """Post a delivery, again after each 503; return every status.

        Its key must be asked for soon, and after that it must be accepted soon.
        """
        began_at, statuses, pause = time.monotonic(), [], threading.Event()
        while not statuses or statuses[-1] == 503:
            answer = post(app, VENDOR, genuine(key_id, event_id))
            statuses.append(answer.status_code)
            accepted_at = time.monotonic()
            assert accepted_at - began_at < SOON_S * 2
            if answer.status_code == 503:
                assert answer.headers["Retry-After"] == "10"
                pause.wait(AGAIN_S)
        assert self.asked_at[key_id] - began_at < SOON_S
        assert accepted_at - self.asked_at[key_id] < SOON_S
        return statuses


@pytest.fixture
def vendor(tmp_path, monkeypatch):
    server = KeyServer(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(server.ca_file))
    yield Vendor(server)
    server.close()


def application(vendor, database):
    endpoints = {"support": {"provider": "8x8", "key_bases": [vendor.server.base]}}
    return make_app(HookKit(), HOOKKIT_ENDPOINTS=endpoints, HOOKKIT_DATABASE=database)


def post(app, address, sent):
    return app.test_client().post(
        "/hooks/support", data=BODY, headers=sent, environ_base={"REMOTE_ADDR": address}
    )


def genuine(key_id, event_id):
    secret = json.dumps(private_jwk_of(KEYS[key_id], key_id)).encode()
    return headers(BODY, at=datetime.now(UTC), secret=secret, event_id=event_id)


class Stranger:
    """Posts forged key ids until the end of the block, and counts the answers."""

    def __init__(self, app, address_of):
        self.answers = Counter()
        self.most_threads = 0
        self.is_over = threading.Event()
        self._app, self._address_of = app, address_of
        self._numbers = itertools.count()
        self._threads = [threading.Thread(target=self._forge) for _ in range(AT_ONCE)]

    def __enter__(self):
        self._began_at = time.monotonic()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.is_over.set()
        for thread in self._threads:
            thread.join()
        self.took_s = time.monotonic() - self._began_at

    def _forge(self):
        sent = genuine("first-key", "forged")
        signature = sent[SIGNATURE].rpartition(".")[2]
        while not self.is_over.wait(AT_ONCE / FORGED_PER_S):
            token = f"{write_header(secrets.token_urlsafe(16))}..{signature}"
            address = self._address_of(next(self._numbers))
            answer = post(self._app, address, sent | {SIGNATURE: token})
            self.answers[answer.status_code, answer.json["code"]] += 1
            running = sum(each.name == "hookkit-keys" for each in threading.enumerate())
            self.most_threads = max(self.most_threads, running)


@pytest.mark.parametrize("strangers", STRANGERS)
def test_vendor_is_heard_while_a_stranger_forges_key_ids(vendor, tmp_path, caplog, strangers):
    caplog.set_level(logging.INFO, "hookkit")
    database = f"sqlite:///{tmp_path}/inbox.db"
    vendor.publish("first-key")
    app = application(vendor, database)

    with Stranger(app, STRANGERS[strangers]) as first:
        first.is_over.wait(ALONE_S)
        answers = vendor.deliver(app, "first-key", "event-1")
        answers.append(post(app, VENDOR, genuine("first-key", "event-2")).status_code)

    # The process starts anew, and the vendor's server fails for the key that signed until now.
    vendor.break_down("first-key")
    vendor.publish("second-key")
    app = application(vendor, database)
    with Stranger(app, STRANGERS[strangers]) as second:
        second.is_over.wait(ALONE_S)
        answers.append(post(app, VENDOR, genuine("first-key", "event-3")).status_code)
        answers += vendor.deliver(app, "second-key", "event-4")

    # Nothing genuine was refused, and what was postponed was accepted in the end.
    assert set(answers) <= {200, 503}
    assert answers.count(200) == 4
    assert vendor.server.asked["first-key"] == vendor.server.asked["second-key"] == 1
    assert set(first.answers + second.answers) == {
        (401, "signature_mismatch"),
        (503, "unavailable"),
    }
    check_work(vendor, strangers, [first, second])
    check_log(caplog.records)
    entries = app.extensions["hookkit"].opening.inbox().find()
    assert {each.event_id for each in entries} == {f"tenant-1:event-{n}" for n in (1, 2, 3, 4)}


def check_work(vendor, strangers, floods):
    """Check that what the stranger has caused is bounded."""
    asked = vendor.server.asked.total() - 2
    once, per_s = MAX_MISSES + SUSPECT_BURST, SUSPECTS_PER_S
    if strangers not in OF_ONE_NETWORK:
        once, per_s = once + TOTAL_PER_S, per_s + TOTAL_PER_S
    assert asked <= sum(once + per_s * flood.took_s for flood in floods)
    assert max(flood.most_threads for flood in floods) <= MAX_THREADS


def check_log(records):
    """Check that there is a line a minute for each endpoint, however many were postponed."""
    minutes = 1 + ALONE_S // 60
    pending = [each for each in records if each.action == "key_pending"]
    assert {each.endpoint for each in pending} == {"support"}
    assert len(pending) <= 2 * minutes
    absent = [each for each in records if "there is none" in each.getMessage()]
    assert len(absent) <= 2 * minutes
