"""``hooks.wsgi(app)``: the answers of the blueprint to the byte, and nothing else of Flask."""

import base64
import io
import json
import logging
import os
import sys

import pytest
from flask import (
    Blueprint,
    Flask,
    current_app,
    g,
    got_request_exception,
    has_request_context,
    request,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.exceptions import SecurityError
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix

from hookkit import ConfigurationError, HookKit, Unavailable, signals
from hookkit.web.front import Front
from tests.applications import ENDPOINTS, SECRET, make_app, message, post
from tests.waiting import wait_until

BASIC = "vendor:a-password-nobody-guesses"
TOKEN = "x9-a.token_nobody~guesses"
ENDPOINTS = ENDPOINTS | {
    "page": {"provider": "meta", "secrets": ["another-secret-of-a-test"], "verify_token": [TOKEN]},
    "calls": {"provider": "8x8", "region": "us", "path_token": [TOKEN]},
    "basic": {"provider": "sunshine", "unsigned": True, "basic": [BASIC]},
    "bot": {"provider": "discord", "unsigned": True},
    "text": {"provider": "sunshine", "unsigned": True, "answer": "OK"},
    "old": {"provider": "sunshine", "secrets": ["a-secret-of-the-old-url"], "path": "/legacy/ö"},
    "v1.beta": {"provider": "sunshine", "unsigned": True},
    "vault": {"provider": "sunshine", "secrets": lambda: 1 / 0},
    "small": {"provider": "sunshine", "unsigned": True, "max_body": 10},
}
BODY = json.dumps(message()).encode()
KEY = {"HTTP_X_API_KEY": SECRET}


def environ_of(method="POST", path="/hooks/support", body=BODY, **more):
    """Return a request as a server hands it on; None takes a key out."""
    environ = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path.encode().decode("latin-1"),
        "QUERY_STRING": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "192.0.2.1",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_HOST": "localhost",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    return {key: value for key, value in (environ | KEY | more).items() if value is not None}


def call(app, environ):
    """Return the status line, the headers in their order, and the body."""
    told = []
    chunks = app(environ, lambda status, headers, exc_info=None: told.append((status, headers)))
    try:
        body = b"".join(chunks)
    finally:
        getattr(chunks, "close", lambda: None)()
    ((status, headers),) = told
    return status, headers, body


def make_doors(**config):
    """Return one application that the blueprint alone serves, and one with a front."""
    doors = []
    for in_front in (False, True):
        hooks = HookKit()
        app = make_app(hooks, **{"HOOKKIT_ENDPOINTS": ENDPOINTS} | config)
        app.add_url_rule("/hooks/own", view_func=lambda: "theirs", endpoint="own")
        app.add_url_rule("/legacy/ö", view_func=lambda: "a page", endpoint="page", methods=["GET"])
        app.add_url_rule("/other/", view_func=lambda: "theirs", endpoint="other")
        if in_front:
            app.wsgi_app = hooks.wsgi(app)
        doors.append(app)
    return doors


@pytest.fixture
def front():
    return make_doors()[1]


CHUNKED = {"CONTENT_LENGTH": None, "HTTP_TRANSFER_ENCODING": "chunked"}
WHOLE = {"wsgi.input_terminated": True}
CREDENTIALS = {"HTTP_AUTHORIZATION": f"Basic {base64.b64encode(BASIC.encode()).decode()}"}
CHALLENGE = f"hub.mode=subscribe&hub.challenge=42&hub.verify_token={TOKEN}"

REQUESTS = {
    "accepted": {},
    "accepted at a path": {"path": "/legacy/ö", "HTTP_X_API_KEY": "a-secret-of-the-old-url"},
    "accepted at a name with a dot": {"path": "/hooks/v1.beta"},
    "accepted with a text": {"path": "/hooks/text"},
    "accepted with credentials": {"path": "/hooks/basic", **CREDENTIALS},
    "several slashes": {"path": "//hooks/support"},
    "not understood": {"body": b"\xff"},
    "no body": {"body": b""},
    "no length": {"CONTENT_LENGTH": None},
    "chunked": {**CHUNKED, **WHOLE},
    "chunked and not handed on": CHUNKED,
    "chunked and too large": {"path": "/hooks/small", **CHUNKED, **WHOLE},
    "chunked and empty": {"body": b"", **CHUNKED, **WHOLE},
    "cut": {"CONTENT_LENGTH": "5000"},
    "longer than declared": {"CONTENT_LENGTH": "10"},
    "length is no number": {"CONTENT_LENGTH": "1e3"},
    "too large": {"path": "/hooks/small"},
    "no secret": {"HTTP_X_API_KEY": None},
    "wrong secret": {"HTTP_X_API_KEY": "wrong"},
    "no credentials": {"path": "/hooks/basic"},
    "wrong credentials": {"path": "/hooks/basic", "HTTP_AUTHORIZATION": "Basic eDp5"},
    "credentials that are none": {"path": "/hooks/basic", "HTTP_AUTHORIZATION": "Basic ?"},
    "no token": {"path": "/hooks/calls"},
    "wrong token": {"path": "/hooks/calls/wrong"},
    "token": {"path": f"/hooks/calls/{TOKEN}"},
    "token and more": {"path": f"/hooks/calls/{TOKEN}/more/"},
    "token with a line break": {"path": "/hooks/calls/a\nb"},
    "token behind two slashes": {"path": "/hooks/calls//x"},
    "token of raw bytes": {"PATH_INFO": "/hooks/calls/\xff\xfe"},
    "no secrets to be had": {"path": "/hooks/vault"},
    "handshake": {"path": "/hooks/bot", "body": b'{"type": 1}'},
    "handshake without a body": {"path": "/hooks/bot", "body": b'{"type": 0}'},
    "challenge": {"method": "GET", "path": "/hooks/page", "QUERY_STRING": CHALLENGE},
    "challenge refused": {"method": "GET", "path": "/hooks/page", "QUERY_STRING": "hub.x=1"},
    "challenge that is none": {"method": "GET", "path": "/hooks/page", "QUERY_STRING": "a=%zz"},
    **{
        f"{method} of {path}": {"method": method, "path": path}
        for method in ("GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "post", "")
        for path in (
            "/hooks/support",
            "/hooks",
            "/hooks/",
            "/hooks/none",
            "/hooks/support/",
            "/hooks//support",
            "/hooks/own",
            "/hooksandmore",
            "/legacy/ö",
            "/hooks/calls/x",
            "/other/",
            "/other",
            "/",
            "",
        )
    },
    "post to nowhere": {"path": "/hooks/none"},
    "NUL": {"path": "/hooks/support\0"},
    "no host": {"HTTP_HOST": None},
    "no host and HTTP/1.0": {"HTTP_HOST": None, "SERVER_PROTOCOL": "HTTP/1.0"},
    "empty host": {"HTTP_HOST": ""},
    "host that is none": {"HTTP_HOST": "a b"},
    "host with a strange port": {"HTTP_HOST": "evil.example.com:port"},
    "IPv6": {"HTTP_HOST": "[::1]:8000"},
    "web socket": {"HTTP_CONNECTION": "Upgrade", "HTTP_UPGRADE": "websocket"},
    "web socket on a connection": {"HTTP_CONNECTION": "keep-alive, Upgrade", "HTTP_UPGRADE": "h2c"},
    "mounted": {"SCRIPT_NAME": "/site"},
    "mounted below hooks": {"SCRIPT_NAME": "/hooks", "PATH_INFO": "/support"},
}


@pytest.mark.parametrize("name", REQUESTS)
def test_answers_are_those_of_the_blueprint_to_the_byte(name):
    behind, front = make_doors()
    for app in (behind, front):  # from now on the front remembers where the URL leads
        call(app, environ_of(body=b"{}"))

    for _ in range(2):
        by_blueprint = call(behind, environ_of(**REQUESTS[name]))

        assert call(front, environ_of(**REQUESTS[name])) == by_blueprint
    assert told_of(front) == told_of(behind)


def told_of(app):
    """Return the entries, without what two clocks say."""
    found = app.extensions["hookkit"].opening.inbox().find()
    return [(each.endpoint, each.event_id, each.problem, each.state) for each in found]


@settings(max_examples=300, deadline=None)
@given(
    method=st.sampled_from(["POST", "GET", "HEAD", "OPTIONS", "BREW"]),
    path=st.lists(
        st.sampled_from(["/", "hooks", "support", "calls", TOKEN, "own", "..", ".", "\n", "\xff"]),
        max_size=6,
    ).map("".join),
    host=st.sampled_from([None, "localhost", "a b", "[::1", "localhost:80", "x:y"]),
    length=st.sampled_from([None, "", "0", "7", "-1", "99"]),
    more=st.dictionaries(
        st.sampled_from(
            ["HTTP_UPGRADE", "HTTP_CONNECTION", "HTTP_TRANSFER_ENCODING", "HTTP_X_API_KEY"]
        ),
        st.sampled_from(["websocket", "upgrade", "chunked", SECRET, ""]),
    ),
)
def test_whatever_comes_is_answered_as_by_the_blueprint(
    both_doors, method, path, host, length, more
):
    given_environ = {"PATH_INFO": path, "HTTP_HOST": host, "CONTENT_LENGTH": length} | more
    behind, front = both_doors

    assert call(front, environ_of(method, **given_environ)) == call(
        behind, environ_of(method, **given_environ)
    )


@pytest.fixture(scope="module")
def both_doors():
    return make_doors()


@pytest.mark.parametrize(
    "config", [{"TRUSTED_HOSTS": ["example.com"]}, {"SERVER_NAME": "example.com"}], ids=str
)
@pytest.mark.parametrize("host", ["example.com", "localhost", "hooks.example.com"])
def test_hosts_are_trusted_as_by_the_blueprint(config, host):
    behind, front = make_doors(**config)

    assert call(front, environ_of(HTTP_HOST=host)) == call(behind, environ_of(HTTP_HOST=host))


def test_hosts_that_are_named_after_the_first_delivery_count():
    front = make_doors()[1]
    assert call(front, environ_of())[0] == "200 OK"

    front.config["TRUSTED_HOSTS"] = ["example.com"]

    assert call(front, environ_of())[0] == "400 BAD REQUEST"


def test_subdomain_of_the_blueprint_counts_for_every_delivery():
    answers = []
    for in_front in (False, True):
        hooks, app = HookKit(), Flask("tests.subdomain", subdomain_matching=True)
        app.config.update(TESTING=True, SERVER_NAME="example.com", HOOKKIT_ENDPOINTS=ENDPOINTS)
        app.register_blueprint(hooks.blueprint, subdomain="hooks")
        if in_front:
            app.wsgi_app = hooks.wsgi(app)
        hosts = ("hooks.example.com", "hooks.example.com", "example.com", "x.example.com")
        answers.append([call(app, environ_of(HTTP_HOST=host)) for host in hosts])

    assert answers[0] == answers[1]
    assert [status[:3] for status, _, _ in answers[1]] == ["200", "200", "404", "404"]


def test_host_that_a_version_of_werkzeug_may_refuse_is_left_to_it(front, monkeypatch):
    def refuse(request):
        if request is not None:  # it is None for an application context
            raise SecurityError

    assert call(front, environ_of())[0] == "200 OK"
    monkeypatch.setattr(front, "create_url_adapter", refuse)

    assert call(front, environ_of())[0] == "200 OK"
    assert call(front, environ_of(HTTP_HOST="a b"))[0] == "400 BAD REQUEST"


def test_without_a_prefix_only_endpoints_are_answered():
    hooks, app = HookKit(), Flask("tests.rootless")
    app.config.update(TESTING=True, HOOKKIT_ENDPOINTS=ENDPOINTS)
    app.register_blueprint(hooks.blueprint, url_prefix="/")
    app.add_url_rule("/mine", view_func=lambda: "theirs", endpoint="theirs", methods=["PUT"])
    app.wsgi_app = hooks.wsgi(app)
    app.before_request(lambda: "Flask")

    assert call(app, environ_of(path="/support"))[2].startswith(b'{"code": "accepted"')
    assert call(app, environ_of("PUT", "/nowhere"))[2] == b"Flask"
    assert call(app, environ_of("PUT", "/mine"))[2] == b"Flask"


def test_blueprint_of_another_name_inside_another_is_answered():
    hooks, app, api = HookKit(), Flask("tests.nested"), Blueprint("api", __name__)
    app.config.update(TESTING=True, HOOKKIT_ENDPOINTS=ENDPOINTS)
    api.register_blueprint(hooks.blueprint, url_prefix="/hooks", name="vendors")
    app.register_blueprint(api, url_prefix="/api")
    app.wsgi_app = hooks.wsgi(app)
    app.before_request(lambda: "Flask")

    assert call(app, environ_of(path="/api/hooks/support"))[0] == "200 OK"
    assert call(app, environ_of(path="/api/hooks/none"))[0] == "404 NOT FOUND"
    assert call(app, environ_of(path="/hooks/support"))[2] == b"Flask"


@pytest.mark.parametrize("path", ["/", "/other/", "/hooks/own", "/hooksandmore", "/hook", "", "/x"])
def test_other_requests_pass_untouched(front, path):
    seen = []

    class Untouchable(io.RawIOBase):
        def read(self, size=-1):
            pytest.fail("the body of another view was read")

    def note(environ, start_response):
        seen.append((environ, dict(environ)))
        start_response("204 NO CONTENT", [])
        return []

    door = Front(front.extensions["hookkit"], front.wsgi_app._urls)
    door._pass_on = note
    environ = environ_of("GET", path, **{"wsgi.input": Untouchable()})
    before = dict(environ)

    call(door, environ)

    ((same, at_that_time),) = seen
    assert same is environ
    assert at_that_time == before


def test_view_of_the_application_below_the_prefix_stays_its_own(front):
    assert call(front, environ_of("GET", "/hooks/own"))[2] == b"theirs"


def test_page_at_the_url_of_an_endpoint_stays_the_applications():
    hooks, app = HookKit(), Flask("tests.page")
    endpoint = ENDPOINTS["support"] | {"path": "/legacy"}
    app.config.update(TESTING=True, HOOKKIT_ENDPOINTS={"support": endpoint})
    app.add_url_rule("/legacy", view_func=lambda: "a page", endpoint="page", methods=["GET"])
    hooks.init_app(app)
    app.wsgi_app = hooks.wsgi(app)

    assert call(app, environ_of(path="/legacy"))[0] == "200 OK"
    assert call(app, environ_of("GET", "/legacy"))[2] == b"a page"


def test_delivery_has_an_application_context_of_its_own_and_no_request():
    seen, hooks = [], HookKit()

    def secrets():
        seen.append((current_app.name, has_request_context(), "mark" in g))
        g.mark = 1
        return [SECRET]

    app = make_app(
        hooks, HOOKKIT_ENDPOINTS={"support": ENDPOINTS["support"] | {"secrets": secrets}}
    )
    app.teardown_appcontext(lambda _: seen.append("torn down"))
    app.wsgi_app = hooks.wsgi(app)

    for _ in range(2):
        assert call(app, environ_of())[0] == "200 OK"

    assert seen == [("tests.applications", False, False), "torn down"] * 2


def test_functions_of_the_application_do_not_run_for_deliveries(front):
    ran = []
    front.before_request(lambda: ran.append("before") or "a login page")
    front.after_request(lambda response: ran.append("after") or response)
    front.teardown_request(lambda _: ran.append("teardown"))

    for path in ("/hooks/support", "/hooks/none", f"/hooks/calls/{TOKEN}"):
        call(front, environ_of(path=path))
    assert ran == []

    assert call(front, environ_of("GET", "/other/"))[2] == b"a login page"
    assert ran == ["before", "after", "teardown"]


def test_signals_and_log_lines_are_those_of_the_blueprint(caplog):
    caplog.set_level(logging.INFO, "hookkit")
    told = []
    for app in make_doors():
        heard = []
        caplog.clear()

        def note(_, endpoint, heard=heard, **what):
            heard.append((endpoint, sorted(what)))

        with (
            signals.delivery_accepted.connected_to(note, app),
            signals.delivery_rejected.connected_to(note, app),
            signals.event_duplicate.connected_to(note, app),
        ):
            for secret in (SECRET, SECRET, "wrong"):
                call(app, environ_of(HTTP_X_API_KEY=secret))
        told.append((heard, [(each.action, each.getMessage()) for each in caplog.records]))

    assert told[0] == told[1]
    assert len(told[0][0]) == 4


@pytest.mark.parametrize("propagates", [False, True])
def test_error_inside_hookkit_is_the_applications_500(monkeypatch, propagates):
    answers = []
    for app in make_doors(PROPAGATE_EXCEPTIONS=propagates):
        app.register_error_handler(500, lambda error: (f"{error.original_exception!r}", 500))
        heard = []

        def fail(*_):
            raise RuntimeError("a mistake of hookkit")

        monkeypatch.setattr(app.extensions["hookkit"].receiver, "receive", fail)
        with got_request_exception.connected_to(
            lambda _, exception, heard=heard: heard.append(exception), app
        ):
            if propagates:
                with pytest.raises(RuntimeError, match="a mistake of hookkit"):
                    call(app, environ_of())
            else:
                answers.append(call(app, environ_of()))
        assert len(heard) == 1

    assert propagates or answers[0] == answers[1]
    assert propagates or answers[0][2] == b"RuntimeError('a mistake of hookkit')"


def test_failing_handler_of_the_inline_runner_is_503():
    hooks = HookKit()

    @hooks.on("*")
    def fail(event):
        raise ValueError

    app = make_app(hooks)
    app.wsgi_app = hooks.wsgi(app)

    status, headers, body = call(app, environ_of())

    assert (status, body) == ("503 SERVICE UNAVAILABLE", b'{"code": "handler_failed"}\n')
    assert ("Retry-After", "10") in headers


def test_store_that_is_away_is_503(front, monkeypatch):
    def away(*_):
        raise Unavailable("locked")

    call(front, environ_of())
    monkeypatch.setattr(front.extensions["hookkit"].opening.inbox(), "admit", away)

    assert call(front, environ_of())[0] == "503 SERVICE UNAVAILABLE"


def test_secrets_that_depend_on_the_request_are_503_and_only_in_front():
    def secrets():
        return [request.headers["X-API-Key"]]

    endpoints = {"support": {"provider": "sunshine", "secrets": secrets}}
    behind, front = make_doors(HOOKKIT_ENDPOINTS=endpoints)

    assert call(behind, environ_of())[0] == "200 OK"
    assert call(front, environ_of())[0] == "503 SERVICE UNAVAILABLE"


def test_test_client_goes_through_the_front(front):
    front.before_request(lambda: "Flask")

    assert post(front.test_client(), message()).json["new"] == 1


@pytest.mark.parametrize("below", ["", "/site"])
def test_several_applications_behind_one_dispatcher_keep_their_deliveries(below):
    hooks, apps = HookKit(), []
    for name in ("north", "south"):
        app = Flask(name)
        app.config.update(TESTING=True, HOOKKIT_ENDPOINTS=ENDPOINTS)
        hooks.init_app(app)
        app.wsgi_app = hooks.wsgi(app)
        apps.append(app)
    site = DispatcherMiddleware(apps[0], {f"{below}/south": apps[1]})

    assert call(site, environ_of(path=f"{below}/south/hooks/support"))[0] == "200 OK"

    assert [len(told_of(app)) for app in apps] == [0, 1]


def test_proxy_fix_around_the_front_says_who_the_client_is(front, caplog):
    seen = []
    front.wsgi_app = ProxyFix(front.wsgi_app, x_for=1)
    receiver = front.extensions["hookkit"].receiver
    receive = receiver.receive
    receiver.receive = lambda endpoint, delivery: (
        seen.append(delivery.address) or receive(endpoint, delivery)
    )

    call(front, environ_of(HTTP_X_FORWARDED_FOR="203.0.113.9"))

    assert seen == ["203.0.113.9"]
    assert "front_before_middleware" not in [each.action for each in caplog.records]


def test_middleware_that_deliveries_would_go_past_is_told_of(caplog):
    hooks = HookKit()
    app = make_app(hooks)
    app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1)

    app.wsgi_app = hooks.wsgi(app)

    (line,) = [each for each in caplog.records if each.action == "front_before_middleware"]
    assert "ProxyFix" in line.getMessage()
    assert call(app, environ_of())[0] == "200 OK"


def test_front_needs_the_blueprint():
    app = Flask("tests.bare")

    with pytest.raises(ConfigurationError, match="has not registered a HookKit"):
        HookKit().wsgi(app)
    with pytest.raises(ConfigurationError, match="has registered another HookKit"):
        HookKit().wsgi(make_app(HookKit()))


def test_first_delivery_starts_the_runner():
    hooks = HookKit()
    app = make_app(hooks, HOOKKIT_RUNNER="thread")
    app.wsgi_app = hooks.wsgi(app)
    state = app.extensions["hookkit"]
    try:
        assert state._runner is None
        call(app, environ_of("HEAD"))
        assert state._runner is not None
    finally:
        state.stop()


def test_request_to_another_view_starts_the_runner_too():
    hooks = HookKit()
    app = make_app(hooks, HOOKKIT_RUNNER="thread")
    app.wsgi_app = hooks.wsgi(app)
    state = app.extensions["hookkit"]
    try:
        call(app, environ_of("GET", "/"))
        assert state._runner is not None
    finally:
        state.stop()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork")
def test_first_delivery_in_a_forked_child_starts_its_runner(tmp_path):
    hooks = HookKit()
    hooks.on("*", name="tell")(lambda _: (tmp_path / f"handled-{os.getpid()}").touch())
    app = make_app(
        hooks, HOOKKIT_DATABASE=f"sqlite:///{tmp_path}/inbox.db", HOOKKIT_RUNNER="thread"
    )
    app.wsgi_app = hooks.wsgi(app)
    state = app.extensions["hookkit"]
    call(app, environ_of("HEAD"))
    state.stop()  # no thread of this test may be inside a lock while it forks

    child = os.fork()
    if child == 0:
        code = 1
        try:
            call(app, environ_of())
            wait_until((tmp_path / f"handled-{os.getpid()}").exists)
            code = 0
        finally:
            os._exit(code)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_urls_of_strangers_are_not_remembered(front):
    for number in range(50):
        call(front, environ_of(path=f"/hooks/calls/{number}"))
        call(front, environ_of(path=f"/hooks/{number}"))
        call(front, environ_of(path=f"{'/' * number}/hooks/support"))
        call(front, environ_of(path=f"/hooks/support{'/' * number}"))

    assert set(front.wsgi_app._responders) == {"/hooks/support"}


def test_error_of_a_view_of_the_application_is_handled_once(front):
    heard = []

    def note(_, exception):
        heard.append(exception)

    front.add_url_rule("/hooks/broken", view_func=lambda: 1 / 0, endpoint="broken")

    with (
        got_request_exception.connected_to(note, front),
        pytest.raises(ZeroDivisionError),
    ):
        call(front, environ_of("GET", "/hooks/broken"))

    assert len(heard) == 1
