"""Kinds of bodies, answers and proofs that the settings can describe."""

import base64
import gzip
import hmac
import json
import logging
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from urllib.parse import quote_plus

import jwt
import pytest
from flask import request

import hookkit
from hookkit import ConfigurationError, HookKit
from hookkit.core.delivery import Delivery
from hookkit.core.errors import (
    MalformedHeader,
    SignatureMismatch,
    SignatureMissing,
    TimestampExpired,
    TimestampInFuture,
)
from hookkit.core.handshake import Asked, Challenge, Handshake, Reply
from hookkit.signatures.hashed_token import MAX_TOKEN_CHARS, HashedToken
from hookkit.signatures.keyed_hash import KeyedHash
from hookkit.signatures.shared_secret import SharedSecretQuery
from hookkit.signatures.signed_text import SignedText
from hookkit.signatures.standard_webhooks import StandardWebhooks
from tests.applications import make_app
from tests.senders.test_senders import PAIRS, endpoint_of, mistakes_of

SECRET = "a-secret-that-nobody-can-guess-of-48-bytes-in-all"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Shop:
    """An application with one endpoint, and what its handlers have seen."""

    def __init__(self, provider="generic", **more):
        self.provider, self.seen = provider, []
        hooks = HookKit()
        hooks.on("*", name="see")(self.seen.append)
        if provider not in PAIRS:
            more = {"secrets": [SECRET], **more}
        self.app = make_app(hooks, HOOKKIT_ENDPOINTS={"shop": endpoint_of(provider, **more)})

    def post(self, body, headers=(), **more):
        private = PAIRS.get(self.provider, (SECRET, SECRET))[0]
        signed = hookkit.sign(self.provider, body, private, **more)
        return self.app.test_client().post(
            "/hooks/shop", data=body, headers={**signed, **dict(headers)}
        )

    def get(self, query):
        return self.app.test_client().get(f"/hooks/shop?{query}")


# Discord

EVENT = {
    "version": 1,
    "application_id": "1",
    "type": 1,
    "event": {"type": "APPLICATION_AUTHORIZED", "timestamp": "2026-03-01T10:00:00", "data": {}},
}


def test_webhook_event_of_discord_is_handled_and_its_pings_are_answered():
    shop = Shop("discord")

    event = shop.post(json.dumps(EVENT).encode())
    ping = shop.post(b'{"version":1,"application_id":"1","type":0}')
    other = shop.post(json.dumps(EVENT | {"type": 0}).encode())
    interaction = shop.post(b'{"type": 1, "id": "x"}')

    assert event.json["new"] == 1
    assert [each.vendor_type for each in shop.seen] == ["APPLICATION_AUTHORIZED"] * 2
    assert (ping.status_code, ping.data) == (204, b"")
    assert other.json["new"] == 1
    assert interaction.json == {"type": 1}


# Bodies


@pytest.mark.parametrize(
    ("provider", "document", "word", "headers"),
    [
        ("github", {"ref": "main"}, "push", {"x-github-event": "push"}),
        (
            "slack",
            {"type": "block_actions", "trigger_id": "13345224609.738474"},
            "block_actions",
            {},
        ),
    ],
)
def test_json_in_a_form_is_read(provider, document, word, headers):
    shop = Shop(provider)
    body = f"payload={quote_plus(json.dumps(document))}".encode()

    assert shop.post(body, headers).json["new"] == 1
    (event,) = shop.seen
    assert (event.vendor_type, event.raw, event.problems) == (word, document, ())


def test_command_of_slack_is_read_as_a_form():
    shop = Shop("slack")
    shop.post(b"command=%2Fweather&trigger_id=1.2&payload=x")

    assert shop.seen[0].raw["command"] == "/weather"


def test_fields_beside_the_json_in_a_form_are_kept_and_tell_events_apart():
    shop = Shop(body="form-json:payload", event_type="body:payload.type")
    bodies = [b"payload=%7B%22type%22%3A%22a%22%7D&n=" + each for each in (b"1", b"2", b"2")]

    assert [shop.post(each).json["new"] for each in bodies] == [1, 1, 0]
    assert [each.vendor_type for each in shop.seen] == ["a", "a"]
    assert shop.seen[1].raw == {"payload": {"type": "a"}, "n": "2"}


@pytest.mark.parametrize("payload", ["payload=x", "payload=%7B%7D&payload=%7B%7D", "payload=%5B1"])
def test_form_whose_field_holds_no_json_is_kept_unread(payload):
    shop = Shop(body="form-json:payload")

    assert shop.post(payload.encode()).json["new"] == 1
    assert shop.seen[0].type == "unknown"


