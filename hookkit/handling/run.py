"""What a worker is given to do, and what a handler may know besides the event."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hookkit.core.attempts import RetryPolicy
from hookkit.core.handlers import HandlerRegistry
from hookkit.core.provider import Provider
from hookkit.inbox.inbox import Inbox


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a handler may want to know besides the event.

    Attributes:
        attempt: The first is 1; a replay counts from 1 again.
        is_replay: Whether a person asked for this run.
        entry_id: The entry of the event in the inbox.
        logger: Logs as ``hookkit.handlers``.
        connection: For a transactional handler, a SQLAlchemy ``Connection`` to the inbox's
            database. The worker commits what is written there together with the record of
            success; raise an exception to roll it back.
    """

    attempt: int
    is_replay: bool
    entry_id: int
    logger: logging.Logger
    connection: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """What a worker serves, and by what means.

    Attributes:
        sender: The sender of the signals: the application.
        providers: The provider of each endpoint, by the endpoint's name.
        registry: The handlers.
        retry: The policy of handlers that have none of their own.
        lease_s: How long a claimed entry belongs to its worker, in seconds.
        context: Makes the context of one attempt; whatever the handler raises leaves it.
        inbox: Returns the inbox; may raise ``Unavailable``.
        clock: Returns the time as aware UTC.
        jitter: Returns a random number in [-1, 1].
    """

    sender: object
    providers: Mapping[str, Provider]
    registry: HandlerRegistry
    retry: RetryPolicy
    lease_s: float
    context: Callable[[], AbstractContextManager[object]]
    inbox: Callable[[], Inbox]
    clock: Callable[[], datetime]
    jitter: Callable[[], float]
