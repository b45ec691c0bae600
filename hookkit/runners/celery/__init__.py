"""The runner that has handlers run by the workers of the application's own Celery."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from hookkit.core.errors import ConfigurationError
from hookkit.handling.worker import Worker
from hookkit.operating.presence import Presence

if TYPE_CHECKING:
    from hookkit.runners.celery.runner import CeleryRunner


def make_celery_runner(
    worker: Worker,
    extensions: Mapping[str, Any],
    *,
    next_due_at: Callable[[], datetime | None],
    prune: Callable[[Callable[[float], bool]], tuple[int, int]],
    promote: Callable[[], int],
    replay: Callable[[], float | None],
    presence: Presence,
) -> CeleryRunner:
    """Return a ``CeleryRunner``, its tasks added to the Celery application in *extensions*.

    Args:
        extensions: A Flask application's; ``extensions["celery"]`` is its Celery application.
        next_due_at: As ``CeleryRunner`` takes it, like what follows.

    Raises:
        ConfigurationError: Celery is not installed, or *extensions* has no Celery application.
    """
    try:
        from hookkit.runners.celery import runner  # noqa: PLC0415  # Celery is optional
    except ModuleNotFoundError as error:
        if error.name != "celery":
            raise
        raise ConfigurationError(
            "HOOKKIT_RUNNER: celery is not installed: pip install hookkit[celery]"
        ) from error
    return runner.CeleryRunner(
        worker,
        runner.celery_app_of(extensions),
        next_due_at=next_due_at,
        prune=prune,
        promote=promote,
        replay=replay,
        presence=presence,
    )
