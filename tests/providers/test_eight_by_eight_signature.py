"""8x8's signature, against its samples, other implementations, and whoever forges one."""

import json
import zlib
from datetime import timedelta

import jwt
import pytest
from cryptography.hazmat.primitives import hmac
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import RSAKey
from jwt.algorithms import RSAAlgorithm

import hookkit
from hookkit.core.errors import (
    MalformedHeader,
    Rejected,
    SignatureMismatch,
    SignatureMissing,
    TimestampExpired,
    TimestampInFuture,
)
from hookkit.providers.eight_by_eight.signature import (
    CUSTOMER_ID,
    EVENT_ID,
    HEADERS,
    RETRY,
    SIGNATURE,
    TENANT_ID,
    TRANSMISSION_TIME,
    signed_payload,
)
from hookkit.signatures.detached_jws import MAX_HEADER_CHARS, write_header
from hookkit.signatures.encodings import decode, encode
from hookkit.signatures.rsa import read_private_key
from tests.key_server import jwk_of, pem_of, private_jwk_of, private_key, public_pem_of
from tests.providers.eight_by_eight_bodies import (
    BODY,
    FOLDER,
    KEY,
    NEGATIVE,
    NOW,
    PRIVATE,
    SAMPLE_KEYS,
    SCHEME,
    SECRET,
    SIGNED_SAMPLES,
    delivery,
    headers,
    sent_at,
    verify,
)
from tests.providers.reading import headers_of, sample_id

HEADER = {"b64": False, "crit": ["b64"], "kid": "key1", "alg": "RS256"}


def read_pair(path):
    """Return the body and the headers of a delivery that is written down."""
    return path.with_name(path.name.replace(".headers", "")).read_bytes(), json.loads(
        path.read_text()
    )


def token(header=HEADER, sent=None, body=BODY, sign=None):
    """Return a token with any header; *sign* makes the signature over what is to be signed."""
    text = header if isinstance(header, str) else encode(json.dumps(header).encode())
    signed = text.encode() + b"." + signed_payload(sent or headers(), body)
    made = PRIVATE.sign(signed, padding.PKCS1v15(), SHA256()) if sign is None else sign(signed)
    return f"{text}..{encode(made)}"


# What is written down


@pytest.mark.parametrize("sample", SIGNED_SAMPLES, ids=sample_id)
def test_sample_is_verified(sample):
    sent = headers_of(sample)

    verified = verify(sample.read_bytes(), sent, sent_at(sent), keys=list(SAMPLE_KEYS.values()))

    assert verified.delivery.body == sample.read_bytes()
    assert json.loads(verified.key)["kid"] in SAMPLE_KEYS
    assert (verified.secret_index, verified.is_bytewise) == (None, True)
    # A CRC-32 binds bytes to a signature, and authenticates none.
    assert verified.body_authenticated is False


@pytest.mark.parametrize(
    "path", sorted((FOLDER / "signed_payloads").iterdir()), ids=lambda path: path.name
)
def test_signed_payload_of_a_sample_is_the_one_written_down(path):
    (sample,) = (
        sample
        for sample in SIGNED_SAMPLES
        if f"{sample.parent.name}.{sample.stem}.signed_payload.json" == path.name
    )

    assert signed_payload(headers_of(sample), sample.read_bytes()) == path.read_bytes().strip()


def test_published_example_gives_its_checksum_and_payload():
    body, sent = read_pair(FOLDER / "doc_example_AGENT_JOINED.headers.json")

    assert zlib.crc32(body) == 1564621066
    assert signed_payload(sent, body) == (
        b'{"checksum":1564621066,"cid":"vccC8ProdChecksUS","eid":"g4nqGuj8TpCa6tiZ3DeeNw",'
        b'"retry":0,"tid":"vccC8ProdChecksUS","tt":1629804577296}'
    )
    proof = SCHEME.read_proof(delivery(body, sent, sent_at(sent)))
    assert proof.key_id == "key1"
    assert len(proof.signature) == 256
    # Its key was never published: with any other it is a forgery.
    with pytest.raises(SignatureMismatch):
        SCHEME.verify(proof, list(SAMPLE_KEYS.values()))


