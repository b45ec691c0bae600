"""Every sender of the table, from its sample to its events."""

import base64
import json
import subprocess
import sys
import warnings
from datetime import UTC, datetime
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given, settings
from hypothesis import strategies as st

import hookkit
from hookkit import ConfigurationError, HookKit, Rejected, VerifiedDelivery
from hookkit.core.errors import BodyUnreadable
from hookkit.core.provider import normalize, split
from hookkit.core.scheme import ProofInBody, SigningScheme
from hookkit.providers import load_providers
from hookkit.senders import SENDERS
from hookkit.senders.sender import find
from hookkit.settings.load import load_settings
from hookkit.signatures.detached_jws import read_token
from hookkit.signatures.public_key import KeyedSignature
from hookkit.signatures.rsa import read_key
from hookkit.signatures.signed_text import SignedText
from hookkit.testing import find_sample, sign
from tests.applications import make_app
from tests.folding import in_one
from tests.key_server import shared_key
from tests.signatures.test_vectors import SVIX_PRIVATE, SVIX_PUBLIC

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
URL = "https://example.com/hooks/shop"
P256 = generate_private_key(SECP256R1())
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
HEX_SECRET = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056"

#: sender -> what signs, what verifies; others have one secret
PAIRS = {
    "discord": (SVIX_PRIVATE.removeprefix("whsk_"), SVIX_PUBLIC.removeprefix("whpk_")),
    "sendgrid": (
        P256.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
        base64.b64encode(
            P256.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        ).decode(),
    ),
}
every_sender = pytest.mark.parametrize("name", SENDERS)


#: sender -> a secret in the spelling that it wants
SECRETS = {"adyen": HEX_SECRET}


def pair_of(name):
    secret = SECRETS.get(name, SECRET)
    return PAIRS.get(name, (secret, secret))


def adyen_body(said):
    """Return a body of Adyen whose signed fields say *said*."""
    document = json.loads(SENDERS["adyen"].sample.body)
    document["notificationItems"][0]["NotificationRequestItem"]["merchantReference"] = said
    return json.dumps(document).encode()


def endpoint_of(name, **more):
    scheme = SENDERS[name].scheme
    url = {"public_url": URL} if getattr(scheme, "signs_url", False) else {}
    return {"provider": name, "secrets": [pair_of(name)[1]], **url, **more}


def app_of(name, hooks=None, **more):
    return make_app(hooks or HookKit(), HOOKKIT_ENDPOINTS={"shop": endpoint_of(name, **more)})


def delivery_of(name, body=None, **how):
    provider = load_providers()[name]
    sample = find_sample(provider)
    return sign(
        provider,
        sample.body if body is None else body,
        secret=pair_of(name)[0],
        headers=sample.headers,
        public_url=URL,
        **how,
    )


def deliver(app, delivery, **headers):
    client = app.test_client()
    return client.post("/hooks/shop", data=delivery.body, headers={**delivery.headers, **headers})


@every_sender
def test_sample_reaches_the_handler_of_its_word_once(name):
    hooks, seen = HookKit(), []
    hooks.on(f"{name}/{SENDERS[name].sample.name}", name="see")(seen.append)
    app, delivery = app_of(name, hooks), delivery_of(name)

    answers = [deliver(app, delivery) for _ in range(2)]

    if SENDERS[name].answer is None:
        assert [each.get_json()["new"] for each in answers] == [1, 0]
    else:
        assert {(each.status_code, each.text) for each in answers} == {(200, SENDERS[name].answer)}
    assert [(event.type, event.problems) for event in seen] == [("other", ())]


@every_sender
def test_other_body_is_refused(name):
    delivery = delivery_of(name)
    app = app_of(name)
    # What is signed within a body stays.
    unsigned = {"mailgun": (b"CPgf", b"CPgg"), "adyen": (b'"false"', b'"other"')}
    old, new = unsigned.get(name, (b"1", b"2"))
    body = delivery.body.replace(old, new) + b" "

    answer = app.test_client().post("/hooks/shop", data=body, headers=delivery.headers)

    if not getattr(SENDERS[name].scheme, "covers_body", False) and name != "twilio":
        assert answer.status_code == 200  # which is what the page says of it
    else:
        assert answer.get_json()["code"] == "signature_mismatch"


@every_sender
def test_unsigned_delivery_is_refused(name):
    sample = find_sample(load_providers()[name])

    answer = app_of(name).test_client().post("/hooks/shop", data=sample.body)

    assert answer.get_json()["code"] == "signature_missing"


