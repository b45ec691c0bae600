"""8x8's deliveries at an endpoint: conflicts, downgrades, pings, and where keys come from."""

import base64
import json
import logging
import threading
import time
import zlib
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, text
from werkzeug.middleware.proxy_fix import ProxyFix

from hookkit import HookKit, signals
from hookkit.keys.budget import MAX_MISSES, Standing
from hookkit.providers.eight_by_eight.signature import (
    CUSTOMER_ID,
    EVENT_ID,
    HEADERS,
    SIGNATURE,
    make_token,
)
from hookkit.signatures.detached_jws import read_token
from tests.applications import make_app
from tests.key_server import KeyServer, jwk_of, private_jwk_of, public_pem_of, response
from tests.providers.eight_by_eight_bodies import (
    BODY,
    KEY,
    NEGATIVE,
    PRIVATE,
    SAMPLE_JWKS,
    SIGNED_SAMPLES,
    TEXT,
    headers,
)
from tests.providers.reading import headers_of, sample_id
from tests.waiting import wait_until

#: Samples were sent in 2024.
A_CENTURY_S = 100 * 365 * 86400.0
BASIC = "8x8:a-password-nobody-guesses"
TOKEN = "a-token_nobody.guesses~42"
PING = b'{"notificationVersion":"v2.0","eventType":"WEB_HOOK_VERIFY"}'


class Receiving:
    """An application with one endpoint of 8x8, and what its handlers have seen."""

    def __init__(self, database="memory://", **settings):
        self.seen = []
        hooks = HookKit()
        hooks.on("*", name="see")(self.seen.append)
        self.app = make_app(
            hooks,
            HOOKKIT_DATABASE=database,
            HOOKKIT_ENDPOINTS={"support": {"provider": "8x8"} | settings},
        )
        self.client = self.app.test_client()

    def post(self, body=BODY, sent=None, url="/hooks/support"):
        """Return the status and the code, or the counts of what was accepted."""
        answer = self.client.post(
            url, data=body, headers=sent or {}, content_type="application/json"
        )
        if answer.status_code == 200:
            return answer.json["new"], answer.json["duplicates"]
        return answer.status_code, answer.json["code"]

    @property
    def entries(self):
        return self.app.extensions["hookkit"].opening.inbox().find()


def now():
    return datetime.now(UTC)


def signed(body=BODY, **changed):
    """Return the headers of a delivery that is sent now."""
    return headers(body, at=now(), **changed)


def rows(url, query):
    engine = create_engine(url)
    with engine.connect() as connection:
        found = connection.execute(text(query)).all()
    engine.dispose()
    return found


NEW, DUPLICATE = (1, 0), (0, 1)


STRANGE = Receiving(keys=SAMPLE_JWKS, versions={"v2.0": {"keys": jwk_of(PRIVATE, "other")}})


@pytest.fixture
def receiving():
    return Receiving(keys=jwk_of(PRIVATE))


def read_negative(name):
    path = NEGATIVE[name]
    body = path.with_name(path.name.replace(".headers", "")).read_bytes()
    return body, json.loads(path.read_text())


# Proof


def test_every_signed_sample_is_taken_and_handled():
    # One endpoint each: v2.0's and the gateway's samples share two event ids.
    for version in ("v2.0", "Chat Gateway v1.0"):
        receiving = Receiving(keys=SAMPLE_JWKS, tolerance_s=A_CENTURY_S)
        samples = [sample for sample in SIGNED_SAMPLES if sample.parent.name == version]

        answers = [receiving.post(each.read_bytes(), headers_of(each)) for each in samples]

        # One of them is the redelivery of another.
        assert answers.count(DUPLICATE) == (version == "v2.0")
        assert answers.count(NEW) == len(samples) - (version == "v2.0")
        assert {event.version for event in receiving.seen} == {version}


@pytest.mark.parametrize(
    "name", ["alg_none", "kid_path_traversal", "tampered_body", "tampered_retry_header"]
)
def test_forged_sample_is_refused(name):
    receiving = Receiving(keys=SAMPLE_JWKS, tolerance_s=A_CENTURY_S)

    assert receiving.post(*read_negative(name)) == (401, "signature_mismatch")
    assert receiving.entries == []