@pytest.mark.parametrize(
    ("settings", "body", "types"),
    [
        ({"body": "list", "items": "items"}, b'[{"type":"a"},{"type":"b"}]', ["a", "b"]),
        ({"items": "data.events"}, b'{"data":{"events":[{"type":"a"},{"type":"b"}]}}', ["a", "b"]),
        ({"items": "data.events"}, b'{"data":{},"type":"x"}', ["x"]),
        ({"body": "list"}, b'[{"type":"a"},{"type":"b"}]', ["a", "b"]),
        ({"body": "form"}, b"type=a&b=1", ["a"]),
        (
            {"body": "form-json:mandrill_events", "items": "items"},
            b"mandrill_events=" + quote_plus('[{"type":"a"},{"type":"b"}]').encode(),
            ["a", "b"],
        ),
    ],
)
def test_settings_say_how_a_body_is_written(settings, body, types):
    shop = Shop(**settings)

    assert shop.post(body).json["new"] == len(types)
    assert [event.vendor_type for event in shop.seen] == types


def test_id_may_have_several_parts():
    shop = Shop(event_id="body:object+body:version")
    bodies = [{"object": "a:b", "version": 1}, {"object": "a", "version": 1}, {"object": "a"}]

    assert [shop.post(json.dumps(each).encode()).json["new"] for each in bodies] == [1, 1, 1]
    assert [each.id for each in shop.seen][:2] == ["a%3Ab:1", "a:1"]


def test_empty_list_of_line_is_a_test():
    shop = Shop("line")

    assert shop.post(b'{"destination":"U1","events":[]}').json["new"] == 1
    assert [event.type for event in shop.seen] == ["test"]


def test_compressed_body_is_kept_and_not_unpacked():
    shop = Shop()

    assert shop.post(gzip.compress(b"{}"), {"Content-Encoding": "gzip"}).json["new"] == 1
    assert shop.seen[0].type == "unknown"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"body": "xml"}, "body: must be one of json,"),
        ({"body": "form-json:"}, "body: must be one of json,"),
        ({"body": 5}, "body: must be one of json,"),
        ({"items": ""}, "items: must be a path"),
        ({"challenge": ""}, "challenge: must be a query parameter"),
        ({"handshake": 5}, "handshake: must be a mapping"),
        ({"handshake": {"field": "a"}}, "handshake: must be a mapping"),
        ({"handshake": [{"field": "a", "value": 1, "x": 1}]}, "handshake: must be a mapping"),
        ({"handshake": {"field": 1, "value": 1}}, "handshake: field: is of another type"),
        ({"handshake": {"field": "a", "value": 1, "status": 404}}, "handshake: status: must be"),
        ({"event_id": "body:a+b"}, "event_id: must be header:<name> or body:"),
    ],
)
def test_mistake_in_how_a_sender_writes_is_told(settings, message):
    (told,) = mistakes_of(provider="generic", secrets=[SECRET], **settings)

    assert told.startswith(message)


def test_how_a_vendor_writes_is_no_setting():
    (told,) = mistakes_of(provider="sunshine", secrets=[SECRET], body="form")

    assert told == "body: sunshine says itself where it is"


# Answers


def test_token_of_zoom_is_answered_with_its_hmac():
    shop = Shop("zoom")
    body = {"event": "endpoint.url_validation", "payload": {"plainToken": "qgg8vlvZRS6UYooatFL8Aw"}}

    answer = shop.post(json.dumps(body).encode())

    mac = hmac.digest(SECRET.encode(), b"qgg8vlvZRS6UYooatFL8Aw", "sha256").hex()
    assert answer.json == {"plainToken": "qgg8vlvZRS6UYooatFL8Aw", "encryptedToken": mac}
    assert shop.seen == []


def test_handshake_whose_word_cannot_be_echoed_is_an_event():
    shop = Shop("zoom")
    body = {"event": "endpoint.url_validation", "payload": {"plainToken": '"<script>'}}

    assert shop.post(json.dumps(body).encode()).json["new"] == 1
    assert len(shop.seen) == 1


ECHO = Handshake(field="t", value="x", answer="{c}", status=201)


