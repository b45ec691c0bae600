"""Signature schemes beside the bare cryptographic primitive, in one run.

Bare is ``hmac.new(...).hexdigest()`` and ``compare_digest``, or one call of ``cryptography``, with
the key and the bytes at hand. hookkit's side begins with a delivery as it arrived.
"""

from __future__ import annotations

import hmac
from base64 import b64encode
from datetime import UTC, datetime
from statistics import median
from typing import Any

import click
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from bench.timing import Case, interleaved, ratio
from hookkit.core.delivery import Delivery
from hookkit.core.scheme import Scheme
from hookkit.senders import SENDERS
from hookkit.signatures.public_key import KeyedSignature

NOW = datetime(2026, 3, 1, tzinfo=UTC)
SECRET = b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

#: size of the body -> how many times the bare HMAC; the goals of the project.
MAX_HMAC_RATIOS = {2 << 10: 1.6, 200 << 10: 1.15}
MAX_KEY_RATIO = 1.3


@click.command()
@click.option("--rounds", default=60, show_default=True, help="How often the cases take turns.")
@click.option("--calls", default=300, show_default=True, help="Calls of a case per turn.")
def signatures(rounds: int, calls: int) -> None:
    """Time the verification of further schemes against the bare primitive."""
    missed = []
    for size, goal in MAX_HMAC_RATIOS.items():
        missed += _measure(
            _hmac_cases(bytes(size)), size, goal, rounds, max(20, calls * 2048 // size)
        )
    for name in ("ed25519", "rsa-sha256"):
        missed += _measure(_key_cases(name, bytes(2 << 10)), 2 << 10, MAX_KEY_RATIO, rounds, 100)
    if missed:
        click.echo(f"over the goal: {', '.join(missed)}")


def _measure(cases: dict[str, Case], size: int, goal: float, rounds: int, calls: int) -> list[str]:
    """Print a line for each case, and return those that miss the goal."""
    interleaved(cases, rounds=3, calls=calls)  # warm up
    figures = interleaved(cases, rounds=rounds, calls=calls)
    base = next(iter(cases))
    ratios = {name: ratio(figures, name, base) for name in cases}
    for name in cases:
        time_us = median(figures[name])
        click.echo(f"{size:>7} B {name:>12} {time_us:8.1f} us  {ratios[name]:.2f} (goal {goal})")
    return [f"{name} at {size} B" for name in cases if ratios[name] > goal]


def _hmac_cases(body: bytes) -> dict[str, Case]:
    expected = hmac.new(SECRET, body, "sha256").hexdigest()

    def bare(_: object) -> None:
        hmac.compare_digest(hmac.new(SECRET, body, "sha256").hexdigest(), expected)

    cases = {"bare HMAC": Case(prepare=lambda count: [None] * count, call=bare)}
    for name in ("standard", "stripe", "github"):
        scheme = SENDERS[name].scheme
        cases[name] = _case(scheme, body, SECRET, SECRET)
    return cases


def _key_cases(algorithm: str, body: bytes) -> dict[str, Case]:
    scheme = KeyedSignature(header="x-signature", algorithm=algorithm)
    if algorithm == "ed25519":
        ed25519 = Ed25519PrivateKey.generate()
        ed25519_key, signature = ed25519.public_key(), ed25519.sign(body)
        private = b64encode(ed25519.private_bytes_raw())
        public = b64encode(ed25519_key.public_bytes_raw())

        def bare(_: object) -> None:
            ed25519_key.verify(signature, body)
    else:
        rsa = generate_private_key(public_exponent=65537, key_size=2048)
        rsa_key, padding, algorithm_of_hash = rsa.public_key(), PKCS1v15(), SHA256()
        rsa_signature = rsa.sign(body, padding, algorithm_of_hash)
        private = rsa.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        public = b64encode(rsa_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))

        def bare(_: object) -> None:
            rsa_key.verify(rsa_signature, body, padding, algorithm_of_hash)

    bare_case = Case(prepare=lambda count: [None] * count, call=bare)
    return {f"bare {algorithm}": bare_case, algorithm: _case(scheme, body, private, public)}


def _case(scheme: Scheme, body: bytes, private: bytes, public: bytes) -> Case:
    headers = scheme.sign(body, private, NOW, "msg_1")
    delivery = Delivery(endpoint="e", body=body, headers=headers, received_at=NOW)
    secrets = [public]

    def call(each: Any) -> None:
        scheme.verify(each, secrets)

    return Case(prepare=lambda count: [delivery] * count, call=call)
