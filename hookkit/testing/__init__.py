"""For tests of applications: fixtures of pytest, and the vendors' sample payloads.

The fixtures are in ``hookkit.testing.plugin``; pytest finds them by itself. Without pytest::

    provider = find_provider("sunshine")
    sample = find_sample(provider, version="v2", trigger="conversation:message")
    document = freshen(sample.document(), provider.versions["v2"])
    set_path(document, "events.0.payload.message.content.text", "where is my order?")
    delivery = sign(provider, document, secret="the endpoint's secret")
    client.post("/hooks/support", data=delivery.body, headers=delivery.headers)
"""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hookkit.providers import find_provider
    from hookkit.testing.client import Delivered, DeliveryClient
    from hookkit.testing.contract import ProviderContract
    from hookkit.testing.idempotency import assert_idempotent
    from hookkit.testing.payloads import PayloadMaker, SamplePayload
    from hookkit.testing.samples import Sample, find_sample, freshen, list_samples, set_path
    from hookkit.testing.signing import SignedDelivery, sign
    from hookkit.testing.stage import Stage
    from hookkit.testing.views import InboxView, MovableClock

__all__ = [
    "Delivered",
    "DeliveryClient",
    "InboxView",
    "MovableClock",
    "PayloadMaker",
    "ProviderContract",
    "Sample",
    "SamplePayload",
    "SignedDelivery",
    "Stage",
    "assert_idempotent",
    "find_provider",
    "find_sample",
    "freshen",
    "list_samples",
    "set_path",
    "sign",
]

#: What needs Flask and an inbox, which samples do without.
_OF_APPLICATIONS = (
    "Delivered",
    "DeliveryClient",
    "InboxView",
    "MovableClock",
    "ProviderContract",
    "Stage",
    "assert_idempotent",
)


def __getattr__(name: str) -> Any:
    """Return a public name, imported when it is first used; see ``hookkit.__getattr__``."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    modules = _of_applications() if name in _OF_APPLICATIONS else _of_samples()
    for module in modules:
        globals().update({each: vars(module)[each] for each in __all__ if each in vars(module)})
    return globals()[name]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _of_samples() -> tuple[ModuleType, ...]:
    from hookkit import providers  # noqa: PLC0415
    from hookkit.testing import payloads, samples, signing  # noqa: PLC0415

    return providers, payloads, samples, signing


def _of_applications() -> tuple[ModuleType, ...]:
    from hookkit.testing import (  # noqa: PLC0415
        client,
        contract,
        idempotency,
        stage,
        views,
    )

    return client, contract, idempotency, stage, views
