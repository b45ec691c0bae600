"""Signature checks beside the bare cryptographic primitive and beside peers, in one run.

Bare is ``hmac.new(...).hexdigest()`` and ``compare_digest``, or one call of ``cryptography``,
with the key and the bytes at hand. hookkit's side begins with a delivery as it arrived. Peers are
called as their documentation says; PyJWT and joserfc get the payload that hookkit makes, so they
do less.
"""

from __future__ import annotations

import hmac
import json
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from statistics import median
from typing import Any

import click
import jwt
import standardwebhooks
import stripe
import svix
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from joserfc import jws
from joserfc.jwk import RSAKey
from linebot.v3 import SignatureValidator
from slack_sdk.signature import SignatureVerifier

from bench.receivers import RECEIVERS, SECRET, STANDARD_SECRET
from bench.timing import Case, interleaved, ratio
from hookkit.core.delivery import Delivery
from hookkit.core.scheme import Scheme
from hookkit.keys.ring import KeyRing
from hookkit.providers.eight_by_eight.signature import SIGNATURE, EightByEightSignature
from hookkit.senders import SENDERS
from hookkit.signatures.public_key import KeyedSignature
from hookkit.signatures.rsa import read_key

NOW = datetime(2026, 3, 1, tzinfo=UTC)
OWN_SECRET = b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BARE, OWN = "bare", "hookkit, "
SMALL_BYTES, LARGE_BYTES = 2 << 10, 200 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Checks of one kind of signature.

    Attributes:
        cases: ``bare``, hookkit's and the peers'.
        max_ratio: The goal of the project: how many times the bare one hookkit's may take.
        slower: How many times as long a call takes as one of the fastest group.
    """

    cases: dict[str, Case]
    max_ratio: float
    slower: int = 1


#: Of a group: the microseconds of each case in each round.
Figures = dict[str, list[float]]


@click.command()
@click.option("--rounds", default=60, show_default=True, help="How often the cases take turns.")
@click.option("--calls", default=300, show_default=True, help="Calls of a case per turn.")
def verify(rounds: int, calls: int) -> None:
    """Time the verification of signed deliveries against the bare primitive and peers."""
    missed = []
    kinds = groups()
    for name, figures in measure_groups(kinds, rounds=rounds, calls=calls).items():
        goal = kinds[name].max_ratio
        click.echo(f"{name}: goal for hookkit at most {goal:g} times bare")
        for case in figures:
            times = ratio(figures, case, BARE)
            click.echo(f"{case:>24}  {median(figures[case]):7.1f} us  {times:5.2f} times bare")
            if case.startswith(OWN) and times > goal:
                missed.append(f"{name} {case}")
    if missed:
        click.echo(f"over the goal: {', '.join(missed)}")
        raise SystemExit(1)


def measure_groups(kinds: dict[str, Group], *, rounds: int, calls: int) -> dict[str, Figures]:
    return {
        name: interleaved(group.cases, rounds=rounds, calls=max(1, calls // group.slower))
        for name, group in kinds.items()
    }


def groups() -> dict[str, Group]:
    return {
        "HMAC-SHA256, 2 KiB": Group(cases=_hmac_cases(SMALL_BYTES), max_ratio=1.6),
        "HMAC-SHA256, 200 KiB": Group(cases=_hmac_cases(LARGE_BYTES), max_ratio=1.15, slower=15),
        "Ed25519, 2 KiB": Group(cases=_ed25519_cases(bytes(SMALL_BYTES)), max_ratio=1.3, slower=3),
        "RSA, 2 KiB": Group(cases=_rsa_cases(bytes(SMALL_BYTES)), max_ratio=1.3, slower=3),
        "JWS of 8x8, 2 KiB": Group(cases=_jws_cases(), max_ratio=1.5),
    }


# HMAC


def _hmac_cases(size: int) -> dict[str, Case]:
    body = json.dumps({"text": ""}).encode().ljust(size)
    expected = hmac.new(OWN_SECRET, body, "sha256").hexdigest()

    def bare(_: object) -> None:
        hmac.compare_digest(hmac.new(OWN_SECRET, body, "sha256").hexdigest(), expected)

    own = {
        f"{OWN}{name}": _own_case(SENDERS[name].scheme, body, OWN_SECRET, OWN_SECRET)
        for name in ("standard", "stripe", "github")
    }
    return {BARE: _again(None, bare)} | own | _hmac_peers(body)


def _hmac_peers(body: bytes) -> dict[str, Case]:
    slack, line = SignatureVerifier(SECRET), SignatureValidator(SECRET)
    of_svix, of_standard = svix.Webhook(STANDARD_SECRET), standardwebhooks.Webhook(STANDARD_SECRET)
    checks: dict[str, Callable[[dict[str, str]], object]] = {
        "slack-bolt": lambda headers: _true(slack.is_valid_request(body, headers)),
        "line-bot-sdk": lambda headers: _true(
            line.validate(body.decode(), headers["X-Line-Signature"])
        ),
        "stripe": lambda headers: stripe.WebhookSignature.verify_header(
            body.decode(), headers["Stripe-Signature"], SECRET, tolerance=300
        ),
        "svix": lambda headers: of_svix.verify(body, headers),
        "standardwebhooks": lambda headers: of_standard.verify(body, headers),
    }
    return {
        name: Case(prepare=partial(_signed, RECEIVERS[name].sign, body), call=check)
        for name, check in checks.items()
    }


def _true(is_valid: object) -> None:
    if is_valid is not True:
        raise click.ClickException("a signature of the benchmark's own was refused")


def _signed(sign: Callable[[bytes], object], body: bytes, count: int) -> list[object]:
    # Anew for each turn: the peers look at the clock.
    return [sign(body)] * count


# Public keys


def _ed25519_cases(body: bytes) -> dict[str, Case]:
    key = Ed25519PrivateKey.generate()
    public, signature = key.public_key(), key.sign(body)
    scheme = KeyedSignature(header="x-signature", algorithm="ed25519")
    written = b64encode(key.private_bytes_raw()), b64encode(public.public_bytes_raw())
    return {
        BARE: _again(None, lambda _: public.verify(signature, body)),
        f"{OWN}ed25519": _own_case(scheme, body, *written),
    }


def _rsa_cases(body: bytes) -> dict[str, Case]:
    key = generate_private_key(public_exponent=65537, key_size=2048)
    public, padding, algorithm = key.public_key(), PKCS1v15(), SHA256()
    signature = key.sign(body, padding, algorithm)
    scheme = KeyedSignature(header="x-signature", algorithm="rsa-sha256")
    der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return {
        BARE: _again(None, lambda _: public.verify(signature, body, padding, algorithm)),
        f"{OWN}rsa-sha256": _own_case(scheme, body, _pem(key), b64encode(der)),
    }


def _jws_cases() -> dict[str, Case]:
    private = generate_private_key(public_exponent=65537, key_size=2048)
    scheme = EightByEightSignature()
    body = json.dumps({"eventType": "TEXT", "message": "x"}).encode().ljust(SMALL_BYTES)
    headers = scheme.sign(body, _pem(private), NOW, "event-1")
    delivery = Delivery(endpoint="e", body=body, headers=headers, received_at=NOW)
    proof = scheme.read_proof(delivery)
    key = read_key(_public_pem(private))
    ring = KeyRing((read_key(json.loads(key.jwk) | {"kid": proof.key_id}),))
    padding, algorithm = PKCS1v15(), SHA256()
    payload, token = proof.signed.partition(b".")[2], headers[SIGNATURE]
    of_pyjwt, of_joserfc = jwt.PyJWS(), RSAKey.import_key(json.loads(key.jwk))

    def hookkit(each: Delivery) -> None:
        found = scheme.read_proof(each)
        scheme.verify(found, ring.find(found.key_id))

    calls: dict[str, Callable[[Delivery], object]] = {
        BARE: lambda _: key.public.verify(proof.signature, proof.signed, padding, algorithm),
        f"{OWN}8x8": hookkit,
        "PyJWT": lambda _: of_pyjwt.decode_complete(
            token, key.public, ["RS256"], detached_payload=payload
        ),
        "joserfc": lambda _: jws.deserialize_compact(token, of_joserfc, ["RS256"], payload=payload),
    }
    return {name: _again(delivery, call) for name, call in calls.items()}


def _own_case(scheme: Scheme, body: bytes, private: bytes, public: bytes) -> Case:
    headers = scheme.sign(body, private, NOW, "msg_1")
    delivery = Delivery(endpoint="e", body=body, headers=headers, received_at=NOW)
    secrets = [public]
    return _again(delivery, lambda each: scheme.verify(each, secrets))


def _again(argument: Any, call: Callable[[Any], object]) -> Case:
    return Case(prepare=lambda count: [argument] * count, call=call)


def _pem(private: RSAPrivateKey) -> bytes:
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _public_pem(private: RSAPrivateKey) -> str:
    public = private.public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
