"""Who may have how much of what is refused kept, by a clock that the tests turn."""

import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from hookkit.core.delivery import Delivery
from hookkit.core.errors import (
    BodyTooLarge,
    MalformedBody,
    MalformedHeader,
    SignatureMismatch,
    SignatureMissing,
    TimestampExpired,
    TimestampInFuture,
    Unavailable,
)
from hookkit.providers import load_providers
from hookkit.receiving.quarantine import (
    BYTES_OF_ONE,
    ENDPOINT_BURST,
    MAX_BYTES,
    MAX_NETWORKS,
    NETWORK_BURST,
    PAUSE_S,
    WEAK_BURST,
    Quarantine,
)
from hookkit.settings.endpoint import read_endpoint

LIMITS = {"max_body": 1 << 20, "max_unproven_bytes": 8 << 10, "max_items": 1000}
VENDOR = "198.51.100.7"


@dataclass
class Store:
    """Takes the place of an inbox."""

    kept: list = field(default_factory=list)
    error: Exception | None = None

    @property
    def quarantine(self):
        return self

    def keep(self, delivery, code, network, size, room):
        if self.error is not None:
            raise self.error
        self.kept.append((delivery.endpoint, code, network, size))


class Watched:
    """A quarantine, with what it keeps and a clock."""

    def __init__(self, most=1000, endpoint_count=2):
        self.now_s = 1000.0
        self.store = Store()
        self.quarantine = Quarantine(
            lambda: self.store, most, endpoint_count, clock=lambda: self.now_s
        )

    def offer(self, error=SignatureMismatch, *, address=VENDOR, name="shop", times=1, body=b"{}"):
        """Offer deliveries; return how many of them were kept."""
        before = len(self.store.kept)
        declared = {"provider": "sunshine", "secrets": ["a-secret-of-the-endpoint"]}
        endpoint = read_endpoint(name, declared, load_providers(), LIMITS)[0]
        delivery = Delivery(
            endpoint=name,
            body=body,
            headers={"x-api-key": "wrong"},
            received_at=datetime(2026, 3, 1, tzinfo=UTC),
            address=address,
        )
        for _ in range(times):
            self.quarantine.offer(endpoint, delivery, error("as it is"))
        return len(self.store.kept) - before


@pytest.fixture
def watched():
    return Watched()


@pytest.mark.parametrize(
    "error",
    [SignatureMismatch, TimestampExpired, TimestampInFuture, SignatureMissing, MalformedHeader],
)
def test_delivery_that_is_refused_for_its_proof_is_kept(watched, error):
    assert watched.offer(error) == 1
    assert watched.store.kept == [("shop", error.code, VENDOR, 2)]


@pytest.mark.parametrize("error", [BodyTooLarge, MalformedBody])
def test_delivery_that_is_refused_for_its_body_is_not_kept(watched, error):
    assert watched.offer(error) == 0


def test_nothing_is_kept_if_the_settings_say_so():
    assert Watched(most=0).offer() == 0


def test_each_endpoint_has_its_share():
    room = Watched(most=1000, endpoint_count=3).quarantine.room

    assert (room.rows, room.bytes, room.weak_rows) == (333, MAX_BYTES // 3, 33)
    assert Watched(most=1, endpoint_count=3).quarantine.room.rows == 1


def test_one_network_is_kept_at_a_bounded_rate(watched):
    assert watched.offer(times=500) == NETWORK_BURST
    watched.now_s += 10
    assert watched.offer(times=500) == 10


def test_large_bodies_count_as_many(watched):
    assert watched.offer(times=500, body=b"x" * (9 * BYTES_OF_ONE)) == NETWORK_BURST // 10
    assert watched.offer(SignatureMissing, body=b"x" * (WEAK_BURST * BYTES_OF_ONE)) == 0


def test_many_networks_together_are_kept_at_a_bounded_rate(watched):
    kept = sum(watched.offer(address=f"203.0.113.{number}", times=60) for number in range(200))

    assert kept == ENDPOINT_BURST
    watched.now_s += 10
    kept = sum(watched.offer(address=f"203.0.114.{number}", times=60) for number in range(200))
    assert kept == 20


def test_flood_of_one_network_leaves_room_for_the_vendor(watched):
    for _ in range(60):
        watched.now_s += 1
        watched.offer(address="203.0.113.9", times=50)
        watched.offer(SignatureMissing, address="203.0.113.9", times=50)
        assert watched.offer() == 1


def test_flood_of_some_networks_leaves_room_for_one_that_sends_little(watched):
    for _ in range(60):
        watched.now_s += 5
        for number in range(20):
            watched.offer(address=f"203.0.113.{number}", times=50)
        assert watched.offer(times=5) == 5


def test_flood_at_one_endpoint_leaves_room_at_another(watched):
    for number in range(200):
        watched.offer(address=f"203.0.113.{number}", times=9)

    assert watched.offer(name="other") == 1


def test_little_is_kept_of_what_nothing_can_prove(watched):
    kept = sum(
        watched.offer(SignatureMissing, address=f"203.0.113.{number}") for number in range(200)
    )

    assert kept == WEAK_BURST
    assert watched.offer() == 1


def test_addresses_of_one_ipv6_site_are_one_network(watched):
    kept = sum(watched.offer(address=f"2001:db8:0:{number:x}::1") for number in range(200))

    assert kept == NETWORK_BURST
    assert {network for _, _, network, _ in watched.store.kept} == {"2001:db8::/48"}


def test_memory_for_networks_is_bounded(watched):
    for number in range(3 * MAX_NETWORKS):
        watched.offer(address=f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")

    assert len(watched.quarantine._rates["shop"]._networks) == MAX_NETWORKS


def test_inbox_that_is_away_is_left_alone_for_a_while_and_logged_once(watched, caplog):
    caplog.set_level(logging.WARNING, "hookkit")
    watched.store.error = Unavailable("the inbox cannot be used")
    watched.offer(times=20)
    watched.store.error = None
    assert watched.offer() == 0

    watched.now_s += PAUSE_S

    assert watched.offer() == 1
    actions = [record.action for record in caplog.records]
    assert actions == ["quarantine_failed"]


def test_mistake_in_it_never_reaches_the_sender(watched, caplog):
    watched.store.error = RuntimeError("a mistake")

    assert watched.offer(times=3) == 0
    assert {record.action for record in caplog.records} == {"quarantine_failed"}


def test_child_process_has_rates_of_its_own(watched):
    watched.offer(times=500)

    watched.quarantine.after_fork()

    assert watched.offer() == 1
