"""Makes the runner that hands the handling to the user's own Celery application."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hookkit.core.errors import ConfigurationError
from hookkit.inbox.opening import is_memory

if TYPE_CHECKING:
    from hookkit.application.app_state import AppState
    from hookkit.runners.celery.runner import CeleryRunner


def celery_runner(state: AppState) -> CeleryRunner:
    """Return the runner, its tasks added to ``app.extensions["celery"]``.

    Raises:
        ConfigurationError: Celery is not installed, the application has none, or the inbox is
            one that no other process sees.
    """
    database = state.settings.database
    if is_memory(database) or (database is None and state.app.testing):
        raise ConfigurationError(
            "HOOKKIT_RUNNER: Celery's workers are other processes, and a memory:// inbox is in"
            " this one; set HOOKKIT_DATABASE to PostgreSQL, or in tests HOOKKIT_RUNNER to 'inline'"
        )
    try:
        from hookkit.runners.celery import runner as celery  # noqa: PLC0415  # optional
    except ModuleNotFoundError as error:
        if error.name != "celery":
            raise
        raise ConfigurationError(
            "HOOKKIT_RUNNER: celery is not installed: pip install hookkit[celery]"
        ) from error
    return celery.CeleryRunner(
        state.worker,
        celery.celery_app_of(state.app.extensions),
        next_due_at=state.next_due_at,
        prune=state.prune_and_report,
        promote=state.versions.promote_held_back,
    )
