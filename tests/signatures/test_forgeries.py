"""What is not exactly what was signed is refused, and refused in the one family of errors."""

import base64
import json
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, SECP384R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate_ec_key
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from hookkit.core.delivery import Delivery
from hookkit.core.errors import (
    MalformedBody,
    MalformedHeader,
    Rejected,
    SignatureMismatch,
    SignatureMissing,
    TimestampExpired,
    TimestampInFuture,
    Unavailable,
)
from hookkit.senders import SENDERS
from hookkit.signatures.keyed_hash import KeyedHash
from hookkit.signatures.public_key import KeyedSignature
from hookkit.signatures.signed_text import MAX_SIGNATURES, SignedText
from hookkit.signatures.standard_webhooks import StandardWebhooks
from tests.key_server import shared_key
from tests.measuring import unmeasured
from tests.scale import SCALE
from tests.signatures.test_vectors import (
    DISCORD,
    SLACK,
    SQUARE,
    STRIPE,
    SVIX_PRIVATE,
    SVIX_PUBLIC,
    TWILIO,
    ZENDESK,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
BODY = random.Random(6).randbytes(1024)  # noqa: S311  # no secret depends on it
TEXT = b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def pem_of(private, *, public=False):
    if public:
        spki = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return base64.b64encode(spki)
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


RSA = shared_key()
SMALL_RSA = generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505  # to be refused
P256 = generate_ec_key(SECP256R1())
P384 = generate_ec_key(SECP384R1())
STAMPED = SignedText(
    template="{id}.{timestamp}.{body}", id_header="x-id", timestamp_header="x-timestamp"
)

#: name -> scheme, what signs, what verifies
SCHEMES = {
    "standard v1": (StandardWebhooks(), TEXT, TEXT),
    "standard v1a": (StandardWebhooks(), SVIX_PRIVATE.encode(), SVIX_PUBLIC.encode()),
    "stripe": (STRIPE, TEXT, TEXT),
    "slack": (SLACK, TEXT, TEXT),
    "zendesk": (ZENDESK, TEXT, TEXT),
    "all parts": (
        KeyedHash(
            header="x-signature",
            algorithm="sha512",
            signed=replace(
                STAMPED,
                template="{id}.{timestamp}.{url}.{body_hash}",
                timestamp_unit="ms",
                public_url="https://example.com/a",
            ),
        ),
        TEXT,
        TEXT,
    ),
    "ed25519": (
        replace(DISCORD, signed=STAMPED),
        SVIX_PRIVATE.removeprefix("whsk_").encode(),
        SVIX_PUBLIC.removeprefix("whpk_").encode(),
    ),
    "ecdsa": (
        KeyedSignature(header="x-signature", algorithm="ecdsa-p256", signed=STAMPED),
        pem_of(P256),
        pem_of(P256, public=True),
    ),
    "rsa": (
        KeyedSignature(header="x-signature", algorithm="rsa-sha256", signed=STAMPED),
        pem_of(RSA),
        pem_of(RSA, public=True),
    ),
}
every_scheme = pytest.mark.parametrize("name", SCHEMES)


def made(name, body=BODY, at=NOW):
    scheme, private, public = SCHEMES[name]
    headers = scheme.sign(body, private, at, "msg_1")
    return scheme, headers, public


def is_accepted(scheme, body, headers, secret, at=NOW):
    """Tell whether it is; whatever else is raised fails the test."""
    delivery = Delivery(endpoint="e", body=body, headers=headers, received_at=at)
    try:
        scheme.verify(delivery, [secret])
    except Rejected:
        return False
    return True


@every_scheme
def test_what_was_signed_is_accepted(name):
    scheme, headers, secret = made(name)

    assert is_accepted(scheme, BODY, headers, secret)


@every_scheme
@unmeasured()
def test_every_flipped_bit_of_the_body_is_refused(name):
    scheme, headers, secret = made(name)
    flipped = []
    for bit in range(len(BODY) * 8):
        body = bytearray(BODY)
        body[bit // 8] ^= 1 << bit % 8
        if is_accepted(scheme, bytes(body), headers, secret):
            flipped.append(bit)

    assert flipped == []


@every_scheme
@unmeasured()
def test_every_flipped_bit_of_a_header_is_refused(name):
    scheme, headers, secret = made(name)
    accepted = []
    for header, value in headers.items():
        for number, char in enumerate(value):
            for bit in range(8):
                other = value[:number] + chr(ord(char) ^ 1 << bit) + value[number + 1 :]
                if is_accepted(scheme, BODY, headers | {header: other}, secret):
                    accepted.append((header, number, bit))

    assert accepted == []


@every_scheme
def test_every_truncation_is_refused(name):
    scheme, headers, secret = made(name)
    accepted = [
        (header, length)
        for header, value in headers.items()
        for length in range(len(value))
        if is_accepted(scheme, BODY, headers | {header: value[:length]}, secret)
    ]
    accepted += [
        length for length in range(len(BODY)) if is_accepted(scheme, BODY[:length], headers, secret)
    ]

    assert accepted == []


@every_scheme
def test_fuzzed_headers_raise_nothing_else_and_prove_nothing(name):
    scheme, headers, secret = made(name)
    chance = random.Random(name)  # noqa: S311  # no secret depends on it
    junk = ["", " ", ",", ";", ".", "=", "t=", "v0=", "v1=", "v1,", "v1a,", "\x00", "é", "\u0661"]
    junk += ["\ud800", "1_7", "1e9", "-1", "+1", " 1", "9" * 5000, "A" * 5000, "9999-99-99T"]
    junk += ["2026-02-31T00:00:00Z", "1000-01-01T00:00:00+23:59", "2026-03-01T12:00:00+99:99"]
    accepted = []
    for _ in range(2500 * SCALE):
        other = dict(headers)
        header = chance.choice(list(other))
        value = other[header]
        place = chance.randrange(len(value) + 1)
        piece = "".join(chance.choices(junk, k=chance.randrange(1, 4)))
        if chance.random() < 0.5:
            end = min(len(value), place + chance.randrange(4))
            other[header] = value[:place] + piece + value[end:]
        else:
            other[header] = piece
        is_forged = not is_a_list_with_the_whole(scheme, header, other[header], value)
        if other[header] != value and is_forged and is_accepted(scheme, BODY, other, secret):
            accepted.append((header, other[header]))

    assert accepted == []


def is_a_list_with_the_whole(scheme, header, sent, value):
    """Tell whether all that was signed is still there, beside junk: that is no forgery."""
    separator = " " if isinstance(scheme, StandardWebhooks) else getattr(scheme, "separator", "")
    if not separator or "signature" not in header:
        return False
    return set(value.split(separator)) <= set(sent.split(separator))


@every_scheme
def test_nothing_sent_is_missing(name):
    scheme, headers, secret = made(name)

    for header in headers:
        less = {other: value for other, value in headers.items() if other != header}
        with pytest.raises(SignatureMissing):
            scheme.verify(
                Delivery(endpoint="e", body=BODY, headers=less, received_at=NOW), [secret]
            )


@pytest.mark.parametrize("name", [name for name in SCHEMES if name != "none"])
def test_tolerance_holds_both_ways_and_is_inclusive(name):
    scheme, headers, secret = made(name)

    def at(seconds):
        return Delivery(
            endpoint="e", body=BODY, headers=headers, received_at=NOW + timedelta(seconds=seconds)
        )

    for seconds in (-300, 300):
        assert scheme.verify(at(seconds), [secret]).secret_index == 0
    with pytest.raises(TimestampExpired):
        scheme.verify(at(300.001), [secret])
    with pytest.raises(TimestampInFuture):
        scheme.verify(at(-300.001), [secret])
    with pytest.raises(TimestampExpired):
        scheme.tolerating(0).verify(at(1), [secret])
    assert scheme.tolerating(0).verify(at(0), [secret]).secret_index == 0


def test_one_of_several_signatures_by_one_of_several_secrets_is_enough():
    for scheme, header, separator in (
        (StandardWebhooks(), "webhook-signature", " "),
        (STRIPE, "stripe-signature", ","),
    ):
        headers = scheme.sign(BODY, TEXT, NOW, "msg_1")
        junk = separator.join(["", "v2,x", "v1=é", "garbage", "v1,\u0661"])
        headers[header] = f"{headers[header]}{separator}{junk}"
        delivery = Delivery(endpoint="e", body=BODY, headers=headers, received_at=NOW)

        assert scheme.verify(delivery, [b"whsec_" + b"A" * 32, TEXT]).secret_index == 1
        headers[header] += f"{separator}x" * MAX_SIGNATURES
        with pytest.raises(MalformedHeader):
            scheme.verify(delivery, [TEXT])


def test_unknown_version_alone_proves_nothing():
    headers = StandardWebhooks().sign(BODY, TEXT, NOW, "msg_1")
    headers["webhook-signature"] = headers["webhook-signature"].replace("v1,", "v2,")
    delivery = Delivery(endpoint="e", body=BODY, headers=headers, received_at=NOW)

    for secret in (TEXT, SVIX_PUBLIC.encode()):
        with pytest.raises(SignatureMismatch):
            StandardWebhooks().verify(delivery, [secret])


def test_id_cannot_move_the_boundary_to_the_timestamp():
    scheme = StandardWebhooks()
    headers = scheme.sign(BODY, TEXT, NOW, "a.1")
    delivery = Delivery(endpoint="e", body=BODY, headers=headers, received_at=NOW)

    with pytest.raises(MalformedHeader):
        scheme.verify(delivery, [TEXT])


def test_timestamp_of_stripe_is_there_once():
    headers = STRIPE.sign(BODY, TEXT, NOW)
    headers["stripe-signature"] += ",t=1"
    delivery = Delivery(endpoint="e", body=BODY, headers=headers, received_at=NOW)

    with pytest.raises(MalformedHeader):
        STRIPE.verify(delivery, [TEXT])


@pytest.mark.parametrize("scheme", [TWILIO, SQUARE])
def test_query_that_no_http_can_send_is_refused(scheme):
    query = "a=\ud800"
    headers = {scheme.header: "x"}
    delivery = Delivery(endpoint="e", body=b"a=1", headers=headers, received_at=NOW, query=query)

    with pytest.raises(MalformedHeader):
        scheme.at_url("https://example.com/a").verify(delivery, [TEXT])


@pytest.mark.parametrize(
    "body", [b"garbage", b"a=%zz", b"a=%ff", b"\xff=1", b"a=1&", b"&".join([b"a=1"] * 1001)]
)
def test_form_that_is_none_is_refused(body):
    scheme = TWILIO.at_url("https://example.com/a")
    headers = {"x-twilio-signature": "x"}
    for query in ("", "noquery", "%ff=1"):
        delivery = Delivery(endpoint="e", body=body, headers=headers, received_at=NOW, query=query)
        with pytest.raises(MalformedBody):
            scheme.verify(delivery, [TEXT])


@pytest.mark.parametrize(
    ("algorithm", "key"),
    [
        pytest.param("ed25519", b"00" * 32, id="zero"),
        pytest.param("ed25519", b"01" + b"00" * 31, id="the neutral point"),
        pytest.param("ed25519", b"ec" + b"ff" * 31, id="of order 2, other sign"),
        pytest.param("ed25519", pem_of(P256, public=True), id="of another kind"),
        pytest.param("ecdsa-p256", pem_of(RSA, public=True), id="RSA for ECDSA"),
        pytest.param("ecdsa-p256", pem_of(P384, public=True), id="another curve"),
        pytest.param("rsa-sha256", pem_of(P256, public=True), id="ECDSA for RSA"),
        pytest.param("rsa-sha256", pem_of(SMALL_RSA, public=True), id="short"),
        pytest.param("rsa-sha256", b"junk", id="junk"),
        pytest.param("rsa-sha256", pem_of(RSA), id="private"),
        pytest.param("ed25519", b"\xff\xfe", id="no text"),
    ],
)
def test_weak_or_wrong_key_is_refused(algorithm, key):
    scheme = KeyedSignature(header="x-signature", algorithm=algorithm)
    headers = {"x-signature": "AAAA"}
    delivery = Delivery(endpoint="e", body=BODY, headers=headers, received_at=NOW)

    with pytest.raises(ValueError, match=r"^is "):
        scheme.check_secret(key)
    with pytest.raises(Unavailable, match=r"^a key is "):
        scheme.verify(delivery, [key])


@pytest.mark.parametrize(
    ("scheme", "secret"),
    [
        (StandardWebhooks(), b"whsec_short"),
        (StandardWebhooks(), b"whsec_AAAA"),
        (StandardWebhooks(), b"whpk_AAAA"),
        (StandardWebhooks(), SVIX_PRIVATE.encode()),
        (KeyedHash(header="webhook-signature", secret_encoding="base64"), b"!"),
        (KeyedHash(header="webhook-signature", secret_encoding="hex"), b"xyz"),
    ],
)
def test_secret_that_is_none_is_refused(scheme, secret):
    headers = StandardWebhooks().sign(BODY, TEXT, NOW, "msg_1")
    delivery = Delivery(endpoint="e", body=BODY, headers=headers, received_at=NOW)

    with pytest.raises(ValueError, match=r"^is "):
        scheme.check_secret(secret)
    with pytest.raises(Unavailable, match=r"^a secret is ") as caught:
        scheme.verify(delivery, [secret])
    assert secret.decode() not in str(caught.value)


def test_pem_of_both_halves_is_read():
    for algorithm, private in (("ecdsa-p256", P256), ("rsa-sha256", RSA)):
        scheme = KeyedSignature(header="x-signature", algorithm=algorithm, encoding="hex")
        headers = scheme.sign(BODY, pem_of(private), NOW)
        public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        delivery = Delivery(endpoint="e", body=BODY, headers=headers, received_at=NOW)

        assert scheme.verify(delivery, [public]).body_authenticated
        for wrong in (b"junk", b"AAAA", pem_of(P384)):
            with pytest.raises(ValueError, match=r"^is no private key"):
                scheme.sign(BODY, wrong, NOW)


def test_ed25519_key_may_be_a_whole_document():
    scheme, _, _ = SCHEMES["ed25519"]
    prefix = bytes.fromhex("302a300506032b6570032100")
    raw = base64.b64decode(SVIX_PUBLIC.removeprefix("whpk_"))
    document = base64.b64encode(prefix + raw)

    assert is_accepted(scheme, BODY, made("ed25519")[1], document)


def test_public_key_may_check_the_url_too():
    signed = SignedText(template="{url}{body}")
    scheme = KeyedSignature(header="x-signature", algorithm="rsa-sha256", signed=signed)
    here, there = (scheme.at_url(f"https://example.com/{each}") for each in "ab")
    headers = here.sign(BODY, pem_of(RSA), NOW)

    assert here.signs_url
    assert is_accepted(here, BODY, headers, pem_of(RSA, public=True))
    assert not is_accepted(there, BODY, headers, pem_of(RSA, public=True))


def test_what_follows_the_body_is_signed_too():
    signed = SignedText(template="{body}.{timestamp}", timestamp_header="x-timestamp")
    scheme = KeyedHash(header="x-signature", signed=signed)
    headers = scheme.sign(BODY, TEXT, NOW)
    later = str(int(headers["x-timestamp"]) + 1)

    assert is_accepted(scheme, BODY, headers, TEXT)
    assert not is_accepted(scheme, BODY, headers | {"x-timestamp": later}, TEXT)


def test_long_body_is_signed_like_a_short_one():
    headers = STRIPE.sign(BODY * 32, TEXT, NOW)

    assert is_accepted(STRIPE, BODY * 32, headers, TEXT)
    assert not is_accepted(STRIPE, BODY * 33, headers, TEXT)


# Fields of the body


MAILGUN = SENDERS["mailgun"].scheme


def enclosed():
    document = json.loads(MAILGUN.enclose(b'{"event-data":{}}', TEXT, NOW))
    return document, document["signature"]


def is_enclosed_accepted(document):
    return is_accepted(MAILGUN, json.dumps(document).encode(), {}, TEXT)


def test_every_flipped_bit_and_truncation_of_a_signed_field_is_refused():
    document, fields = enclosed()
    accepted = []
    for name, value in fields.items():
        others = [value[:length] for length in range(len(value))]
        others += [
            value[:number] + chr(ord(char) ^ 1 << bit) + value[number + 1 :]
            for number, char in enumerate(value)
            for bit in range(8)
        ]
        accepted += [
            (name, other)
            for other in others
            if is_enclosed_accepted({**document, "signature": {**fields, name: other}})
        ]

    assert is_enclosed_accepted(document)
    assert accepted == []


def test_boundary_between_timestamp_and_token_cannot_be_moved():
    document, fields = enclosed()
    both = fields["timestamp"] + fields["token"]
    accepted = [
        cut
        for cut in range(len(both) + 1)
        if is_enclosed_accepted(
            {**document, "signature": {**fields, "timestamp": both[:cut], "token": both[cut:]}}
        )
    ]

    assert accepted == [len(fields["timestamp"])]


@pytest.mark.parametrize("odd", [None, 5, [], {}, "", "\ud800", "é", "\x00", "A" * 5000, True])
def test_field_of_another_kind_is_refused(odd):
    document, fields = enclosed()

    for name in fields:
        assert not is_enclosed_accepted({**document, "signature": {**fields, name: odd}})
    assert not is_enclosed_accepted({**document, "signature": odd})


def test_two_signatures_by_keys_are_looked_at_and_a_third_is_too_many():
    scheme = StandardWebhooks()
    headers = scheme.sign(BODY, SVIX_PRIVATE.encode(), NOW, "msg_1")
    right = headers["webhook-signature"]
    wrong = "v1a," + base64.b64encode(bytes(64)).decode()

    def verify(*entries):
        sent = headers | {"webhook-signature": " ".join(entries)}
        delivery = Delivery(endpoint="e", body=BODY, headers=sent, received_at=NOW)
        return scheme.verify(delivery, [SVIX_PUBLIC.encode()])

    for entries in ([wrong, right], [right, wrong], ["v1,AAAA", "v1,BBBB", wrong, right]):
        assert verify(*entries).secret_index == 0
    with pytest.raises(MalformedHeader):
        verify(wrong, wrong, right)
