"""A small application that receives webhooks: copy from it what you need.

The handlers are in ``hooks.py``. The rest is what any application has: this factory, a table of
its own (``store.py``), and a page that shows it beside the inbox (``page.py``). ``run.py`` and
``demo.py`` start it for ``make run`` and ``make demo``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flask import Flask, current_app, render_template
from flask.typing import ResponseReturnValue

from hookkit.console import Access
from sample_app import store
from sample_app.hooks import hooks
from sample_app.page import newest

# Everybody can read this one: set SAMPLE_SECRET to a secret of your own before real use.
DEMO_SECRET = "demo-secret-known-to-everybody"

#: How many of the last events the page shows.
SHOWN = 50


def create_app(config: Mapping[str, Any] | None = None) -> Flask:
    """Return the application; *config* overrides ``FLASK_...`` variables, these the defaults."""
    app = Flask(__name__)
    secret = os.environ.get("SAMPLE_SECRET") or DEMO_SECRET
    app.config.from_mapping(
        # One endpoint for each vendor, at /hooks/support and so on; the handlers are the same.
        # While you change a secret, list the new one before the old one.
        HOOKKIT_ENDPOINTS={
            "support": {"provider": "sunshine", "secrets": [secret]},
            # A secret of its own, so that who knows one cannot forge deliveries to the other.
            "chat": {"provider": "livechat", "secrets": [f"chat-{secret}"]},
            "contact-center": {"provider": "8x8", **_keys()},
            # This one is about to move to v2, which is kept and compared, and not handled yet.
            "orders": {
                "provider": "sunshine",
                "secrets": [f"orders-{secret}"],
                "versions": {"v1.1": "live", "v2": "shadow"},
            },
        },
        # The console signs its forms with it. All processes need the same one.
        SECRET_KEY=f"key-{secret}",
        # For a demonstration: the default waits five seconds before the first retry.
        HOOKKIT_RETRY={"first_delay_s": 1.0},
        SAMPLE_DATABASE=os.environ.get("SAMPLE_DATABASE")
        or str(Path(app.instance_path) / "sample.db"),
    )
    app.config.from_prefixed_env()  # FLASK_HOOKKIT_DATABASE=postgresql://...
    app.config.from_mapping(config or {})

    if app.config.get("HOOKKIT_RUNNER") == "celery":
        from sample_app import celery_app  # noqa: PLC0415  # most copies do without Celery

        app.config.setdefault("CELERY", celery_app.settings())
        celery_app.celery_init_app(app)  # before hookkit, which adds its tasks to it
    store.init_app(app)
    app.register_blueprint(hooks.blueprint, url_prefix="/hooks")
    # While you develop: it lets this machine in, in debug mode alone.
    app.register_blueprint(hooks.console(permission=Access.local()), url_prefix="/ops")
    # In a real application these need a login: they show what customers write.
    app.add_url_rule("/", view_func=index)
    app.add_url_rule("/events.json", view_func=events)
    return app


def _keys() -> dict[str, str]:
    """Return where the keys of 8x8 come from: a file for trying things out, or the vendor."""
    file = os.environ.get("SAMPLE_PUBLIC_KEY")
    return {"keys": Path(file).read_text(encoding="utf-8")} if file else {"region": "us"}


def index() -> ResponseReturnValue:
    return render_template(
        "index.html", page=newest(SHOWN), shown=SHOWN, has_console=current_app.debug
    )


def events() -> ResponseReturnValue:
    return {"events": store.latest(SHOWN)}