@pytest.mark.parametrize(
    ("changed", "answer"),
    [
        pytest.param({SIGNATURE: None}, (401, "signature_missing"), id="no signature"),
        pytest.param({EVENT_ID: None}, (401, "signature_missing"), id="no event id"),
        pytest.param({SIGNATURE: "x"}, (400, "malformed_header"), id="no token"),
        pytest.param({"x-8x8-retry": "00"}, (400, "malformed_header"), id="two zeros"),
        pytest.param({"x-8x8-retry": "1"}, (401, "signature_mismatch"), id="another retry"),
        pytest.param({CUSTOMER_ID: "other"}, (401, "signature_mismatch"), id="another customer"),
    ],
)
def test_wrong_header_is_refused(receiving, changed, answer):
    sent = {name: value for name, value in (signed() | changed).items() if value is not None}

    assert receiving.post(sent=sent) == answer
    assert receiving.entries == []


def test_header_sent_twice_is_refused(receiving):
    sent = [*signed().items(), ("x-8x8-retry", "0")]

    assert receiving.post(sent=sent) == (400, "malformed_header")


def test_time_of_transmission_is_tolerated_as_the_settings_say():
    old = datetime(2024, 4, 14, tzinfo=UTC)
    usual = Receiving(keys=jwk_of(PRIVATE))
    lax = Receiving(keys=jwk_of(PRIVATE), tolerance_s=A_CENTURY_S)

    assert usual.post(sent=headers(at=old)) == (401, "timestamp_expired")
    assert usual.post(sent=headers(at=datetime(2124, 1, 1, tzinfo=UTC))) == (
        401,
        "timestamp_in_future",
    )
    assert lax.post(sent=headers(at=old)) == NEW


def test_key_of_the_settings_may_be_pem():
    assert Receiving(keys=public_pem_of(PRIVATE)).post(sent=signed()) == NEW
    assert Receiving(keys=[*SAMPLE_JWKS, public_pem_of(PRIVATE)]).post(sent=signed()) == NEW


