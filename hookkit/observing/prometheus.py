"""Figures for Prometheus: counted from the signals, and read from the inbox when they are scraped.

It needs the extra ``hookkit[prometheus]``. Nothing is exposed by it: the application has its own
view for its registry, and decides who may see that.

No stranger makes a label: endpoints are those of the settings, codes and types of events are
hookkit's, and words that neither the vendor's folder nor a handler names count as ``other``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from flask import Flask
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric

from hookkit import signals
from hookkit.application.app_state import AppState, state_of
from hookkit.core.attempts import Attempt
from hookkit.core.entry import Receipt, State
from hookkit.core.event import Event
from hookkit.core.handlers import HandlerRegistry
from hookkit.core.provider import Provider
from hookkit.inbox.records import to_ms
from hookkit.operating.watch import Seen

#: Stands for every word that is not known beforehand.
OTHER = "other"

_DELIVERY_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_HANDLER_BUCKETS_S = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300)
_WAIT_BUCKETS_S = (0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60, 300, 1800, 3600, 21600)


class _Families:
    """The counters and histograms in one registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, sentence: str, *labels: str) -> Counter:
            return Counter(f"hookkit_{name}", sentence, labels, registry=registry)

        def histogram(
            name: str, sentence: str, label: str, buckets: tuple[float, ...]
        ) -> Histogram:
            return Histogram(
                f"hookkit_{name}", sentence, [label], buckets=buckets, registry=registry
            )

        self.inbox: InboxCollector | None = None
        self.deliveries = counter("deliveries", "Deliveries answered.", "endpoint", "code")
        self.delivery_seconds = histogram(
            "delivery_seconds",
            "Seconds from a delivery's last byte to its answer.",
            "endpoint",
            _DELIVERY_BUCKETS_S,
        )
        self.events = counter(
            "events",
            "Events received, by the vendor's word: new, duplicate, or conflict.",
            *("endpoint", "vendor_type", "result"),
        )
        self.settled = counter(
            "events_settled",
            "Outcomes recorded, by hookkit's event type: done, waiting or dead.",
            *("endpoint", "type", "state"),
        )
        self.attempts = counter("attempts", "Attempts of handlers.", "handler", "outcome")
        self.handler_seconds = histogram(
            "handler_seconds", "Seconds that a handler took.", "handler", _HANDLER_BUCKETS_S
        )
        self.wait_seconds = histogram(
            "wait_seconds",
            "Seconds from a delivery to the first attempt for its event.",
            "endpoint",
            _WAIT_BUCKETS_S,
        )


_families: WeakKeyDictionary[CollectorRegistry, _Families] = WeakKeyDictionary()


def enable(app: Flask, *, registry: CollectorRegistry = REGISTRY) -> None:
    """Count in *registry* what *app* receives and handles; calling it again changes nothing.

    What is read from the inbox comes from the application that was enabled last in *registry*:
    give each of several applications in one process a registry of its own.

    Raises:
        ConfigurationError: *app* has not registered a HookKit.
    """
    state = state_of(app)
    enabled: list[CollectorRegistry] = app.extensions.setdefault("hookkit-prometheus", [])
    if registry in enabled:
        return
    enabled.append(registry)
    families = _families.get(registry)
    if families is None:
        families = _families[registry] = _Families(registry)
    if families.inbox is not None:
        registry.unregister(families.inbox)
    families.inbox = InboxCollector(app)
    registry.register(families.inbox)
    _Counting(families, _Labels(state)).connect(app)


class _Labels:
    """Turns what is in an event into one of few words."""

    def __init__(self, state: AppState) -> None:
        self._endpoints = state.settings.endpoints
        self._registry = state.worker.assignment.registry
        providers = {each.provider.name: each.provider for each in self._endpoints.values()}
        self._known = {name: frozenset(_words(each)) for name, each in providers.items()}

    def vendor_type(self, endpoint: str, word: str) -> str:
        """Return *word* if the vendor's folder or a handler names it."""
        provider = self._endpoints[endpoint].provider.name
        is_known = word in self._known[provider] or (provider, word) in _named(self._registry)
        return word if is_known else OTHER

    def endpoint(self, name: str) -> str:
        """Return *name* if the settings have it: an older entry may be of one that is gone."""
        return name if name in self._endpoints else OTHER

    def handler(self, name: str) -> str:
        """Return *name* if it is registered here: newer code may have others."""
        return name if name in self._registry.names else OTHER


def _words(provider: Provider) -> Iterator[str]:
    yield from provider.triggers
    for version in provider.versions.values():
        yield from version.types
        yield from version.words


