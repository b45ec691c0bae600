"""A JWT by a key out of a set: the token names the key, and chooses nothing else."""

import base64
import hmac
import json
from datetime import UTC, datetime
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as new_ec_key
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from hookkit.core.delivery import Delivery
from hookkit.core.errors import Rejected
from hookkit.core.scheme import KeyScheme, SigningScheme, UrlScheme
from hookkit.signatures.hashed_token import HashedToken
from hookkit.signatures.jwk_set import read_set
from hookkit.signatures.public_key import private_key_id
from hookkit.signatures.set_token import SetToken
from tests.key_server import ec_jwk_of, jwk_of, pem_of, public_pem_of, shared_key

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
BODY = b'{"a":1}'
RSA, STRANGER = shared_key(), shared_key(1)
EC = new_ec_key(SECP256R1())
SET = json.dumps({"keys": [jwk_of(RSA, "r1"), ec_jwk_of(EC, "e1")]}).encode()
PRIVATE = {"RS256": RSA, "ES256": EC}
IDS = {"RS256": "r1", "ES256": "e1"}

every_algorithm = pytest.mark.parametrize("algorithm", IDS)


def scheme_of(algorithm, **settings):
    token = HashedToken(header="x-token", prefix="", algorithm=algorithm, **settings)
    return SetToken(token=token)


def encoded(value):
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def signature(key, text):
    """Return what a library other than hookkit's own code signs."""
    if key is not EC:
        return key.sign(text, PKCS1v15(), SHA256())
    return b"".join(
        each.to_bytes(32) for each in decode_dss_signature(key.sign(text, ECDSA(SHA256())))
    )


def token(algorithm, head=None, claims=None, key=None):
    head = {"alg": algorithm, "kid": IDS[algorithm], **(head or {})}
    claims = {
        "iat": int(NOW.timestamp()),
        "payload_hash": sha256(BODY).hexdigest(),
        **(claims or {}),
    }
    text = f"{encoded(head)}.{encoded(claims)}"
    return f"{text}.{encoded(signature(key or PRIVATE[algorithm], text.encode()))}"


def judged(sent, scheme, body=BODY, query=""):
    headers = {} if sent is None else {"x-token": sent}
    delivery = Delivery(endpoint="e", body=body, headers=headers, received_at=NOW, query=query)
    try:
        proof = scheme.read_proof(delivery)
        key = read_set(SET, scheme.token.algorithm).get(proof.key_id)
        return scheme.verify(proof, [] if key is None else [key])
    except Rejected as error:
        return error.code


@every_algorithm
def test_token_by_the_key_that_it_names_proves_the_body(algorithm):
    verified = judged(token(algorithm), scheme_of(algorithm))

    assert verified.body_authenticated
    assert json.loads(verified.key)["kid"] == IDS[algorithm]
    assert judged(token(algorithm), scheme_of(algorithm), body=b"{}") == "signature_mismatch"


@every_algorithm
@pytest.mark.parametrize(
    ("head", "code"),
    [
        ({"kid": "of-a-stranger"}, "signature_mismatch"),
        ({"kid": None}, "signature_mismatch"),
        ({"kid": ""}, "signature_mismatch"),
        ({"kid": 5}, "signature_mismatch"),
        ({"kid": ["r1"]}, "signature_mismatch"),
        ({"kid": "k" * 65}, "signature_mismatch"),
        ({"kid": "k\n"}, "signature_mismatch"),
        ({"kid": "k" * 1000}, "malformed_header"),
        ({"alg": "none"}, "signature_mismatch"),
        ({"alg": "HS256"}, "signature_mismatch"),
        ({"alg": "PS256"}, "signature_mismatch"),
        ({"crit": ["exp"]}, "signature_mismatch"),
    ],
)
def test_header_chooses_nothing_but_a_key_of_the_set(algorithm, head, code):
    assert judged(token(algorithm, head), scheme_of(algorithm)) == code


@every_algorithm
def test_keys_that_a_token_brings_are_not_looked_at(algorithm):
    brought = {
        "jwk": jwk_of(STRANGER, "own"),
        "jku": "https://stranger.example/keys",
        "x5u": "https://stranger.example/certificate",
        "x5c": ["AAAA"],
    }
    scheme = scheme_of(algorithm)

    assert judged(token(algorithm, brought), scheme).key is not None
    assert judged(token("RS256", brought, key=STRANGER), scheme_of("RS256")) == "signature_mismatch"
    assert judged(token("RS256", {"kid": "own"}, key=STRANGER), scheme_of("RS256")) == (
        "signature_mismatch"
    )


