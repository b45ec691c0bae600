"""The console in applications as people have them."""

import re
from datetime import timedelta

import pytest
from flask import Flask, request
from flask_login import LoginManager, UserMixin, current_user, login_user
from flask_talisman import Talisman
from flask_wtf import CSRFProtect
from jinja2 import StrictUndefined
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix

from hookkit import HookKit
from hookkit.console import Access
from tests.console.ops import SAME_ORIGIN, form_of
from tests.console.pages import PAGES_TO_VISIT, fill

A_DAY = timedelta(days=1)


def replays(ops, page="/events/1"):
    return ops.post("/events/1/replay", page=page).status_code


@pytest.fixture
def operated(make_ops):
    """Make an application with two entries, and somebody who may replay them."""

    def make(**options):
        ops = make_ops(**options)
        ops.receive_all()
        ops.as_user("operate")
        return ops

    return make


@pytest.mark.parametrize("prefix", ["/ops", "/", "/a/b c/ü"])
def test_every_prefix(make_ops, prefix):
    ops = make_ops(prefix=prefix)
    ops.receive("event-1")
    ops.as_user("operate")

    text = ops.get("/events/1").text

    assert 'action="' in text
    (action,) = [
        line.split('action="')[1].split('"')[0] for line in text.splitlines() if '/replay"' in line
    ]
    answer = ops.client.post(action, data=form_of(text, action), headers=SAME_ORIGIN)
    assert answer.status_code == 303
    assert ops.client.get(answer.location).status_code == 200


def test_two_applications_have_consoles_of_their_own(make_ops):
    one, other = make_ops(), make_ops()
    one.receive("event-1")

    assert one.get("/events/1").status_code == 200
    assert other.get("/events/1").status_code == 404


def test_two_consoles_in_one_application_have_rights_of_their_own(make_ops):
    ops = make_ops()
    second = ops.hooks.console(permission=lambda request: Access("bob", {"operate"}))
    ops.app.register_blueprint(second, url_prefix="/more", name="more")
    ops.receive("event-1")

    assert "operate" not in ops.get("/events").text.split("</header>")[0]
    text = ops.client.get("/more/events/1").text
    answer = ops.client.post(
        "/more/events/1/replay",
        data=form_of(text, "/more/events/1/replay"),
        headers=SAME_ORIGIN,
    )
    assert answer.status_code == 303


def test_console_below_a_mounted_application(operated):
    ops = operated()
    ops.app.wsgi_app = DispatcherMiddleware(Flask("root"), {"/mounted": ops.app.wsgi_app})

    text = ops.client.get("/mounted/ops/events/1").text
    action = "/mounted/ops/events/1/replay"
    answer = ops.client.post(action, data=form_of(text, action), headers=SAME_ORIGIN)

    assert (answer.status_code, answer.location) == (303, "/mounted/ops/events/1?did=replayed")
    action = "/mounted/ops/preferences"
    fields = form_of(text, action) | {"theme": "dark"}
    answer = ops.client.post(action, data=fields, headers=SAME_ORIGIN)
    assert answer.location == "/mounted/ops/events/1"


def test_console_behind_a_proxy(operated):
    ops = operated()
    ops.app.wsgi_app = ProxyFix(ops.app.wsgi_app, x_host=1, x_prefix=1)
    proxied = {
        "X-Forwarded-For": "192.0.2.9",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "shop.example",
        "X-Forwarded-Prefix": "/shop",
    }

    text = ops.client.get("/ops/events/1", headers=proxied).text
    fields = form_of(text, "/shop/ops/events/1/replay")
    headers = proxied | {"Origin": "https://shop.example"}
    answer = ops.client.post("/ops/events/1/replay", data=fields, headers=headers)

    assert answer.status_code == 303
    (record,) = ops.inbox.audit.find()
    assert record.act.address == "192.0.2.9"


def test_forms_carry_the_token_of_flask_wtf(operated):
    ops = operated(extend=CSRFProtect)

    assert "csrf_token" in ops.token("/events/1", "/events/1/replay")
    assert replays(ops) == 303


def test_policy_of_talisman_lets_the_console_work(operated):
    ops = operated(extend=lambda app: Talisman(app, force_https=False))

    policy = ops.get("/events").headers["Content-Security-Policy"]

    assert "default-src 'self'" in policy  # what the style and the script need
    assert replays(ops) == 303


def test_tags_have_the_nonce_that_the_application_asks_for(make_ops):
    def extend(app):
        Talisman(
            app,
            force_https=False,
            content_security_policy={"script-src": "'none'", "style-src": "'none'"},
            content_security_policy_nonce_in=["script-src", "style-src"],
        )
        console = HookKit().console(
            permission=lambda request: Access("ada"), nonce=lambda: request.csp_nonce
        )
        app.register_blueprint(console, url_prefix="/nonces", name="nonces")

    answer = make_ops(extend=extend).client.get("/nonces/events")
    nonce = answer.headers["Content-Security-Policy"].split("nonce-")[1].split("'")[0]

    assert answer.text.count(f'nonce="{nonce}"') == 2