@every_sender
@settings(max_examples=25, deadline=None)
@given(
    body=st.one_of(
        st.binary(max_size=200), st.sampled_from([b"", "🎉\r\n".encode(), b"\r\n", b"\x00"])
    ),
    at=st.datetimes(datetime(2001, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    event_id=st.from_regex(r"[A-Za-z0-9_-]{1,60}", fullmatch=True),
    others=st.lists(st.binary(min_size=24, max_size=24), max_size=3),
)
def test_what_is_signed_is_verified(name, body, at, event_id, others):
    private, secret = pair_of(name)
    if isinstance(SENDERS[name].scheme, ProofInBody):
        room = adyen_body(body.hex()) if name == "adyen" else b"{}"
        body = json.dumps({**json.loads(room), "body": body.hex()}).encode()
        body = SENDERS[name].scheme.enclose(body, private.encode(), at)
    signs_url = getattr(SENDERS[name].scheme, "signs_url", False)
    if signs_url and name != "twilio" and body.startswith(b"?"):
        body = b""  # it could be a query of the signed URL
    query = ""
    if name == "twilio":
        query = f"bodySHA256={sha256(body).hexdigest()}"
    url = {"public_url": URL, "query": query} if signs_url else {}
    headers = {}
    if not isinstance(SENDERS[name].scheme, ProofInBody):
        headers = hookkit.sign(name, body, private, event_id=event_id, now=at, **url)
    older = (
        []
        if name in {*PAIRS, *SECRETS}
        else ["whsec_" + base64.b64encode(each).decode() for each in others]
    )

    verified = hookkit.verify(
        name, headers, body, [*older, secret], now=at.replace(microsecond=0), **url
    )

    assert verified.secret_index == ([*older, secret]).index(secret)
    assert isinstance(verified, VerifiedDelivery)


def test_delivery_under_another_id_is_a_duplicate_where_the_id_is_not_signed():
    app, delivery = app_of("github"), delivery_of("github")

    answers = [
        deliver(app, delivery, **{"x-github-delivery": each}).get_json()["new"] for each in "ab"
    ]

    assert answers == [1, 0]


def test_id_beside_the_signed_one_is_refused():
    delivery = delivery_of("svix")
    svix = {name.replace("webhook", "svix"): value for name, value in delivery.headers.items()}
    app = app_of("svix")

    def post(headers):
        return app.test_client().post("/hooks/shop", data=delivery.body, headers=headers)

    assert post(svix).get_json()["new"] == 1
    assert post({**svix, "webhook-id": "msg_2"}).get_json()["code"] == "malformed_header"
    assert post({**svix, **delivery.headers}).get_json()["new"] == 0
    both = {**delivery.headers, "svix-id": "msg_2"}
    assert post(both).get_json()["code"] == "malformed_header"


def test_each_of_a_list_is_an_event():
    body = json.dumps([{"sg_event_id": str(each), "event": "open"} for each in range(3)] + [7])

    answer = deliver(app_of("sendgrid"), delivery_of("sendgrid", body.encode()))

    assert answer.get_json()["new"] == 4


@pytest.mark.parametrize("body", [b"{}", b"[", b'[],"a":[]', b"", b"\xff"])
def test_list_that_is_none_is_kept_unread(body):
    assert deliver(app_of("sendgrid"), delivery_of("sendgrid", body)).get_json()["new"] == 1


@every_sender
@in_one("body", [b"", b"null", b"[]", b"{}", b"a=1&a=2&a=3", b'{"events":[1]}'])
def test_nothing_that_is_proven_is_refused(name, body):
    if name == "twilio" and not body.startswith(b"a="):
        body = b""
    if name == "mailgun" and not body.startswith(b"{"):
        body = b"{}"
    if name == "adyen":
        body = adyen_body(body.decode())

    assert deliver(app_of(name), delivery_of(name, body)).status_code == 200


def test_signed_token_names_an_event_of_mailgun_whatever_is_around_it():
    """Its body is not signed: another one under the same token is a conflict, never handled."""
    hooks, seen = HookKit(), []
    hooks.on("mailgun/delivered", name="see")(seen.append)
    app, delivery = app_of("mailgun", hooks), delivery_of("mailgun")
    forged = {**json.loads(delivery.body), "event-data": {"event": "delivered", "id": "2"}}

    assert deliver(app, delivery).get_json()["new"] == 1
    answer = app.test_client().post("/hooks/shop", json=forged)

    assert answer.get_json() == {"code": "accepted", "new": 0, "duplicates": 1}
    assert [event.raw["event-data"]["id"] for event in seen] == ["CPgfbmQMTCKtHW6uIWtuVe"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"signature": None}, "signature_missing"),
        ({"signature": "é" * 64}, "signature_mismatch"),
        ({"signature": "0" * 64}, "signature_mismatch"),
        ({"signature": "A" * 1000}, "signature_mismatch"),
        ({"timestamp": 5}, "signature_missing"),
        ({"timestamp": "1e9"}, "malformed_header"),
        ({"timestamp": "5"}, "timestamp_expired"),
        ({"timestamp": "9" * 12}, "timestamp_in_future"),
        ({"token": ""}, "signature_missing"),
        ({"token": "a"}, "signature_mismatch"),
    ],
)
def test_signature_in_a_body_of_mailgun_is_strict(changes, code):
    document = json.loads(delivery_of("mailgun").body)
    document["signature"] |= changes

    answer = app_of("mailgun").test_client().post("/hooks/shop", json=document)

    assert answer.get_json()["code"] == code


