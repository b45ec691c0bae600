"""The blueprint inside an application that has a life of its own."""

import pytest
from flask import Flask, abort, jsonify, request
from flask_sqlalchemy import SQLAlchemy
from flask_wtf.csrf import CSRFProtect

from hookkit import HookKit
from hookkit.runners.thread import ThreadRunner
from tests.applications import ENDPOINTS, SECRET, make_app, message, post
from tests.waiting import wait_until

AT_PATH = {"support": ENDPOINTS["support"] | {"path": "/smooch/webhook"}}


@pytest.fixture
def hooks():
    return HookKit()


@pytest.mark.parametrize("csrf_first", [True, False])
@pytest.mark.parametrize(
    ("endpoints", "url"), [(ENDPOINTS, "/hooks/support"), (AT_PATH, "/smooch/webhook")]
)
def test_csrf_protection_lets_deliveries_pass(hooks, csrf_first, endpoints, url):
    app = Flask("a")
    app.config.update(TESTING=True, SECRET_KEY="for the forms", HOOKKIT_ENDPOINTS=endpoints)
    app.add_url_rule("/form", view_func=lambda: "saved", methods=["POST"])
    steps = [lambda: CSRFProtect(app), lambda: hooks.init_app(app)]
    for step in steps if csrf_first else reversed(steps):
        step()
    client = app.test_client()

    delivered, form = post(client, message(), url=url), client.post("/form")
    unknown = client.post("/hooks/nothing")

    assert (delivered.status_code, form.status_code) == (200, 400)
    assert (unknown.status_code, unknown.json) == (404, {"code": "unknown_endpoint"})


@pytest.mark.parametrize(
    ("endpoints", "url"), [(ENDPOINTS, "/hooks/support"), (AT_PATH, "/smooch/webhook")]
)
def test_login_check_can_tell_deliveries_by_their_blueprint(hooks, endpoints, url):
    app = make_app(hooks, HOOKKIT_ENDPOINTS=endpoints)

    @app.before_request
    def require_login():
        if request.blueprint == "hookkit":
            return
        abort(403)

    client = app.test_client()

    assert post(client, message(), url=url).status_code == 200
    assert client.get("/").status_code == 403


def test_smaller_limit_of_the_application_is_not_ours(hooks):
    client = make_app(hooks, MAX_CONTENT_LENGTH=100).test_client()

    response = post(client, message(text="x" * 5000))

    assert (response.status_code, response.json["new"]) == (200, 1)


@pytest.mark.parametrize(
    ("body", "secret", "url", "code"),
    [
        pytest.param({}, "wrong", "/hooks/support", "signature_mismatch", id="401"),
        pytest.param({}, SECRET, "/hooks/nothing", "unknown_endpoint", id="404"),
        pytest.param(b"x" * 2000, SECRET, "/hooks/support", "body_too_large", id="413"),
    ],
)
def test_error_pages_of_the_application_are_not_ours(hooks, body, secret, url, code):
    app = make_app(hooks, HOOKKIT_MAX_BODY=1000)
    for status in (400, 401, 404, 405, 413, 500, 503):
        app.register_error_handler(status, lambda error: ("<h1>Oops</h1>", 200))
    app.register_error_handler(Exception, lambda error: (jsonify(code="oops"), 500))

    response = post(app.test_client(), body, url=url, secret=secret)

    assert response.json == {"code": code}


def test_path_keeps_an_existing_url_and_replaces_the_name(hooks):
    app = make_app(hooks, HOOKKIT_ENDPOINTS=AT_PATH)
    client = app.test_client()

    at_path, at_name = post(client, message(), url="/smooch/webhook"), post(client, message())

    assert (at_path.status_code, at_name.status_code) == (200, 404)
    assert client.get("/smooch/webhook").json == {"code": "method_not_allowed"}
    assert client.head("/smooch/webhook").status_code == 200


@pytest.mark.parametrize("runner", ["inline", "thread"])
def test_handler_writes_through_flask_sqlalchemy(hooks, tmp_path, runner):
    db = SQLAlchemy()

    class Greeting(db.Model):
        id = db.Column(db.Integer, primary_key=True)
        text = db.Column(db.String)

    @hooks.on("conversation:message")
    def greet(event):
        db.session.add(Greeting(text=event.message.text))
        db.session.commit()

    app = Flask("a")
    app.config.update(
        TESTING=True,
        SQLALCHEMY_DATABASE_URI=f"sqlite:///{tmp_path / 'app.db'}",
        HOOKKIT_ENDPOINTS=ENDPOINTS,
        HOOKKIT_DATABASE=lambda: db.engine,  # the inbox lives in the application's database
        HOOKKIT_RUNNER=runner,
    )
    db.init_app(app)
    hooks.init_app(app)
    with app.app_context():
        db.create_all()

    for number in range(5):
        assert post(app.test_client(), message(f"event-{number}")).status_code == 200

    with app.app_context():
        wait_until(lambda: _count(db, Greeting) == 5)
        assert {each.text for each in db.session.query(Greeting)} == {"Where is my order?"}
        state = app.extensions["hookkit"]
        state.stop()
        db.session.remove()
        db.engine.dispose()
    assert isinstance(state.runner, ThreadRunner) == (runner == "thread")


def _count(db, model):
    db.session.rollback()
    return db.session.query(model).count()


def test_requests_that_race_to_be_the_first_are_all_let_pass(hooks):
    app = Flask("a")
    app.config.update(TESTING=True, SECRET_KEY="for the forms", HOOKKIT_ENDPOINTS=ENDPOINTS)
    csrf = CSRFProtect(app)
    hooks.init_app(app)
    exempt, statuses = csrf.exempt, []

    def slow_exempt(view):
        if not statuses:
            statuses.append("the first is on its way")
            statuses.append(post(app.test_client(), message("event-2")).status_code)
        return exempt(view)

    csrf.exempt = slow_exempt

    statuses.append(post(app.test_client(), message("event-1")).status_code)

    assert statuses[1:] == [200, 200]