def test_headers_and_key_are_kept_as_proof_and_shown_nowhere(tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    url = f"sqlite:///{tmp_path}/inbox.db"
    receiving = Receiving(url, keys=jwk_of(PRIVATE, "key1"))
    sent = signed() | {"hookkit-key": "forged", "x-8x8-more": "no"}
    sent[SIGNATURE] = sent_by_key1 = signed_as("key1", sent)

    assert receiving.post(sent=sent) == NEW

    (row,) = rows(url, "SELECT headers FROM hookkit_deliveries")
    kept = json.loads(row.headers)
    assert {name: kept[name] for name in HEADERS} == {name: sent[name] for name in HEADERS}
    assert json.loads(kept["hookkit-key"]) == jwk_of(PRIVATE, "key1")
    assert "x-8x8-more" not in kept
    assert sent_by_key1 not in caplog.text


def signed_as(key_id, sent):
    return make_token(sent, BODY, json.dumps(private_jwk_of(PRIVATE, key_id)).encode())


def test_key_that_a_stranger_sends_is_not_kept():
    receiving = Receiving(unsigned=True)

    receiving.post(sent={"hookkit-key": "forged"})

    assert "hookkit-key" not in {name for event in receiving.seen for name in event.extra}
    (entry,) = receiving.entries
    assert entry.version == "v1.0"


# The event, and other bytes


def test_redelivery_is_signed_anew_and_a_duplicate(receiving):
    first, second = signed(), signed(retry="1")

    assert [receiving.post(sent=first), receiving.post(sent=second)] == [NEW, DUPLICATE]
    assert receiving.post(sent=first) == DUPLICATE
    assert receiving.entries[0].conflicts == 0
    assert [event.extra["retry"] for event in receiving.seen] == [0]


def test_events_of_two_tenants_are_two(receiving):
    assert receiving.post(sent=signed(tenant_id="a")) == NEW
    assert receiving.post(sent=signed(tenant_id="b")) == NEW


def checksum_table():
    table = []
    for number in range(256):
        entry = number
        for _ in range(8):
            entry = (entry >> 1) ^ (0xEDB88320 if entry & 1 else 0)
        table.append(entry)
    return table


def with_checksum_of(body, beginning):
    """Return *beginning* and four bytes behind it that give it the CRC-32 of *body*."""
    table = checksum_table()
    numbers = {entry >> 24: number for number, entry in enumerate(table)}
    wanted, steps = zlib.crc32(body) ^ 0xFFFFFFFF, []
    for _ in range(4):  # backwards from the end
        steps.append(numbers[wanted >> 24])
        wanted = ((wanted ^ table[steps[-1]]) << 8) & 0xFFFFFFFF
    state, behind = zlib.crc32(beginning) ^ 0xFFFFFFFF, bytearray()
    for step in reversed(steps):
        behind.append((state ^ step) & 0xFF)
        state = table[step] ^ (state >> 8)
    return beginning + bytes(behind)


FORGED = [b'{"message": "pay here: ', b"\xff\xfe", b"", BODY]


@pytest.mark.parametrize("database", ["memory://", "sqlite"])
def test_forged_body_with_replayed_headers_is_a_conflict_and_never_handled(database, tmp_path):
    if database == "sqlite":
        database = f"sqlite:///{tmp_path}/inbox.db"
    receiving = Receiving(database, keys=jwk_of(PRIVATE))
    conflicts, sent = [], signed()
    assert receiving.post(sent=sent) == NEW

    with signals.event_conflict.connected_to(
        lambda sender, **what: conflicts.append(what["event_id"]), receiving.app
    ):
        for number, beginning in enumerate(FORGED, start=1):
            forged = with_checksum_of(BODY, beginning)
            assert zlib.crc32(forged) == zlib.crc32(BODY)
            assert receiving.post(forged, sent) == DUPLICATE
            assert receiving.entries[0].conflicts == number

    assert conflicts == ["tenant-1:event-1"] * len(FORGED)
    if database != "memory://":  # their bytes are kept, for whoever wants to know
        kept = rows(database, "SELECT body FROM hookkit_deliveries WHERE is_conflict ORDER BY id")
        assert [row.body for row in kept] == [with_checksum_of(BODY, each) for each in FORGED]
    assert [event.message.text for event in receiving.seen] == ["Hello"]
    assert len(receiving.entries) == 1


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"hello": "world"}, id="of no version"),
        pytest.param({"eventType": "SURVEY_SENT", "data": {}}, id="of an unknown type"),
        pytest.param({"eventType": "MESSAGE", "data": {"text": "Hi"}}, id="of another version"),
        pytest.param(TEXT | {"message": "Good bye"}, id="of the same type"),
        pytest.param([], id="no object"),
    ],
)
def test_event_id_of_the_headers_holds_for_whatever_body(receiving, other):
    body = json.dumps(other).encode()

    assert receiving.post(sent=signed()) == NEW
    assert receiving.post(body, signed(body)) == DUPLICATE

    assert receiving.entries[0].conflicts == 1
    assert len(receiving.seen) == 1


def test_sample_of_a_forged_body_is_a_conflict():
    receiving = Receiving(keys=SAMPLE_JWKS, tolerance_s=A_CENTURY_S)
    forged, sent = read_negative("crc32_collision_forged_body_VERIFIES")
    genuine, _ = read_negative("tampered_retry_header")

    assert receiving.post(genuine, sent) == NEW
    assert receiving.post(forged, sent) == DUPLICATE

    assert receiving.entries[0].conflicts == 1
    assert [event.message.text for event in receiving.seen] == [json.loads(genuine)["message"]]


def test_same_event_in_other_bytes_is_a_conflict_even_if_it_says_the_same(receiving):
    spaced = json.dumps(TEXT, indent=1).encode()

    receiving.post(sent=signed())
    receiving.post(spaced, signed(spaced, retry="1"))

    assert receiving.entries[0].conflicts == 1


# Whatever a stranger sends

