"""Applications and deliveries that several tests make."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from hookkit import HookKit
from hookkit.core.delivery import Delivery, VerifiedDelivery
from hookkit.core.entry import Receipt
from hookkit.core.provider import parse
from hookkit.inbox.inbox import Inbox
from hookkit.providers import load_providers

SECRET = "the-secret-of-every-test"
OLD_SECRET = "the-secret-before-that-one"
ENDPOINTS = {"support": {"provider": "sunshine", "secrets": [SECRET, OLD_SECRET]}}

MESSAGE_V2: dict[str, Any] = {
    "app": {"id": "app-1"},
    "webhook": {"id": "webhook-1", "version": "v2"},
    "events": [
        {
            "id": "event-1",
            "createdAt": "2026-03-01T10:00:00.000Z",
            "type": "conversation:message",
            "payload": {
                "conversation": {"id": "conversation-1", "type": "personal"},
                "message": {
                    "id": "message-1",
                    "received": "2026-03-01T10:00:00.000Z",
                    "author": {"type": "user", "userId": "user-1", "user": {"id": "user-1"}},
                    "content": {"type": "text", "text": "Where is my order?"},
                    "source": {"type": "whatsapp"},
                },
            },
        }
    ],
}


#: To decode it takes a tenth of the time of a deep copy, and some tests make ten thousands.
_MESSAGE_V2 = json.dumps(MESSAGE_V2)


def message(event_id: str = "event-1", text: str = "Where is my order?") -> dict[str, Any]:
    """Return a v2 body with one message of a user."""
    body: dict[str, Any] = json.loads(_MESSAGE_V2)
    event = body["events"][0]
    event["id"] = event_id
    event["payload"]["message"]["id"] = f"message-of-{event_id}"
    event["payload"]["message"]["content"]["text"] = text
    return body


def make_app(
    hooks: HookKit, *, extensions: Mapping[str, Any] | None = None, **config: Any
) -> Flask:
    """Return an application in testing mode, with *hooks* below ``/hooks``."""
    app = Flask("tests.applications")
    app.extensions.update(extensions or {})
    app.config.update({"TESTING": True, "HOOKKIT_ENDPOINTS": ENDPOINTS} | config)
    hooks.init_app(app)
    return app


def post(
    client: FlaskClient,
    body: object,
    *,
    url: str = "/hooks/support",
    secret: str | None = SECRET,
) -> TestResponse:
    """Deliver *body*: bytes as they are, anything else as JSON."""
    headers = {} if secret is None else {"X-API-Key": secret}
    return client.post(url, data=_bytes(body), headers=headers, content_type="application/json")


def admit(inbox: Inbox, body: object, received_at: datetime) -> Receipt:
    """Admit *body* as a proven delivery, without a web server."""
    delivery = Delivery(endpoint="support", body=_bytes(body), headers={}, received_at=received_at)
    verified = VerifiedDelivery(delivery=delivery, secret_index=0, body_authenticated=False)
    return inbox.admit(parse(load_providers()["sunshine"], verified))


def _bytes(body: object) -> bytes:
    return body if isinstance(body, bytes) else json.dumps(body).encode()
