"""JWTs in a header with the hash of the body."""

import base64
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as new_ec_key
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as new_rsa_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from hookkit.core.delivery import Delivery
from hookkit.core.errors import Rejected, Unavailable
from hookkit.signatures.hashed_token import HashedToken

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECRET = b"the-secret-of-the-endpoint"
SCHEME = HashedToken(header="x-token", prefix="", issuer="shop")
BODY = b'{"a":1}'
HASH = sha256(BODY).hexdigest()


def encoded(value):
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def token(claims=None, head=None, secret=SECRET):
    usual = {"iat": int(NOW.timestamp()), "iss": "shop", "payload_hash": HASH}
    claims = {**usual, **(claims or {})} if not isinstance(claims, bytes) else claims
    if isinstance(claims, dict):
        claims = {name: value for name, value in claims.items() if value is not None}
    text = f"{encoded(head or {'alg': 'HS256'})}.{encoded(claims)}"
    return f"{text}.{encoded(hmac.digest(secret, text.encode(), 'sha256'))}"


def code_of(sent, scheme=SCHEME, body=BODY, at=NOW, query=""):
    headers = {} if sent is None else {"x-token": sent}
    delivery = Delivery(endpoint="e", body=body, headers=headers, received_at=at, query=query)
    try:
        return scheme.verify(delivery, [b"another-secret-of-it", SECRET]).secret_index
    except Rejected as error:
        return error.code


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (token(), 1),
        (token({"more": [1]}), 1),
        (token(head={"alg": "HS256", "typ": "JWT", "kid": "1", "jku": "https://x"}), 1),
        (token({"exp": int(NOW.timestamp()) + 1}), 1),
        (token({"exp": int(NOW.timestamp())}), "timestamp_expired"),
        (token({"exp": "soon"}), "malformed_header"),
        (token({"iat": int(NOW.timestamp()) - 301}), "timestamp_expired"),
        (token({"iat": int(NOW.timestamp()) + 301}), "timestamp_in_future"),
        (token({"iat": None}), "malformed_header"),
        (token({"iat": True}), "malformed_header"),
        (token({"iat": 1.5}), "malformed_header"),
        (token({"iat": -1}), "malformed_header"),
        (token({"iss": "another"}), "signature_mismatch"),
        (token({"iss": None}), "signature_mismatch"),
        (token({"payload_hash": None}), "signature_mismatch"),
        (token({"payload_hash": HASH.upper()}), "signature_mismatch"),
        (token({"payload_hash": sha256(b"").hexdigest()}), "signature_mismatch"),
        (token(head={"alg": "none"}), "signature_mismatch"),
        (token(head={"alg": "HS512"}), "signature_mismatch"),
        (token(head={"alg": "RS256"}), "signature_mismatch"),
        (token(head={"alg": "HS256", "crit": ["b64"], "b64": False}), "signature_mismatch"),
        (token(head=b'{"alg":"HS256","alg":"none"}'), "malformed_header"),
        (token(b'{"iat":1,"iat":2}'), "malformed_header"),
        (token(b"[]"), "malformed_header"),
        (token(secret=b"of somebody else"), "signature_mismatch"),
        (token() + "A", "signature_mismatch"),
        (token()[:-1], "signature_mismatch"),
        (token() + "=", "signature_mismatch"),
        (f"{token()}.", "malformed_header"),
        ("a.b", "malformed_header"),
        ("..", "signature_mismatch"),
        ("é.é.é", "malformed_header"),
        (token({"more": "x" * 4000}), "malformed_header"),
        ("", "signature_missing"),
        (None, "signature_missing"),
    ],
)
def test_token_proves_what_it_hashes_and_nothing_else(sent, code):
    assert code_of(sent) == code


def test_other_body_is_refused():
    assert code_of(token(), body=BODY + b" ") == "signature_mismatch"
    assert code_of(token(), body=b"") == "signature_mismatch"
    assert code_of(token({"payload_hash": None}), body=b"") == 1


def test_prefix_must_be_there():
    scheme = replace(SCHEME, prefix="Bearer ")

    assert code_of(f"Bearer {token()}", scheme) == 1
    assert code_of(token(), scheme) == "signature_missing"


def test_url_is_signed_with_its_query():
    scheme = replace(SCHEME, url_claim="url_hash", public_url="https://h/x")
    sent = token({"url_hash": sha256(b"https://h/x?a=1").hexdigest()})

    assert code_of(sent, scheme, query="a=1") == 1
    assert code_of(sent, scheme, query="a=2") == "signature_mismatch"
    assert code_of(sent, scheme) == "signature_mismatch"
    assert code_of(token(), scheme) == "signature_mismatch"
    assert code_of(sent, scheme.at_url("https://h/y"), query="a=1") == "signature_mismatch"


def test_url_names_the_event_of_an_empty_body():
    scheme = replace(SCHEME, url_claim="url_hash", public_url="https://h/x")
    named = set()
    for query in ("a=1", "a=2"):
        headers = scheme.sign(b"", SECRET, NOW, query=query)
        delivery = Delivery(endpoint="e", body=b"", headers=headers, received_at=NOW, query=query)
        named.add(scheme.verify(delivery, [SECRET]).signed_hash)

    assert len(named - {None}) == 2


def key_pair(key):
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return private, base64.b64encode(public)


@pytest.mark.parametrize(
    ("algorithm", "new"),
    [("RS256", lambda: new_rsa_key(65537, 2048)), ("ES256", lambda: new_ec_key(SECP256R1()))],
)
def test_token_by_a_private_key_is_verified_by_its_public_one(algorithm, new):
    scheme = replace(SCHEME, algorithm=algorithm)
    (private, public), (_, other) = key_pair(new()), key_pair(new())
    headers = scheme.sign(BODY, private, NOW, "msg_1")
    delivery = Delivery(endpoint="e", body=BODY, headers=headers, received_at=NOW)

    assert scheme.verify(delivery, [other, public]).secret_index == 1
    scheme.check_secret(public)
    with pytest.raises(Rejected):
        scheme.verify(delivery, [other])
    with pytest.raises(Rejected):
        scheme.verify(replace(delivery, body=b"{}"), [public])
    short = headers["x-token"].rpartition(".")[0] + ".AAAA"
    with pytest.raises(Rejected):
        scheme.verify(replace(delivery, headers={"x-token": short}), [public])
    with pytest.raises(Unavailable):
        scheme.verify(delivery, [b"no key"])
    with pytest.raises(ValueError, match="is no"):
        scheme.check_secret(b"no key")
    # The public key is no secret: nobody signs with it as one.
    text = headers["x-token"].rpartition(".")[0]
    forged = f"{text}.{encoded(hmac.digest(public, text.encode(), 'sha256'))}"
    with pytest.raises(Rejected):
        scheme.verify(replace(delivery, headers={"x-token": forged}), [public])


def test_tolerance_is_the_endpoints():
    late = NOW + timedelta(seconds=9)

    assert code_of(token(), SCHEME.tolerating(8), at=late) == "timestamp_expired"
    assert code_of(token(), SCHEME.tolerating(9), at=late) == 1
    assert SCHEME.tolerating(9).lifetime_s == 18


def test_token_without_an_issuer_is_taken_where_none_is_asked_for():
    scheme = HashedToken(header="x-token", prefix="")

    assert code_of(scheme.sign(BODY, SECRET, NOW)["x-token"], scheme) == 1
    assert code_of(token({"iss": "anybody"}), scheme) == 1