anything = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=40)
token_like = st.from_regex(r"[A-Za-z0-9_-]{0,40}(\.[A-Za-z0-9_-]{0,20}){0,4}", fullmatch=True)
number_like = st.integers(-(10**20), 10**20).map(str)


@given(
    body=st.binary(max_size=100) | st.just(BODY) | st.just(PING),
    sent=st.dictionaries(st.sampled_from(HEADERS), anything | token_like | number_like),
    is_near=st.booleans(),
)
@settings(max_examples=200, derandomize=True, deadline=None, database=None)
def test_stranger_never_causes_a_5xx(body, sent, is_near):
    if is_near:
        sent = signed() | sent

    status, _ = STRANGE.post(body, sent)

    assert status in (400, 401) or (status, body) == (0, PING)
    assert STRANGE.entries == []


# What nobody signed


UNSIGNED = {
    "v1.0": BODY,
    "v2.0 by its ping": PING,
    "gateway": json.dumps({"eventType": "MESSAGE", "data": {"text": "Hi"}}).encode(),
    "gateway, flat": json.dumps({"eventType": "TRANSFER"}).encode(),
    "no version": json.dumps({"eventType": "TEXT2"}).encode(),
    "no object": b"[]",
    "no JSON": b"{",
    "nothing": b"",
}


@pytest.mark.parametrize("body", [pytest.param(each, id=name) for name, each in UNSIGNED.items()])
def test_endpoint_with_keys_takes_nothing_unsigned(receiving, body):
    answer = receiving.post(body)

    assert answer == ((0, 0) if body == PING else (401, "signature_missing"))
    assert receiving.entries == []


@pytest.mark.parametrize(
    "protection",
    [
        pytest.param({"unsigned": True}, id="unsigned"),
        pytest.param({"unsigned": True, "basic": [BASIC]}, id="basic"),
        pytest.param({"unsigned": True, "path_token": [TOKEN]}, id="path token"),
        pytest.param({"basic": [BASIC]}, id="basic alone"),
    ],
)
def test_version_1_is_taken_when_the_settings_say_so_and_nothing_else_is(protection):
    receiving = Receiving(keys=jwk_of(PRIVATE), versions={"v1.0": protection})
    credentials = base64.b64encode(BASIC.encode()).decode()
    way = {
        "sent": {"Authorization": f"Basic {credentials}"},
        "url": f"/hooks/support/{TOKEN}" if "path_token" in protection else "/hooks/support",
    }

    assert receiving.post(BODY, **way) == NEW
    assert [event.version for event in receiving.seen] == ["v1.0"]
    for name, body in UNSIGNED.items():
        if name != "v1.0":
            assert receiving.post(body, **way) in [(401, "signature_missing"), (0, 0)]
    if len(protection) > 1:
        assert receiving.post(BODY)[0] == 401
    assert len(receiving.entries) == 1


@pytest.mark.parametrize(
    "claim",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"notificationVersion": "v1.0", "eventType": "WEB_HOOK_VERIFY"}, id="ping"),
        pytest.param({"version": "v1.0", "notificationVersion": "v1.0"}, id="a word"),
        pytest.param({"sender": "a", "recipient": "b"}, id="sender and recipient"),
    ],
)
@pytest.mark.parametrize(
    "signature", ["x", "..", "e30..AAAA", signed()[SIGNATURE]], ids=["x", "dots", "empty", "old"]
)
def test_wrong_signature_is_never_a_missing_one(claim, signature):
    receiving = Receiving(keys=jwk_of(PRIVATE), versions={"v1.0": {"unsigned": True}})
    body = json.dumps(TEXT | {"message": "forged"} | claim).encode()

    status, _ = receiving.post(body, signed() | {SIGNATURE: signature})

    assert status in (400, 401)
    assert receiving.entries == []


def test_event_id_of_an_unsigned_delivery_is_not_believed():
    receiving = Receiving(keys=jwk_of(PRIVATE), versions={"v1.0": {"unsigned": True}})
    claimed = {name: value for name, value in signed().items() if name != SIGNATURE}

    assert receiving.post(BODY.replace(b"Hello", b"forged"), claimed) == NEW
    assert receiving.post(sent=signed()) == NEW

    assert [event.message.text for event in receiving.seen] == ["forged", "Hello"]
    assert receiving.seen[0].id.startswith("v1.0:")
    assert receiving.seen[0].tenant_id is None
    assert receiving.seen[0].extra == {}


