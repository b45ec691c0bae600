"""Forged tokens at an endpoint of 8x8: none is believed, whatever its header says.

How a token is judged is tested in tests/providers; here, what its sender hears and what is left.
"""

import json
import logging
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.hashes import SHA256

from hookkit.providers.eight_by_eight.signature import SIGNATURE, signed_payload
from hookkit.signatures.encodings import encode
from tests.key_server import jwk_of, public_pem_of, shared_key
from tests.providers.eight_by_eight_bodies import BODY, KEY, PRIVATE, headers
from tests.providers.test_eight_by_eight_receiving import Receiving
from tests.providers.test_eight_by_eight_signature import HEADER, es256, hs256, ps256, token

pytestmark = pytest.mark.usefixtures("no_way_out")

FORGER = shared_key(1)
OWN = jwk_of(FORGER, "key1")
MISMATCH, MALFORMED = (401, "signature_mismatch"), (400, "malformed_header")
PEM = public_pem_of(PRIVATE).encode()
NESTED = json.dumps({"keys": [json.loads(KEY.jwk)]}).encode()


def by_forger(signed):
    return FORGER.sign(signed, padding.PKCS1v15(), SHA256())


def nothing(signed):
    return b""


#: Item and name -> the header, what signs, what is answered
HEADERS = {
    "15 none": (HEADER | {"alg": "none"}, nothing, MISMATCH),
    "15 None": (HEADER | {"alg": "None"}, None, MISMATCH),
    "15 NONE": (HEADER | {"alg": "NONE"}, nothing, MISMATCH),
    "15 nOnE": (HEADER | {"alg": "nOnE"}, nothing, MISMATCH),
    "15 empty": (HEADER | {"alg": ""}, None, MISMATCH),
    "15 null": (HEADER | {"alg": None}, None, MISMATCH),
    "15 a list": (HEADER | {"alg": ["none", "RS256"]}, None, MISMATCH),
    "15 blank behind": (HEADER | {"alg": "RS256 "}, None, MISMATCH),
    "15 lower case": (HEADER | {"alg": "rs256"}, None, MISMATCH),
    "16 HS256 by PEM": (HEADER | {"alg": "HS256"}, hs256(PEM), MISMATCH),
    "16 HS256 by JWK": (HEADER | {"alg": "HS256"}, hs256(KEY.jwk.encode()), MISMATCH),
    "16 HS256 by a key set": (HEADER | {"alg": "HS256"}, hs256(NESTED), MISMATCH),
    "16 HMAC said to be RS256": (HEADER, hs256(PEM), MISMATCH),
    "17 ES256": (HEADER | {"alg": "ES256"}, es256, MISMATCH),
    "17 ECDSA said to be RS256": (HEADER, es256, MISMATCH),
    "17 PSS said to be RS256": (HEADER, ps256, MISMATCH),
    "20 unknown crit": (HEADER | {"crit": ["b64", "exp"], "exp": 1}, None, MISMATCH),
    "20 empty crit": (HEADER | {"crit": []}, None, MISMATCH),
    "20 crit twice": (HEADER | {"crit": ["b64", "b64"]}, None, MISMATCH),
    "20 crit a text": (HEADER | {"crit": "b64"}, None, MISMATCH),
    "20 b64 without crit": (
        {key: each for key, each in HEADER.items() if key != "crit"},
        None,
        MISMATCH,
    ),
    "20 crit without b64": (
        {key: each for key, each in HEADER.items() if key != "b64"},
        None,
        MISMATCH,
    ),
    "20 b64 a text": (HEADER | {"b64": "false"}, None, MISMATCH),
    "20 b64 zero": (HEADER | {"b64": 0}, None, MISMATCH),
    "24 path": (HEADER | {"kid": "../../../etc/passwd"}, None, MISMATCH),
    "24 SQL": (HEADER | {"kid": "' OR 1=1 --"}, None, MISMATCH),
    "24 NUL": (HEADER | {"kid": "key1\0"}, None, MISMATCH),
    "24 list": (HEADER | {"kid": ["key1"]}, None, MISMATCH),
    "24 object": (HEADER | {"kid": {"key1": 1}}, None, MISMATCH),
    "24 number": (HEADER | {"kid": 1}, None, MISMATCH),
    "24 empty": (HEADER | {"kid": ""}, None, MISMATCH),
    "24 URL": (HEADER | {"kid": "https://evil.example/key1"}, None, MISMATCH),
    "24 a megabyte": (HEADER | {"kid": "k" * 1_000_000}, None, MALFORMED),
    "24 of nobody": (HEADER | {"kid": "key2"}, None, MISMATCH),
    "25 jwk": (HEADER | {"jwk": OWN}, by_forger, MISMATCH),
    "25 jku": (HEADER | {"jku": "https://evil.example/jwks"}, by_forger, MISMATCH),
    "25 x5u": (HEADER | {"x5u": "http://169.254.169.254/"}, by_forger, MISMATCH),
    "25 x5c": (HEADER | {"x5c": [encode(PEM)]}, by_forger, MISMATCH),
    "33 key of another": (HEADER, by_forger, MISMATCH),
}
TWICE = encode(b'{"alg":"none","b64":false,"crit":["b64"],"kid":"key1","alg":"RS256"}')
DEEP = encode(b'{"alg":' + b"[" * 700 + b"]" * 700 + b"}")
#: Item and name -> what becomes of a genuine token, which has no payload
SHAPES = {
    "21 payload in it": lambda text: text.replace("..", f".{encode(BODY)}."),
    "21 one dot": lambda text: text.replace("..", "."),
    "21 no dot": lambda text: text.replace(".", ""),
    "21 three dots": lambda text: text.replace("..", "..."),
    "21 four dots": lambda text: text.replace("..", "...."),
    "21 as if encrypted": lambda text: text.replace("..", ".a.b.c."),
    "21 nothing but dots": lambda text: "..",
    "22 unencoded payload": lambda text: text.replace("..", f".{BODY.decode()}."),
    "23 algorithm twice": lambda text: TWICE + text[text.index("..") :],
    "23 very deep": lambda text: DEEP + text[text.index("..") :],
    "3 sent twice": lambda text: f"{text},{text}",
    "9 padding": lambda text: text.replace("..", "=.."),
}