@pytest.mark.parametrize("body", [b"", b"[]", b"oops"])
def test_body_of_mailgun_without_room_for_a_signature_is_malformed(body):
    answer = app_of("mailgun").test_client().post("/hooks/shop", data=body)

    assert answer.get_json()["code"] == "malformed_body"
    with pytest.raises(BodyUnreadable):
        SENDERS["mailgun"].scheme.enclose(body, b"x", NOW)


def test_tolerance_of_mailgun_is_the_endpoints():
    late = delivery_of("mailgun", now=datetime(2026, 1, 1, tzinfo=UTC))

    assert deliver(app_of("mailgun"), late).get_json()["code"] == "timestamp_expired"
    decade = {"tolerance_s": 315360000}
    assert deliver(app_of("mailgun", **decade), late).get_json()["new"] == 1


# Handshakes


def test_handshake_of_slack_is_answered_when_it_is_signed():
    body = b'{"type":"url_verification","challenge":"3eZbrw"}'
    app, delivery = app_of("slack"), delivery_of("slack", body)

    assert deliver(app, delivery).get_json() == {"challenge": "3eZbrw"}
    assert app.test_client().post("/hooks/shop", data=body).status_code == 401
    odd = delivery_of("slack", b'{"type":"url_verification","challenge":5}')
    assert deliver(app, odd).get_json()["code"] == "accepted"


@pytest.mark.parametrize(
    ("challenge", "is_echoed"),
    [
        ("a" * 1024, True),
        ("a" * 1025, False),
        ("", False),
        ("<b>", True),
        ("a b", False),
        ("\u00e9", False),
        ('a"b', False),
        ("a\\b", False),
        ("a\n", False),
        ("\ud800", False),
        (["a"], False),
        ({"a": 1}, False),
    ],
)
def test_challenge_of_slack_is_echoed_if_it_is_a_short_word(challenge, is_echoed):
    body = json.dumps({"type": "url_verification", "challenge": challenge}).encode()

    answer = deliver(app_of("slack"), delivery_of("slack", body))

    assert answer.status_code == 200
    assert answer.mimetype == "application/json"
    expected = {"challenge": challenge} if is_echoed else None
    assert answer.get_json() == expected or answer.get_json()["code"] == "accepted"
    assert ("code" in answer.get_json()) != is_echoed


def test_ping_of_discord_is_answered_when_it_is_signed():
    app = app_of("discord")

    assert deliver(app, delivery_of("discord", b'{"type":1}')).get_json() == {"type": 1}
    for body in (b'{"type":true}', b'{"type":"1"}'):
        assert deliver(app, delivery_of("discord", body)).get_json()["code"] == "accepted"


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"hub.verify_token": "the-token-of-meta", "hub.challenge": "1158201444"}, 200),
        ({"hub.verify_token": "another", "hub.challenge": "1158201444"}, 401),
        ({"hub.verify_token": "the-token-of-meta", "hub.challenge": "<script>"}, 401),
        ({"hub.verify_token": "the-token-of-meta"}, 401),
        ({"hub.challenge": "1158201444"}, 401),
    ],
)
def test_challenge_of_meta_is_answered_by_its_token(query, status):
    app = app_of("meta", verify_token=["the-token-of-meta"])

    answer = app.test_client().get("/hooks/shop", query_string=query)

    assert answer.status_code == status
    if status == 200:
        assert (answer.text, answer.mimetype) == ("1158201444", "text/plain")


