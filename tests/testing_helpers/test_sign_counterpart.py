"""What an endpoint has, beside what its sender signs with."""

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from hookkit import HookkitError, verify
from hookkit.settings.scheme import read_scheme
from hookkit.testing import find_provider, sign
from hookkit.testing.signing import counterpart
from tests.key_server import pem_of, shared_key
from tests.senders.test_senders import PAIRS, SVIX_PRIVATE

RSA = pem_of(shared_key()).decode()
P256 = (
    ec.generate_private_key(ec.SECP256R1())
    .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    .decode()
)
TOKEN = {"type": "token", "header": "X-Token", "hash_claim": "sha256"}


def provider_of(name, **scheme):
    provider = find_provider(name)
    return replace(provider, scheme=read_scheme(scheme)) if scheme else provider


@pytest.mark.parametrize(
    ("provider", "proof"),
    [
        pytest.param(provider_of("8x8"), RSA, id="8x8"),
        pytest.param(provider_of("discord"), PAIRS["discord"][0], id="ed25519"),
        pytest.param(provider_of("sendgrid"), P256, id="ecdsa"),
        pytest.param(provider_of("standard"), SVIX_PRIVATE, id="Standard Webhooks"),
        pytest.param(provider_of("generic", **TOKEN, algorithm="RS256"), RSA, id="RS256"),
        pytest.param(provider_of("generic", **TOKEN, algorithm="ES256"), P256, id="ES256"),
        pytest.param(provider_of("generic", **TOKEN), "a secret of some length", id="HS256"),
        pytest.param(provider_of("sunshine"), "a secret of some length", id="sent along"),
    ],
)
def test_counterpart_verifies_what_the_proof_signs(provider, proof):
    delivery = sign(provider, b"{}", secret=proof)

    assert verify(provider, delivery.headers, b"{}", [counterpart(provider, proof)])


def test_secret_is_its_own_counterpart():
    assert counterpart(find_provider("stripe"), "a secret") == "a secret"


@pytest.mark.parametrize("name", ["8x8", "sendgrid"])
def test_key_that_is_none_is_an_error_that_does_not_repeat_it(name):
    with pytest.raises(HookkitError, match="key") as caught:
        counterpart(find_provider(name), "no private key")

    assert "no private key" not in str(caught.value).replace("is no private key", "")