@pytest.mark.parametrize("name", ["tampered_body", "tampered_retry_header"])
def test_tampered_sample_is_refused(name):
    body, sent = read_pair(NEGATIVE[name])

    with pytest.raises(SignatureMismatch):
        verify(body, sent, sent_at(sent), keys=list(SAMPLE_KEYS.values()))


@pytest.mark.parametrize("name", ["alg_none", "kid_path_traversal"])
def test_sample_that_names_no_key_is_refused_before_a_key_is_looked_for(name):
    body, sent = read_pair(NEGATIVE[name])

    with pytest.raises(SignatureMismatch):
        SCHEME.read_proof(delivery(body, sent, sent_at(sent)))


def test_body_with_the_checksum_of_another_verifies():
    # Why the same event with other bytes is a conflict: see test_eight_by_eight_receiving.
    body, sent = read_pair(NEGATIVE["crc32_collision_forged_body_VERIFIES"])

    assert verify(body, sent, sent_at(sent), keys=list(SAMPLE_KEYS.values()))


# What other implementations say


@given(
    body=st.binary(max_size=300),
    event_id=st.from_regex(r"[A-Za-z0-9_-]{1,22}", fullmatch=True),
    retry=st.integers(0, 10**6),
)
@settings(max_examples=25, derandomize=True, deadline=None, database=None)
def test_others_verify_what_we_sign_and_we_what_they_sign(body, event_id, retry):
    sent = headers(body, event_id=event_id, retry=str(retry))
    payload, jwk = signed_payload(sent, body), jwk_of(PRIVATE, "key1")

    decoded = jwt.PyJWS().decode_complete(
        sent[SIGNATURE], jwt.PyJWK(jwk, "RS256"), algorithms=["RS256"], detached_payload=payload
    )
    assert decoded["header"]["crit"] == ["b64"]
    assert jws.deserialize_compact(
        sent[SIGNATURE], RSAKey.import_key(jwk), algorithms=["RS256"], payload=payload
    )
    theirs = jwt.PyJWS().encode(
        payload, PRIVATE, "RS256", HEADER | {"kid": "key2"}, is_payload_detached=True
    )
    assert verify(body, sent | {SIGNATURE: theirs})


@pytest.mark.parametrize("bits", [2048, 3072])
def test_random_keys_agree_with_other_implementations(bits):
    private = private_key(bits)
    sent = headers(secret=pem_of(private))
    theirs = RSAAlgorithm.from_jwk(json.dumps(jwk_of(private)))

    assert jwt.PyJWS().decode_complete(
        sent[SIGNATURE], theirs, algorithms=["RS256"], detached_payload=signed_payload(sent, BODY)
    )
    with pytest.raises(SignatureMismatch):
        verify(sent=sent)


# Forgeries


def rejected(body=BODY, sent=None, at=NOW, keys=(KEY,)):
    """Return the class of what a delivery is rejected with, None when it is verified."""
    try:
        verify(body, sent, at, keys)
    except Rejected as error:
        return type(error)
    return None


