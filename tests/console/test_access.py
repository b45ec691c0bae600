"""Nobody sees the console, and nobody does anything in it, without the right to."""

import pytest
from flask import Response, redirect
from sqlalchemy import text
from werkzeug.exceptions import Unauthorized
from werkzeug.middleware.proxy_fix import ProxyFix

from hookkit import ConfigurationError, HookKit
from hookkit.console import Access, Right
from hookkit.web.console.pages import PAGES
from tests.applications import make_app
from tests.console.ops import SAME_ORIGIN, SECRET_KEY, filled

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "x")
RIGHTS = [(), ("view",), ("reveal",), ("operate",), ("switch",)]


def rules_of(ops):
    rules = [
        rule for rule in ops.app.url_map.iter_rules() if rule.endpoint.startswith("hookkit_console")
    ]
    pages = {page.name: page for page in PAGES}
    return [(rule, pages[rule.endpoint.partition(".")[2]]) for rule in rules]


def rows_of(inbox):
    """Return what each table holds."""
    with inbox._transactions.read() as connection:
        names = connection.execute(
            text("SELECT name FROM sqlite_master WHERE name LIKE 'hookkit%' AND type = 'table'")
        ).scalars()
        return {
            name: sorted(map(repr, connection.execute(text(f"SELECT * FROM {name}"))))  # noqa: S608
            for name in names.all()
        }


def test_every_page_of_the_blueprint_is_in_the_list(ops):
    assert len(rules_of(ops)) == len(PAGES)


@pytest.mark.parametrize("rights", RIGHTS, ids=lambda rights: rights[0] if rights else "nobody")
def test_no_rule_answers_without_its_right_and_none_writes_by_a_get(ops, rights):
    ops.receive_all()
    before = rows_of(ops.inbox)
    ops.as_user(*rights)
    statuses = {}

    for rule, page in rules_of(ops):
        for method in METHODS:
            asked = len(ops.asked)
            answer = ops.client.open(
                filled(rule), method=method, headers=SAME_ORIGIN, buffered=True
            )
            statuses[page.name, method] = answer.status_code
            assert len(ops.asked) == asked + 1  # each one asks the permission

    assert rows_of(ops.inbox) == before
    for (name, method), status in statuses.items():
        (page,) = (page for page in PAGES if page.name == name)
        assert status in allowed(page, method, ops.access), (name, method, status)


def allowed(page, method, access):
    """Return the statuses of a request that has no token."""
    if access is None:
        return {404}
    if not access.may(page.right):
        return {403}
    if page.is_action:
        return {403} if method == "POST" else {405}
    # The file of an old page is gone; the first page leads on.
    return {200, 302, 404} if method in ("GET", "HEAD") else {405}


def test_permission_must_be_given():
    with pytest.raises(TypeError, match="permission"):
        HookKit().console()
    with pytest.raises(TypeError, match="permission"):
        HookKit().console(permission=None)


def test_application_without_a_key_is_refused():
    hooks = HookKit()
    app = make_app(hooks)

    with pytest.raises(ConfigurationError, match="SECRET_KEY"):
        app.register_blueprint(hooks.console(permission=lambda request: None), url_prefix="/ops")


@pytest.mark.parametrize("answer", [True, "ada", {"user": "ada"}, 1, RuntimeError("no database")])
def test_what_is_no_access_opens_nothing(ops, answer, caplog):
    ops.access = answer

    found = ops.get("/events")

    assert (found.status_code, found.data) == (500, b"")
    assert [record.action for record in caplog.records] == ["console_permission_failed"]


def test_permission_may_abort_as_views_do(ops, caplog):
    ops.access = Unauthorized()

    assert ops.get("/events").status_code == 401
    assert caplog.records == []  # a stranger could fill the log