def test_get_without_a_token_in_the_settings_is_not_allowed():
    assert app_of("meta").test_client().get("/hooks/shop").status_code == 405


def test_token_that_cannot_be_had_is_unavailable():
    def fail():
        raise OSError

    app = app_of("meta", verify_token=fail)
    query = {"hub.verify_token": "the-token-of-meta", "hub.challenge": "1"}

    assert app.test_client().get("/hooks/shop", query_string=query).status_code == 503


# Settings


def mistakes_of(**endpoint):
    with pytest.raises(ConfigurationError) as raised:
        load_settings({"HOOKKIT_ENDPOINTS": {"shop": endpoint}}, load_providers())
    return [each.removeprefix("HOOKKIT_ENDPOINTS.shop.") for each in raised.value.mistakes]


GENERIC = {"provider": "generic", "secrets": ["the-secret-of-the-shop"]}


@pytest.mark.parametrize(
    ("more", "mistake"),
    [
        ({"scheme": 5}, "scheme: must be a mapping, or the name of a sender"),
        ({"scheme": "stripes"}, "scheme: 'stripes' is no sender"),
        ({"scheme": {"type": "rot13"}}, "scheme: type: must be one of"),
        ({"scheme": {"header": "x", "colour": "x"}}, "scheme: colour: is not known"),
        ({"scheme": {"header": 5}}, "scheme: header: must be a text"),
        ({"scheme": {"header": "x", "any_port": "x"}}, "scheme: any_port: must be a text"),
        ({"scheme": {}}, "scheme: a name that it needs is missing"),
        ({"scheme": {"header": "x", "algorithm": "md5"}}, "scheme: algorithm: must be one of"),
        ({"scheme": {"header": "x", "encoding": "b85"}}, "scheme: encoding: must be one of"),
        ({"scheme": {"header": "x", "signed": "{no}{body}"}}, "scheme: signed: {no} is not known"),
        ({"scheme": {"header": "x", "signed": "x"}}, "scheme: signed: has neither"),
        ({"scheme": {"header": "x", "signed": "{id}{body}"}}, "scheme: id_header: goes with"),
        ({"scheme": {"header": "x", "timestamp_header": "t"}}, "scheme: timestamp_header or"),
        ({"scheme": {"header": "x", "timestamp_unit": "h"}}, "scheme: timestamp_unit: must be"),
        (
            {"scheme": {"header": "x", "signed": "{timestamp}{body}", "timestamp_prefix": "t="}},
            "scheme: timestamp_prefix: goes with a separator",
        ),
        ({"scheme": {"type": "public_key", "header": "x", "algorithm": "dsa"}}, "scheme: algor"),
        (
            {
                "scheme": {
                    "type": "public_key",
                    "header": "x",
                    "algorithm": "ed25519",
                    "encoding": "x",
                }
            },
            "scheme: encoding: must be",
        ),
        (
            {
                "scheme": {
                    "type": "public_key",
                    "header": "x",
                    "algorithm": "ed25519",
                    "signed": "{timestamp}{body}",
                    "timestamp_prefix": "t=",
                }
            },
            "scheme: timestamp_prefix: goes with an HMAC only",
        ),
        ({"scheme": {"header": "x", "signed": "{url}{body}"}}, "public_url: missing"),
        ({"public_url": URL}, "public_url: generic does not sign the URL"),
        ({"public_url": "ftp://x"}, "public_url: must be the address"),
        ({"public_url": "https://[x"}, "public_url: must be the address"),
        ({"public_url": "https://x/?a=1"}, "public_url: must be without"),
        ({"event_id": "id"}, "event_id: must be header:<name> or body:"),
        ({"event_type": [5]}, "event_type: must be header:<name> or body:"),
        ({"verify_token": ["the-token-of-meta"]}, "verify_token: generic asks for none"),
        ({"scheme": "standard"}, "secrets: one is not whsec_"),
        ({"scheme": "telegram", "tolerance_s": 5}, "tolerance_s: generic signs no time"),
        ({"tolerance_s": -1}, "tolerance_s: Must be greater"),
        ({"provider": "sunshine", "event_id": "body:id"}, "event_id: sunshine says itself"),
        (
            {"provider": "8x8", "scheme": "github"},
            "secrets: 8x8 signs with a key of its own; say",
        ),
    ],
)
def test_mistake_is_told(more, mistake):
    told = mistakes_of(**{**GENERIC, **more})

    assert [each for each in told if each.startswith(mistake)], told
    assert "the-secret-of-the-shop" not in str(told)


