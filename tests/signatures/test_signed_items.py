"""Signatures over some fields of each item in a body, as Adyen has them."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hookkit import ConfigurationError, HookKit
from hookkit.core.delivery import Delivery
from hookkit.core.errors import BodyUnreadable, Rejected
from hookkit.providers import load_providers
from hookkit.senders import SENDERS
from hookkit.settings.load import load_settings
from hookkit.signatures.signed_items import SignedItems
from tests.applications import make_app
from tests.senders.test_identity import NOW, Door
from tests.senders.test_senders import HEX_SECRET, endpoint_of

#: https://docs.adyen.com/development-resources/webhooks/secure-webhooks/verify-hmac-signatures
PUBLISHED = {
    "additionalData": {"hmacSignature": "coqCmt/IZ4E3CzPvMY8zTjQVL5hYJUiBRg8UU+iCWo0="},
    "amount": {"value": 1130, "currency": "EUR"},
    "pspReference": "7914073381342284",
    "eventCode": "AUTHORISATION",
    "eventDate": "2019-05-06T17:15:34.121+02:00",
    "merchantAccountCode": "TestMerchant",
    "operations": ["CANCEL", "CAPTURE", "REFUND"],
    "merchantReference": "TestPayment-1407325143704",
    "paymentMethod": "visa",
    "success": "true",
}
SCHEME = SENDERS["adyen"].scheme
SECRET = HEX_SECRET.encode()


def body_of(*items, **more):
    wrapped = [{"NotificationRequestItem": item} for item in items]
    return json.dumps({"live": "false", "notificationItems": wrapped} | more).encode()


def changed(**fields):
    return PUBLISHED | fields


def judged(body, scheme=SCHEME, secrets=(SECRET,)):
    delivery = Delivery(endpoint="e", body=body, headers={}, received_at=NOW)
    try:
        return scheme.verify(delivery, list(secrets)).secret_index
    except Rejected as error:
        return error.code


def signed(*items):
    """Return *items* with their signatures, by the scheme."""
    document = json.loads(SCHEME.enclose(body_of(*items), SECRET, NOW))
    return [each["NotificationRequestItem"] for each in document["notificationItems"]]


def test_published_signature_is_verified_and_made():
    assert judged(body_of(PUBLISHED)) == 0
    assert judged(body_of(PUBLISHED), secrets=[b"00" * 32, SECRET]) == 1
    assert judged(body_of(PUBLISHED), secrets=[SECRET.lower()]) == 0
    assert signed(changed(additionalData={})) == [PUBLISHED]
    assert signed({name: PUBLISHED[name] for name in PUBLISHED if name != "additionalData"}) == [
        PUBLISHED
    ]


@pytest.mark.parametrize(
    ("item", "code"),
    [
        (changed(pspReference="7914073381342285"), "signature_mismatch"),
        (changed(originalReference="1"), "signature_mismatch"),
        (changed(amount={"value": 1131, "currency": "EUR"}), "signature_mismatch"),
        (changed(amount={"value": 1130.0, "currency": "EUR"}), "signature_mismatch"),
        (changed(amount={"value": True, "currency": "EUR"}), "signature_mismatch"),
        (changed(amount=None), "signature_mismatch"),
        (changed(amount=[1130, "EUR"]), "signature_mismatch"),
        (changed(success="false"), "signature_mismatch"),
        (changed(success=True), "signature_mismatch"),
        (changed(success=None), "signature_missing"),
        (changed(eventCode=""), "signature_missing"),
        (changed(eventCode={}), "signature_mismatch"),
        (changed(eventCode="A:B"), "signature_mismatch"),
        (changed(merchantReference="\ud800"), "signature_mismatch"),
        (changed(additionalData=None), "signature_missing"),
        (changed(additionalData=[]), "signature_missing"),
        (changed(additionalData={"hmacSignature": ""}), "signature_missing"),
        (changed(additionalData={"hmacSignature": 5}), "signature_missing"),
        (changed(additionalData={"hmacSignature": "é"}), "signature_mismatch"),
        (changed(additionalData={"hmacSignature": "A" * 1000}), "signature_mismatch"),
        ({}, "signature_missing"),
        (None, "signature_missing"),
        ([PUBLISHED], "signature_missing"),
    ],
)
def test_item_that_is_not_proven_is_refused_also_beside_one_that_is(item, code):
    assert judged(body_of(item)) == code
    assert judged(body_of(PUBLISHED, item)) == code
    assert judged(body_of(item, PUBLISHED)) == code


@pytest.mark.parametrize(
    "item",
    [
        changed(originalReference=""),
        changed(originalReference=None),
        changed(amount={"value": "1130", "currency": "EUR"}),
        changed(eventDate="2030-01-01T00:00:00Z", more=[1]),
    ],
)
def test_item_that_says_the_same_is_proven_and_no_second_event(item):
    door = Door(**endpoint_of("adyen"))

    made = [door.deliver(body, {}) for body in map(body_of, [PUBLISHED, item, PUBLISHED])]

    assert judged(body_of(item)) == 0
    assert made == [1, 0, 0]


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"notificationItems":[]}',
        b'{"notificationItems":{}}',
        b'{"notificationItems":[5]}',
        json.dumps({"notificationItems": [PUBLISHED]}).encode(),
        json.dumps({"NotificationRequestItem": PUBLISHED}).encode(),
    ],
)
def test_body_without_an_item_proves_nothing(body):
    assert judged(body) == "signature_missing"
    with pytest.raises(BodyUnreadable):
        SCHEME.enclose(body, SECRET, NOW)


@pytest.mark.parametrize("body", [b"", b"[]", b"\xff", b'{"notificationItems":'])
def test_body_that_is_no_object_is_malformed(body):
    assert judged(body) == "malformed_body"


def test_headers_hold_no_signature():
    with pytest.raises(TypeError, match="the proof lies in the body"):
        SCHEME.sign(body_of(PUBLISHED), SECRET, NOW)


def test_item_without_room_for_a_signature_cannot_be_signed():
    with pytest.raises(BodyUnreadable, match="additionalData has no room"):
        signed(changed(additionalData=5))


# One reading of each text

a_value = st.text("ab:1", max_size=3)


@settings(max_examples=200, deadline=None)
@given(st.lists(a_value, min_size=4, max_size=4), st.lists(a_value, min_size=4, max_size=4))
def test_different_fields_never_have_the_same_signature(one, other):
    scheme = SignedItems(
        items="list", within="it", fields="a,b?,c?,d", signature="s", open_field="c"
    )

    def text_of(values):
        held = dict(zip("abcd", values, strict=True))
        body = json.dumps({"list": [{"it": held}]}).encode()
        try:
            sent = json.loads(scheme.enclose(body, b"00", NOW))
        except BodyUnreadable:
            return None
        return sent["list"][0]["it"]["s"]

    first, second = text_of(one), text_of(other)

    assert first is None or one == other or first != second


def test_reference_may_hold_what_stands_between_the_fields():
    (item,) = signed(changed(merchantReference="INV:42:x"))

    assert judged(body_of(item)) == 0
    moved = item | {"merchantReference": "INV:42", "amount": {"value": "x:1130", "currency": "EUR"}}
    assert judged(body_of(moved)) == "signature_mismatch"


# Large bodies


def test_large_body_is_read_if_its_first_item_is_proven():
    padding = "x" * 100_000

    assert judged(body_of(PUBLISHED, more=padding)) == 0
    assert judged(body_of(PUBLISHED, changed(more=padding))) == 0
    assert judged(body_of(changed(success="false"), more=padding)) == "signature_mismatch"
    assert judged(body_of(changed(more=padding))) == "signature_missing"
    assert judged(b'{"more":"%b"}' % padding.encode()) == "signature_missing"
    assert (
        judged(b'{"NotificationRequestItem":5,"x":"%b"}' % padding.encode()) == "signature_missing"
    )
    assert judged(b'{"NotificationRequestItem":%b}' % (b"[" * 100_000)) == "signature_missing"


def test_item_that_only_opens_the_door_proves_nothing():
    bait = json.dumps({"NotificationRequestItem": PUBLISHED})
    body = body_of(changed(success="false"), more="x" * 100_000)

    assert judged(b'{"a":%b,%b' % (bait.encode(), body[1:])) == "signature_mismatch"


# The endpoint


def test_events_of_a_body_are_handled_each_by_its_code():
    hooks, seen = HookKit(), []
    for code in ("AUTHORISATION", "CAPTURE"):
        hooks.on(f"adyen/{code}", name=code)(seen.append)
    app = make_app(hooks, HOOKKIT_ENDPOINTS={"shop": endpoint_of("adyen")})
    items = signed(PUBLISHED, changed(eventCode="CAPTURE", pspReference="8814073381342284"))

    answers = [app.test_client().post("/hooks/shop", data=body_of(*items)) for _ in range(2)]

    assert [(each.status_code, each.json["new"]) for each in answers] == [(200, 2), (200, 0)]
    assert [each.vendor_type for each in seen] == ["AUTHORISATION", "CAPTURE"]


GENERIC = {
    "type": "items",
    "items": "data.events",
    "within": "event",
    "fields": "id,kind?",
    "signature": "mac",
    "encoding": "HEX",
    "algorithm": "sha512",
    "secret_encoding": "text",
    "separator": "|",
}


def endpoint(**scheme):
    return {
        "provider": "generic",
        "secrets": ["0123456789abcdef"],
        "scheme": GENERIC | scheme,
        "items": "data.events",
        "event_id": "body:event.id+body:event.kind?",
        "event_type": "body:event.kind",
    }


@pytest.mark.parametrize("encoding", ["HEX", "hex", "base64"])
def test_another_sender_of_the_kind_is_settings(encoding):
    door = Door(**endpoint(encoding=encoding))
    scheme = door.endpoint.provider.scheme
    body = scheme.enclose(
        b'{"data":{"events":[{"event":{"id":1,"kind":"a"}},{"event":{"id":2}}]}}',
        b"0123456789abcdef",
        NOW,
    )

    assert door.deliver(body, {}) == 2
    assert door.deliver(body, {}) == 0
    assert door.deliver(body.replace(b'"id":1', b'"id":3').replace(b'"id": 1', b'"id": 3'), {}) == 0
    assert scheme.tolerating(5) is scheme


@pytest.mark.parametrize(
    ("scheme", "mistake"),
    [
        ({"fields": ""}, "fields: must be paths with commas between them, each of them once"),
        ({"fields": "a,a"}, "fields: must be paths with commas between them, each of them once"),
        ({"fields": "a?,b?"}, "fields: one of them must always be there"),
        (
            {"separator": ""},
            "separator: without one, fields of several items could have the same signature",
        ),
        ({"open_field": "x"}, "open_field: is none of the fields"),
        ({"within": ""}, "items, within and signature: none may be empty"),
        ({"algorithm": "md5"}, "algorithm: must be one of sha1, sha256, sha512"),
        ({"encoding": "text"}, "encoding: must be one of hex, HEX, base64"),
        ({"secret_encoding": "x"}, "secret_encoding: must be one of text, base64, hex"),
        ({"items": None}, "items: must be a text"),
    ],
)
def test_mistake_in_the_scheme_is_told(scheme, mistake):
    with pytest.raises(ConfigurationError) as raised:
        load_settings({"HOOKKIT_ENDPOINTS": {"shop": endpoint(**scheme)}}, load_providers())

    assert any(mistake in each for each in raised.value.mistakes), raised.value.mistakes


def test_id_of_a_field_that_is_not_signed_is_refused():
    declared = endpoint() | {"event_id": "body:event.other?"}
    with pytest.raises(ConfigurationError, match="is not signed"):
        load_settings({"HOOKKIT_ENDPOINTS": {"shop": declared}}, load_providers())


def test_secret_must_be_written_as_it_is_said():
    declared = endpoint_of("adyen") | {"secrets": ["not-hexadecimal-at-all"]}
    with pytest.raises(ConfigurationError, match="secrets: one is not written as hex"):
        load_settings({"HOOKKIT_ENDPOINTS": {"shop": declared}}, load_providers())
