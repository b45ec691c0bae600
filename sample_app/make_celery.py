"""For Celery's own commands, which want to find an application in a module.

``FLASK_HOOKKIT_RUNNER=celery celery --app sample_app.make_celery worker --queues hookkit --beat``
"""

from __future__ import annotations

from sample_app import create_app

flask_app = create_app({"HOOKKIT_RUNNER": "celery"})
celery_app = flask_app.extensions["celery"]
