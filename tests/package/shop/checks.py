"""Tests of the application, with the fixtures of hookkit; saved as ``test_shop.py``."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, assert_type

import pytest
from app import create_app
from flask import Flask
from handlers import answer, seen
from vendor import ORDERS, is_proven, signed, stripe

from hookkit.testing import (
    Delivered,
    DeliveryClient,
    InboxView,
    MovableClock,
    PayloadMaker,
    ProviderContract,
    SamplePayload,
    Stage,
    assert_idempotent,
    find_provider,
    find_sample,
    freshen,
    set_path,
    sign,
)


@pytest.fixture
def app() -> Flask:
    seen.clear()
    return create_app()


def test_message_is_answered(
    hookkit_client: DeliveryClient,
    hookkit_sample: PayloadMaker,
    hookkit_inbox: InboxView,
    hookkit_clock: MovableClock,
) -> None:
    asks = assert_type(hookkit_sample("sunshine", {"content.text": "Hi"}), SamplePayload)

    delivered = assert_type(hookkit_client.deliver("support", asks), Delivered)

    assert (delivered.status, delivered.new) == (200, 1)
    assert seen[0] == "Hi"
    assert [each.number for each in hookkit_inbox.attempts("answer")] == [1]
    assert assert_type(hookkit_clock.move(seconds=5), datetime) == hookkit_clock.now


def test_order_is_taken(hookkit_client: DeliveryClient) -> None:
    document = {"event": {"id": "1", "kind": "order.created"}}

    assert hookkit_client.deliver("orders", document).code == "accepted"
    assert hookkit_client.deliver("orders", document, late_by=timedelta(days=1)).status == 401


def test_answering_twice_is_answering_once(
    hookkit_client: DeliveryClient, hookkit_sample: PayloadMaker
) -> None:
    payload = hookkit_sample("sunshine", **{"content.text": "Hi"})

    assert_idempotent(
        hookkit_client,
        lambda: hookkit_client.deliver("support", payload),
        effects=lambda: set(seen),
        reset=seen.clear,
    )


def test_vendor_of_ones_own(app: Flask, hookkit_stage: Stage) -> None:
    orders: Any = app.extensions["hookkit"].settings.endpoints["orders"].provider

    assert is_proven(orders, signed(orders, b"{}"), b"{}")
    assert not is_proven(orders, signed(orders, b"{}"), b"[]")
    assert hookkit_stage.app is app
    assert stripe().name == "stripe"


def test_sample_without_an_application() -> None:
    provider = find_provider("sunshine")
    sample = find_sample(provider, version="v2", trigger="conversation:message")
    document = freshen(sample.document(), provider.versions["v2"])
    set_path(document, "events.0.payload.message.content.text", "where is my order?")

    assert sign(provider, document, secret="the-secret").body
    assert answer.__name__ == "answer"


class TestOrders(ProviderContract):
    settings = ORDERS
    payloads = [{"event": {"id": "2", "kind": "order.created"}}]
