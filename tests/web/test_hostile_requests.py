"""What no vendor sends: each is answered in JSON, proves nothing and leaves nothing behind."""

import gc
import io
import json
import logging
import tracemalloc
from urllib.parse import quote

import pytest
from flask import Flask
from werkzeug.test import EnvironBuilder, run_wsgi_app

from hookkit import HookKit
from hookkit.web.exchange import RequestHeaders
from tests.applications import ENDPOINTS, SECRET, make_app, message, post

pytestmark = pytest.mark.usefixtures("each_door")

TOKEN = "the-token-of-the-challenge"
ENDPOINTS = ENDPOINTS | {
    "page": {"provider": "meta", "secrets": ["another-secret-of-a-test"], "verify_token": [TOKEN]},
    "chat": {"provider": "livechat", "secrets": ["a-third-secret-of-a-test"]},
    "calls": {"provider": "8x8", "region": "us", "path_token": ["x9-a.token_nobody~guesses"]},
    "old": {"provider": "sunshine", "secrets": ["a-fourth-secret-of-a-test"], "path": "/legacy"},
}


@pytest.fixture
def app():
    return make_app(HookKit(), HOOKKIT_ENDPOINTS=ENDPOINTS)


def records(app):
    return list(app.extensions["hookkit"].opening.inbox().find())


def send(app, method="POST", path="/hooks/support", *, stream=None, body=None, **environ):
    """Return status, headers and body of the answer to a request that no client would make."""
    given = EnvironBuilder(
        path="/", method="POST", data=b"", headers={"X-API-Key": SECRET}
    ).get_environ()
    body = json.dumps(message()).encode() if body is None else body
    given |= {"REQUEST_METHOD": method, "PATH_INFO": path, "REQUEST_URI": path}
    given |= {"CONTENT_LENGTH": str(len(body)), "wsgi.input": stream or io.BytesIO(body)}
    chunks, status, headers = run_wsgi_app(app, given | environ, buffered=True)
    return int(status.split()[0]), headers, b"".join(chunks)


def assert_refused(app, caplog, answer, status, code):
    """Look at what was answered, at what is stored, and at what was logged."""
    told, headers, body = answer
    assert (told, headers["Content-Type"]) == (status, "application/json")
    assert json.loads(body) == {"code": code}
    assert "Location" not in headers
    assert records(app) == []
    assert [each for each in caplog.records if each.levelno >= logging.WARNING] == []
    assert SECRET not in caplog.text


class ServersOwnError(Exception):
    """As gunicorn and cheroot have them: of no class that they share."""


class Broken(io.RawIOBase):
    """A stream that ends with an error after some bytes."""

    def __init__(self, error, first=b'{"events":'):
        self.error, self.first = error, first

    def readable(self):
        return True

    def read(self, size=-1):
        first, self.first = self.first, b""
        if not first:
            raise self.error
        return first


