"""What a stranger's delivery costs before it is refused, for every scheme and the worst bodies.

The goal: one millisecond of CPU and one megabyte of memory for each 256 KiB. CPU is compared
with hashing as many bytes, which any signature needs, so that a figure means the same on a slow
machine and on a busy one.
"""

from __future__ import annotations

import base64
import gc
import json
import logging
import tracemalloc
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache, partial
from hashlib import sha256
from io import BytesIO
from statistics import median
from time import thread_time_ns
from typing import Any

import click
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as new_ec_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as new_rsa_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from flask import Flask
from werkzeug.test import create_environ, run_wsgi_app

from bench.timing import Case, interleaved, ratio
from hookkit import HookKit
from hookkit.core.body import MAX_UNPROVEN_BYTES
from hookkit.core.delivery import Delivery
from hookkit.core.errors import HookkitError, MalformedBody, Rejected
from hookkit.core.scheme import ProofInBody
from hookkit.log import DETAILS, logger
from hookkit.providers import load_providers
from hookkit.receiving.doctor import diagnose
from hookkit.receiving.endpoint import Endpoint
from hookkit.receiving.verification import verify
from hookkit.settings.endpoint import read_endpoint
from hookkit.signatures.standard_webhooks import StandardWebhooks
from hookkit.standalone import sign

SIZE_BYTES = 256 << 10
MAX_MS = 1.0
MAX_BYTES = 1 << 20
#: So many refused requests may leave so much in memory.
REQUESTS = 300
#: So many times what they take without a quarantine.
MAX_RATIO = 1.1
MAX_GROWTH_BYTES = 5 << 20
#: So many requests are a flood, and so many milliseconds a minute may the doctor take of it.
FLOOD = 3000
MAX_REASONS_MS = 6000.0
KEPT, NOT_KEPT = "refused, with a quarantine", "refused, without"
NOW = datetime(2026, 3, 1, tzinfo=UTC)
URL = "https://example.com/hooks/shop"

