"""What hookkit accepts, the vendors' own libraries accept too, outside a written list.

Random deliveries are signed, then changed or not, and both are asked. A library that raises has
refused. That a library accepts more than hookkit is no fault; what was only signed must be
accepted by both.
"""

import json
import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from urllib.parse import parse_qs, urlencode

import jwt
import pytest
import stripe
import svix
import twilio.request_validator
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jws
from joserfc.jwk import RSAKey
from slack_sdk.signature import SignatureVerifier
from standardwebhooks.webhooks import Webhook

import hookkit
from hookkit import Rejected
from hookkit.providers.eight_by_eight.signature import signed_payload
from tests.scale import SCALE
from tests.signatures.test_forgeries import RSA, pem_of

ROUNDS = 600 * SCALE
URL = "https://example.com/hooks/shop"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PUBLIC_PEM = RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
JUNK = ["", " ", ",", ";", ".", "=", "t=", "v0=", "v1=", "v1,", "v1,x", " v2,AAAA", "\x00", "é"]
JUNK += ["\u0661", "1_7", "1e9", "-1", "+1", "0", "9" * 30, "A", "==", "%", "&", "sha256="]


class Disagreed(Exception):
    """A library has refused."""


def standard(headers, body, query):
    Webhook(SECRET).verify(body, headers, json_parse=False)


def by_svix(headers, body, query):
    svix.Webhook(SECRET).verify(body, headers)


def by_stripe(headers, body, query):
    header = headers.get("stripe-signature")
    stripe.WebhookSignature.verify_header(body, header, SECRET, tolerance=300)


def by_slack(headers, body, query):
    if not SignatureVerifier(SECRET).is_valid_request(body, headers):
        raise Disagreed


def by_twilio(headers, body, query):
    url = f"{URL}?{query}" if query else URL
    params = body.decode()
    if "bodySHA256" not in query:
        fields = parse_qs(params, keep_blank_values=True, strict_parsing=bool(params))
        params = Fields(fields)
    validator = twilio.request_validator.RequestValidator(SECRET)
    if not validator.validate(url, params, headers["x-twilio-signature"]):
        raise Disagreed


class Fields(dict):
    """A form as Django hands it to twilio's library."""

    def getlist(self, name):
        return self[name]


def token_of(headers):
    return headers["x-8x8-signature"]


def by_pyjwt(headers, body, query):
    jwt.PyJWS().decode_complete(
        token_of(headers),
        PUBLIC_PEM,
        algorithms=["RS256"],
        detached_payload=signed_payload(headers, body),
    )


def by_joserfc(headers, body, query):
    key = RSAKey.import_key(PUBLIC_PEM)
    jws.deserialize_compact(
        token_of(headers), key, algorithms=["RS256"], payload=signed_payload(headers, body)
    )


#: library -> the name here, what refuses by raising
LIBRARIES = {
    "standardwebhooks": ("standard", standard),
    "svix": ("svix", by_svix),
    "stripe": ("stripe", by_stripe),
    "slack_sdk": ("slack", by_slack),
    "twilio": ("twilio", by_twilio),
    "pyjwt": ("8x8", by_pyjwt),
    "joserfc": ("8x8", by_joserfc),
}


def is_utf8(body):
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


#: Where hookkit may accept what a library refuses: library -> why -> whether that is the case.
WRITTEN = {
    # The signature is over bytes, which hookkit never decodes before it is checked.
    "standardwebhooks": {
        "the body is no UTF-8": lambda headers, body: not is_utf8(body),
        # https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
        # "space delimited list": one that is not understood beside one that fits is no reason.
        "a signature in the list is not written as one": lambda headers, body: (
            any(each.count(",") != 1 for each in headers["webhook-signature"].split(" "))
            or not headers["webhook-signature"].isascii()
        ),
    },
    "slack_sdk": {"the body is no UTF-8": lambda headers, body: not is_utf8(body)},
    "stripe": {
        "the body is no UTF-8": lambda headers, body: not is_utf8(body),
        "an element in the list has no value": lambda headers, body: any(
            "=" not in each for each in headers["stripe-signature"].split(",")
        ),
    },
    "twilio": {},
    "pyjwt": {},
    "joserfc": {},
}
WRITTEN["svix"] = WRITTEN["standardwebhooks"]