@pytest.mark.parametrize(
    "error",
    [
        ValueError("bad chunk size"),
        EOFError(),
        OSError("gone"),
        ConnectionResetError(),
        TimeoutError(),
        KeyError("x"),
        ServersOwnError("too many trailers"),
        RuntimeError(SECRET),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("how", ["declared", "chunked"])
def test_whatever_the_stream_raises_is_400_in_json(app, caplog, error, how):
    environ = {"CONTENT_LENGTH": "5000"}
    if how == "chunked":
        environ = {
            "CONTENT_LENGTH": "",
            "HTTP_TRANSFER_ENCODING": "chunked",
            "wsgi.input_terminated": True,
        }

    answer = send(app, stream=Broken(error), **environ)

    assert_refused(app, caplog, answer, 400, "malformed_body")


@pytest.mark.parametrize(
    "length",
    ["abc", "-1", "+5", "0x20", "6_0", "60.0", "5, 6", "٦٠", "9" * 5000, " ", " 5", "5\n", "1e3"],
)
def test_content_length_that_is_no_number_is_400(app, caplog, length):
    answer = send(app, CONTENT_LENGTH=length)

    assert_refused(app, caplog, answer, 400, "malformed_header")


@pytest.mark.parametrize("length", ["1048577", "999999999999999999"])
def test_declared_length_over_the_limit_is_413_before_a_byte_is_read(app, caplog, length):
    answer = send(app, CONTENT_LENGTH=length, stream=Broken(AssertionError(), b""))

    assert_refused(app, caplog, answer, 413, "body_too_large")


def test_chunked_body_over_the_limit_is_413_and_read_no_further(app, caplog):
    stream = io.BytesIO(bytes(4 << 20))

    answer = send(
        app,
        stream=stream,
        CONTENT_LENGTH="",
        HTTP_TRANSFER_ENCODING="chunked",
        **{"wsgi.input_terminated": True},
    )

    assert_refused(app, caplog, answer, 413, "body_too_large")
    assert stream.tell() == (1 << 20) + 1


def test_body_without_a_length_is_none_and_proves_nothing_where_it_is_signed(app, caplog):
    answer = send(app, path="/hooks/page", CONTENT_LENGTH="")

    assert_refused(app, caplog, answer, 401, "signature_missing")


def test_form_of_many_parts_is_not_taken_apart_by_its_content_type(app, caplog):
    part = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n'

    answer = send(
        app,
        body=part * 10_000,
        CONTENT_TYPE="multipart/form-data; boundary=x",
        HTTP_X_API_KEY="wrong",
    )

    assert_refused(app, caplog, answer, 401, "signature_mismatch")


@pytest.mark.parametrize(
    "path",
    [
        "/hooks",
        "/hooks/",
        "/hooks//support",
        "/hooks//x",
        "//hooks/support/",
        "/hooks/../hooks/support",
        "/hooks/%2fsupport",
        "/hooks/" + "a" * 10_000,
        "/hooks/support\0",
        "/hooks/\xff\xfe",
        "/hooks/<script>",
        "/hooks/page/",
    ],
)
@pytest.mark.parametrize("method", ["POST", "GET", "TRACE", "BREW"])
def test_path_of_no_endpoint_is_404_in_json_and_redirects_nowhere(app, caplog, path, method):
    answer = send(app, method, path, HTTP_HOST="evil.example.com")

    if path.startswith("//"):
        # The application's own, as every path outside of /hooks.
        assert answer[0] in (308, 404, 405)
        assert records(app) == []
        return
    assert_refused(app, caplog, answer, 404, "unknown_endpoint")


@pytest.mark.parametrize(
    "method", ["GET", "PUT", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "BREW", "post", "", "P ST"]
)
@pytest.mark.parametrize("path", ["/hooks/support", "/legacy", "/hooks/calls/some-token"])
def test_every_other_method_is_405_in_json(app, caplog, method, path):
    answer = send(app, method, path)

    assert_refused(app, caplog, answer, 405, "method_not_allowed")
    assert answer[1]["Allow"] == "HEAD, POST"


@pytest.mark.parametrize("host", ["\xff<script>", "a b", "evil.example.com:port", "[::1"])
def test_host_that_is_none_is_answered_in_json(app, host):
    status, headers, body = send(app, HTTP_HOST=host)

    # Whether werkzeug looks at it is werkzeug's affair.
    assert (status in (200, 400), headers["Content-Type"]) == (True, "application/json")
    assert json.loads(body)["code"] in ("accepted", "malformed_header")


@pytest.mark.parametrize("path", ["/hooks/support", "/legacy"])
def test_request_for_a_web_socket_is_400_in_json(app, caplog, path):
    answer = send(app, path=path, HTTP_CONNECTION="Upgrade", HTTP_UPGRADE="websocket")

    assert_refused(app, caplog, answer, 400, "malformed_header")


def test_urls_of_the_application_are_its_own(app):
    @app.get("/other/")
    def other():
        return "theirs"

    client = app.test_client()

    assert client.get("/other").status_code == 308
    assert client.post("/other/").content_type == "text/html; charset=utf-8"
    assert client.get("/hooksandmore").content_type == "text/html; charset=utf-8"


def test_without_a_prefix_what_is_no_endpoint_is_the_applications():
    app, hooks = Flask("tests.rootless"), HookKit()
    app.config |= {"TESTING": True, "HOOKKIT_ENDPOINTS": ENDPOINTS}
    app.register_blueprint(hooks.blueprint, url_prefix="/")

    assert send(app, "BREW", "/support")[1]["Content-Type"] == "application/json"
    assert send(app, "BREW", "/nowhere")[1]["Content-Type"].startswith("text/html")


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        (f"hub.verify_token={TOKEN}&hub.challenge=\xff", 400, "malformed_header"),
        (f"hub.verify_token={TOKEN}&hub.challenge=%ff", 400, "malformed_header"),
        (f"hub.verify_token={TOKEN}&hub.challenge=%zz", 400, "malformed_header"),
        (f"hub.verify_token={TOKEN}&hub.challenge", 400, "malformed_header"),
        ("hub.verify_token=\xff&\xfe=%80&hub.challenge=1", 400, "malformed_header"),
        ("&".join(["a=1"] * 1001), 400, "malformed_header"),
        (f"hub.verify_token={TOKEN}&hub.challenge={'1' * 257}", 401, "signature_missing"),
        (f"hub.verify_token={TOKEN}&hub.challenge=%3Cb%3E", 401, "signature_missing"),
        (f"hub.verify_token=wrong&hub.verify_token={TOKEN}&hub.challenge=1", 401, None),
        ("hub.verify_token=%ED%A0%80&hub.challenge=1", 400, "malformed_header"),
        ("", 401, "signature_missing"),
    ],
)
def test_challenge_that_is_none_is_refused_in_json(app, caplog, query, status, code):
    answer = send(app, "GET", "/hooks/page", QUERY_STRING=query)

    assert_refused(app, caplog, answer, status, code or "signature_mismatch")
    assert TOKEN not in caplog.text