@pytest.mark.parametrize(
    ("handshake", "document", "reply"),
    [
        (Handshake(field="a.b", value=1), {"a": {"b": 1}}, Reply("", 200)),
        (Handshake(field="a.b", value=1), {"a": {"b": True}}, None),
        (Handshake(field="t", value="x", absent="e"), {"t": "x", "e": None}, None),
        (ECHO, {"t": "x", "c": "w"}, Reply("w", 201)),
        (Handshake(field="t", value="x", answer={"n": 1, "c": {"d": "{c}"}}), {"t": "x", "c": "w"},
         Reply({"n": 1, "c": {"d": "w"}}, 200)),
        (Handshake(field="t", value="x", answer="{c}"), {"t": "x", "c": 5}, None),
        (Handshake(field="t", value=None), {"t": False}, Reply("", 200)),
        (Handshake(field="t", value=None), {"t": None}, None),
        (Handshake(field="header:x-word", value=None, answer="{header:x-word}"), {},
         Reply("w", 200)),
        (Handshake(field="header:x-none", value=None), {}, None),
    ],
)  # fmt: skip
def test_handshake_is_data(handshake, document, reply):
    assert handshake.reply(Asked(document, {"x-word": "w"}, b"")) == reply


def test_hmac_of_a_handshake_may_be_base64():
    handshake = Handshake(field="t", value="x", answer="sha256={hmac_base64:c}")

    reply = handshake.reply(Asked({"t": "x", "c": "word"}, {}, b"key"))

    mac = hmac.digest(b"key", b"word", "sha256")
    assert reply.content == f"sha256={base64.b64encode(mac).decode()}"


def test_settings_describe_a_handshake_and_a_fixed_answer():
    shop = Shop(
        handshake={"field": "type", "value": "ping", "answer": "pong {n}", "status": 202},
        answer="OK",
    )

    pong = shop.post(b'{"type":"ping","n":"1"}')
    event = shop.post(b'{"type":"order"}')

    assert (pong.status_code, pong.text) == (202, "pong 1")
    assert pong.headers["X-Content-Type-Options"] == "nosniff"
    assert (event.status_code, event.text, event.mimetype) == (200, "OK", "text/plain")
    assert [each.vendor_type for each in shop.seen] == ["order"]
    assert shop.app.test_client().post("/hooks/shop", data=b"{}").json == {
        "code": "signature_missing"
    }


def test_challenge_without_a_token_is_a_word_that_is_echoed():
    shop = Shop(challenge="challenge")

    assert shop.get("challenge=abc-123").text == "abc-123"
    assert shop.get("challenge=%3Cscript%3E").status_code == 401
    assert shop.get("other=1").status_code == 401
    assert Shop().get("challenge=abc").status_code == 405


def test_challenge_with_a_token_needs_it_whatever_the_settings_say():
    shop = Shop("meta", challenge="word")

    assert shop.get("word=abc").status_code == 405
    shop = Shop("meta", challenge="word", verify_token=["the-token-of-the-page"])
    assert shop.get("word=abc").status_code == 401
    assert shop.get("word=abc&hub.verify_token=the-token-of-the-page").text == "abc"
    assert Challenge(challenge="word").reply({"word": "x"}, []) == "x"


# Proofs


def test_signature_may_be_in_upper_case():
    shop = Shop(scheme={"header": "X-Sig", "encoding": "HEX"})
    mac = hmac.digest(SECRET.encode(), b"{}", "sha256").hex()
    client = shop.app.test_client()

    for sent, status in ((mac.upper(), 200), (mac, 401)):
        answer = client.post("/hooks/shop", data=b"{}", headers={"X-Sig": sent})
        assert answer.status_code == status


def test_one_of_several_signature_headers_is_enough():
    scheme = KeyedHash(header="x-sig-1,x-sig-2", prefix="v1=")
    good = scheme.sign(b"{}", b"new", NOW)["x-sig-1"]

    def verify(**headers):
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        delivery = Delivery(endpoint="e", body=b"{}", headers=sent, received_at=NOW)
        return scheme.verify(delivery, [b"new", b"old"]).secret_index

    assert verify(x_sig_1="v1=00", x_sig_2=good) == 0
    with pytest.raises(SignatureMissing, match="none of the headers"):
        verify(x_sig_3=good)
    with pytest.raises(SignatureMismatch):
        verify(x_sig_1="v2=00", x_sig_2="v1=\xe4")