def signed(name, chance):
    """Return what a sender would send: its headers, body and query."""
    at = datetime.now(UTC) + timedelta(seconds=chance.choice([-290, -60, 0, 60, 290]))
    body, query = body_of(name, chance), ""
    if name == "twilio" and chance.random() < 0.5:
        query = f"bodySHA256={sha256(body).hexdigest()}"
    url = {"public_url": URL, "query": query} if name == "twilio" else {}
    event_id = f"msg_{chance.randrange(10**9)}"
    secret = pem_of(RSA).decode() if name == "8x8" else SECRET
    return hookkit.sign(name, body, secret, event_id=event_id, now=at, **url), body, query


def body_of(name, chance):
    if name == "twilio":
        fields = {f"F{number}": chance.choice(["", "a b", "ü&=", "1"]) for number in range(4)}
        return urlencode(fields).encode()
    if chance.random() < 0.1 and name != "8x8":
        return chance.randbytes(40)
    return json.dumps(
        {"id": chance.randrange(10**9), "text": chance.choice(["a", "ü", ""])}
    ).encode()


def changed(headers, body, query, chance):
    """Return them with one to three changes somewhere."""
    headers = dict(headers)
    for _ in range(chance.randrange(1, 4)):
        match chance.randrange(8):
            case 0:
                body = changed_text(body.decode("latin-1"), chance).encode("latin-1", "replace")
            case 1:
                query = changed_text(query, chance)
            case 2:
                headers.pop(chance.choice(list(headers)))
                if not headers:
                    return headers, body, query
            case _:
                name = chance.choice(list(headers))
                headers[name] = changed_text(headers[name], chance)
    return headers, body, query


def changed_text(text, chance):
    place = chance.randrange(len(text) + 1)
    junk = chance.choice(JUNK)
    return chance.choice(
        [
            text[:place] + junk + text[place:],
            text[:place],
            text[place:],
            text[:place] + text[place + 1 :],
            text + chance.choice([" ", ",", ";"]) + text,
            text + junk,
            junk + text,
            text.swapcase(),
            text.replace(",", ", ", 1),
            text.rstrip("="),
        ]
    )


def is_accepted_here(name, headers, body, query):
    secret = PUBLIC_PEM.decode() if name == "8x8" else SECRET
    url = {"public_url": URL} if name == "twilio" else {}
    try:
        hookkit.verify(name, headers, body, [secret], query=query, **url)
    except Rejected:
        return False
    return True


def is_accepted_there(ask, headers, body, query):
    try:
        ask(headers, body, query)
    except Exception:  # noqa: BLE001  # four of them let any error out
        return False
    return True


@pytest.mark.parametrize("library", LIBRARIES)
def test_nothing_is_accepted_here_that_the_library_refuses(library, record_property):
    name, ask = LIBRARIES[library]
    chance = random.Random(f"{library} 7")  # noqa: S311  # no secret depends on it
    seen = Counter()
    disagreed = []
    for _ in range(ROUNDS):
        delivery = changed(*signed(name, chance), chance)
        here, there = is_accepted_here(name, *delivery), is_accepted_there(ask, *delivery)
        seen[here, there] += 1
        if here and not there:
            headers, body, _ = delivery
            reasons = [why for why, holds in WRITTEN[library].items() if holds(headers, body)]
            if not reasons:
                disagreed.append(delivery)
    record_property("accepted_here_and_there", str(dict(seen)))

    assert disagreed == []
    assert seen[False, False] > ROUNDS / 2


@pytest.mark.parametrize("library", LIBRARIES)
def test_what_was_only_signed_is_accepted_by_both(library):
    name, ask = LIBRARIES[library]
    chance = random.Random(f"{library} 8")  # noqa: S311  # no secret depends on it
    refused = []
    for _ in range(ROUNDS // 10):
        delivery = signed(name, chance)
        here, there = is_accepted_here(name, *delivery), is_accepted_there(ask, *delivery)
        if not here or not (there or not is_utf8(delivery[1])):
            refused.append((here, there, delivery))

    assert refused == []
