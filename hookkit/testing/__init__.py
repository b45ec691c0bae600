"""For tests of applications: the vendors' sample payloads, as new events with a proof.

::

    provider = find_provider("sunshine")
    sample = find_sample(provider, version="v2", trigger="conversation:message")
    document = freshen(sample.document(), provider.versions["v2"])
    set_path(document, "events.0.payload.message.content.text", "where is my order?")
    delivery = sign(provider, document, secret="the endpoint's secret")
    client.post("/hooks/support", data=delivery.body, headers=delivery.headers)
"""

from __future__ import annotations

from hookkit.providers import find_provider
from hookkit.testing.samples import Sample, find_sample, freshen, list_samples, set_path
from hookkit.testing.signing import SignedDelivery, sign

__all__ = [
    "Sample",
    "SignedDelivery",
    "find_provider",
    "find_sample",
    "freshen",
    "list_samples",
    "set_path",
    "sign",
]
