"""Celery for this application, as Flask's documentation sets it up: copy it if you have none.

https://flask.palletsprojects.com/en/stable/patterns/celery/
"""

from __future__ import annotations

import os

from celery import Celery, Task
from flask import Flask


def celery_init_app(app: Flask) -> Celery:
    class FlaskTask(Task):  # type: ignore[misc]  # Celery has no types
        def __call__(self, *args: object, **kwargs: object) -> object:
            with app.app_context():
                return self.run(*args, **kwargs)

    celery_app = Celery(app.name, task_cls=FlaskTask)
    celery_app.config_from_object(app.config["CELERY"])
    celery_app.set_default()
    app.extensions["celery"] = celery_app
    return celery_app


def settings() -> dict[str, object]:
    """Return Celery's settings: a broker, and hookkit's two tasks in the beat's schedule."""
    return {
        "broker_url": os.environ.get("SAMPLE_BROKER") or "redis://localhost",
        "task_ignore_result": True,
        # A busy process must not hold back wake-ups that an idle one could follow.
        "worker_prefetch_multiplier": 1,
        "beat_schedule": {
            "hookkit-sweep": {
                "task": "hookkit.sweep",
                "schedule": 1.0,
                "options": {"queue": "hookkit"},
            },
            "hookkit-prune": {
                "task": "hookkit.prune",
                "schedule": 3600.0,
                "options": {"queue": "hookkit"},
            },
        },
    }