def test_permission_by_flask_login(make_ops):
    ops = make_ops()
    logins = LoginManager(ops.app)

    class User(UserMixin):
        id = "grace"

    logins.user_loader(lambda user_id: User())
    ops.app.add_url_rule("/login", view_func=lambda: str(login_user(User())), endpoint="login")
    logins.login_view = "login"

    def permission(request):
        if not current_user.is_authenticated:
            return logins.unauthorized()
        return Access(current_user.id)

    console = ops.hooks.console(permission=permission, logout_url="/logout")
    ops.app.register_blueprint(console, url_prefix="/staff", name="staff")

    before = ops.client.get("/staff/events")
    ops.client.get("/login")
    after = ops.client.get("/staff/events")

    assert (before.status_code, before.location.startswith("/login")) == (302, True)
    assert "grace" in after.text
    assert 'href="/logout"' in after.text


def test_settings_of_the_applications_templates_change_nothing(make_ops):
    def extend(app):
        app.jinja_options = {"autoescape": False, "undefined": StrictUndefined}
        app.select_jinja_autoescape = lambda name: False
        app.context_processor(lambda: 1 / 0)

    ops = make_ops(extend=extend)
    ops.error = "<b>bold</b>"
    ops.receive("event-1")

    text = ops.get("/events/1").text

    assert "&lt;b&gt;bold" in text


def test_entry_of_an_endpoint_that_is_gone(make_ops, sqlite_url):
    ops = make_ops(HOOKKIT_DATABASE=sqlite_url)
    ops.receive("event-1")
    endpoints = {"other": {"provider": "sunshine", "secrets": ["another-secret-of-this-test"]}}
    later = make_ops(HOOKKIT_DATABASE=sqlite_url, HOOKKIT_ENDPOINTS=endpoints)

    assert "not configured any more" in later.get("/events/1").text


def test_encrypted_entry_whose_key_is_lost(make_ops, sqlite_url):
    first, second = ("A" * 43 + "=", "B" * 42 + "A=")
    ops = make_ops(HOOKKIT_DATABASE=sqlite_url, HOOKKIT_ENCRYPTION_KEYS=[first])
    ops.receive("event-1")
    later = make_ops(HOOKKIT_DATABASE=sqlite_url, HOOKKIT_ENCRYPTION_KEYS=[second])

    assert "HOOKKIT_ENCRYPTION_KEYS" in later.get("/events/1").text


KEYS = ("A" * 43 + "=", "B" * 42 + "A=")
AWAY = "postgresql://me:hunter2@127.0.0.1:1/inbox"


def test_every_page_works_on_every_host(make_ops, sqlite_url, monkeypatch):
    monkeypatch.setattr("hookkit.web.console.console.AT_ONCE", 1_000_000)
    usual = filled(make_ops())
    lost = {"HOOKKIT_DATABASE": sqlite_url, "HOOKKIT_ENCRYPTION_KEYS": [KEYS[0]]}
    filled(make_ops(**lost)).close()
    pruned = filled(make_ops())
    pruned.inbox.prune(bodies_before=pruned.now() + A_DAY, ids_before=pruned.now() - A_DAY)
    hosts = {
        "a server name": filled(make_ops(SERVER_NAME="shop.example:8443")),
        "a root of its own": filled(make_ops(APPLICATION_ROOT="/shop"), below="/shop"),
        "no longer encrypted": make_ops(HOOKKIT_DATABASE=sqlite_url),
        "a lost key": make_ops(**lost | {"HOOKKIT_ENCRYPTION_KEYS": [KEYS[1]]}),
        "deleted bodies": pruned,
        "no revealing": filled(make_ops(HOOKKIT_CONSOLE_REVEAL="never")),
    }

    for name, ops in hosts.items():
        ops.as_user("reveal", "switch")
        assert (name, statuses_of(ops)) == (name, statuses_of(usual))


@pytest.mark.parametrize("database", [AWAY, "sqlite:////proc/nowhere/inbox.db"])
def test_every_page_says_in_one_sentence_that_the_inbox_is_away(make_ops, database, caplog):
    ops = make_ops(HOOKKIT_DATABASE=database)
    ops.as_user("reveal", "switch")

    for path in ("/", "/events", "/events/1", "/dead", "/replays", "/replays/new?state=dead"):
        answer = ops.get(path)
        assert (path, answer.status_code, answer.text.count('role="alert"')) == (path, 503, 1)
        assert "The inbox cannot be used now: try again in a minute." in answer.text
        assert not re.search(r"hunter2|127\.0\.0\.1|nowhere|Error", answer.text)
    reasons = [each for each in caplog.records if each.action == "console_unavailable"]
    assert re.search(r"OperationalError|HOOKKIT_DATABASE is wrong", reasons[0].getMessage())
    assert "hunter2" not in caplog.text


def filled(ops, below=""):
    """Fill the inbox of *ops*, whose pages are *below* somewhere."""
    ops.below = below
    fill(ops)
    return ops


def statuses_of(ops):
    # A fixture is made of a body: without one there is none.
    paths = [each.path for each in PAGES_TO_VISIT if not re.search(r"\?|fixture", each.path)]
    return {path: ops.get(path).status_code for path in paths}
