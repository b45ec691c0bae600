"""Bodies that a ``before_request`` of the application reads before the blueprint's view."""

import io
import json

import pytest
from flask import request
from werkzeug.test import run_wsgi_app

from hookkit import HookKit
from tests.applications import SECRET, make_app, message, post


@pytest.fixture
def hooks():
    return HookKit()


def records(client):
    return client.application.extensions["hookkit"].opening.inbox().find()


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
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/hooks/support",
        "HTTP_X_API_KEY": SECRET,
        "HTTP_TRANSFER_ENCODING": "chunked",
        "wsgi.input": io.BytesIO(json.dumps(message()).encode()),
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "wsgi.url_scheme": "http",
        "wsgi.input_terminated": True,
    }

    _, answered, _ = run_wsgi_app(app, environ, buffered=True)

    assert answered.startswith(str(status))
    assert [record.event_id for record in records(app.test_client())] == (
        ["event-1"] if status == 200 else []
    )
