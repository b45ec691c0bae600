"""An endpoint for every provider and sender, what signs for it, and what it signs."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qsl
from zlib import crc32

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

import hookkit
from hookkit import HookKit
from hookkit.core.scheme import ProofInBody, SigningScheme
from hookkit.providers import load_providers
from hookkit.signatures.standard_webhooks import StandardWebhooks
from hookkit.testing import list_samples
from tests.applications import make_app
from tests.key_server import pem_of, public_pem_of, shared_key
from tests.signatures.test_vectors import SVIX_PRIVATE, SVIX_PUBLIC

URL = "https://example.com/hooks/"
VERIFY_TOKEN = "token-of-the-challenge"
MAX_BODY = 20_000

_RSA = shared_key()
_P256 = generate_private_key(SECP256R1())
_P256_PUBLIC = base64.b64encode(
    _P256.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
).decode()

#: provider -> what signs, what verifies; the others have one secret
_PAIRS = {
    "8x8": (pem_of(_RSA).decode(), public_pem_of(_RSA)),
    "discord": (SVIX_PRIVATE.removeprefix("whsk_"), SVIX_PUBLIC.removeprefix("whpk_")),
    "sendgrid": (pem_of(_P256).decode(), _P256_PUBLIC),
}


def pair_of(name: str) -> tuple[str, str]:
    """Return what signs for a provider, and what verifies."""
    if name == "adyen":
        return (sha256(name.encode()).hexdigest(),) * 2
    secret = f"whsec_{base64.b64encode(sha256(name.encode()).digest()[:24]).decode()}"
    return _PAIRS.get(name, (secret, secret))


@dataclass
class Request:
    """What is sent, as WSGI has it."""

    endpoint: str
    method: str = "POST"
    path: str = ""
    query: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    is_signed: bool = False
    is_changed: bool = False


def endpoints() -> dict[str, dict[str, Any]]:
    """Return the settings."""
    found: dict[str, dict[str, Any]] = {}
    for name, provider in load_providers().items():
        public = pair_of(name)[1]
        found[name] = {"provider": name}
        found[name] |= {"keys": public} if name == "8x8" else {"secrets": [public]}
        if getattr(provider.scheme, "signs_url", False):
            found[name]["public_url"] = URL + name
        if name == "meta":
            found[name]["verify_token"] = [VERIFY_TOKEN]
    return found


def new_app() -> Any:
    """Return an application with an empty inbox; what a test would raise, it answers."""
    app = make_app(
        HookKit(),
        TESTING=False,
        HOOKKIT_ENDPOINTS=endpoints(),
        HOOKKIT_DATABASE="memory://",
        HOOKKIT_RUNNER="none",
        HOOKKIT_MAX_BODY=MAX_BODY,
    )
    app.logger.disabled = True
    return app


def samples() -> dict[str, list[tuple[bytes, Mapping[str, str]]]]:
    """Return what each endpoint's vendor sends: bodies, and the headers beside them."""
    return {
        name: [(each.body, each.headers) for each in list_samples(provider)]
        for name, provider in load_providers().items()
    }


def sign(request: Request, chance: random.Random) -> set[object]:
    """Prove *request* to its endpoint; return the facts that are signed by it."""
    name = request.endpoint
    scheme = load_providers()[name].scheme
    private = pair_of(name)[0]
    now = datetime.now(UTC)
    if isinstance(scheme, ProofInBody):
        request.body = scheme.enclose(request.body, private.encode(), now)
        request.is_signed = True
        return {facts_of(request)}
    url = {"public_url": URL + name, "query": request.query} if _signs_url(name) else {}
    event_id = f"msg_{chance.getrandbits(48)}"
    request.headers |= hookkit.sign(name, request.body, private, event_id=event_id, now=now, **url)
    request.is_signed = True
    return {facts_of(request)}


def facts_of(request: Request) -> object:
    """Return what a proof of *request* is over; None where it proves a secret and nothing else."""
    name, headers = request.endpoint, request.headers
    scheme = load_providers()[name].scheme
    if name == "8x8":
        signed = {key: value for key, value in headers.items() if key.startswith("x-8x8-")}
        signed.pop("x-8x8-signature", None)
        return name, crc32(request.body), tuple(sorted(signed.items()))
    if name == "mailgun":
        held = json.loads(request.body)["signature"]
        return name, held["timestamp"], held["token"], held["signature"].lower()
    if name == "adyen":
        return name, _signed_by_adyen(json.loads(request.body))
    if not isinstance(scheme, SigningScheme):
        return name, _holds_secret(request)
    if name == "twilio":
        return name, _twilio_text(request)
    signed = {key: headers.get(key, "") for key in scheme.signed_headers}
    if isinstance(scheme, StandardWebhooks):
        # The same three headers have two families of names.
        signed = {f"webhook-{each}": _either(headers, each) for each in ("id", "timestamp")}
    stamps = [
        part
        for value in [headers.get(getattr(scheme, "header", ""), "")]
        for part in value.replace(";", ",").split(",")
        if part.startswith(("t=", "ts="))
    ]
    query = request.query if _signs_url(name) else ""
    return name, request.body, tuple(sorted(signed.items())), tuple(stamps), query


def _signed_by_adyen(document: Any) -> object:
    items = [each["NotificationRequestItem"] for each in document["notificationItems"]]
    names = ("pspReference", "originalReference", "merchantAccountCode", "merchantReference")
    return tuple(
        (
            *(item.get(name) or "" for name in names),
            *(str((item.get("amount") or {}).get(name) or "") for name in ("value", "currency")),
            item["eventCode"],
            item["success"],
        )
        for item in items
    )


def _either(headers: Mapping[str, str], part: str) -> str:
    return headers.get(f"webhook-{part}") or headers.get(f"svix-{part}", "")


def _holds_secret(request: Request) -> bool:
    secret = pair_of(request.endpoint)[0]
    if request.endpoint == "livechat":
        return bool(json.loads(request.body)["secret_key"] == secret)
    return secret in request.headers.values()


def _twilio_text(request: Request) -> object:
    # One text without anything between its parts: some forms have the signature of others.
    url = f"?{request.query}" if request.query else ""
    if "bodySHA256=" in request.query:
        return url, request.body
    pairs = parse_qsl(request.body.decode(), keep_blank_values=True)
    return url + "".join(f"{key}{value}" for key, value in sorted(set(pairs)))


def _signs_url(name: str) -> bool:
    return bool(getattr(load_providers()[name].scheme, "signs_url", False))