def test_secret_of_a_version_is_checked_too():
    told = mistakes_of(provider="standard", versions={"any": {"secrets": ["no-secret-of-any"]}})

    assert told[0].startswith("versions.any.secrets: one is not whsec_")


def test_gateway_signs_anew_for_a_vendor():
    scheme = {"header": "X-Gateway", "algorithm": "sha512", "encoding": "base64"}
    endpoint = {"provider": "sunshine", "secrets": [SECRET], "scheme": scheme}
    app = make_app(HookKit(), HOOKKIT_ENDPOINTS={"shop": endpoint})
    provider = app.extensions["hookkit"].settings.endpoints["shop"].provider
    body = find_sample(provider).body
    delivery = sign(provider, body, secret=SECRET)

    assert deliver(app, delivery).get_json()["new"] == 1
    answer = app.test_client().post("/hooks/shop", data=body, headers={"x-api-key": SECRET})
    assert answer.status_code == 401


def test_tolerance_and_header_of_a_scheme_are_the_endpoints():
    app = app_of("stripe", tolerance_s=0)
    late = delivery_of("stripe", now=datetime(2026, 1, 1, tzinfo=UTC))

    assert deliver(app, late).get_json()["code"] == "timestamp_expired"


def test_secret_that_two_endpoints_have_is_warned_of():
    endpoints = {"a": GENERIC, "b": GENERIC, "c": {**GENERIC, "secrets": list}}

    with pytest.warns(UserWarning, match="a and b have the same secret") as caught:
        load_settings({"HOOKKIT_ENDPOINTS": endpoints}, load_providers())

    assert "the-secret-of-the-shop" not in str(caught[0].message)


@pytest.mark.parametrize("name", ["generic", "sunshine", "livechat"])
def test_secret_in_the_body_is_kept_nowhere(name):
    hooks, seen = HookKit(), []
    hooks.on("*", name="see")(seen.append)
    endpoint = {"provider": name, "secrets": [SECRET], "scheme": {"type": "field", "field": "key"}}
    app = make_app(hooks, HOOKKIT_ENDPOINTS={"shop": endpoint})
    body = json.dumps({"key": SECRET, "type": "order.created"})

    assert app.test_client().post("/hooks/shop", data=body).get_json()["new"] == 1
    assert SECRET not in repr([event.raw for event in seen])
    assert seen


def test_secret_from_a_callable_that_is_none_is_our_fault():
    app = app_of("standard", secrets=lambda: ["no-secret-of-any-kind"])

    assert deliver(app, delivery_of("standard")).status_code == 503


# Without Flask


def test_verify_and_sign_import_no_flask():
    code = (
        "import sys, hookkit; h = hookkit.sign('github', b'x', 's' * 20);"
        " hookkit.verify('github', h, b'x', ['s' * 20]);"
        " print([m for m in ('flask', 'sqlalchemy', 'werkzeug') if m in sys.modules]);"
        " from hookkit import HookKit; print(HookKit.__name__)"
    )
    command = [sys.executable, "-W", "error", "-c", code]

    done = subprocess.run(command, check=True, capture_output=True, text=True)

    assert done.stdout == "[]\nHookKit\n"


def test_package_has_no_other_names():
    with pytest.raises(AttributeError, match="no attribute 'Hookkit'"):
        _ = hookkit.Hookkit


def test_scheme_itself_and_the_clock_will_do():
    scheme = SENDERS["stripe"].scheme
    headers = {name.upper(): value for name, value in hookkit.sign(scheme, b"x", SECRET).items()}

    assert hookkit.verify(load_providers()["stripe"], headers, b"x", [SECRET]).secret_index == 0
    with pytest.raises(Rejected):
        hookkit.verify(scheme, headers, b"y", [SECRET])