@pytest.mark.parametrize(
    ("scheme", "message"),
    [
        ({"header": "a,b", "separator": ","}, "separator: each of several headers"),
        ({"header": ",".join("abcdefghijklmnopq")}, "header: at most 16"),
    ],
)
def test_mistake_in_several_headers_is_told(scheme, message):
    (told,) = mistakes_of(provider="generic", secrets=[SECRET], scheme=scheme)

    assert told.startswith(f"scheme: {message}")


def test_signed_instant_may_have_a_fraction():
    signed = SignedText(timestamp_unit="iso")

    signed.check_time("2026-03-01T12:00:00.123456789Z", NOW)
    with pytest.raises(MalformedHeader):
        signed.check_time("2026-03-01T12:00:00.Z", NOW)


def test_secret_may_lie_in_the_query_once():
    scheme = SharedSecretQuery("token")

    def verify(query):
        delivery = Delivery(endpoint="e", body=b"", headers={}, received_at=NOW, query=query)
        return scheme.verify(delivery, [b"a b", b"old"])

    assert verify("x=1&token=a%20b").secret_index == 0
    assert not verify("token=old").body_authenticated
    for query, error in (
        ("", SignatureMissing),
        ("token=", SignatureMissing),
        ("token=wrong", SignatureMismatch),
        ("token=old&token=old", SignatureMismatch),
        ("token", MalformedHeader),
        ("token=\ud800", MalformedHeader),
    ):
        with pytest.raises(error):
            verify(query)
    with pytest.raises(TypeError, match="query parameter token"):
        scheme.sign(b"", b"x")


def test_settings_take_a_secret_in_the_query():
    shop = Shop(scheme={"type": "query", "parameter": "token"})

    answer = shop.app.test_client().post(f"/hooks/shop?token={SECRET}", data=b"{}")

    assert answer.json["new"] == 1


# Tokens


TOKEN = HashedToken()


def verify_token(token, scheme=TOKEN):
    headers = {"authorization": token}
    delivery = Delivery(endpoint="e", body=b"{}", headers=headers, received_at=NOW)
    return scheme.verify(delivery, [b"new", SECRET.encode()])


def token_of(claims, secret=SECRET, **more):
    return "Bearer " + jwt.encode(claims, secret, **{"algorithm": "HS256", **more})


CLAIMS = {"iat": int(NOW.timestamp()), "payload_hash": sha256(b"{}").hexdigest(), "jti": "1"}


def test_token_of_another_library_is_verified_and_ours_by_it():
    assert verify_token(token_of(CLAIMS)).secret_index == 1
    sent = HashedToken().sign(b"{}", SECRET.encode(), NOW, "id-1")["authorization"]
    options = {"verify_iat": False}
    claims = jwt.decode(sent.removeprefix("Bearer "), SECRET, algorithms=["HS256"], options=options)
    assert claims == {**CLAIMS, "jti": "id-1"}


@pytest.mark.parametrize(
    ("token", "error"),
    [
        ("", SignatureMissing),
        ("Basic abc", SignatureMissing),
        ("Bearer a.b", MalformedHeader),
        ("Bearer a.b.c.d", MalformedHeader),
        ("Bearer a.b.\xe4", MalformedHeader),
        (f"Bearer a.b.{'c' * MAX_TOKEN_CHARS}", MalformedHeader),
        (token_of(CLAIMS, secret=SECRET + "x"), SignatureMismatch),
        (token_of(CLAIMS, algorithm="HS384"), SignatureMismatch),
        (token_of(CLAIMS)[:-1], SignatureMismatch),
        (token_of({**CLAIMS, "payload_hash": None}), SignatureMismatch),
        (token_of({**CLAIMS, "payload_hash": "\xe4"}), SignatureMismatch),
        (token_of({**CLAIMS, "payload_hash": sha256(b"x").hexdigest()}), SignatureMismatch),
        (token_of({**CLAIMS, "iat": CLAIMS["iat"] - 301}), TimestampExpired),
        (token_of({**CLAIMS, "iat": CLAIMS["iat"] + 301}), TimestampInFuture),
        (token_of({**CLAIMS, "exp": CLAIMS["iat"]}), TimestampExpired),
    ],
)
def test_token_that_proves_nothing_is_refused(token, error):
    with pytest.raises(error):
        verify_token(token)