def _named(registry: HandlerRegistry) -> set[tuple[str, str]]:
    handlers = registry.handlers.values()
    exact = (trigger.exactly for each in handlers for trigger in each.triggers)
    return {each for each in exact if each is not None}


@dataclass(frozen=True, slots=True)
class _Counting:
    """Receives the signals of one application."""

    families: _Families
    labels: _Labels

    def connect(self, app: Flask) -> None:
        """Receive from now on, as long as *app* is there."""
        for signal, receiver in (
            (signals.delivery_rejected, self.rejected),
            (signals.delivery_unavailable, self.unavailable),
            (signals.delivery_accepted, self.accepted),
            (signals.delivery_answered, self.answered),
            (signals.event_settled, self.settled),
        ):
            signal.connect(receiver, sender=app, weak=False)

    def rejected(self, _: object, *, endpoint: str, code: str, **__: object) -> None:
        self.families.deliveries.labels(endpoint, code).inc()

    def unavailable(self, _: object, *, endpoint: str, **__: object) -> None:
        self.families.deliveries.labels(endpoint, "unavailable").inc()

    def accepted(
        self,
        _: object,
        *,
        endpoint: str,
        receipt: Receipt,
        vendor_types: tuple[str, ...],
        **__: object,
    ) -> None:
        self.families.deliveries.labels(endpoint, receipt.code).inc()
        for admitted, word in zip(receipt.admitted, vendor_types, strict=True):
            result = "conflict" if admitted.is_conflict else "duplicate"
            self.families.events.labels(
                endpoint,
                self.labels.vendor_type(endpoint, word),
                "new" if admitted.is_new else result,
            ).inc()

    def answered(self, _: object, *, endpoint: str, took_s: float, **__: object) -> None:
        self.families.delivery_seconds.labels(endpoint).observe(took_s)

    def settled(
        self,
        _: object,
        *,
        event: Event,
        state: State,
        attempts: tuple[Attempt, ...],
        is_first: bool,
        **__: object,
    ) -> None:
        families, endpoint = self.families, self.labels.endpoint(event.endpoint)
        families.settled.labels(endpoint, event.type.value, state.value).inc()
        # An attempt without a handler says that none was there.
        made = [each for each in attempts if each.handler]
        for each in made:
            handler = self.labels.handler(each.handler)
            families.attempts.labels(handler, each.outcome.value).inc()
            took_s = (each.ended_at - each.started_at).total_seconds()
            families.handler_seconds.labels(handler).observe(max(0.0, took_s))
        if made and is_first:
            waited = min(each.started_at for each in made) - event.received_at
            families.wait_seconds.labels(endpoint).observe(max(0.0, waited.total_seconds()))


class InboxCollector:
    """Reads the inbox of an application when its registry is scraped.

    With prometheus_client's multi-process mode, register one in the registry of the scrape,
    beside ``MultiProcessCollector``. What it reads is the same in every process.
    """

    def __init__(self, app: Flask) -> None:
        self._look: Callable[[], Seen] = state_of(app).watch.look

    def describe(self) -> Iterable[Metric]:
        """Return the names alone, so that registering reads no inbox."""
        return list(_families_of(None))

    def collect(self) -> Iterable[Metric]:
        """Yield what the inbox holds; it is read at most once in a few seconds."""
        return _families_of(self._look())


def _families_of(seen: Seen | None) -> Iterator[Metric]:
    def gauge(name: str, sentence: str, samples: Iterable[tuple[Any, float]], *labels: str) -> Any:
        family = GaugeMetricFamily(f"hookkit_{name}", sentence, labels=labels)
        for values, value in samples:
            family.add_metric(values, value)
        return family

    is_up = seen is not None and seen.error is None
    yield gauge("inbox_up", "Whether the inbox can be read.", [([], float(is_up))])
    entries = seen.entries.items() if seen else ()
    yield gauge(
        "entries",
        "Entries by state; 1001 stands for more than 1000.",
        (([state.value], count) for state, count in entries),
        "state",
    )
    yield gauge(
        "overdue_seconds",
        "Seconds that what is due first has waited for a worker.",
        [([], seen.overdue_s)] if seen and is_up else [],
    )
    last = seen.last_at.items() if seen else ()
    yield gauge(
        "last_delivery_timestamp_seconds",
        "When the last proven delivery arrived, to the minute.",
        (([endpoint], to_ms(at) / 1000) for endpoint, at in last),
        "endpoint",
    )
    yield gauge(
        "endpoint_silent",
        "Whether an endpoint has been silent for longer than is usual for these hours.",
        (([endpoint], float(endpoint in seen.silent)) for endpoint, _ in last) if seen else (),
        "endpoint",
    )