def test_webhook_that_is_switched_to_version_2_goes_on_at_its_url():
    receiving = Receiving(keys=jwk_of(PRIVATE), versions={"v1.0": {"unsigned": True}})
    later = json.dumps(TEXT | {"timestamp": TEXT["timestamp"] + 1}).encode()

    assert receiving.post(BODY) == NEW
    assert receiving.post(BODY) == DUPLICATE
    assert receiving.post(later, signed(later)) == NEW
    assert receiving.post(BODY, signed(event_id="event-2")) == NEW

    # What came in both is one fact, and is handled once.
    assert [event.version for event in receiving.seen] == ["v1.0", "v2.0"]
    assert {event.conversation.id for event in receiving.seen} == {"conversation-1"}
    second, _, first = receiving.entries
    assert first.fact == second.fact is not None
    assert (first.state, second.state) == ("done", "twin")


def test_only_version_1_can_be_received():
    receiving = Receiving(versions={"v1.0": {"unsigned": True}})

    assert receiving.post(BODY) == NEW
    assert receiving.post(sent=signed()) == (401, "signature_missing")


@pytest.mark.parametrize("version", ["v1.0", "v2.0", "Chat Gateway v1.0", None, 5])
def test_unsigned_ping_is_answered_and_kept_nowhere(receiving, version):
    ping = json.dumps({"notificationVersion": version, "eventType": "WEB_HOOK_VERIFY"}).encode()
    counted = []

    with signals.delivery_accepted.connected_to(
        lambda sender, **what: counted.append(what["receipt"].admitted), receiving.app
    ):
        assert receiving.post(ping) == (0, 0)

    assert counted == [()]
    assert receiving.entries == receiving.seen == []


def test_signed_ping_is_a_test_event(receiving):
    assert receiving.post(PING, signed(PING)) == NEW
    assert [event.type for event in receiving.seen] == ["test"]


def test_ping_with_a_wrong_signature_is_refused(receiving):
    assert receiving.post(PING, signed(BODY)) == (401, "signature_mismatch")


def test_large_body_is_no_ping(receiving):
    assert receiving.post(PING.ljust(1025)) == (401, "signature_missing")


# Where keys come from


@pytest.fixture
def server(tmp_path, monkeypatch):
    server = KeyServer(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(server.ca_file))
    yield server
    server.close()


def key_id_of(sent):
    return read_token(sent[SIGNATURE]).key_id


def test_key_is_fetched_by_its_id(server):
    receiving = Receiving(key_bases=[server.base])
    first, second = signed(), signed(event_id="event-2")
    server.answers[key_id_of(first)] = jwk_of(PRIVATE, key_id_of(first))

    assert [receiving.post(sent=first), receiving.post(sent=second)] == [NEW, NEW]
    assert server.asked == {key_id_of(first): 1}


def test_id_that_no_key_has_is_401(server):
    receiving = Receiving(key_bases=[server.base])

    assert receiving.post(sent=signed()) == (401, "signature_mismatch")


def test_server_that_is_down_is_503_and_the_delivery_can_come_again(server):
    receiving = Receiving(key_bases=[server.base])
    sent = signed()
    server.answers[key_id_of(sent)] = lambda it: it.sendall(response(500, b""))

    answer = receiving.client.post("/hooks/support", data=BODY, headers=sent)

    assert (answer.status_code, answer.json["code"]) == (503, "unavailable")
    assert answer.headers["Retry-After"] == "10"
    assert receiving.entries == []


def test_nothing_is_fetched_for_what_is_refused_anyway(server):
    receiving = Receiving(key_bases=[server.base])
    old = datetime(2024, 4, 14, tzinfo=UTC)

    receiving.post()
    receiving.post(sent=headers(at=old))
    receiving.post(*read_negative("kid_path_traversal"))
    receiving.post(*read_negative("alg_none"))
    receiving.post(PING)

    assert server.asked == {}