@pytest.fixture
def receiving():
    return Receiving(keys=jwk_of(PRIVATE, "key1"))


def sent_now(header=HEADER, sign=None):
    sent = headers(at=datetime.now(UTC))
    return sent | {SIGNATURE: token(header, sent, BODY, sign)}


def assert_refused(receiving, caplog, sent, answer):
    caplog.set_level(logging.DEBUG)

    assert receiving.post(sent=sent) == answer
    assert (list(receiving.entries), receiving.seen) == ([], [])
    assert [(each.action, each.code) for each in caplog.records] == [
        ("delivery_rejected", answer[1])
    ]
    for piece in sent[SIGNATURE].split("."):
        assert len(piece) < 9 or piece not in caplog.text


def test_genuine_token_of_these_tests_is_taken(receiving, caplog):
    caplog.set_level(logging.INFO, "hookkit")

    assert receiving.post(sent=sent_now()) == (1, 0)
    assert len(receiving.seen) == 1
    assert "delivery_accepted" in [each.action for each in caplog.records]


@pytest.mark.parametrize("name", HEADERS)
def test_forged_header_of_a_token_is_refused(receiving, caplog, name):
    header, sign, answer = HEADERS[name]

    assert_refused(receiving, caplog, sent_now(header, sign), answer)


@pytest.mark.parametrize("name", SHAPES)
def test_token_of_another_shape_is_refused(receiving, caplog, name):
    sent = sent_now()

    assert_refused(receiving, caplog, sent | {SIGNATURE: SHAPES[name](sent[SIGNATURE])}, MALFORMED)


def test_signature_in_the_other_alphabet_of_base64_is_refused(receiving, caplog):
    sent = sent_now()

    assert_refused(
        receiving, caplog, sent | {SIGNATURE: sent[SIGNATURE][:-9] + "+/" + "A" * 7}, MISMATCH
    )


def test_body_in_the_token_proves_no_other(receiving, caplog):
    sent = headers(at=datetime.now(UTC))
    payload = encode(signed_payload(sent, BODY))
    usual = encode(json.dumps({"kid": "key1", "alg": "RS256"}).encode())
    made = PRIVATE.sign(f"{usual}.{payload}".encode(), padding.PKCS1v15(), SHA256())

    attached = f"{usual}.{payload}.{encode(made)}"
    assert_refused(receiving, caplog, sent | {SIGNATURE: attached}, MALFORMED)
