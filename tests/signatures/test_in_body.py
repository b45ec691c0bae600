"""A proof in a large body is looked for before the body is decoded, and counts only after."""

import json
from datetime import UTC, datetime

import pytest

from hookkit.core.body import MAX_UNPROVEN_BYTES
from hookkit.core.delivery import Delivery
from hookkit.core.errors import MalformedBody, Rejected, SignatureMismatch, SignatureMissing
from hookkit.senders import SENDERS
from hookkit.signatures import in_body
from hookkit.signatures.in_body import MAX_PLACES, MAX_SECRET_BYTES
from hookkit.signatures.shared_secret import SharedSecretField

NOW = datetime(2026, 3, 1, tzinfo=UTC)
FIELD = SharedSecretField("secret_key")
MAILGUN = SENDERS["mailgun"].scheme
SECRET = "the-secret-of-every-test"
ROOM = "x" * MAX_UNPROVEN_BYTES


def delivery(body):
    body = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    assert len(body) > MAX_UNPROVEN_BYTES
    return Delivery(endpoint="e", body=body, headers={}, received_at=NOW)


@pytest.mark.parametrize(
    "document",
    [
        {"secret_key": SECRET, "room": ROOM},
        {"room": ROOM, "secret_key": SECRET},
        {"inner": {"secret_key": "other"}, "room": ROOM, "secret_key": SECRET},
        {"secret_key": SECRET, "inner": [{"secret_key": "other"}] * 100, "room": ROOM},
        {"inner": [{"secret_key": "other"}] * 100, "room": ROOM, "secret_key": SECRET},
        {"secret_key": SECRET, "room": ['"secret_key":"other"', "secret_key", ROOM]},
    ],
)
def test_secret_at_the_top_is_found_wherever_it_stands(document):
    verified = FIELD.verify(delivery(document), [b"new", SECRET.encode()])

    assert verified.secret_index == 1
    assert verified.delivery.document == document


@pytest.mark.parametrize("secret", ['quote"', "back\\slash", "é", "\N{GRINNING FACE}", "a/b\n"])
@pytest.mark.parametrize("is_ascii", [True, False])
def test_secret_may_be_written_with_escapes(secret, is_ascii):
    body = json.dumps({"secret_key": secret, "room": ROOM}, ensure_ascii=is_ascii)

    assert FIELD.verify(delivery(body.encode()), [secret.encode()]).secret_index == 0
    body = body.replace('"secret_key":', '\t"secret_key"\r\n :\n').replace("a/b", r"a\/b")
    assert FIELD.verify(delivery(body.encode()), [secret.encode()]).secret_index == 0


def test_longest_secret_is_found_and_a_longer_one_is_refused_at_the_start():
    secret = "\x01" * MAX_SECRET_BYTES  # written with six bytes each

    body = delivery({"secret_key": secret, "room": ROOM})
    assert FIELD.verify(body, [secret.encode()]).secret_index == 0
    FIELD.check_secret(secret.encode())
    with pytest.raises(ValueError, match="longer than 512 bytes"):
        FIELD.check_secret(secret.encode() + b"x")


@pytest.mark.parametrize(
    ("document", "error"),
    [
        ({"inner": {"secret_key": SECRET}, "room": ROOM}, SignatureMissing),
        ({"inner": {"secret_key": SECRET}, "room": ROOM, "secret_key": "x"}, SignatureMismatch),
        ({"inner": {"secret_key": SECRET}, "room": ROOM, "secret_key": None}, SignatureMissing),
        ({"secret_key": "x", "room": ROOM}, SignatureMismatch),
        ({"room": ROOM}, SignatureMissing),
        ({"room": f'"secret_key":"{SECRET}"' + ROOM}, SignatureMissing),
    ],
)
def test_secret_that_is_not_at_the_top_proves_nothing(document, error):
    with pytest.raises(error):
        FIELD.verify(delivery(document), [SECRET.encode()])


def test_key_that_is_there_twice_proves_nothing():
    body = b'{"secret_key":"%b","room":"%b","secret_key":"%b"}'

    for one, other in ((SECRET, "x"), ("x", SECRET), (SECRET, SECRET)):
        with pytest.raises(MalformedBody):
            FIELD.verify(
                delivery(body % (one.encode(), ROOM.encode(), other.encode())), [SECRET.encode()]
            )


def test_key_in_escapes_is_not_found():
    body = b'{"secret\\u005fkey":"%b","room":"%b"}' % (SECRET.encode(), ROOM.encode())

    with pytest.raises(SignatureMissing):
        FIELD.verify(delivery(body), [SECRET.encode()])


def test_key_in_the_middle_of_many_is_not_found():
    other = [{"secret_key": "other"}] * MAX_PLACES
    document = {"before": other, "secret_key": SECRET, "after": other, "room": ROOM}

    with pytest.raises(SignatureMismatch):
        FIELD.verify(delivery(document), [SECRET.encode()])


@pytest.mark.parametrize(
    "body", [b"[1,%b]", b"secret_key=%b", b'"secret_key":%b', b"\xff\xfe{%b", b"{%b"]
)
def test_large_body_that_is_no_object_proves_nothing(body):
    with pytest.raises(Rejected):
        FIELD.verify(delivery(body % (b"1," * MAX_UNPROVEN_BYTES)), [SECRET.encode()])


def test_large_body_is_not_decoded_for_a_stranger(monkeypatch):
    monkeypatch.setattr(in_body, "decode_body", lambda _: pytest.fail("was decoded"))

    for scheme in (FIELD, MAILGUN):
        for document in ({"secret_key": "wrong", "room": ROOM}, {"room": ROOM}):
            with pytest.raises(Rejected):
                scheme.verify(delivery(document), [SECRET.encode()])


def test_signature_of_mailgun_is_found_in_a_large_body():
    body = MAILGUN.enclose(b'{"event-data":{"id":"%b"}}' % ROOM.encode(), SECRET.encode(), NOW)

    assert MAILGUN.verify(delivery(body), [b"new", SECRET.encode()]).secret_index == 1
    with pytest.raises(SignatureMismatch):
        MAILGUN.verify(delivery(body), [b"new"])


def test_signature_of_mailgun_counts_at_the_top_alone():
    body = MAILGUN.enclose(b"{}", SECRET.encode(), NOW)
    signature = json.loads(body)["signature"]

    with pytest.raises(SignatureMissing):
        MAILGUN.verify(
            delivery({"inner": {"signature": signature}, "room": ROOM}), [SECRET.encode()]
        )


@pytest.mark.parametrize(
    "after", [b"", b" 1", b" :", b':"new', b':"\\x"', b':{"a":}', b":{", b":[]", b':{"\xff":1}']
)
def test_key_that_no_value_follows_proves_nothing(after):
    for scheme, key in ((FIELD, b"secret_key"), (MAILGUN, b"signature")):
        body = b'{"room":"%b","%b"%b' % (ROOM.encode(), key, after)
        with pytest.raises(SignatureMissing):
            scheme.verify(delivery(body), [b"new"])
