"""The application: endpoints, the console behind its own login, health."""

from __future__ import annotations

from flask import Flask, Request, redirect
from handlers import dead, hooks
from vendor import ORDERS
from werkzeug.wrappers import Response

from hookkit import ConfigurationError, SecretUse, Stats
from hookkit.console import Access, Permission, Right


def permission(request: Request) -> Access | Response | None:
    if request.authorization is None:
        return redirect("/login")
    if request.authorization.username == "admin":
        return Access(user="admin", rights={Right.OPERATE, Right.SWITCH})
    return None


def on_this_machine() -> Permission:
    return Access.local()


def is_monitor(request: Request) -> bool:
    return request.authorization is not None


def create_app() -> Flask:
    app = Flask(__name__)
    app.config.from_mapping(
        SECRET_KEY="the-key-of-the-forms",
        HOOKKIT_DATABASE="memory://",
        HOOKKIT_ENDPOINTS={
            "support": {"provider": "sunshine", "secrets": ["the-secret-of-your-webhook"]},
            "orders": ORDERS,
        },
    )
    hooks.init_app(app)
    app.register_blueprint(hooks.console(permission=permission), url_prefix="/ops")
    app.register_blueprint(hooks.health(details=is_monitor), url_prefix="/health")
    return app


def start() -> Flask:
    try:
        return create_app()
    except ConfigurationError as error:
        raise SystemExit(f"the settings are wrong: {error}") from error


def replay(app: Flask) -> int:
    hooks.replay(app, 17, handlers=["answer"])
    return hooks.replay_all(app, dead("support"), reason="the desk was away", progress=print)


def look(app: Flask) -> tuple[Stats, list[SecretUse]]:
    stats = hooks.stats(app)
    return stats, list(stats.secrets)
