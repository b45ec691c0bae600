"""A set of keys: what is used of it, and what is passed over."""

import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as new_ec_key

from hookkit.signatures.jwk_set import MAX_KEYS, read_kept, read_set
from tests.key_server import ec_jwk_of, jwk_of, private_jwk_of, private_key, shared_key

RSA, OTHER_RSA = shared_key(), shared_key(1)
EC, OTHER_EC = new_ec_key(SECP256R1()), new_ec_key(SECP256R1())
JWKS = {"RS256": jwk_of(RSA, "k"), "ES256": ec_jwk_of(EC, "k")}
OTHER_JWKS = {"RS256": jwk_of(OTHER_RSA, "other"), "ES256": ec_jwk_of(OTHER_EC, "other")}

every_algorithm = pytest.mark.parametrize("algorithm", JWKS)


def ids_in(keys, algorithm):
    """Return the ids of the keys that are used of a set of *keys* and one that is right."""
    body = json.dumps({"keys": [*keys, OTHER_JWKS[algorithm]]}).encode()
    return sorted(read_set(body, algorithm))


@every_algorithm
def test_key_of_the_algorithm_is_used_by_its_id(algorithm):
    usual = {"alg": algorithm, "use": "sig", "key_ops": ["verify"], "x5t": "x"}

    assert ids_in([JWKS[algorithm]], algorithm) == ["k", "other"]
    assert ids_in([JWKS[algorithm] | usual], algorithm) == ["k", "other"]


@pytest.mark.parametrize(
    "jwk",
    [
        {"kty": "oct", "k": "c2VjcmV0"},
        {"kty": "oct", "k": "c2VjcmV0", "kid": "k", "alg": "HS256"},
        {"kty": "OKP", "crv": "Ed25519", "x": "AAAA", "kid": "k"},
        JWKS["RS256"] | {"alg": "PS256"},
        JWKS["ES256"] | {"alg": "ES384"},
        JWKS["RS256"] | {"use": "enc"},
        JWKS["ES256"] | {"key_ops": ["deriveKey"]},
        JWKS["RS256"] | {"e": "AQ"},
        JWKS["RS256"] | {"n": 5},
        JWKS["RS256"] | {"kid": 5},
        JWKS["RS256"] | {"kid": ""},
        JWKS["RS256"] | {"kid": "k" * 65},
        JWKS["RS256"] | {"kid": "k\n"},
        jwk_of(private_key(1024), "k"),
        private_jwk_of(RSA, "k"),
        jwk_of(RSA),
        ec_jwk_of(EC),
        JWKS["ES256"] | {"d": "AAAA"},
        JWKS["ES256"] | {"x": JWKS["ES256"]["y"]},
        JWKS["ES256"] | {"x": "AAAA"},
        JWKS["ES256"] | {"x": 5},
        JWKS["ES256"] | {"crv": "P-384"},
        ec_jwk_of(EC, "k") | {"crv": "secp256k1"},
        {"kty": "EC", "kid": "k"},
        {},
        [],
        "k",
        None,
    ],
)
@every_algorithm
def test_key_of_another_kind_is_passed_over(algorithm, jwk):
    assert ids_in([jwk], algorithm) == ["other"]


@every_algorithm
def test_key_for_another_algorithm_is_passed_over(algorithm):
    (another,) = JWKS.keys() - {algorithm}

    assert ids_in([JWKS[another]], algorithm) == ["other"]


@every_algorithm
def test_id_of_two_keys_names_neither(algorithm):
    twin = OTHER_JWKS[algorithm] | {"kid": "k"}

    assert ids_in([JWKS[algorithm], twin], algorithm) == ["other"]
    assert ids_in([JWKS[algorithm], twin, JWKS[algorithm]], algorithm) == ["other"]
    assert ids_in([JWKS[algorithm], JWKS[algorithm]], algorithm) == ["k", "other"]


def test_id_of_keys_of_two_kinds_names_the_one_of_the_algorithm():
    body = json.dumps({"keys": list(JWKS.values())}).encode()

    assert read_set(body, "RS256")["k"].public.key_size == 2048
    assert read_set(body, "ES256")["k"].public.key_size == 256


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"\xff",
        b"<html></html>",
        b"{}",
        b'{"keys":{}}',
        b'{"keys":[]}',
        b'{"keys":[],"keys":[]}',
        json.dumps({"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "k"}]}).encode(),
        json.dumps(JWKS["RS256"]).encode(),
        json.dumps({"keys": [JWKS["RS256"]] * (MAX_KEYS + 1)}).encode(),
        b'{"keys":' + b"[" * 5000 + b"]" * 5000 + b"}",
    ],
    ids=lambda body: ascii(body[:16]),
)
@every_algorithm
def test_what_is_no_set_of_use_is_refused(algorithm, body):
    with pytest.raises(ValueError, match=r"^is no|^is a JWK Set (of more|without)"):
        read_set(body, algorithm)


@every_algorithm
def test_key_that_is_kept_is_read_again(algorithm):
    key = read_set(json.dumps({"keys": [JWKS[algorithm]]}).encode(), algorithm)["k"]

    kept = read_kept(key.jwk, algorithm)

    assert (kept.key_id, kept.jwk) == ("k", key.jwk)
    assert kept.public.public_numbers() == key.public.public_numbers()
    for text in ("", "{}", json.dumps(JWKS[{"RS256": "ES256", "ES256": "RS256"}[algorithm]])):
        with pytest.raises(ValueError, match="is no JWK"):
            read_kept(text, algorithm)
    with pytest.raises(ValueError, match="without a kid"):
        read_kept(json.dumps(ec_jwk_of(EC)), "ES256")