@pytest.mark.parametrize("claims", [b"[]", b"{", b'{"payload_hash": 1}'])
def test_token_without_claims_or_time_is_refused(claims):
    parts = [base64.urlsafe_b64encode(each).rstrip(b"=") for each in (b"{}", claims)]
    signed = b".".join(parts)
    mac = base64.urlsafe_b64encode(hmac.digest(SECRET.encode(), signed, "sha256")).rstrip(b"=")

    with pytest.raises((MalformedHeader, SignatureMismatch)):
        verify_token(f"Bearer {signed.decode()}.{mac.decode()}")
    timeless = token_of({"payload_hash": CLAIMS["payload_hash"]})
    with pytest.raises(MalformedHeader, match="no iat"):
        verify_token(timeless)


def test_tolerance_of_a_token_can_be_chosen():
    late = token_of({**CLAIMS, "iat": int((NOW - timedelta(hours=1)).timestamp())})

    assert verify_token(late, scheme=HashedToken().tolerating(3600)).secret_index == 1
    assert HashedToken().lifetime_s == 600
    assert HashedToken().check_secret(b"x") is None


# Secrets

KEY = b"\xfb\xff\xfe" + bytes(range(21)) + b"\x01"


@pytest.mark.parametrize(
    "secret",
    [
        "whsec_" + base64.b64encode(KEY).decode().rstrip("="),
        "whsec_" + base64.urlsafe_b64encode(KEY).decode(),
        "v1,whsec_" + base64.b64encode(KEY).decode(),
        base64.b64encode(KEY).decode(),
        "whsec_" + base64.b64encode(KEY).decode().rstrip("=")[:-1] + "R",
    ],
)
def test_secret_is_read_as_people_copy_it(secret):
    signed = StandardWebhooks().sign(
        b"{}", b"whsec_" + base64.b64encode(KEY), NOW, event_id="msg_1"
    )

    assert hookkit.verify("standard", signed, b"{}", [secret], now=NOW).secret_index == 0


def test_pass_phrase_is_no_secret_of_the_standard():
    doubled = "whsec_whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    for secret in ("a-pass-phrase-of-many-words", "whsec_!!!!", "no secret at all", doubled):
        with pytest.raises(ConfigurationError):
            hookkit.verify("standard", {}, b"", [secret])


@pytest.mark.parametrize("blank", [" ", "\t", "\u2003"])
def test_blank_secret_verifies_nothing(blank):
    with pytest.raises(ConfigurationError):
        hookkit.verify("github", {"x-hub-signature-256": "sha256=0"}, b"", [blank])


@pytest.mark.parametrize(
    ("secret", "what"),
    [
        ("sk_test_51H0qqqqqqqqqqqqqqqqq", "an API key of Stripe"),
        ("sha256=757107ea0eb2509fc211221cce984b8a", "a signature"),
        ("https://example.com/hooks/shop", "a URL"),
        ('"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"', "a secret in quotes"),
        ("'MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'", "a secret in quotes"),
        ("${STRIPE_SIGNING_SECRET}", "a variable whose value was not put in its place"),
        ("<the secret of your webhook>", "a place to put a secret"),
    ],
)
def test_secret_that_looks_like_something_else_is_warned_of(secret, what):
    with pytest.warns(UserWarning, match=f"shop.secrets: one looks like {what}") as warned:
        Shop("stripe", secrets=[secret])

    assert secret not in str([each.message for each in warned])


# URLs


@pytest.mark.parametrize(
    ("url", "signed"),
    [
        ("https://h.example:8443/x", "https://h.example/x"),
        ("https://h.example/x", "https://h.example:443/x"),
        ("https://h.example:443/x", "https://h.example/x"),
        ("https://user:pass@h.example:8443/x", "https://user:pass@h.example/x"),
        ("https://[::1]:8443/x", "https://[::1]/x"),
        ("https://[::1]/x", "https://[::1]:443/x"),
    ],
)
def test_twilio_may_sign_the_url_with_its_port_or_without(url, signed):
    body = b"Body=Hi&SmsStatus=received&MessageSid=1"
    shop = Shop("twilio", public_url=url)

    for each in (url, signed):
        assert shop.post(body, public_url=each).status_code == 200


# What else reads the body


def test_log_says_which_code_took_the_body(caplog):
    caplog.set_level(logging.INFO, "hookkit")
    shop = Shop("slack")
    shop.app.before_request(lambda: request.form.get("token") and None)

    answer = shop.post(b"command=%2Fweather", {"Content-Type": "application/x-www-form-urlencoded"})

    assert answer.json == {"code": "malformed_body"}
    (line,) = [each for each in caplog.records if each.action == "delivery_rejected"]
    assert "has read request.form" in line.getMessage()
    assert "request.get_data()" in line.getMessage()
