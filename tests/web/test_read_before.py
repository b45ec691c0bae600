"""Bodies that a ``before_request`` of the application reads before the blueprint's view."""

import io
import json

import pytest
from flask import request
from werkzeug.test import run_wsgi_app

from hookkit import HookKit
from tests.applications import ENDPOINTS, SECRET, make_app, message, post
from tests.serving import deliver, serving


@pytest.fixture
def hooks():
    return HookKit()


def records(client):
    return client.application.extensions["hookkit"].opening.inbox().find()


def chunked(body):
    """Return a delivery whose length is not declared, as a server hands it to the application."""
    return {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/hooks/support",
        "HTTP_X_API_KEY": SECRET,
        "HTTP_TRANSFER_ENCODING": "chunked",
        "wsgi.input": io.BytesIO(body),
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "wsgi.url_scheme": "http",
        "wsgi.input_terminated": True,
    }


def test_body_that_the_application_has_read_before_is_still_read(hooks):
    app = make_app(hooks)
    app.before_request(lambda: request.get_data() and None)

    response = post(app.test_client(), message())

    assert response.json["new"] == 1


def test_body_that_the_application_has_consumed_is_400_rather_than_lost(hooks):
    app = make_app(hooks)
    app.before_request(lambda: request.stream.read() and None)

    response = post(app.test_client(), message())

    assert (response.status_code, response.json) == (400, {"code": "malformed_body"})


@pytest.mark.parametrize(
    ("read_before", "status"),
    [
        pytest.param(lambda: request.get_data(), 200, id="cached"),
        pytest.param(lambda: request.stream.read(), 400, id="used up"),
    ],
)
def test_chunked_body_that_was_read_before_is_never_taken_for_nothing(hooks, read_before, status):
    app = make_app(hooks)
    app.before_request(lambda: read_before() and None)
    environ = chunked(json.dumps(message()).encode())

    _, answered, _ = run_wsgi_app(app, environ, buffered=True)

    assert answered.startswith(str(status))
    assert [record.event_id for record in records(app.test_client())] == (
        ["event-1"] if status == 200 else []
    )


@pytest.mark.parametrize("before", ["nothing", "data", "form", "stream"])
def test_server_that_does_not_know_where_a_body_ends_is_not_waited_for(hooks, before):
    reads = {
        "nothing": lambda: None,
        "data": lambda: request.get_data(),
        "form": lambda: request.form,  # it makes the stream, and reads nothing of JSON
        "stream": lambda: request.stream.read(),
    }
    app, after = make_app(hooks), []

    @app.before_request
    def read_before():
        reads[before]()

    @app.after_request
    def read_after(response):
        after.append(request.get_data())
        return response

    with serving(app) as base:
        status = deliver(base, message())

    assert status == (400 if before == "stream" else 200)
    assert after == [json.dumps(message()).encode() if before == "data" else b""]


def test_stream_that_earlier_code_has_made_is_read_within_the_limit(hooks):
    app = make_app(hooks, HOOKKIT_ENDPOINTS={"support": ENDPOINTS["support"] | {"max_body": 100}})

    @app.before_request
    def read_before():
        assert not request.form

    environ = chunked(b"x" * 1000)

    _, answered, _ = run_wsgi_app(app, environ, buffered=True)

    assert answered.startswith("413")
    assert environ["wsgi.input"].tell() == 101
