"""Endpoints of every provider, genuine deliveries to them, and what refuses a delivery."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from bench import unproven
from hookkit.core.body import MAX_UNPROVEN_BYTES
from hookkit.core.delivery import Delivery
from hookkit.core.errors import Rejected
from hookkit.providers import load_providers
from hookkit.receiving.doctor import diagnose
from hookkit.receiving.verification import verify
from hookkit.settings.endpoint import read_endpoint
from hookkit.testing import find_sample, sign
from tests.key_server import pem_of, public_pem_of, shared_key
from tests.senders.test_senders import PAIRS, SECRETS, URL

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
VENDORS = ("sunshine", "livechat", "8x8")
_LIMITS = {"max_body": 1 << 20, "max_unproven_bytes": MAX_UNPROVEN_BYTES, "max_items": 1000}
_RSA_PAIR = (pem_of(shared_key()).decode(), public_pem_of(shared_key()))

#: The endpoints that are under attack in the benchmarks; some have keys that take long to make.
RECEIVING = tuple(unproven.endpoints())


def pair_of(name):
    """Return what signs deliveries of the provider *name*, and what verifies them."""
    if name == "8x8":
        return _RSA_PAIR
    secret = SECRETS.get(name, SECRET)
    return PAIRS.get(name, (secret, secret))


def endpoint_of(name, secret=None, endpoint="shop", **more):
    provider = load_providers()[name]
    setting = "keys" if name == "8x8" else "secrets"
    declared = {"provider": name, setting: [secret or pair_of(name)[1]]}
    if getattr(provider.scheme, "signs_url", False) or "{url}" in str(more.get("scheme")):
        declared["public_url"] = URL
    found, mistakes = read_endpoint(endpoint, {**declared, **more}, load_providers(), _LIMITS)
    assert mistakes == []
    return found


def delivery_of(name, body=None, *, secret=None, url=URL, provider=None, now=NOW):
    """Return a genuine delivery, as it arrives."""
    provider = provider or load_providers()[name]
    sample = find_sample(load_providers()[name])
    sent = sign(
        provider,
        sample.body if body is None else body,
        secret=secret or pair_of(name)[0],
        headers=sample.headers,
        public_url=url,
        now=now,
    )
    headers = {each.lower(): value for each, value in sent.headers.items()}
    return Delivery(endpoint="shop", body=sent.body, headers=headers, received_at=NOW)


def with_body(delivery, body):
    return replace(delivery, body=body)


def with_headers(delivery, **changes):
    """Return *delivery* with headers set, and without those that are None."""
    changes = {name.replace("_", "-"): value for name, value in changes.items()}
    headers = {**delivery.headers, **changes}
    kept = {name: value for name, value in headers.items() if value is not None}
    return replace(delivery, headers=kept)


def cause_of(endpoint, delivery, *others, **more):
    """Return the cause of the refusal of *delivery*; None if it is not refused."""
    found = diagnosis_of(endpoint, delivery, *others, **more)
    return None if found is None else found.cause


def diagnosis_of(endpoint, delivery, *others, **more):
    try:
        verify(endpoint, delivery)
    except Rejected as refusal:
        return diagnose(endpoint, delivery, refusal, others, **more)
    return None