#: The endpoint's secret, and one of somebody else.
SECRETS = ("the-secret-of-the-endpoint", "the-secret-of-nobody-else-at-all")
STANDARD_SECRETS = tuple(f"whsec_{base64.b64encode(each.encode()).decode()}" for each in SECRETS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiving:
    """An endpoint under attack.

    Attributes:
        name: How the figures name it.
        endpoint: As the settings make it.
        forged_with: What a stranger signs with, in vain; empty if there is nothing to sign.
    """

    name: str
    endpoint: Endpoint
    forged_with: str = ""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one refusal cost.

    Attributes:
        cpu_ms: The least of several runs, in milliseconds.
        hashes: The same, as so many times hashing 256 KiB.
        peak_bytes: The most memory that was in use at once, beside the delivery.
        code: The code of the answer.
    """

    cpu_ms: float = field(compare=False)
    hashes: float
    peak_bytes: int
    code: str


def endpoints() -> Iterator[Receiving]:
    """Yield an endpoint for every provider, and for the schemes that none has by itself."""
    for name, provider in load_providers().items():
        own, other = _secrets_of(name)
        declared: dict[str, Any] = {"provider": name, "secrets": [own]}
        if name == "8x8":
            declared = {"provider": name, "keys": [own]}
        if hasattr(provider.scheme, "signs_url") and provider.scheme.signs_url:
            declared["public_url"] = URL
        yield _receiving(name, declared, other)
    generic: dict[str, Any] = {"provider": "generic", "secrets": [SECRETS[0]]}
    field_scheme = {"type": "field", "field": "token"}
    yield _receiving("field", generic | {"scheme": field_scheme}, SECRETS[1])
    yield _receiving("basic", generic | {"scheme": {"type": "basic"}}, SECRETS[1])
    ed25519, forged = _ed25519("whpk_"), _ed25519("whsk_", private=True)
    yield _receiving("standard v1a", {"provider": "standard", "secrets": [ed25519]}, forged)
    rsa = {"type": "public_key", "header": "x-signature", "algorithm": "rsa-sha256"}
    keys = _pair(new_rsa_key(65537, 2048)), _pair(new_rsa_key(65537, 2048))
    yield _receiving("rsa", generic | {"scheme": rsa, "secrets": [keys[0][1]]}, keys[1][0])
    plain_hash = {"header": "x-signature", "signed": "{body}{secret}"}
    yield _receiving("plain hash", generic | {"scheme": plain_hash}, SECRETS[1])
    numbered = {"header": "x-signature,x-signature-2"}
    yield _receiving("two headers", generic | {"scheme": numbered}, SECRETS[1])
    token = {"type": "token", "header": "x-token", "algorithm": "RS256"}
    yield _receiving("token", generic | {"scheme": token, "secrets": [keys[0][1]]}, keys[1][0])
    yield from _by_version()


def _by_version() -> Iterator[Receiving]:
    """Yield endpoints where only the decoded body shows which secret counts."""
    versions = {
        "v1": {"secrets": ["the-secret-of-version-one"]},
        "v2": {"secrets": ["the-secret-of-version-two"]},
    }
    sunshine = {"provider": "sunshine", "versions": versions}
    yield _receiving("sunshine by version", sunshine, SECRETS[1])
    mixed = sunshine | {"versions": versions | {"v1": {"unsigned": True}}}
    yield _receiving("sunshine with an open version", mixed, SECRETS[1])
    by_webhook = {"provider": "livechat", "secrets": {"w1": [SECRETS[0]], "w2": ["x" * 16]}}
    yield _receiving("livechat by webhook", by_webhook, SECRETS[1])
    legacy = {"legacy": {"unsigned": True, "basic": ["vendor:a-password-nobody-guesses"]}}
    livechat = {"provider": "livechat", "secrets": [SECRETS[0]], "versions": legacy}
    yield _receiving("livechat by version", livechat, SECRETS[1])
    hashed = {"scheme": {"header": "x-signature"}, "secrets": ["the-secret-of-that-version"]}
    signed = sunshine | {"versions": versions | {"v2": hashed}}
    yield _receiving("sunshine with an HMAC", signed, SECRETS[1])


def _receiving(name: str, declared: Mapping[str, Any], other: str) -> Receiving:
    limits = {"max_body": 1 << 20, "max_unproven_bytes": MAX_UNPROVEN_BYTES, "max_items": 1000}
    endpoint, mistakes = read_endpoint("shop", declared, load_providers(), limits)
    if endpoint is None:
        raise ValueError(f"{name}: {mistakes}")
    return Receiving(name=name, endpoint=endpoint, forged_with=other)


def _secrets_of(provider: str) -> tuple[str, str]:
    """Return a secret of the endpoint, and what somebody else would sign with."""
    if isinstance(load_providers()[provider].scheme, StandardWebhooks):
        return STANDARD_SECRETS[0], STANDARD_SECRETS[1]
    if provider == "discord":
        return _ed25519(), _ed25519(private=True)
    if provider == "sendgrid":
        return _pair(new_ec_key(SECP256R1()))[1], _pair(new_ec_key(SECP256R1()))[0]
    if provider == "8x8":
        key = new_rsa_key(65537, 2048)
        public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        other = new_rsa_key(65537, 2048)
        private = other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return public.decode(), private.decode()
    if provider == "adyen":
        return SECRETS[0].encode().hex(), SECRETS[1].encode().hex()
    return SECRETS[0], SECRETS[1]


def _ed25519(prefix: str = "", *, private: bool = False) -> str:
    key = Ed25519PrivateKey.generate()
    raw = key.private_bytes_raw() if private else key.public_key().public_bytes_raw()
    return prefix + base64.b64encode(raw).decode()


def _pair(key: Any) -> tuple[str, str]:
    private = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(private).decode(), base64.b64encode(public).decode()


#: name -> what a JSON body is full of, after ``{"a":[`` and before ``0]}``
_FILLINGS = {
    "lists": b"[],",
    "objects": b"{},",
    "nested lists": b"[" * 90 + b"]" * 90 + b",",
    "nested objects": b'{"":' * 90 + b"0" + b"}" * 90 + b",",
    "numbers": b"0,",
    "fractions": b"1.5e1,",
    "long numbers": b"9" * 4300 + b",",
    "texts": b'"",',
    "escapes": b'"' + b"\\n" * 100 + b'",',
    "escaped letters": b'"' + b"\\u0041" * 100 + b'",',
    "emoji": '"\N{GRINNING FACE}",'.encode(),
    "spaces": b" ",
    "quotes": b'"',
    "backslashes": b"\\",
    "keys of a secret": b'{"secret_key":"x","token":"x"},',
    "texts like a key": b'"secret_key","token","signature",',
    "open secrets": b'"secret_key":"' + b"\\n" * 3000,
    "open tokens": b'"token":"' + b"\\n" * 3000,
    "open signatures": b'"signature":{"token":"' + b"\\n" * 2000,
    "signatures": b'{"signature":{"timestamp":"1772323200","token":"2","signature":"3"}},',
    "items": b'{"NotificationRequestItem":{"additionalData":{"hmacSignature":"x"}}},',
    "a large item": b'"NotificationRequestItem":{"a":[' + b"[]," * 2000,
    "large signatures": b'{"signature":{' + b'"":0,' * 800 + b'"":0}},',
}

#: name -> what a form is full of
_FIELDS = {
    "form of one field": b"%41",
    "form with an emoji": b"%F0%9F%98%80" + b"a" * 130_000,
    "form of many fields": b"%41" * 43 + b"=%41" + b"%41" * 43 + b"&",
    "form of equals signs": b"=",
    "form of spaces": b"+",
    "form of percent signs": b"%",
    "form of ampersands": b"a=&",
    "form of bytes": b"%FF",
}


@cache
def bodies(size_bytes: int = SIZE_BYTES) -> Mapping[str, bytes]:
    """Return the bodies that cost most, by name, of at most *size_bytes* each."""
    found = {}
    for name, filling in _FILLINGS.items():
        room = size_bytes - 9
        found[name] = b'{"a":[' + filling * (room // len(filling)) + b"0]}"
    for name, filling in _FIELDS.items():
        fields = b"a=" + filling * ((size_bytes - 2) // len(filling) or 1)
        found[name] = fields + b"a=" if filling.endswith(b"&") else fields
    found["list"] = b"[" + b"[]," * (size_bytes // 3 - 1) + b"0]"
    found["deep"] = b'{"a":' * (size_bytes // 6) + b"}" * (size_bytes // 6)
    keys = (b'"%x":0' % number for number in range(size_bytes))
    found["keys"] = b"{" + b",".join(keys)[: size_bytes - 8].rpartition(b",")[0] + b"}"
    return found


def deliveries(receiving: Receiving) -> Iterator[tuple[str, Delivery]]:
    """Yield deliveries of a stranger, with what each of them is full of."""
    for name, body in bodies().items():
        yield name, forged(receiving, body)
    # Just small enough to be decoded without a proof.
    for name, body in bodies(MAX_UNPROVEN_BYTES).items():
        yield f"small {name}", forged(receiving, body)
    usual = forged(receiving, b"{}")
    for header in usual.headers:
        for name, text in (
            ("letters", "a"),
            ("commas", ","),
            ("digits", "9"),
            ("entries", "v1a,AAAA "),
            ("dots", "."),
        ):
            value = usual.headers[header] + text * (SIZE_BYTES // len(text))
            headers = {**usual.headers, header: value}
            yield f"header of {name}", _delivery(b"{}", headers)
    for name in ("form of one field", "form of many fields"):
        query = f"bodySHA256=0&{bodies()[name].decode()}"
        yield f"query like a {name}", _delivery(b"a=b", usual.headers, query)


def forged(receiving: Receiving, body: bytes) -> Delivery:
    """Return *body* with everything that a stranger can prove: a wrong signature, a fresh time."""
    scheme = receiving.endpoint.provider.scheme
    headers = {"authorization": "Basic dmVuZG9yOndyb25n", "x-signature": "0" * 64}
    if not isinstance(scheme, ProofInBody):
        secret = receiving.forged_with
        try:
            headers |= sign(scheme, body, secret, event_id="1", now=NOW, public_url=URL)
        except MalformedBody:  # what is no form cannot be signed as one
            headers |= sign(scheme, b"a=b", secret, event_id="1", now=NOW, public_url=URL)
        if receiving.name == "standard v1a":
            headers["webhook-signature"] = " ".join([headers["webhook-signature"]] * 2)
    return _delivery(body, headers)


def _delivery(body: bytes, headers: Mapping[str, str], query: str = "") -> Delivery:
    return Delivery(endpoint="shop", body=body, headers=headers, received_at=NOW, query=query)


def hash_ms(runs: int = 15) -> float:
    """Return the milliseconds of CPU that hashing 256 KiB takes, the least of several runs."""
    data = bytes(SIZE_BYTES)
    return min(_cpu_ms(lambda: sha256(data).digest()) for _ in range(runs))


def cost_of(receiving: Receiving, delivery: Delivery, one_hash_ms: float, runs: int = 3) -> Cost:
    """Return what it costs to refuse *delivery*."""
    code = refuse(receiving, delivery)
    cpu_ms = min(_cpu_ms(lambda: refuse(receiving, delivery)) for _ in range(runs))
    tracemalloc.start()
    try:
        refuse(receiving, delivery)
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    return Cost(cpu_ms, cpu_ms / one_hash_ms, peak_bytes, code)


def refuse(receiving: Receiving, delivery: Delivery) -> str:
    """Return the code of the refusal of *delivery*."""
    try:
        verify(receiving.endpoint, delivery)
    except Rejected as error:
        return error.code
    except HookkitError as error:
        return type(error).__name__
    return "accepted"


def _cpu_ms(call: Any) -> float:
    start_ns = thread_time_ns()
    call()
    return (thread_time_ns() - start_ns) / 1e6


def growth_bytes(count: int = REQUESTS) -> int:
    """Return what stays in memory of *count* refused requests, each with texts of its own."""
    names = ("sunshine", "livechat", "github", "stripe", "shopify", "telegram")
    app = Flask("bench.unproven")
    app.config["TESTING"] = True
    app.config["HOOKKIT_ENDPOINTS"] = {
        name: {"provider": name, "secrets": [f"the-secret-of-{name}-alone"]} for name in names
    }
    HookKit().init_app(app)

    def attack(number: int) -> None:
        name, text = names[number % len(names)], f"{number:06d}" + "A" * 60_000
        body = json.dumps({"secret_key": text, "type": text}).encode()
        # Not by Flask's own client, which remembers URLs.
        environ = create_environ(method="POST", data=body) | {
            "PATH_INFO": f"/hooks/{name}" if number % 7 else f"/hooks/{text}",
            "QUERY_STRING": text,
            "HTTP_AUTHORIZATION": text,
            "HTTP_X_API_KEY": text,
            f"HTTP_X_{text}": text,
        }
        if run_wsgi_app(app, environ)[1] == "200 OK":
            raise click.ClickException(f"{name} accepted what nobody has signed")

    for number in range(len(names) * 7):  # fills what is filled once
        attack(number)
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(1000, 1000 + count):
            attack(number)
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
        app.extensions["hookkit"].stop()


#: A body that costs most to write anew in all ways that the doctor tries.
COSTLY_BODY = b'{"a":[' + (b"[" * 90 + b"]" * 90 + b",") * 355 + b"0]}"


def reason_ms() -> float:
    """Return the milliseconds of CPU that the cause of one refusal costs, with the worst body."""
    costs = []
    for receiving in endpoints():
        delivery = forged(receiving, COSTLY_BODY)
        try:
            verify(receiving.endpoint, delivery)
        except Rejected as refusal:
            call = partial(diagnose, receiving.endpoint, delivery, refusal)
            costs.append(min(_cpu_ms(call) for _ in range(3)))
        except HookkitError:
            continue
    return max(costs)


def flood_ms(level: int, count: int = FLOOD) -> float:
    """Return the milliseconds of CPU of a refused request, over a flood of *count*.

    Args:
        level: Of the log: ``INFO`` writes lines of refusals, with their causes.
    """
    app = Flask("bench.unproven")
    app.config["TESTING"] = True
    app.config["HOOKKIT_ENDPOINTS"] = {"shop": {"provider": "github", "secrets": [SECRETS[0]]}}
    HookKit().init_app(app)
    signature = f"sha256={'0' * 64}"
    environ = create_environ(path="/hooks/shop", method="POST")
    handler, before = logging.NullHandler(), logger.level
    logger.addHandler(handler)
    logger.setLevel(level)

    def flood() -> None:
        for _ in range(count):
            sent = {"wsgi.input": BytesIO(COSTLY_BODY), "CONTENT_LENGTH": str(len(COSTLY_BODY))}
            run_wsgi_app(app, environ | sent | {"HTTP_X_HUB_SIGNATURE_256": signature})

    try:
        return _cpu_ms(flood) / count
    finally:
        logger.setLevel(before)
        logger.removeHandler(handler)
        app.extensions["hookkit"].stop()


def refusals(rounds: int = 30, calls: int = 200) -> dict[str, list[float]]:
    """Return the microseconds of a refused request with a quarantine and without, by rounds.

    The first ones are kept, until there are as many as may be kept at once.
    """
    body = json.dumps({"type": "of a stranger"}).encode()

    def case(most: int) -> Case:
        app = Flask(f"bench.unproven.{most}")
        app.config["TESTING"] = True
        app.config["HOOKKIT_QUARANTINE"] = most
        app.config["HOOKKIT_ENDPOINTS"] = {
            "shop": {"provider": "sunshine", "secrets": [SECRETS[0]]}
        }
        HookKit().init_app(app)

        def attack(number: int) -> None:
            environ = create_environ("/hooks/shop", method="POST", data=body) | {
                "HTTP_X_API_KEY": SECRETS[1],
                "REMOTE_ADDR": f"203.0.113.{number % 250}",
            }
            if run_wsgi_app(app, environ)[1] != "401 UNAUTHORIZED":
                raise click.ClickException("a stranger was not refused")

        return Case(prepare=lambda count: list(range(count)), call=attack)

    return interleaved({KEPT: case(1000), NOT_KEPT: case(0)}, rounds=rounds, calls=calls)


@click.command()
@click.option("--runs", default=9, show_default=True, help="Runs of which the least counts.")
@click.option("--as-json", is_flag=True, help="Print every figure, and not the worst ones alone.")
def unproven(runs: int, as_json: bool) -> None:  # noqa: FBT001  # a flag of the command line
    """Measure what strangers' deliveries cost before they are refused."""
    one_hash_ms = hash_ms(50)
    click.echo(f"hashing 256 KiB: {one_hash_ms:.3f} ms")
    missed = []
    for receiving in endpoints():
        costs = {
            name: cost_of(receiving, delivery, one_hash_ms, runs)
            for name, delivery in deliveries(receiving)
        }
        slow = max(costs, key=lambda name: costs[name].cpu_ms)
        large = max(costs, key=lambda name: costs[name].peak_bytes)
        peak_kib = costs[large].peak_bytes / 1024
        if as_json:
            click.echo(json.dumps({each: vars_of(costs[each]) for each in costs}))
        click.echo(
            f"{receiving.name:>30}  {costs[slow].cpu_ms:6.3f} ms ({slow})"
            f"  {peak_kib:5.0f} KiB ({large})"
        )
        if costs[slow].cpu_ms > MAX_MS or costs[large].peak_bytes > MAX_BYTES:
            missed.append(receiving.name)
    one_ms = reason_ms()
    click.echo(
        f"the cause of a refusal: at most {one_ms:.0f} ms; of {DETAILS} lines a minute:"
        f" {DETAILS * one_ms / 600:.1f} % of a core"
    )
    quiet_ms, logged_ms = flood_ms(logging.ERROR), flood_ms(logging.INFO)
    click.echo(
        f"a flood of {FLOOD} refusals of {len(COSTLY_BODY) >> 10} KiB: {quiet_ms:.3f} ms each,"
        f" {logged_ms:.3f} ms each with the log and its causes"
    )
    if DETAILS * one_ms > MAX_REASONS_MS:
        missed.append("the causes of refusals")
    grown_bytes = growth_bytes()
    click.echo(f"{REQUESTS} refused requests leave {grown_bytes / 1024:.0f} KiB in memory")
    if grown_bytes > MAX_GROWTH_BYTES:
        missed.append("what refused requests leave in memory")
    figures = refusals()
    for name in (KEPT, NOT_KEPT):
        click.echo(f"{name:>30}  {median(figures[name]):6.1f} us")
    if ratio(figures, KEPT, NOT_KEPT) > MAX_RATIO:
        missed.append(KEPT)
    if missed:
        raise click.ClickException(f"over the goal: {', '.join(missed)}")


def vars_of(cost: Cost) -> dict[str, object]:
    """Return the figures of *cost* by their names."""
    return {name: getattr(cost, name) for name in Cost.__slots__}
