"""docs/how-to/next-to-other-extensions.md, line by line, with the real extensions."""

import json
import logging
import logging.config
import os
import sys

import pytest
import sentry_sdk
from flask import Flask
from flask_babel import Babel, gettext
from flask_cors import CORS
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_login import LoginManager, current_user
from flask_talisman import Talisman
from sentry_sdk.transport import Transport
from werkzeug.middleware.proxy_fix import ProxyFix

from hookkit import HookKit, RetryPolicy
from tests.acceptance.forking import run_python
from tests.applications import ENDPOINTS, make_app, message, post
from tests.serving import deliver, serving


@pytest.fixture
def hooks():
    return HookKit()


def app_with(hooks, **config):
    app = Flask("shop")
    app.config.update(
        {"TESTING": True, "SECRET_KEY": "a key", "HOOKKIT_ENDPOINTS": ENDPOINTS} | config
    )
    return app


def test_limiter_counts_deliveries_unless_the_blueprint_is_exempt(hooks):
    app = app_with(hooks)
    limiter = Limiter(
        get_remote_address, app=app, default_limits=["1 per day"], storage_uri="memory://"
    )
    hooks.init_app(app)
    client = app.test_client()
    first, second = (post(client, message(str(number))) for number in range(2))

    limiter.exempt(hooks.blueprint)
    third = post(client, message("3"))

    assert (first.status_code, second.status_code, third.status_code) == (200, 429, 200)


def test_talisman_answers_http_with_a_redirect_that_no_vendor_follows(hooks):
    app = app_with(hooks)
    app.testing = False
    app.config["HOOKKIT_RUNNER"] = "none"
    app.config["HOOKKIT_DATABASE"] = "memory://"
    Talisman(app)
    hooks.init_app(app)
    client = app.test_client()

    plain = post(client, message())
    app.wsgi_app = ProxyFix(app.wsgi_app, x_proto=1)
    headers = {"X-API-Key": "the-secret-of-every-test", "X-Forwarded-Proto": "https"}
    behind = client.post("/hooks/support", json=message(), headers=headers)

    assert (plain.status_code, behind.status_code) == (302, 200)


@pytest.fixture
def sent():
    """Return what Sentry would be sent until the end of the test."""
    events = []

    class Kept(Transport):
        def capture_envelope(self, envelope):
            events.extend(item.payload.json for item in envelope.items if item.type == "event")

    sentry_sdk.init(dsn="https://key@localhost/1", transport=Kept(), default_integrations=True)
    yield events
    sentry_sdk.get_client().close()
    sentry_sdk.get_global_scope().set_client(None)


def test_sentry_sees_the_exception_of_the_last_attempt(hooks, sent):
    def fail(event):
        raise RuntimeError("the order is gone")

    policy = RetryPolicy(max_attempts=2, first_delay_s=0.001)
    hooks.on("*", name="fail", retry=policy)(fail)
    client = make_app(hooks).test_client()

    post(client, message())
    after_one = [each for each in sent if "exception" in each]
    post(client, message())

    seen = [each for each in sent if "exception" in each]
    assert after_one == []
    assert [each["exception"]["values"][-1]["type"] for each in seen] == ["RuntimeError"]


def test_sentry_waits_for_no_body_and_is_given_none(hooks, sent):
    app = make_app(hooks, HOOKKIT_DATABASE="sqlite:////dev/null/hookkit.db")

    with serving(app) as base:
        status = deliver(base, message())

    assert status == 503
    assert "cannot take a delivery to %s: %s" in [each["logentry"]["message"] for each in sent]
    assert [each["request"].get("data") for each in sent] == [None] * len(sent)


def test_babel_takes_the_default_locale_in_a_handler(hooks):
    app, asked, seen = app_with(hooks, BABEL_DEFAULT_LOCALE="de"), [], []
    Babel(app, locale_selector=lambda: asked.append(1))
    hooks.on("*", name="greet")(lambda event: seen.append(gettext("Hello")))
    hooks.init_app(app)

    assert post(app.test_client(), message()).status_code == 200
    assert seen == ["Hello"]