@pytest.mark.parametrize("name", HEADERS)
def test_no_bit_of_a_header_can_be_flipped(name):
    sent = headers()
    value = sent[name].encode()

    for position in range(len(value) * 8):
        flipped = bytearray(value)
        flipped[position // 8] ^= 1 << position % 8

        assert rejected(sent=sent | {name: flipped.decode("latin-1")}), (position, flipped)


def test_no_bit_of_a_body_can_be_flipped():
    body = BODY.ljust(1024)
    sent = headers(body)
    accepted = []
    for position in range(len(body) * 8):
        flipped = bytearray(body)
        flipped[position // 8] ^= 1 << position % 8
        if rejected(bytes(flipped), sent) is None:
            accepted.append(position)

    assert accepted == []


def test_no_truncated_signature_is_accepted():
    sent = headers()

    for length in range(len(sent[SIGNATURE])):
        assert rejected(sent=sent | {SIGNATURE: sent[SIGNATURE][:length]})


@pytest.mark.parametrize("behind", ["=", "==", "A", "\n", " ", ".", "..", "AAAA", "\x00", "\xff"])
def test_nothing_may_be_behind_a_signature(behind):
    sent = headers()

    assert rejected(sent=sent | {SIGNATURE: sent[SIGNATURE] + behind})


def hs256(secret):
    def sign(signed):
        mac = hmac.HMAC(secret, SHA256())
        mac.update(signed)
        return mac.finalize()

    return sign


def ps256(signed):
    return PRIVATE.sign(signed, padding.PSS(padding.MGF1(SHA256()), 32), SHA256())


def es256(signed):
    return ec.generate_private_key(ec.SECP256R1()).sign(signed, ec.ECDSA(SHA256()))


@pytest.mark.parametrize(
    ("header", "sign"),
    [
        pytest.param({"alg": "none"}, lambda signed: b"", id="none"),
        pytest.param({"alg": "none"}, None, id="none, signed all the same"),
        pytest.param({"alg": "None"}, None, id="None"),
        pytest.param({"alg": "rs256"}, None, id="rs256"),
        pytest.param({"alg": ["RS256"]}, None, id="a list of algorithms"),
        pytest.param({"alg": None}, None, id="null"),
        pytest.param({"alg": "HS256"}, hs256(public_pem_of(PRIVATE).encode()), id="HS256, PEM"),
        pytest.param({"alg": "HS256"}, hs256(KEY.jwk.encode()), id="HS256, JWK"),
        pytest.param({}, hs256(public_pem_of(PRIVATE).encode()), id="HS256 said to be RS256"),
        pytest.param({"alg": "PS256"}, ps256, id="PS256"),
        pytest.param({}, ps256, id="PS256 said to be RS256"),
        pytest.param({"alg": "ES256"}, es256, id="ES256"),
        pytest.param({}, es256, id="ES256 said to be RS256"),
        pytest.param({"alg": "RS512"}, None, id="RS512"),
        pytest.param({"b64": True}, None, id="encoded payload"),
        pytest.param({"b64": 0}, None, id="zero for false"),
        pytest.param({"b64": "false"}, None, id="false as a text"),
        pytest.param({"b64": None}, None, id="b64 null"),
        pytest.param({"crit": None}, None, id="crit null"),
        pytest.param({"crit": []}, None, id="crit empty"),
        pytest.param({"crit": "b64"}, None, id="crit a text"),
        pytest.param({"crit": ["b64", "b64"]}, None, id="crit twice"),
        pytest.param({"crit": ["b64", "exp"]}, None, id="unknown crit"),
        pytest.param({"crit": ["exp"]}, None, id="only an unknown crit"),
        pytest.param({"crit": {"b64": 1}}, None, id="crit an object"),
        pytest.param({"kid": None}, None, id="no key"),
        pytest.param({"kid": ""}, None, id="empty key id"),
        pytest.param({"kid": 1}, None, id="key id a number"),
        pytest.param({"kid": ["key1"]}, None, id="key id a list"),
        pytest.param({"kid": "../../oauth"}, None, id="key id a path"),
        pytest.param({"kid": "key1\n"}, None, id="key id with a line break"),
        pytest.param({"kid": "k" * 65}, None, id="key id too long"),
        pytest.param({"kid": "\u217b"}, None, id="key id not ASCII"),
    ],
)
def test_header_chooses_nothing(header, sign):
    sent = headers()

    assert rejected(sent=sent | {SIGNATURE: token(HEADER | header, sign=sign)}) is SignatureMismatch


@pytest.mark.parametrize("missing", ["alg", "b64", "crit", "kid"])
def test_header_must_say_everything(missing):
    header = {name: value for name, value in HEADER.items() if name != missing}

    assert rejected(sent=headers() | {SIGNATURE: token(header)}) is SignatureMismatch


def test_keys_in_the_header_are_not_looked_at():
    forger = private_key()
    own = {
        "jwk": jwk_of(forger),
        "jku": "https://evil.example/jwks",
        "x5u": "https://evil",
        "x5c": [],
    }

    def sign(signed):
        return forger.sign(signed, padding.PKCS1v15(), SHA256())

    forged = headers() | {SIGNATURE: token(HEADER | own, sign=sign)}
    assert rejected(sent=forged) is SignatureMismatch
    # They are no fault either where the signature is right.
    assert rejected(sent=headers() | {SIGNATURE: token(HEADER | own)}) is None


@pytest.mark.parametrize(
    "sent_token",
    [
        pytest.param("a", id="one part"),
        pytest.param("a.b", id="two parts"),
        pytest.param("a.b.c.d", id="four parts"),
        pytest.param("a.b.c.d.e", id="five parts, as encrypted tokens have"),
        pytest.param(".." + "A" * 342, id="no header"),
        pytest.param("!!.." + "A" * 342, id="no base64"),
        pytest.param("e30=..AAAA", id="padding"),
        pytest.param(encode(b"{") + "..AAAA", id="broken JSON"),
        pytest.param(encode(b"\xff") + "..AAAA", id="no text"),
        pytest.param(encode(b"[]") + "..AAAA", id="a list"),
        pytest.param(encode(b"null") + "..AAAA", id="null"),
        pytest.param(encode(b"[" * 700) + "..AAAA", id="deep"),
        pytest.param(
            encode(b'{"b64":false,"crit":["b64"],"kid":"key1","alg":"none","alg":"RS256"}')
            + "..AAAA",
            id="a name twice",
        ),
        pytest.param("A" * 1_000_000, id="endless"),
        pytest.param("A" * 1_000_000 + "..A", id="endless header"),
        pytest.param(write_header("key1") + ".." + "A" * 1_000_000, id="endless signature"),
        pytest.param("\ud800..\ud800", id="surrogates"),
        pytest.param(f"{headers()[SIGNATURE]},{headers()[SIGNATURE]}", id="sent twice"),
    ],
)
def test_what_is_no_token_is_malformed(sent_token):
    assert rejected(sent=headers() | {SIGNATURE: sent_token}) is MalformedHeader


def test_payload_may_not_be_attached():
    sent = headers()
    payload = encode(signed_payload(sent, BODY))
    header, _, signature = sent[SIGNATURE].split(".")
    encoded = encode(json.dumps({"kid": "key1", "alg": "RS256"}).encode())
    attached = PRIVATE.sign(f"{encoded}.{payload}".encode(), padding.PKCS1v15(), SHA256())

    for forged in (f"{header}.{payload}.{signature}", f"{encoded}.{payload}.{encode(attached)}"):
        assert rejected(sent=sent | {SIGNATURE: forged}) is MalformedHeader


def test_long_header_is_refused_undecoded():
    padded = HEADER | {"x": "x" * MAX_HEADER_CHARS}

    assert rejected(sent=headers() | {SIGNATURE: token(padded)}) is MalformedHeader


def test_signature_has_one_spelling():
    header, _, signature = headers()[SIGNATURE].split(".")
    # 256 bytes leave four bits of the last character unused.
    last = {"A": "B", "Q": "R", "g": "h", "w": "x"}[signature[-1]]

    forged = f"{header}..{signature[:-1]}{last}"
    assert rejected(sent=headers() | {SIGNATURE: forged}) is SignatureMismatch


# The other headers


@pytest.mark.parametrize("name", HEADERS)
@pytest.mark.parametrize("value", [None, ""], ids=["missing", "empty"])
def test_every_header_is_needed(name, value):
    sent = {key: each for key, each in headers().items() if key != name}
    if value is not None:
        sent[name] = value

    assert rejected(sent=sent) is SignatureMissing


@pytest.mark.parametrize("name", [RETRY, TRANSMISSION_TIME])
@pytest.mark.parametrize(
    "value",
    [
        *("-1", "+1", "01", "00", "1.0", "1e3", "0x1", "1_0", " 1", "1 ", "\n1", "1\n"),
        *("\u0661", "\xb2", "1" * 20, "9" * 5000, "0,0", "null"),
    ],
    ids=ascii,
)
def test_number_has_one_spelling(name, value):
    assert rejected(sent=headers() | {name: value}) is MalformedHeader


@pytest.mark.parametrize("name", [CUSTOMER_ID, TENANT_ID, EVENT_ID])
@pytest.mark.parametrize(
    "value",
    ['a"b', "a\\b", "a\nb", "a\tb", "\x00", "\x7f", "\xe9", "\u0100", "\ud800", "x" * 256],
    ids=ascii,
)
def test_id_holds_nothing_that_json_escapes(name, value):
    assert rejected(sent=headers() | {name: value}) is MalformedHeader


@pytest.mark.parametrize("value", ["a b", "a/b", "a,b", "a.b", "<&>'", "x" * 255, "!#[]^`{|}~"])
def test_id_may_hold_whatever_json_writes_as_it_is(value):
    sent = headers(customer_id=value, tenant_id=value, event_id=value)

    assert json.loads(signed_payload(sent, BODY))["cid"] == value
    assert rejected(sent=sent) is None


@given(
    body=st.binary(max_size=50),
    ids=st.lists(st.from_regex(r"[ !#-\[\]-~]{1,30}", fullmatch=True), min_size=3, max_size=3),
    numbers=st.tuples(st.integers(0, 2**63 - 1), st.integers(0, 2**63 - 1)),
)
@settings(derandomize=True, deadline=None, database=None)
def test_payload_is_what_a_json_encoder_writes(body, ids, numbers):
    sent = dict(zip([CUSTOMER_ID, EVENT_ID, TENANT_ID], ids, strict=True))
    sent |= {RETRY: str(numbers[0]), TRANSMISSION_TIME: str(numbers[1])}
    fields = {
        "checksum": zlib.crc32(body) & 0xFFFFFFFF,
        "cid": ids[0],
        "eid": ids[1],
        "retry": numbers[0],
        "tid": ids[2],
        "tt": numbers[1],
    }

    expected = json.dumps(fields, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
    assert signed_payload(sent, body) == expected.encode()


# Time


@pytest.mark.parametrize(
    ("late", "error"),
    [
        pytest.param(timedelta(0), None, id="at once"),
        pytest.param(timedelta(seconds=300), None, id="as late as may be"),
        pytest.param(timedelta(seconds=300, milliseconds=1), TimestampExpired, id="too late"),
        pytest.param(timedelta(days=3650), TimestampExpired, id="years later"),
        pytest.param(-timedelta(seconds=300), None, id="as early as may be"),
        pytest.param(-timedelta(seconds=300, milliseconds=1), TimestampInFuture, id="too early"),
    ],
)
def test_transmission_may_lie_five_minutes_off(late, error):
    assert rejected(at=NOW + late) is error


@pytest.mark.parametrize("value", ["0", "9" * 19, "1713100003"])
def test_any_number_is_a_time(value):
    error = TimestampInFuture if value == "9" * 19 else TimestampExpired

    assert rejected(sent=headers(transmission_time=value)) is error


def test_tolerance_can_be_chosen():
    strict, lax = SCHEME.tolerating(0), SCHEME.tolerating(3600)
    moment = timedelta(milliseconds=1)

    assert verify(scheme=strict)
    for off in (moment, -moment):
        with pytest.raises(Rejected):
            verify(scheme=strict, at=NOW + off)
    assert verify(scheme=lax, at=NOW + timedelta(hours=1))
    assert verify(scheme=lax, at=NOW - timedelta(hours=1))


# Keys, and the inverse


def test_key_that_fits_is_named():
    other = read_other_key()

    assert verify(keys=[other, KEY]).key == KEY.jwk
    with pytest.raises(SignatureMismatch):
        verify(keys=[other])
    with pytest.raises(SignatureMismatch):
        verify(keys=[])


def read_other_key():
    return next(iter(SAMPLE_KEYS.values()))


@pytest.mark.parametrize("secret", [SECRET, json.dumps(private_jwk_of(PRIVATE, "key1")).encode()])
def test_sign_is_the_inverse_of_verify(secret):
    sent = hookkit.sign(SCHEME, BODY, secret.decode(), now=NOW)

    proof = SCHEME.read_proof(delivery(sent=sent))
    assert SCHEME.verify(proof, [KEY]).key == KEY.jwk
    assert proof.key_id == read_private_key(secret).key_id
    assert decode(sent[EVENT_ID])


def test_what_is_signed_again_is_another_event():
    first, second, third = (
        hookkit.sign(SCHEME, body, SECRET.decode(), now=NOW + timedelta(milliseconds=n))
        for n, body in ((0, BODY), (1, BODY), (0, BODY + b" "))
    )

    assert first[EVENT_ID] != second[EVENT_ID]
    assert first[EVENT_ID] != third[EVENT_ID]


def test_event_without_an_id_is_not_signed():
    with pytest.raises(ValueError, match="event_id: missing"):
        SCHEME.sign(BODY, SECRET, NOW)


def test_nothing_of_a_proof_is_shown():
    proof = SCHEME.read_proof(delivery())

    for shown in (repr(proof), repr(SCHEME.verify(proof, [KEY])), repr(KEY)):
        assert headers()[SIGNATURE] not in shown
        assert "Hello" not in shown
        assert "b'" not in shown
