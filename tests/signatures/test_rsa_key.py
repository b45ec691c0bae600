"""Keys come from settings and from servers: each is what it says, or a reason without the key."""

import json

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.hashes import SHA256, SHA512

from hookkit.signatures.encodings import decode, encode
from hookkit.signatures.rsa import read_key, read_private_key
from tests.key_server import jwk_of, pem_of, private_jwk_of, private_key, public_pem_of, shared_key

KEY = shared_key()
JWK = jwk_of(KEY, "key1")


def modulus(key):
    return key.public.public_numbers().n


@pytest.mark.parametrize(
    ("given", "key_id"),
    [
        pytest.param(JWK, "key1", id="JWK"),
        pytest.param(json.dumps(JWK), "key1", id="JWK as text"),
        pytest.param(f" \n{json.dumps(JWK, indent=2)}\n", "key1", id="JWK from a file"),
        pytest.param(jwk_of(KEY), None, id="JWK without an id"),
        pytest.param(JWK | {"kid": None}, None, id="JWK whose id is null"),
        pytest.param(JWK | {"alg": "RS256", "use": "sig"}, "key1", id="JWK that says what for"),
        pytest.param(JWK | {"key_ops": ["verify"]}, "key1", id="JWK to verify with"),
        pytest.param(JWK | {"x5t": "zz", "new": [1]}, "key1", id="JWK with more in it"),
        pytest.param(public_pem_of(KEY), None, id="PEM"),
        pytest.param(f"\n{public_pem_of(KEY)}\n", None, id="PEM from a file"),
    ],
)
def test_key_is_read(given, key_id):
    key = read_key(given)

    assert (modulus(key), key.key_id) == (KEY.public_key().public_numbers().n, key_id)
    assert json.loads(key.jwk) == jwk_of(KEY, key_id)
    assert read_key(key.jwk) == key
    assert str(modulus(key)) not in repr(key)
    assert JWK["n"] not in repr(key)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        pytest.param(None, "must be a JWK or PEM", id="None"),
        pytest.param(5, "must be a JWK or PEM", id="number"),
        pytest.param(b"{}", "must be a JWK or PEM", id="bytes"),
        pytest.param("", "must be a JWK or PEM", id="nothing"),
        pytest.param("\ud800", "must be a JWK or PEM", id="surrogate"),
        pytest.param("ssh-rsa AAAA", "must be a JWK or PEM", id="another form"),
        pytest.param("{", "is no JWK: not JSON", id="broken JSON"),
        pytest.param("{\ud800}", "is no JWK: not JSON", id="surrogate in JSON"),
        pytest.param({}, "is no JWK of an RSA key", id="empty"),
        pytest.param({"kty": "oct", "k": "AA"}, "is no JWK of an RSA key", id="shared secret"),
        pytest.param({"kty": ["RSA"]}, "is no JWK of an RSA key", id="list"),
        pytest.param(JWK | {"alg": "PS256"}, "for something else", id="another algorithm"),
        pytest.param(JWK | {"alg": ["RS256"]}, "for something else", id="algorithms"),
        pytest.param(JWK | {"use": "enc"}, "for something else", id="another use"),
        pytest.param(JWK | {"key_ops": ["sign"]}, "for something else", id="another operation"),
        pytest.param(JWK | {"key_ops": "verify"}, "for something else", id="no operations"),
        pytest.param(JWK | {"kid": 1}, "kid is no text", id="number as id"),
        pytest.param(JWK | {"kid": ""}, "kid is no text", id="empty id"),
        pytest.param({"kty": "RSA", "e": "AQAB"}, "no number", id="no modulus"),
        pytest.param(JWK | {"n": 5}, "no number", id="modulus as a number"),
        pytest.param(JWK | {"n": "!"}, "no number", id="modulus as anything"),
        pytest.param(JWK | {"n": ""}, "no number", id="empty modulus"),
        pytest.param(JWK | {"n": "A" * 100_000}, "no number", id="endless modulus"),
        pytest.param(JWK | {"n": "AQAB"}, "2048 to 8192 bits", id="small modulus"),
        pytest.param(jwk_of(private_key(1024)), "2048 to 8192 bits", id="small key"),
        pytest.param(JWK | {"e": "AQ"}, "exponent", id="exponent 1"),
        pytest.param(JWK | {"e": "BA"}, "exponent", id="even exponent"),
        pytest.param(JWK | {"e": "AQAAAAAB"}, "exponent", id="endless exponent"),
        pytest.param(
            JWK | {"n": encode(decode(JWK["n"])[:-1] + b"\x02")}, "exponent", id="even modulus"
        ),
        pytest.param(private_jwk_of(KEY), "private key", id="private JWK"),
        pytest.param(pem_of(KEY).decode(), "private key", id="private PEM"),
        pytest.param(
            ec.generate_private_key(ec.SECP256R1())
            .public_key()
            .public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
            .decode(),
            "is no RSA key",
            id="another kind of key",
        ),
    ],
)
def test_what_is_no_fitting_key_says_why(given, reason):
    with pytest.raises(ValueError, match=reason) as caught:
        read_key(given)

    assert JWK["n"] not in str(caught.value)


def test_key_fits_its_own_signatures_by_one_algorithm():
    key, pkcs, pss = read_key(JWK), padding.PKCS1v15(), padding.PSS(padding.MGF1(SHA256()), 32)

    assert key.fits(KEY.sign(b"signed", pkcs, SHA256()), b"signed")
    assert not key.fits(KEY.sign(b"signed", pkcs, SHA256()), b"other")
    assert not key.fits(KEY.sign(b"signed", pkcs, SHA512()), b"signed")
    assert not key.fits(KEY.sign(b"signed", pss, SHA256()), b"signed")
    assert not key.fits(private_key().sign(b"signed", pkcs, SHA256()), b"signed")
    assert not key.fits(b"", b"signed")


# Private keys, for those who play the vendor


@pytest.mark.parametrize(
    ("given", "key_id"),
    [
        pytest.param(pem_of(KEY), None, id="PEM"),
        pytest.param(json.dumps(private_jwk_of(KEY)).encode(), None, id="JWK without an id"),
        pytest.param(json.dumps(private_jwk_of(KEY, "key1")).encode(), "key1", id="JWK"),
    ],
)
def test_private_key_signs_what_its_public_half_fits(given, key_id):
    key = read_private_key(given)

    assert read_key(JWK).fits(decode(key.sign(b"signed")), b"signed")
    assert key.key_id == (key_id or read_private_key(pem_of(KEY)).key_id)
    assert JWK["n"] not in repr(key)


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"a-secret-of-old", id="shared secret"),
        pytest.param(public_pem_of(KEY).encode(), id="public PEM"),
        pytest.param(json.dumps(JWK).encode(), id="public JWK"),
        pytest.param(b"{", id="broken JSON"),
        pytest.param(json.dumps(private_jwk_of(KEY) | {"d": 5}).encode(), id="number"),
        pytest.param(json.dumps(private_jwk_of(KEY) | {"p": "AQAB"}).encode(), id="wrong part"),
        pytest.param(
            ec.generate_private_key(ec.SECP256R1()).private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            ),
            id="another kind of key",
        ),
        pytest.param(
            KEY.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.BestAvailableEncryption(b"password"),
            ),
            id="with a password",
        ),
    ],
)
def test_what_is_no_private_key_is_refused_without_being_shown(given):
    with pytest.raises(ValueError, match=r"^must be a private RSA key") as caught:
        read_private_key(given)

    assert caught.value.__cause__ is None