def test_public_key_is_no_shared_secret():
    head, claims = {"alg": "HS256", "kid": "r1"}, {"iat": int(NOW.timestamp())}
    text = f"{encoded(head)}.{encoded(claims)}"
    forged = hmac.digest(public_pem_of(RSA).encode(), text.encode(), "sha256")

    for algorithm in IDS:
        forged_head = encoded({"alg": algorithm, "kid": "r1"})
        assert judged(f"{text}.{encoded(forged)}", scheme_of(algorithm)) == "signature_mismatch"
        assert (
            judged(f"{forged_head}.{encoded(claims)}.{encoded(forged)}", scheme_of(algorithm))
            == "signature_mismatch"
        )


@every_algorithm
@pytest.mark.parametrize(
    "damage",
    [
        lambda sent: None,
        lambda sent: "",
        lambda sent: "a.b",
        lambda sent: f"{sent}.",
        lambda sent: sent.rpartition(".")[0] + ".",
        lambda sent: sent.rpartition(".")[0] + "." + "A" * 86,
        lambda sent: sent[:-1],
        lambda sent: sent + "=",
        lambda sent: "é" + sent,
        lambda sent: "A" + sent,
        lambda sent: encoded(b"[]") + "." + sent.partition(".")[2],
        lambda sent: encoded(b'{"kid":"r1","kid":"e1"}') + "." + sent.partition(".")[2],
        lambda sent: encoded(b"\xff") + "." + sent.partition(".")[2],
    ],
)
def test_malformed_token_is_refused(algorithm, damage):
    code = judged(damage(token(algorithm)), scheme_of(algorithm))

    assert code in {"signature_missing", "malformed_header", "signature_mismatch"}


@every_algorithm
def test_claims_count_as_in_every_token(algorithm):
    scheme = scheme_of(algorithm, issuer="shop", audience="mine")
    right = {"iss": "shop", "aud": ["another", "mine"]}

    def told(**claims):
        verdict = judged(token(algorithm, claims=right | claims), scheme)
        return verdict if isinstance(verdict, str) else verdict.body_authenticated

    assert told() is True
    assert told(aud="mine") is True
    assert told(iss="another") == told(aud="another") == told(aud=None) == "signature_mismatch"
    assert told(aud={"mine": 1}) == "signature_mismatch"
    assert told(payload_hash="0" * 64) == "signature_mismatch"
    assert told(iat=int(NOW.timestamp()) - 301) == "timestamp_expired"
    assert told(exp=int(NOW.timestamp())) == "timestamp_expired"
    assert told(iat="now") == "malformed_header"


@every_algorithm
def test_what_it_signs_is_what_it_verifies(algorithm):
    scheme = scheme_of(algorithm, url_claim="url_hash", audience="mine", issuer="shop")
    scheme = scheme.at_url("https://h/x").tolerating(10)
    key = PRIVATE[algorithm]
    headers = scheme.sign(b"", pem_of(key), NOW, "msg_1", query="a=1")
    jwk = {"RS256": jwk_of, "ES256": ec_jwk_of}[algorithm](key, private_key_id(pem_of(key)))
    keys = read_set(json.dumps({"keys": [jwk]}).encode(), algorithm)

    delivery = Delivery(endpoint="e", body=b"", headers=headers, received_at=NOW, query="a=1")
    proof = scheme.read_proof(delivery)
    verified = scheme.verify(proof, [keys[proof.key_id]])

    assert verified.signed_hash == sha256(b"https://h/x?a=1").hexdigest()
    with pytest.raises(ValueError, match="is no private key"):
        scheme.sign(b"", b"-----BEGIN nothing", NOW)


def test_it_is_a_scheme_of_keys_that_signs_the_whole_body():
    scheme = scheme_of("RS256", url_claim="url_hash")

    assert all(isinstance(scheme, each) for each in (KeyScheme, SigningScheme, UrlScheme))
    assert (scheme.covers_body, scheme.signs_url, scheme.lifetime_s) == (True, True, 600)
    assert scheme.key_bases == {}