@pytest.mark.parametrize(
    ("scheme", "secrets", "message"),
    [
        ("stripes", [SECRET], "'stripes' is not known"),
        ("stripe", SECRET, "must be a list"),
        ("stripe", [], "must be a list"),
        ("stripe", [""], "must be a list"),
        ("standard", ["x"], "secrets: one is not whsec_"),
        ("8x8", [SECRET], "secrets: one must be a JWK or PEM"),
        ("8x8", ['{"keys":[{"kty":"EC"}]}'], "secrets: one is a JWK Set without an RSA key"),
        ("twilio", [SECRET], "public_url: missing"),
    ],
)
def test_mistake_of_the_caller_is_no_rejection(scheme, secrets, message):
    with pytest.raises(ConfigurationError, match=message):
        hookkit.verify(scheme, {}, b"", secrets)


RSA = shared_key()
PEM_OF_RSA = RSA.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def jwk_of(private, **more):
    pem = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return {**json.loads(read_key(pem.decode()).jwk), **more}


@pytest.mark.parametrize("kind", ["PEM", "JWK", "JWK Set"])
def test_delivery_of_8x8_is_verified_by_a_key_that_is_given(kind):
    headers = hookkit.sign("8x8", b"{}", PEM_OF_RSA, event_id="e-1", now=NOW)
    key_id = read_token(headers["x-8x8-signature"]).key_id
    jwk = jwk_of(RSA, kid=key_id)
    given = {
        "PEM": RSA.public_key()
        .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        .decode(),
        "JWK": json.dumps(jwk),
        "JWK Set": json.dumps({"keys": [{"kty": "EC"}, {**jwk, "kid": "another"}, jwk]}),
    }

    verified = hookkit.verify("8x8", headers, b"{}", [given[kind]], now=NOW)

    assert headers["x-8x8-event-id"] == "e-1"
    assert (verified.secret_index, verified.is_bytewise) == (None, True)
    assert json.loads(verified.key)["n"] == jwk["n"]
    with pytest.raises(Rejected):
        hookkit.verify("8x8", headers, b"{} ", [given[kind]], now=NOW)


def test_key_of_another_name_does_not_verify_8x8():
    headers = hookkit.sign("8x8", b"{}", PEM_OF_RSA, now=NOW)

    with pytest.raises(Rejected) as caught:
        hookkit.verify("8x8", headers, b"{}", [json.dumps(jwk_of(RSA, kid="another"))], now=NOW)

    assert caught.value.code == "signature_mismatch"


def test_query_is_signed_where_the_url_is():
    url = {"public_url": URL, "query": "a=1"}
    for name, key, secrets in (
        ("twilio", SECRET, [SECRET]),
        (
            KeyedSignature(
                header="x-signature",
                algorithm="ecdsa-p256",
                signed=SignedText(template="{url}{body}"),
            ),
            PAIRS["sendgrid"][0],
            [PAIRS["sendgrid"][1]],
        ),
    ):
        headers = hookkit.sign(name, b"", key, **url)

        assert hookkit.verify(name, headers, b"", secrets, **url).secret_index == 0
        with pytest.raises(Rejected):
            hookkit.verify(name, headers, b"", secrets, **{**url, "query": "a=2"})


@pytest.mark.parametrize("name", ["standard", "sendgrid", "8x8"])
def test_secret_that_cannot_sign_is_told(name):
    with pytest.raises(ConfigurationError, match=r"^secret: (is n|must be a)"):
        hookkit.sign(name, b"", "short")


# The table


@every_sender
def test_sender_is_whole(name):
    sender = SENDERS[name]

    assert sender.docs.startswith("https://")
    assert sender.retries
    assert [*getattr(sender.scheme, "mistakes", tuple)()] == []
    for item in split(
        load_providers()[name],
        endpoint="e",
        body=sender.sample.body,
        headers=sender.sample.headers,
        received_at=NOW,
    ):
        event = normalize(load_providers()[name], item)
        assert (event.vendor_type, event.problems) == (sender.sample.name, ())


def test_only_a_secret_that_is_sent_along_signs_nothing():
    unsigned = [
        name for name, each in SENDERS.items() if not isinstance(each.scheme, SigningScheme)
    ]

    assert unsigned == ["telegram", "8x8-connect", "gitlab", "postmark"]


@pytest.mark.parametrize(
    ("place", "found"),
    [
        ("body:a.0.b", "7"),
        ("body:a.1.b", None),
        ("body:a.x", None),
        ("body:t", None),
        ("body:a.0.b.c", None),
        ("beside:a", "t"),
        ("header:x", "y"),
        ("header:z", None),
    ],
)
def test_place_is_looked_up(place, found):
    assert find([place], {"a": [{"b": 7}], "t": True}, {"x": "y"}) == found


def test_no_warning_without_a_reason():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        app_of("stripe")