def test_fetching_blocks_no_other_endpoint(server):
    gate = threading.Event()
    sent = signed()
    server.answers[key_id_of(sent)] = lambda it: gate.wait(20)
    hooks = HookKit()
    endpoints = {
        "slow": {"provider": "8x8", "key_bases": [server.base]},
        "quick": {"provider": "8x8", "keys": jwk_of(PRIVATE)},
    }
    app = make_app(hooks, HOOKKIT_ENDPOINTS=endpoints)
    answers = []

    def post_slowly():
        answers.append(app.test_client().post("/hooks/slow", data=BODY, headers=sent).status_code)

    slow = threading.Thread(target=post_slowly)
    slow.start()
    wait_until(lambda: server.asked)

    quick = app.test_client().post("/hooks/quick", data=BODY, headers=sent)
    assert (quick.status_code, answers) == (200, [])

    gate.set()
    slow.join()
    assert answers == [503]


@pytest.mark.parametrize("is_behind_proxy", [False, True])
def test_forwarded_address_counts_only_where_a_proxy_is_configured(server, is_behind_proxy):
    receiving = Receiving(key_bases=[server.base])
    if is_behind_proxy:
        receiving.app.wsgi_app = ProxyFix(receiving.app.wsgi_app, x_for=1)
    receiving.client = receiving.app.test_client()
    for number in range(MAX_MISSES):
        forged = signed(secret=json.dumps(private_jwk_of(PRIVATE, f"forged-{number}")).encode())
        forwarded = {"X-Forwarded-For": "203.0.113.1"}
        assert receiving.post(sent=forged | forwarded)[0] in (401, 503)

    (keys,) = receiving.app.extensions["hookkit"].settings.endpoints["support"].keys
    standing = {
        address: keys.server._budget.standing(address, time.monotonic())
        for address in ("127.0.0.1", "203.0.113.1")
    }

    assert (standing["127.0.0.1"] is Standing.SUSPECT) is not is_behind_proxy
    assert (standing["203.0.113.1"] is Standing.SUSPECT) is is_behind_proxy


def test_key_of_the_settings_needs_no_server(server):
    receiving = Receiving(keys=jwk_of(PRIVATE, key_id_of(signed())), key_bases=[server.base])

    assert receiving.post(sent=signed()) == NEW
    assert server.asked == {}


def test_child_process_forgets_the_lookups_of_its_parent(server):
    versions = {"v2.0": {"keys": jwk_of(PRIVATE)}, "v1.0": {"unsigned": True}}
    receiving = Receiving(key_bases=[server.base], versions=versions)
    state = receiving.app.extensions["hookkit"]
    ring = state.settings.endpoints["support"].protection.keys
    ring.server._threads = 8

    state.after_fork()

    assert ring.server._threads == 0


def test_nothing_secret_is_in_the_repr_of_an_endpoint():
    receiving = Receiving(keys=jwk_of(PRIVATE))

    shown = repr(receiving.app.extensions["hookkit"].settings)
    assert KEY.jwk not in shown


def test_equal_bodies_of_one_moment_keep_their_own_headers(receiving, monkeypatch):
    moment = now()
    moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    monkeypatch.setattr(receiving.app.extensions["hookkit"], "clock", lambda: moment)

    receiving.post(sent=signed(tenant_id="a"))
    receiving.post(sent=signed(tenant_id="b"))

    assert [event.tenant_id for event in receiving.seen] == ["a", "b"]


@pytest.mark.parametrize("sample", SIGNED_SAMPLES[:1], ids=sample_id)
def test_replayed_entry_is_read_with_its_headers(sample):
    receiving = Receiving(keys=SAMPLE_JWKS, tolerance_s=A_CENTURY_S)
    receiving.post(sample.read_bytes(), headers_of(sample))
    inbox = receiving.app.extensions["hookkit"].opening.inbox()
    (entry,) = inbox.find()
    inbox.replay(entry.id, now=now())

    receiving.app.extensions["hookkit"].run_soon([entry.id])

    first, again = receiving.seen
    assert first == again
    assert first.extra["customer_id"] == "acmeCustomer01"
