"""The receivers of other libraries, each as its own documentation sets it up in a web framework.

Each gets a request of its own vendor that is as long as hookkit's, signed anew, and has a handler
that does nothing. None of them stores an event or knows one that came before.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import django
import slack_bolt
import standardwebhooks
import stripe
import svix
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from flask import Flask, request
from linebot.v3 import WebhookHandler
from slack_bolt.adapter.flask import SlackRequestHandler
from slack_bolt.authorization import AuthorizeResult

from bench.accept import caller, environ, new_bodies
from bench.timing import Case

SECRET = "a-secret-for-the-benchmark"
STANDARD_SECRET = f"whsec_{base64.b64encode(SECRET.encode()).decode()}"

Wsgi = Callable[..., Iterable[bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """A library that receives.

    Attributes:
        make: Returns the application.
        document: What its vendor sends, before it is filled up.
        sign: Returns the headers for a body.
        does: Beside checking the signature, for the page.
        path: Where it receives.
    """

    make: Callable[[], Wsgi]
    document: Mapping[str, Any]
    sign: Callable[[bytes], dict[str, str]]
    does: str
    path: str = "/hooks/support"


def peer_cases() -> dict[str, Case]:
    """Return a case for each of them."""
    size = len(next(new_bodies()))
    return {name: _case(receiver, size) for name, receiver in RECEIVERS.items()}


def _case(receiver: Receiver, size: int) -> Case:
    body = filled(receiver.document, size)

    def prepare(count: int) -> list[dict[str, Any]]:
        return [environ(body, receiver.sign(body), receiver.path) for _ in range(count)]

    return Case(prepare=prepare, call=caller(receiver.make()))


def filled(document: Mapping[str, Any], size: int) -> bytes:
    """Return *document* as JSON of *size* bytes, with a field more."""
    missing = size - len(json.dumps({**document, "filling": ""}))
    return json.dumps({**document, "filling": "x" * missing}).encode()


# Flask views


def _view(receive: Callable[[], object]) -> Wsgi:
    app = Flask("bench")

    @app.post("/hooks/support")
    def view() -> tuple[str, int]:
        receive()
        return "", 200

    return app


def _slack() -> Wsgi:
    # https://docs.slack.dev/tools/bolt-python/concepts/adapters
    # https://docs.slack.dev/tools/bolt-python/concepts/authorization: a token would be looked up
    installed = AuthorizeResult(
        enterprise_id=None, team_id="T1", bot_token=SECRET, bot_user_id="B1"
    )
    bolt = slack_bolt.App(signing_secret=SECRET, authorize=lambda: installed)
    bolt.event("message")(_ignore)
    handler = SlackRequestHandler(bolt)
    app = Flask("bench")
    app.post("/hooks/support")(lambda: handler.handle(request))
    return app


def _line() -> Wsgi:
    # https://github.com/line/line-bot-sdk-python#synopsis
    handler = WebhookHandler(SECRET)
    handler.default()(_ignore)

    def receive() -> None:
        handler.handle(request.get_data(as_text=True), request.headers["X-Line-Signature"])

    return _view(receive)


def _stripe() -> Wsgi:
    # https://docs.stripe.com/webhooks/quickstart?lang=python
    def receive() -> object:
        given = request.headers["Stripe-Signature"]
        return stripe.Webhook.construct_event(request.get_data(), given, SECRET)

    return _view(receive)


def _svix() -> Wsgi:
    # https://docs.svix.com/receiving/verifying-payloads/how
    def receive() -> object:
        body = request.get_data()
        svix.Webhook(STANDARD_SECRET).verify(body, dict(request.headers))
        return json.loads(body)

    return _view(receive)


def _standard() -> Wsgi:
    # https://github.com/standard-webhooks/standard-webhooks/tree/main/libraries/python
    return _view(
        lambda: standardwebhooks.Webhook(STANDARD_SECRET).verify(
            request.get_data(), dict(request.headers)
        )
    )


def _anymail() -> Wsgi:
    # https://anymail.dev/en/stable/esps/resend/#status-tracking-webhooks; no middleware
    settings.configure(
        ALLOWED_HOSTS=["localhost"],
        ROOT_URLCONF="anymail.urls",
        INSTALLED_APPS=["anymail"],
        ANYMAIL={"RESEND_SIGNING_SECRET": STANDARD_SECRET},
    )
    django.setup()
    # Here: its receivers ask for the settings when they are imported.
    from anymail.signals import tracking  # noqa: PLC0415

    tracking.connect(_ignore)
    receiver: Wsgi = WSGIHandler()
    return receiver


def _ignore(*_: object, **__: object) -> None:
    """Be a handler that does nothing."""


# Signatures of the vendors

_numbers = itertools.count()


def _digest(signed: bytes) -> bytes:
    return hmac.digest(SECRET.encode(), signed, hashlib.sha256)


def _sign_slack(body: bytes) -> dict[str, str]:
    now = str(int(time.time()))
    digest = _digest(b"v0:" + now.encode() + b":" + body)
    return {"X-Slack-Request-Timestamp": now, "X-Slack-Signature": f"v0={digest.hex()}"}


def _sign_line(body: bytes) -> dict[str, str]:
    return {"X-Line-Signature": base64.b64encode(_digest(body)).decode()}


def _sign_stripe(body: bytes) -> dict[str, str]:
    now = str(int(time.time()))
    return {"Stripe-Signature": f"t={now},v1={_digest(now.encode() + b'.' + body).hex()}"}


def _sign_standard(body: bytes, prefix: str = "webhook") -> dict[str, str]:
    event_id, now = f"msg_{next(_numbers)}", datetime.now(UTC)
    signature = standardwebhooks.Webhook(STANDARD_SECRET).sign(event_id, now, body.decode())
    return {
        f"{prefix}-id": event_id,
        f"{prefix}-timestamp": str(int(now.timestamp())),
        f"{prefix}-signature": signature,
    }


def _sign_svix(body: bytes) -> dict[str, str]:
    return _sign_standard(body, "svix")


_SLACK = {
    "type": "event_callback",
    "team_id": "T1",
    "api_app_id": "A1",
    "event_id": "Ev1",
    "event_time": 1772323200,
    "event": {"type": "message", "channel": "C1", "user": "U1", "text": "Hi", "ts": "1772323200.1"},
}
_LINE = {
    "destination": "U1",
    "events": [
        {
            "type": "message",
            "mode": "active",
            "timestamp": 1772323200000,
            "webhookEventId": "01",
            "deliveryContext": {"isRedelivery": False},
            "source": {"type": "user", "userId": "U1"},
            "replyToken": "r",
            "message": {"type": "text", "id": "1", "quoteToken": "q", "text": "Hi"},
        }
    ],
}
_STRIPE = {
    "id": "evt_1",
    "object": "event",
    "type": "customer.updated",
    "created": 1772323200,
    "livemode": False,
    "data": {"object": {"id": "cus_1", "object": "customer", "name": "A", "metadata": {}}},
}
_RESEND = {
    "type": "email.delivered",
    "created_at": "2026-03-01T00:00:00.000Z",
    "data": {
        "email_id": "1",
        "created_at": "2026-03-01T00:00:00.000Z",
        "from": "a@example.com",
        "to": ["b@example.com"],
        "subject": "Hi",
    },
}

RECEIVERS = {
    "slack-bolt": Receiver(
        make=_slack,
        document=_SLACK,
        sign=_sign_slack,
        does="parses, dispatches to a listener in a thread of its own",
    ),
    "line-bot-sdk": Receiver(
        make=_line,
        document=_LINE,
        sign=_sign_line,
        does="makes models of the events, calls the handler",
    ),
    "django-anymail, Resend": Receiver(
        make=_anymail,
        document=_RESEND,
        sign=_sign_svix,
        does="parses, normalizes, sends a signal; in Django",
        path="/resend/tracking/",
    ),
    "stripe": Receiver(
        make=_stripe,
        document=_STRIPE,
        sign=_sign_stripe,
        does="makes an object of the event",
    ),
    "svix": Receiver(make=_svix, document=_RESEND, sign=_sign_svix, does="parses"),
    "standardwebhooks": Receiver(
        make=_standard, document=_RESEND, sign=_sign_standard, does="parses"
    ),
}
