"""An endpoint whose sender signs tokens by one key of a published set."""

import itertools
import threading
import time
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as new_ec_key
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from hookkit import HookKit
from hookkit.keys.key_set import QUESTION_BURST, QUESTIONS_PER_S
from hookkit.signatures.hashed_token import HashedToken
from hookkit.signatures.public_key import private_key_id
from hookkit.signatures.set_token import SetToken
from tests.applications import make_app
from tests.key_server import SET, KeyServer, ec_jwk_of, jwk_of, pem_of, private_key, response
from tests.scale import SCALE

VENDOR = "198.51.100.7"
BODY = b'{"type":"order.created","id":"order-1"}'

NEW_KEY = {"RS256": private_key, "ES256": lambda: new_ec_key(SECP256R1())}
JWK_OF = {"RS256": jwk_of, "ES256": ec_jwk_of}

#: From so many threads of a server, with a pause of so long.
AT_ONCE, PAUSE_S = 10, 0.1
ALONE_S = 1.0 * SCALE
AGAIN_S = 0.25
#: Within so long a new key must be known, whatever a stranger does.
SOON_S = 2 / QUESTIONS_PER_S


class Vendor:
    """The sender: its keys, and its deliveries."""

    def __init__(self, server, algorithm):
        self.server, self.algorithm = server, algorithm
        self.secrets = [pem_of(NEW_KEY[algorithm]()) for _ in range(3)]
        self.published = []

    def publish(self, *numbers):
        self.published = list(numbers)
        self.server.answers[SET] = {"keys": [self.jwk(number) for number in numbers]}

    def jwk(self, number):
        secret = self.secrets[number]
        key = load_pem_private_key(secret, password=None)
        return JWK_OF[self.algorithm](key, private_key_id(secret))

    def signed(self, number, body=BODY, **token):
        scheme = SetToken(token=HashedToken(algorithm=self.algorithm, audience="mine", **token))
        return scheme.sign(body, self.secrets[number], datetime.now(UTC))


@pytest.fixture(params=NEW_KEY)
def vendor(request, tmp_path, monkeypatch):
    server = KeyServer(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(server.ca_file))
    vendor = Vendor(server, request.param)
    vendor.publish(0)
    yield vendor
    server.close()


@pytest.fixture
def start(vendor, tmp_path):
    def start():
        endpoint = {
            "provider": "generic",
            "event_id": "body:id",
            "scheme": {"type": "token", "algorithm": vendor.algorithm, "audience": "mine"},
            "key_set": vendor.server.set_url,
        }
        database = f"sqlite:///{tmp_path}/inbox.db"
        return make_app(
            HookKit(), HOOKKIT_ENDPOINTS={"orders": endpoint}, HOOKKIT_DATABASE=database
        )

    return start


def post(app, sent, body=BODY, address=VENDOR):
    return app.test_client().post(
        "/hooks/orders", data=body, headers=sent, environ_base={"REMOTE_ADDR": address}
    )


def entries(app):
    return app.extensions["hookkit"].opening.inbox().find()


def test_delivery_by_a_key_of_the_set_is_accepted_once(vendor, start):
    app = start()

    answers = [post(app, vendor.signed(0)) for _ in range(2)]

    assert [(each.json["new"], each.json["duplicates"]) for each in answers] == [(1, 0), (0, 1)]
    assert [each.event_id for each in entries(app)] == ["order-1"]
    assert vendor.server.asked == {SET: 1}


def test_delivery_of_a_stranger_is_refused_and_nothing_of_it_kept(vendor, start):
    app = start()
    assert post(app, vendor.signed(0)).status_code == 200

    refused = [
        post(app, vendor.signed(1)),  # by a key that is in no set
        post(app, vendor.signed(0), BODY + b" "),
        post(app, {}),
        post(app, {"authorization": "Bearer a.b.c"}),
        post(app, {"authorization": "Bearer " + "A" * 5000}),
    ]

    assert [each.status_code for each in refused] == [401, 401, 401, 400, 400]
    assert len(entries(app)) == 1


def test_new_key_is_taken_and_a_key_that_was_taken_out_refused(vendor, start):
    app = start()
    assert post(app, vendor.signed(0)).status_code == 200

    vendor.publish(0, 1)
    assert post(app, vendor.signed(1)).status_code == 200
    vendor.publish(1, 2)
    assert post(app, vendor.signed(2)).status_code == 200

    assert post(app, vendor.signed(0)).status_code == 401
    assert post(app, vendor.signed(1)).status_code == 200


def test_process_that_starts_needs_no_key_server(vendor, start):
    assert post(start(), vendor.signed(0)).status_code == 200
    vendor.server.answers[SET] = lambda it: it.sendall(response(500, b""))

    app = start()

    assert post(app, vendor.signed(0)).status_code == 200
    answer = post(app, vendor.signed(1))
    assert (answer.status_code, answer.json["code"]) == (503, "unavailable")
    assert answer.headers["Retry-After"] == "10"


def test_new_key_is_taken_while_a_stranger_names_any_number_of_keys(vendor, start):
    app = start()
    scheme = HashedToken(algorithm=vendor.algorithm, audience="mine")
    numbers, is_over, answers = itertools.count(), threading.Event(), []

    def forge():
        while not is_over.wait(PAUSE_S):
            key_id = f"forged-{next(numbers)}"
            sent = scheme.sign(BODY, vendor.secrets[2], datetime.now(UTC), key_id=key_id)
            answer = post(app, sent, address=f"203.0.113.{next(numbers) % 200}")
            answers.append((answer.status_code, answer.json["code"]))

    strangers = [threading.Thread(target=forge) for _ in range(AT_ONCE)]
    began_at = time.monotonic()
    for stranger in strangers:
        stranger.start()
    try:
        is_over.wait(ALONE_S)
        vendor.publish(0, 1)
        statuses, published_at = [], time.monotonic()
        while not statuses or statuses[-1] == 503:
            statuses.append(post(app, vendor.signed(1)).status_code)
            took_s = time.monotonic() - published_at
            is_over.wait(AGAIN_S if statuses[-1] == 503 else 0)
    finally:
        is_over.set()
        for stranger in strangers:
            stranger.join()

    assert statuses[-1] == 200
    assert set(statuses) <= {200, 503}
    assert took_s < SOON_S
    assert set(answers) <= {(401, "signature_mismatch"), (503, "unavailable")}
    most = 1 + QUESTION_BURST + QUESTIONS_PER_S * (time.monotonic() - began_at)
    assert vendor.server.asked[SET] <= most
    assert {each.event_id for each in entries(app)} == {"order-1"}