def test_nobody_is_logged_in_in_a_handler(hooks):
    app, seen = app_with(hooks), []
    LoginManager(app).user_loader(lambda _: None)
    hooks.on("*", name="look")(lambda event: seen.append(bool(current_user)))
    hooks.init_app(app)

    assert post(app.test_client(), message()).status_code == 200
    assert seen == [False]


def test_cors_adds_headers_and_answers_no_preflight_of_ours(hooks):
    app = app_with(hooks)
    CORS(app)
    hooks.init_app(app)
    client = app.test_client()

    preflight = client.options("/hooks/support", headers={"Origin": "https://x"})

    assert (preflight.status_code, preflight.json) == (405, {"code": "method_not_allowed"})
    assert post(client, message()).status_code == 200


def test_proxy_fix_says_who_the_client_is(hooks):
    app = app_with(hooks)
    app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1)
    hooks.init_app(app)

    assert post(app.test_client(), message()).status_code == 200


def test_logging_that_is_configured_with_other_loggers_left_alone_keeps_ours(hooks):
    quiet = {"version": 1, "disable_existing_loggers": False}
    make_app(hooks)

    logging.config.dictConfig(quiet)

    assert not logging.getLogger("hookkit").disabled


MIGRATED = """
import os
from flask import Flask
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from hookkit import HookKit
from hookkit.inbox.sql.tables import metadata

app = Flask(__name__)
url = os.environ["URL"]
app.config.update(
    SQLALCHEMY_DATABASE_URI=url,
    HOOKKIT_DATABASE=url,
    HOOKKIT_TABLES=os.environ["TABLES"],
    HOOKKIT_RUNNER="none",
    HOOKKIT_ENDPOINTS={"support": {"provider": "sunshine", "secrets": ["x" * 20]}},
)
db = SQLAlchemy(app)
hooks = HookKit()
hooks.fallback(print)
hooks.init_app(app)


class Order(db.Model):
    id = db.Column(db.Integer, primary_key=True)


more = {}
if os.environ["TABLES"] == "check":
    for table in metadata.tables.values():
        table.to_metadata(db.metadata)
else:
    more["include_object"] = lambda thing, name, *_: not str(name).startswith("hookkit_")
Migrate(app, db, **more)
"""

#: Each command has an application of its own, as if it was typed. All are in one process, which
#: is not the tests' own: Alembic sets up the logging anew.
COMMANDS = """
import json, runpy, sys

for arguments in json.load(sys.stdin):
    app = runpy.run_path("app.py")["app"]
    done = app.test_cli_runner().invoke(args=arguments)
    app.extensions["hookkit"].stop()
    print(json.dumps([done.exit_code, done.output]))
"""


@pytest.mark.parametrize("tables", ["check", "upgrade"])
@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_flask_migrate_makes_the_tables_or_leaves_them_alone(tmp_path, request, database, tables):
    url = f"sqlite:///{tmp_path}/shop.db"
    if database == "postgres":
        url = request.getfixturevalue("postgres_url").replace("postgresql:", "postgresql+psycopg:")
    (tmp_path / "app.py").write_text(MIGRATED)
    commands = ["db init", "db migrate", "db upgrade", "hookkit check", "db migrate"]
    commands += ["db downgrade", "hookkit check"]
    if tables == "upgrade":
        commands.insert(1, "hookkit tables upgrade")

    ran = run_python(
        [sys.executable, "-c", COMMANDS],
        cwd=tmp_path,
        env={**os.environ, "URL": url, "TABLES": tables},
        given=json.dumps([each.split() for each in commands]),
        check=True,
    )

    *_, first_check, second_migration, _, last_check = done = [
        tuple(json.loads(line)) for line in ran.stdout.splitlines()
    ]
    is_gone = tables == "check"
    assert [code for code, _ in done] == [0] * (len(commands) - 1) + [int(is_gone)], done
    assert "with 0 entries" in " ".join(first_check[1].split())
    assert "No changes in schema detected" in second_migration[1]
    assert ("tables lack" in last_check[1]) == is_gone