def test_response_of_the_permission_is_sent_as_it_is(ops):
    ops.access = redirect("/login")
    login = ops.get("/events")
    ops.access = Response("teapot", status=418)
    teapot = ops.get("/static/x/console.css")

    assert (login.status_code, login.location) == (302, "/login")
    assert (teapot.status_code, teapot.text) == (418, "teapot")


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "PROPFIND"])
@pytest.mark.parametrize(
    "path", ["", "/", "/events", "/events/", "//events", "/events/1", "/live/changes?mark=x"]
)
def test_stranger_sees_what_an_unknown_page_shows(ops, method, path):
    ops.as_user()

    here = ops.client.open(f"/ops{path}", method=method)
    nowhere = ops.client.open("/nowhere", method=method)

    assert (here.status, list(here.headers), here.data) == (
        nowhere.status,
        list(nowhere.headers),
        nowhere.data,
    )


@pytest.mark.parametrize(
    ("given", "rights"),
    [
        ({"view"}, {"view"}),
        ({"reveal"}, {"view", "reveal"}),
        ({"operate"}, {"view", "operate"}),
        ({"switch"}, {"view", "operate", "switch"}),
        (set(), set()),
    ],
)
def test_right_includes_those_below_it(given, rights):
    assert Access("ada", given).rights == rights


@pytest.mark.parametrize(
    ("user", "rights", "error"),
    [
        ("", {"view"}, ValueError),
        (None, {"view"}, TypeError),
        ("ada", "view", TypeError),
        ("ada", {"all"}, ValueError),
    ],
)
def test_access_without_a_name_or_with_unknown_rights_is_refused(user, rights, error):
    with pytest.raises(error):
        Access(user, rights)


def test_user_without_any_right_is_told_so(ops):
    ops.access = Access("ada", set())

    found = ops.get("/events")

    assert found.status_code == 403
    assert "the right “view”" in found.text


@pytest.mark.parametrize(
    ("is_debug", "environ", "status"),
    [
        (True, {}, 200),
        (True, {"REMOTE_ADDR": "::1", "HTTP_HOST": "[::1]:5000"}, 200),
        (False, {}, 404),
        (True, {"REMOTE_ADDR": "192.0.2.7"}, 404),
        (True, {"HTTP_HOST": "evil.example"}, 404),
        (True, {"HTTP_X_FORWARDED_FOR": "127.0.0.1"}, 404),
        (True, {"HTTP_FORWARDED": "for=127.0.0.1"}, 404),
        (True, {"REMOTE_ADDR": ""}, 404),
    ],
)
def test_local_permission_is_for_this_machine_in_debug_mode(is_debug, environ, status):
    hooks = HookKit()
    app = make_app(hooks, SECRET_KEY=SECRET_KEY)
    app.debug = is_debug
    app.register_blueprint(hooks.console(permission=Access.local()), url_prefix="/ops")

    found = app.test_client().get("/ops/events", environ_overrides=environ)

    assert found.status_code == status


def test_local_permission_does_not_believe_a_proxy():
    hooks = HookKit()
    app = make_app(hooks, SECRET_KEY=SECRET_KEY)
    app.debug = True
    app.register_blueprint(hooks.console(permission=Access.local()), url_prefix="/ops")
    app.wsgi_app = ProxyFix(app.wsgi_app)

    assert app.test_client().get("/ops/events").status_code == 404


def test_requests_of_one_user_are_limited(ops, monkeypatch):
    monkeypatch.setattr("hookkit.web.console.console.time.monotonic", lambda: 1.0)

    statuses = [ops.get("/events").status_code for _ in range(42)]
    ops.as_user("view", user="bob@example.com")

    assert statuses == [200] * 40 + [429] * 2
    assert ops.get("/events").status_code == 200


def test_setting_takes_the_right_to_reveal_from_everybody(make_ops):
    ops = make_ops(HOOKKIT_CONSOLE_REVEAL="never")
    ops.receive_all()
    ops.as_user(*Right)

    assert "the right “reveal”" in ops.get("/events/1").text
    refused = ops.client.post(
        "/ops/events/1/reveal", headers=SAME_ORIGIN, data=ops.token("/events/1", "/preferences")
    )
    assert refused.status_code == 403


def test_inbox_that_is_away_is_told_in_one_sentence(make_ops):
    ops = make_ops(HOOKKIT_DATABASE="postgresql://me:hunter2@127.0.0.1:1/inbox")

    found = ops.get("/events")

    assert found.status_code == 503
    assert "hunter2" not in found.text
    assert "flask hookkit check" in found.text
