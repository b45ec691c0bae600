"""What is signed is verified: every provider, every sender, and every scheme of the settings."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

import hookkit
from hookkit.core.errors import BodyUnreadable, ConfigurationError, SignatureMissing
from hookkit.core.scheme import ProofInBody, UrlScheme
from hookkit.providers import load_providers
from hookkit.settings.scheme import read_scheme
from hookkit.testing import list_samples, sign
from tests.senders.test_senders import HEX_SECRET, PAIRS, PEM_OF_RSA, RSA, SECRET

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
URL = "https://example.com/hooks/shop"
PUBLIC_PEM_OF_RSA = RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

#: provider -> what signs, what verifies; others have one secret
KEYS = {
    **PAIRS,
    "8x8": (PEM_OF_RSA, PUBLIC_PEM_OF_RSA.decode()),
    "adyen": (HEX_SECRET, HEX_SECRET),
}
SCHEMES = {
    "hmac": {"header": "X-A", "id_header": "X-Id", "signed": "{id}.{body}"},
    "public_key": {"header": "X-A", "algorithm": "ecdsa-p256"},
    "standard": {},
    "header": {"header": "X-A"},
    "field": {"field": "a"},
    "basic": {},
}
IN_BODY = {"adyen", "livechat", "mailgun"}
every_provider = pytest.mark.parametrize("name", sorted(load_providers()))


def url_of(scheme):
    return {"public_url": URL} if isinstance(scheme, UrlScheme) and scheme.signs_url else {}


@every_provider
def test_delivery_of_every_provider_is_verified(name):
    provider = load_providers()[name]
    private, secret = KEYS.get(name, (SECRET, SECRET))
    url = url_of(provider.scheme)
    for sample in list_samples(provider):
        made = sign(provider, sample.body, secret=private, headers=sample.headers, now=NOW, **url)

        hookkit.verify(provider, made.headers, made.body, [secret], now=NOW, **url)
        assert (made.body == sample.body) == (name not in IN_BODY)


@every_provider
def test_headers_prove_the_body_or_there_are_none(name):
    private, secret = KEYS.get(name, (SECRET, SECRET))
    url = url_of(load_providers()[name].scheme)
    if name in IN_BODY:
        with pytest.raises(TypeError, match=r"hookkit\.testing\.sign\(provider, body, secret"):
            hookkit.sign(name, b"{}", private, now=NOW)
    else:
        body = b"a=1" if name == "twilio" else b"{}"
        headers = hookkit.sign(name, body, private, now=NOW, **url)

        hookkit.verify(name, headers, body, [secret], now=NOW, **url)


@pytest.mark.parametrize("kind", SCHEMES)
def test_delivery_by_every_scheme_is_verified(kind):
    scheme = read_scheme({"type": kind, **SCHEMES[kind]})
    private, secret = PAIRS["sendgrid"] if kind == "public_key" else (SECRET, SECRET)
    body, headers = b"{}", {}
    if isinstance(scheme, ProofInBody):
        body = scheme.enclose(body, private.encode(), NOW)
    else:
        headers = hookkit.sign(scheme, body, private, now=NOW)

    hookkit.verify(scheme, headers, body, [secret], now=NOW)


def test_every_delivery_is_an_event_of_its_own():
    first, second, third = (
        hookkit.sign("standard", body, SECRET, now=NOW + timedelta(milliseconds=ms))
        for ms, body in ((0, b"x"), (1, b"x"), (0, b"y"))
    )

    assert len({each["webhook-id"] for each in (first, second, third)}) == 3


def test_signed_url_must_be_given():
    with pytest.raises(ConfigurationError, match="public_url: missing"):
        sign(load_providers()["square"], b"{}", secret=SECRET)


@pytest.mark.parametrize("name", sorted(IN_BODY))
@pytest.mark.parametrize("body", [b"", b"oops", b"[]", b"\xff"])
def test_body_without_room_for_its_proof_is_refused(name, body):
    with pytest.raises(BodyUnreadable, match="body: not"):
        sign(load_providers()[name], body, secret=SECRET)


def test_proof_in_a_body_replaces_what_was_there():
    scheme = load_providers()["mailgun"].scheme
    body = scheme.enclose(b'{"signature": "x", "a": 1}', SECRET.encode(), NOW)

    assert json.loads(body)["a"] == 1
    assert set(json.loads(body)["signature"]) == {"timestamp", "token", "signature"}


def test_without_a_secret_nothing_is_proven():
    made = sign(load_providers()["stripe"], b"{}", secret=None)

    with pytest.raises(SignatureMissing):
        hookkit.verify("stripe", made.headers, made.body, [SECRET])
