"""A small application that receives webhooks: copy from it what you need.

``hooks.py`` is the part that hookkit is about. The rest is what any application has: this
factory, a table of its own (``store.py``), a page that shows it. ``run.py`` and ``demo.py``
start it for ``make run`` and ``make demo``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flask import Flask, render_template
from flask.typing import ResponseReturnValue

from sample_app import store
from sample_app.hooks import hooks

# Everybody can read this one: set SAMPLE_SECRET to your own before anything is real.
DEMO_SECRET = "demo-secret-known-to-everybody"

#: How many of the last events the page shows.
SHOWN = 50


def create_app(config: Mapping[str, Any] | None = None) -> Flask:
    """Return the application; *config* wins over ``FLASK_...`` variables, they over defaults."""
    app = Flask(__name__)
    secret = os.environ.get("SAMPLE_SECRET") or DEMO_SECRET
    app.config.from_mapping(
        # POST /hooks/support and so on, one endpoint for each vendor and the same handlers for
        # all. While a secret is changed, list the new one before the old one.
        HOOKKIT_ENDPOINTS={
            "support": {"provider": "sunshine", "secrets": [secret]},
            # Whoever knows one endpoint's secret must not speak for another.
            "chat": {"provider": "livechat", "secrets": [f"chat-{secret}"]},
            "contact-center": {"provider": "8x8", **_keys()},
        },
        # Somebody may be watching: the default waits five seconds before the first retry.
        HOOKKIT_RETRY={"first_delay_s": 1.0},
        SAMPLE_DATABASE=os.environ.get("SAMPLE_DATABASE")
        or str(Path(app.instance_path) / "sample.db"),
    )
    app.config.from_prefixed_env()  # FLASK_HOOKKIT_DATABASE=postgresql://...
    app.config.from_mapping(config or {})

    if app.config.get("HOOKKIT_RUNNER") == "celery":
        from sample_app import celery_app  # noqa: PLC0415  # most copies do without Celery

        app.config.setdefault("CELERY", celery_app.settings())
        celery_app.celery_init_app(app)  # before hookkit, which adds its tasks
    store.init_app(app)
    app.register_blueprint(hooks.blueprint, url_prefix="/hooks")
    # In an application of yours these belong behind a login: they show what customers write.
    app.add_url_rule("/", view_func=index)
    app.add_url_rule("/events.json", view_func=events)
    return app


def _keys() -> dict[str, str]:
    """Return where the keys of 8x8 come from: a file to try things out with, or the vendor."""
    file = os.environ.get("SAMPLE_PUBLIC_KEY")
    return {"keys": Path(file).read_text(encoding="utf-8")} if file else {"region": "us"}


def index() -> ResponseReturnValue:
    return render_template("index.html", rows=store.latest(SHOWN), shown=SHOWN)


def events() -> ResponseReturnValue:
    return {"events": store.latest(SHOWN)}
