"""Where a signature or a secret may lie, and how it may be written."""

import hmac
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256

import pytest

import hookkit
from hookkit import HookKit
from hookkit.core.delivery import Delivery
from hookkit.core.errors import Rejected
from hookkit.signatures.keyed_hash import KeyedHash
from hookkit.signatures.signed_text import SignedText
from tests.applications import make_app
from tests.senders.test_senders import GENERIC, mistakes_of

NOW = datetime(2026, 3, 1, 12, 0, 0, 500000, tzinfo=UTC)
SECRET = GENERIC["secrets"][0]
BODY = b'{"a":1}'
MAC = hmac.digest(SECRET.encode(), BODY, "sha256").hex()


def post(scheme, query="", body=BODY, **headers):
    app = make_app(HookKit(), HOOKKIT_ENDPOINTS={"shop": {**GENERIC, "scheme": scheme}})
    answer = app.test_client().post(f"/hooks/shop?{query}", data=body, headers=headers)
    return answer.get_json()["code"]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        (f"sig={MAC}", "accepted"),
        (f"a=1&sig={MAC}", "accepted"),
        (f"sig={MAC}&sig=x", "signature_mismatch"),
        ("sig=x", "signature_mismatch"),
        (f"sig={MAC.upper()}", "signature_mismatch"),
        ("sig=", "signature_missing"),
        ("a=1", "signature_missing"),
        ("", "signature_missing"),
        ("sig", "malformed_header"),
    ],
)
def test_signature_in_a_parameter_of_the_url(query, code):
    assert post({"parameter": "sig"}, query) == code


@pytest.mark.parametrize(
    ("query", "code"),
    [
        (f"key={SECRET}", "accepted"),
        ("key=x", "signature_mismatch"),
        ("", "signature_missing"),
        ("%ff=1", "malformed_header"),
    ],
)
def test_secret_in_a_parameter_of_the_url(query, code):
    assert post({"type": "query", "parameter": "key"}, query) == code


@pytest.mark.parametrize("scheme", [{"parameter": "sig"}, {"type": "query", "parameter": "key"}])
def test_no_header_proves_what_lies_in_the_url(scheme):
    app = make_app(HookKit(), HOOKKIT_ENDPOINTS={"shop": {**GENERIC, "scheme": scheme}})
    provider = app.extensions["hookkit"].settings.endpoints["shop"].provider

    with pytest.raises(TypeError, match="the proof is the query parameter"):
        hookkit.sign(provider, BODY, SECRET)


def test_secret_at_the_end_makes_a_plain_hash():
    """https://cloudinary.com/documentation/notifications"""
    scheme = {
        "header": "X-Cld-Signature",
        "algorithm": "sha1",
        "signed": "{body}{timestamp}{secret}",
        "timestamp_header": "X-Cld-Timestamp",
    }
    made = KeyedHash(
        header="x-cld-signature",
        signed=SignedText(template="{body}{timestamp}{secret}", timestamp_header="x-cld-timestamp"),
    )
    headers = made.sign(BODY, SECRET.encode(), NOW)
    stamp = headers["x-cld-timestamp"]

    expected = sha256(BODY + stamp.encode() + SECRET.encode()).hexdigest()
    assert headers["x-cld-signature"] == expected
    delivery = Delivery(endpoint="e", body=BODY, headers=headers, received_at=NOW)
    assert made.verify(delivery, [b"another", SECRET.encode()]).secret_index == 1
    with pytest.raises(Rejected):
        made.verify(replace(delivery, body=b"{}"), [SECRET.encode()])
    assert post(scheme, **headers) == "timestamp_expired"


@pytest.mark.parametrize(
    ("scheme", "mistake"),
    [
        ({"header": "x", "parameter": "y"}, "parameter: beside header"),
        ({"parameter": "y", "signed": "{url}{body}"}, "parameter: not with {url}"),
        ({"header": "x", "signed": "{secret}{body}"}, "signed: {secret} must be at the end"),
        ({"header": "x", "signed": "{body}{secret}."}, "signed: {secret} must be at the end"),
        (
            {
                "type": "public_key",
                "header": "x",
                "algorithm": "ed25519",
                "signed": "{body}{secret}",
            },
            "signed: {secret} goes with a hash only",
        ),
        (
            {
                "header": "x",
                "signed": "{timestamp}{body}",
                "timestamp_header": "t",
                "timestamp_unit": "s or ms",
            },
            "timestamp_unit: of two units needs a constant",
        ),
        ({"type": "token", "header": "x", "algorithm": "none"}, "algorithm: must be one of HS256"),
        ({"type": "token", "hash_claim": ""}, "hash_claim: is empty"),
        ({"type": "query"}, "a name that it needs is missing"),
    ],
)
def test_scheme_that_cannot_be_is_told(scheme, mistake):
    told = mistakes_of(**GENERIC, scheme=scheme)

    assert [each for each in told if each.startswith(f"scheme: {mistake}")], told
