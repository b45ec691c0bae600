"""8x8's signature beside a bare RSA verify, and beside peers.

Bare is one call of ``cryptography`` with the key and the bytes at hand. hookkit's side begins
with a delivery as it arrived: it checks and parses six headers, finds the key by its id, makes
the checksum of the body, and compares the time. The peers get the payload that hookkit makes,
so they do less.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from statistics import median
from typing import Any

import click
import jwt
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

from bench.timing import Case, interleaved, ratio
from hookkit.core.delivery import Delivery
from hookkit.keys.ring import KeyRing
from hookkit.providers.eight_by_eight.signature import SIGNATURE, EightByEightSignature
from hookkit.signatures.rsa import read_key

#: The goal of the project, with a body of 2 KiB; the command fails when it is missed.
MAX_RATIO = 1.5
BODY_BYTES = 2048


@click.command()
@click.option("--rounds", default=60, show_default=True, help="How often the cases take turns.")
@click.option("--calls", default=500, show_default=True, help="Calls of a case per turn.")
def verify(rounds: int, calls: int) -> None:
    """Time the verification of a signed delivery against a bare RSA verify."""
    cases = _cases()
    interleaved(cases, rounds=3, calls=calls)  # warm up
    figures = interleaved(cases, rounds=rounds, calls=calls)
    for name in cases:
        click.echo(f"{name:>8}  {median(figures[name]):7.1f} us  {_times(figures, name)}")
    if ratio(figures, "hookkit", "bare") > MAX_RATIO:
        raise click.ClickException(f"hookkit takes more than {MAX_RATIO} times the bare verify")


def _times(figures: dict[str, list[float]], name: str) -> str:
    return f"{ratio(figures, name, 'bare'):.2f} times the bare verify"


def _cases() -> dict[str, Case]:
    private = generate_private_key(public_exponent=65537, key_size=2048)
    scheme, now = EightByEightSignature(), datetime(2026, 3, 1, tzinfo=UTC)
    body = json.dumps({"eventType": "TEXT", "message": "x"}).encode().ljust(BODY_BYTES)
    headers = scheme.sign(body, _pem(private), now, "event-1")
    delivery = Delivery(endpoint="e", body=body, headers=headers, received_at=now)
    proof = scheme.read_proof(delivery)
    key = read_key(_public_pem(private))
    ring = KeyRing((read_key(json.loads(key.jwk) | {"kid": proof.key_id}),))
    padding, algorithm = PKCS1v15(), SHA256()
    payload, token = proof.signed.partition(b".")[2], headers[SIGNATURE]
    of_pyjwt, of_joserfc = jwt.PyJWS(), RSAKey.import_key(json.loads(key.jwk))

    def bare(_: object) -> None:
        key.public.verify(proof.signature, proof.signed, padding, algorithm)

    def hookkit(each: Delivery) -> None:
        found = scheme.read_proof(each)
        scheme.verify(found, ring.find(found.key_id))

    def pyjwt(_: object) -> None:
        of_pyjwt.decode_complete(token, key.public, ["RS256"], detached_payload=payload)

    def joserfc(_: object) -> None:
        jws.deserialize_compact(token, of_joserfc, ["RS256"], payload=payload)

    def again(count: int) -> list[Any]:
        return [delivery] * count

    calls = {"bare": bare, "hookkit": hookkit, "PyJWT": pyjwt, "joserfc": joserfc}
    return {name: Case(prepare=again, call=call) for name, call in calls.items()}


def _pem(private: RSAPrivateKey) -> bytes:
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _public_pem(private: RSAPrivateKey) -> str:
    public = private.public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
