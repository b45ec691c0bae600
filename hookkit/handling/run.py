"""What a worker serves, and what it tells a handler beside the event."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from hookkit.core.attempts import RetryPolicy
from hookkit.core.handlers import HandlerRegistry
from hookkit.core.provider import Provider


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a handler may want to know beside the event.

    Attributes:
        attempt: The first is 1; a replay counts from 1 again.
        is_replay: Whether a person asked for this run.
        entry_id: The entry of the event in the inbox.
        logger: Logs as ``hookkit.handlers``.
        connection: Of a transactional handler: a SQLAlchemy ``Connection`` to the inbox's
            database. What is written there and the record of success are one commit, which
            is the worker's; raise to roll it back.
    """

    attempt: int
    is_replay: bool
    entry_id: int
    logger: logging.Logger
    connection: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """What a worker serves.

    Attributes:
        sender: Who sends the signals: the application.
        providers: The provider of each endpoint, by the endpoint's name.
        registry: The handlers.
        retry: The policy of handlers that have none of their own.
        lease_s: How long a claimed entry belongs to its worker, in seconds.
        context: Makes the context of one attempt; whatever the handler raises leaves it.
    """

    sender: object
    providers: Mapping[str, Provider]
    registry: HandlerRegistry
    retry: RetryPolicy
    lease_s: float
    context: Callable[[], AbstractContextManager[object]]
