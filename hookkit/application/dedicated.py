"""What a process that runs handlers and serves nobody may not be."""

from __future__ import annotations

from collections.abc import Collection

from hookkit.core.errors import ConfigurationError
from hookkit.handling.run import (
    Assignment,
)


def check_dedicated(
    assignment: Assignment,
    runner: str,
    endpoints: Collection[str],
    *,
    sweeps: bool = False,
    is_idle: bool = False,
) -> None:
    """Refuse a process for handlers alone that would do nothing, or harm.

    Args:
        sweeps: Whether it is to wake Celery's workers.
        is_idle: Whether it is to run no handlers itself.

    Raises:
        ConfigurationError: It would; every reason is listed.
    """
    mistakes = [
        f"endpoint {name!r} is not in HOOKKIT_ENDPOINTS; known are"
        f" {', '.join(assignment.providers)}"
        for name in endpoints
        if name not in assignment.providers
    ]
    if not assignment.registry.names:
        mistakes.append(
            "no handler is registered, and every event would be settled as unhandled; have the"
            " application import the modules that hold its handlers"
        )
    if sweeps and runner != "celery":
        mistakes.append(
            f"HOOKKIT_RUNNER: --sweep wakes the workers of Celery, and the runner is {runner!r}"
        )
    if is_idle and not sweeps:
        mistakes.append("--concurrency 0 runs no handlers, which is for --sweep alone")
    if runner == "inline":
        mistakes.append(
            'HOOKKIT_RUNNER: with "inline" the handlers run before the answer, and a worker that'
            ' is faster makes it a 503; set it to "none" here and where the application serves'
        )
    if mistakes:
        raise ConfigurationError(*mistakes)
