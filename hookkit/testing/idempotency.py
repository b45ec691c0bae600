"""``assert_idempotent``: what an application does must not depend on how often it is told."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

from hookkit.core.errors import HookkitError
from hookkit.testing.client import Delivered, DeliveryClient


def assert_idempotent(
    client: DeliveryClient,
    deliver: Callable[[], object],
    *,
    effects: Any,
    reset: Callable[[], object] | None = None,
) -> None:
    """Deliver in the ways in which deliveries come, and compare the effects with those of once.

    *deliver* is called once. What it delivered is then sent again into an empty inbox in three
    ways: twice, in reverse order, and to a worker that dies after its handlers have run and before
    that is recorded, so that another worker runs them again.

    Args:
        client: The fixture ``hookkit_client``.
        deliver: Makes the deliveries: ``lambda: hookkit_client.deliver("support")``.
        effects: What the handlers change: a list, dict or set, or a function that returns what
            is to be compared. Return it sorted where the order does not matter.
        reset: Takes the effects back; None clears the list, dict or set.

    Raises:
        AssertionError: The effects differ; the message has both.
        HookkitError: Nothing was delivered, or *effects* is a function and *reset* is missing.
    """
    __tracebackhide__ = True  # pytest shows the line of the test, and not this function
    look = effects if callable(effects) else lambda: effects
    clear = reset or getattr(effects, "clear", None)
    if clear is None:
        raise HookkitError(
            "assert_idempotent: pass reset=, a function that takes the effects back: each way of"
            " delivery starts without them"
        )
    stage, first = client.stage, len(client.sent)
    deliver()
    stage.finish()
    sent = client.sent[first:]
    if not any(each.entry_ids for each in sent):
        raise HookkitError(
            "assert_idempotent: deliver() has delivered no event: "
            + (f"the last answer was {sent[-1]}" if sent else "call hookkit_client in it")
        )
    once = copy.deepcopy(look())
    for way, order, dies_once in (
        ("twice", [*sent, *sent], False),
        ("in reverse order", sent[::-1], False),
        ("to a worker that died before it recorded what it did", sent, True),
    ):
        clear()
        _deliver_again(client, order, dies_once=dies_once)
        found = copy.deepcopy(look())
        if found != once:
            raise AssertionError(
                f"delivered {way}, the effects are others\n  once: {once!r}\n  then: {found!r}"
            )


def _deliver_again(client: DeliveryClient, order: Sequence[Delivered], *, dies_once: bool) -> None:
    with client.stage.anew(dies_once=dies_once):
        for each in order:
            client.redeliver(each)
        client.stage.finish()