def test_challenge_is_answered_as_plain_text(app):
    query = f"hub.mode=subscribe&hub.challenge=1%2E5&hub.verify_token={quote(TOKEN)}"

    status, headers, body = send(app, "GET", "/hooks/page", QUERY_STRING=query)

    assert (status, body, headers["Content-Type"]) == (200, b"1.5", "text/plain; charset=utf-8")
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_underscores_in_a_header_are_left_to_the_server(app):
    """In WSGI both spellings are one name; docs/how-to/deploy.md says which servers drop one."""
    assert send(app, HTTP_X_API_KEY=SECRET)[0] == 200
    assert send(app, HTTP_X_API_KEY="wrong", **{"HTTP_X-API-KEY": SECRET})[0] == 401


def test_headers_are_looked_up_by_their_names_in_lower_case():
    environ = {"HTTP_X_API_KEY": "a", "CONTENT_TYPE": "b", "CONTENT_LENGTH": "3", "wsgi.input": 4}

    headers = RequestHeaders(environ)

    assert dict(headers) == {"x-api-key": "a", "content-type": "b"}
    assert len(headers) == 2
    assert headers.get("content-length") is None


def test_three_hundred_hostile_requests_leave_no_memory():
    app = make_app(HookKit(), HOOKKIT_ENDPOINTS=ENDPOINTS)
    logging.getLogger("hookkit").setLevel(logging.CRITICAL)

    def attack(number):
        unique = f"{number:06d}" + "A" * 100_000
        # A header of 8x8's that is read before a key is looked for.
        token = {"HTTP_X_8X8_SIGNATURE": f"{unique[:900]}..AAAA", "HTTP_X_8X8_EVENT_ID": unique}
        send(app, **{f"HTTP_X_{unique}": "1"}, HTTP_X_API_KEY="wrong")
        send(app, HTTP_X_API_KEY=unique, HTTP_AUTHORIZATION=f"Basic {unique}")
        send(app, path=f"/hooks/{unique}", QUERY_STRING=unique)
        send(app, path=f"/hooks/calls/{unique}", **token)
        send(app, path="/hooks/chat", body=b'{"secret_key":"%b"}' % unique.encode())
        send(app, unique, HTTP_HOST=unique, CONTENT_TYPE=unique)
        send(app, "GET", "/hooks/page", QUERY_STRING=f"hub.verify_token={unique}&hub.challenge=1")

    try:
        attack(0)
        gc.collect()
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        for number in range(1, 44):  # seven requests each
            attack(number)
        gc.collect()
        grown_bytes = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
        logging.getLogger("hookkit").setLevel(logging.NOTSET)

    assert grown_bytes < 1 << 20


def test_answer_to_a_vendor_is_as_before(app):
    assert post(app.test_client(), message()).json["new"] == 1
