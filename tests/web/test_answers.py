"""What a vendor hears: the table of design and docs/reference/answers.md."""

import io
import json
import logging
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
from werkzeug.test import run_wsgi_app

from hookkit import HookKit, Unavailable, signals
from hookkit.core.entry import State
from hookkit.inbox.opening import open_inbox
from tests.applications import ENDPOINTS, OLD_SECRET, SECRET, make_app, message, post

pytestmark = pytest.mark.usefixtures("each_door")

BAD_BODIES = [
    pytest.param(b"", id="empty"),
    pytest.param(b"not json", id="not JSON"),
    pytest.param(b"\xff\xfe{}", id="not UTF-8"),
    pytest.param('{"events": []}'.encode("utf-16"), id="UTF-16"),
    pytest.param(b"[" * 100_000, id="too deep"),
    pytest.param(b'{"a":' * 5_000 + b"1" + b"}" * 5_000, id="objects too deep"),
    pytest.param(b"[]", id="a list"),
    pytest.param(b"null", id="null"),
    pytest.param(b'"text"', id="a text"),
    pytest.param(b"{}", id="no keys"),
    pytest.param(b'{"events": [], "webhook": {}}', id="no events"),
    pytest.param(b'{"events": [null, 1, "x", []]}', id="events of other types"),
    pytest.param(b'{"events": [{}]}', id="event without keys"),
    pytest.param(b'{"trigger": "message:appUser"}', id="trigger without messages"),
    pytest.param(b'{"trigger": 5}', id="trigger is a number"),
    pytest.param(b'{"trigger": "x", "version": "v9"}', id="version from the future"),
    pytest.param(b'{"events": [{"id": ' + b"9" * 5_000 + b"}]}", id="number of 5,000 digits"),
    pytest.param(b'{"events": [{"id": 1e400}]}', id="number out of range"),
    pytest.param(b'{"events": [{"id": NaN}]}', id="NaN"),
    pytest.param(b'{"events": [{"id": "\\ud800", "type": "\\u0000"}]}', id="lone surrogate, NUL"),
    pytest.param(
        json.dumps({"events": [{"id": "x" * 100_000, "type": "y" * 100_000}]}).encode(),
        id="very long texts",
    ),
]


@pytest.fixture
def hooks():
    return HookKit()


@pytest.fixture
def client(hooks):
    return make_app(hooks).test_client()


@pytest.fixture
def sqlite_client(hooks, tmp_path):
    app = make_app(hooks, HOOKKIT_DATABASE=f"sqlite:///{tmp_path / 'inbox.db'}")
    yield app.test_client()
    app.extensions["hookkit"].stop()


def records(client):
    return client.application.extensions["hookkit"].opening.inbox().find()


def test_proven_delivery_is_stored_and_counted(client):
    response = post(client, message())

    assert (response.status_code, response.json) == (
        200,
        {"code": "accepted", "new": 1, "duplicates": 0},
    )
    assert response.content_type == "application/json"
    assert [record.event_id for record in records(client)] == ["event-1"]


def test_redelivery_is_a_duplicate_and_not_handled_again(hooks, client):
    seen = []
    hooks.on("*")(lambda event: seen.append(event.id))

    answers = [post(client, message()).json for _ in range(3)]

    assert [answer["duplicates"] for answer in answers] == [0, 1, 1]
    assert seen == ["event-1"]


def test_batch_counts_new_and_known_events(client):
    batch = message("event-1")
    batch["events"] += [message(f"event-{number}")["events"][0] for number in (2, 3)]
    post(client, message("event-2"))

    response = post(client, batch)

    assert response.json == {"code": "accepted", "new": 2, "duplicates": 1}


@pytest.mark.parametrize(
    ("secret", "code"),
    [
        pytest.param(None, "signature_missing", id="none"),
        pytest.param("", "signature_missing", id="empty"),
        pytest.param("wrong", "signature_mismatch", id="wrong"),
        pytest.param(f"{SECRET},{SECRET}", "signature_mismatch", id="twice in one header"),
        pytest.param(SECRET[:-1], "signature_mismatch", id="cut"),
        pytest.param(SECRET.upper(), "signature_mismatch", id="other case"),
    ],
)
def test_stranger_is_refused_and_nothing_is_stored(client, secret, code):
    response = post(client, message(), secret=secret)

    assert (response.status_code, response.json) == (401, {"code": code})
    assert records(client) == []


def test_old_secret_is_taken_during_a_rotation(client):
    response = post(client, message(), secret=OLD_SECRET)

    assert response.status_code == 200


@pytest.mark.parametrize("body", BAD_BODIES)
def test_proven_sender_is_never_refused(sqlite_client, caplog, body):
    caplog.set_level(logging.DEBUG)

    response = post(sqlite_client, body)

    assert (response.status_code, response.json["code"]) == (200, "accepted")
    found = records(sqlite_client)
    assert found
    assert {record.state for record in found} == {State.DONE}
    assert body[:60].decode("latin-1") not in caplog.text or not body


@pytest.mark.parametrize("key", ["id", "type"])
def test_key_that_comes_twice_is_a_problem_and_loses_nothing(sqlite_client, caplog, key):
    caplog.set_level(logging.DEBUG)
    body = json.dumps(message()).encode()
    twice = body.replace(b'"id": "event-1"', b'"%s": "other", "id": "event-1"' % key.encode())

    response = post(sqlite_client, twice)

    assert (response.status_code, response.json) == (
        200,
        {"code": "accepted", "new": 1, "duplicates": 0},
    )
    (record,) = records(sqlite_client)
    assert (record.vendor_type, record.version) == ("", "")
    assert record.problem == "body: a key twice in one object"
    actions = [getattr(each, "action", "") for each in caplog.records]
    assert actions.count("delivery_accepted") == 1


@pytest.mark.parametrize("body", BAD_BODIES)
def test_bad_body_is_a_duplicate_when_it_comes_again(sqlite_client, body):
    first = post(sqlite_client, body).json

    second = post(sqlite_client, body).json

    assert second == {"code": "accepted", "new": 0, "duplicates": first["new"]}


@pytest.mark.parametrize("body", BAD_BODIES)
def test_stranger_with_a_bad_body_is_refused_for_the_secret(client, body):
    response = post(client, body, secret="wrong")

    assert (response.status_code, response.json) == (401, {"code": "signature_mismatch"})


@pytest.mark.parametrize(
    ("method", "status"),
    [("GET", 405), ("PUT", 405), ("PATCH", 405), ("DELETE", 405), ("OPTIONS", 405)],
)
def test_other_methods_are_refused_in_json(client, method, status):
    response = client.open("/hooks/support", method=method)

    assert (response.status_code, response.json) == (status, {"code": "method_not_allowed"})
    assert response.headers["Allow"] == "HEAD, POST"


def test_probe_with_head_hears_an_empty_200(client):
    response = client.head("/hooks/support")

    assert (response.status_code, response.data) == (200, b"")


@pytest.mark.parametrize("path", ["/hooks/", "/hooks/other", "/hooks/support/", "/hooks/a/b/c"])
@pytest.mark.parametrize("method", ["GET", "POST", "HEAD"])
def test_path_without_an_endpoint_is_404_in_json(client, path, method):
    response = client.open(path, method=method)

    assert response.status_code == 404
    assert method == "HEAD" or response.json == {"code": "unknown_endpoint"}


@pytest.mark.parametrize("secret", [SECRET, "wrong"])
def test_body_over_the_limit_is_413_for_anybody(hooks, secret):
    client = make_app(hooks, HOOKKIT_MAX_BODY=1000).test_client()

    response = post(client, b"x" * 1001, secret=secret)

    assert (response.status_code, response.json) == (413, {"code": "body_too_large"})


def test_body_at_the_limit_is_taken(hooks):
    client = make_app(hooks, HOOKKIT_MAX_BODY=1000).test_client()

    response = post(client, b"x" * 1000)

    assert response.status_code == 200


def test_endpoint_may_have_a_limit_of_its_own(hooks):
    endpoints = {"support": ENDPOINTS["support"] | {"max_body": 10}}
    client = make_app(hooks, HOOKKIT_ENDPOINTS=endpoints).test_client()

    response = post(client, b"x" * 11)

    assert response.status_code == 413


def test_body_shorter_than_declared_is_400_and_not_stored(client):
    response = client.post(
        "/hooks/support",
        data=b"{}",
        headers={"X-API-Key": SECRET},
        environ_overrides={"CONTENT_LENGTH": "100"},
    )

    assert (response.status_code, response.json) == (400, {"code": "malformed_body"})
    assert records(client) == []


@pytest.mark.parametrize(
    ("terminated", "status"),
    [
        pytest.param(False, 400, id="not handed on by the server"),
        pytest.param(True, 200, id="untouched"),
    ],
)
def test_chunked_body_is_never_taken_for_nothing(hooks, terminated, status):
    app = make_app(hooks)
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/hooks/support",
        "HTTP_X_API_KEY": SECRET,
        "HTTP_TRANSFER_ENCODING": "chunked",
        "wsgi.input": io.BytesIO(json.dumps(message()).encode()),
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "wsgi.url_scheme": "http",
    }

    if terminated:
        environ["wsgi.input_terminated"] = True

    _, answered, _ = run_wsgi_app(app, environ, buffered=True)

    assert answered.startswith(str(status))
    assert [record.event_id for record in records(app.test_client())] == (
        ["event-1"] if status == 200 else []
    )


def test_database_callable_that_raises_is_503_and_quotes_nothing(hooks, caplog):
    def database():
        raise RuntimeError("postgresql://me:a-password@localhost")

    client = make_app(hooks, HOOKKIT_DATABASE=database).test_client()

    response = post(client, message())

    assert (response.status_code, response.json) == (503, {"code": "unavailable"})
    assert "a-password" not in caplog.text


def test_inbox_that_is_being_opened_keeps_nobody_waiting(hooks, monkeypatch, tmp_path):
    monkeypatch.setattr("hookkit.application.inbox_opening.PATIENCE_S", 0.01)
    opening, go_on = Event(), Event()

    def database():
        opening.set()
        assert go_on.wait(30)
        return f"sqlite:///{tmp_path / 'inbox.db'}"

    app = make_app(hooks, HOOKKIT_DATABASE=database)
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(lambda: post(app.test_client(), message("event-1")).status_code)
        assert opening.wait(30)

        second = post(app.test_client(), message("event-2")).status_code

        go_on.set()
        assert (first.result(), second) == (200, 503)
    app.extensions["hookkit"].stop()


@pytest.mark.parametrize(("patience_s", "tries"), [(3600.0, 1), (0.0, 2)], ids=["within", "after"])
def test_inbox_that_could_not_be_opened_is_left_alone_for_a_moment(
    hooks, monkeypatch, patience_s, tries
):
    monkeypatch.setattr("hookkit.application.inbox_opening.PATIENCE_S", patience_s)
    opened = []

    def database():
        opened.append(1)
        raise RuntimeError("the database is down")

    client = make_app(hooks, HOOKKIT_DATABASE=database).test_client()

    answers = [post(client, message()).status_code for _ in range(2)]

    assert (answers, len(opened)) == ([503, 503], tries)


def test_store_that_is_away_is_503_with_retry_after(client, monkeypatch):
    def away(*_):
        raise Unavailable("locked")

    post(client, message("event-0"))
    inbox = client.application.extensions["hookkit"].opening.inbox()
    monkeypatch.setattr(inbox, "admit", away)

    response = post(client, message())

    assert (response.status_code, response.json) == (503, {"code": "unavailable"})
    assert int(response.headers["Retry-After"]) > 0


def test_secrets_that_cannot_be_had_are_503(hooks):
    def secrets():
        raise RuntimeError("the vault is sealed")

    endpoints = {"support": {"provider": "sunshine", "secrets": secrets}}
    client = make_app(hooks, HOOKKIT_ENDPOINTS=endpoints).test_client()

    response = post(client, message())

    assert (response.status_code, response.json) == (503, {"code": "unavailable"})


def test_unsigned_endpoint_takes_anybodys_delivery(hooks):
    endpoints = {"support": {"provider": "sunshine", "unsigned": True}}
    client = make_app(hooks, HOOKKIT_ENDPOINTS=endpoints).test_client()

    response = post(client, message(), secret=None)

    assert response.status_code == 200


def test_database_that_is_no_inbox_is_503_and_tells_the_log(hooks, tmp_path, caplog):
    (tmp_path / "inbox.db").write_bytes(b"this is a letter, not a database " * 50)
    app = make_app(hooks, HOOKKIT_DATABASE=f"sqlite:///{tmp_path / 'inbox.db'}")

    response = post(app.test_client(), message())

    assert (response.status_code, response.json) == (503, {"code": "unavailable"})
    assert "inbox_misconfigured" in [record.action for record in caplog.records]


def test_conflicting_redelivery_is_200_and_signalled(client, caplog):
    conflicts = []
    post(client, message(text="first"))

    with signals.event_conflict.connected_to(
        lambda sender, **what: conflicts.append(what["event_id"]), client.application
    ):
        response = post(client, message(text="second"))

    assert response.json == {"code": "accepted", "new": 0, "duplicates": 1}
    assert conflicts == ["event-1"]
    assert "event_conflict" in [record.action for record in caplog.records]


@pytest.mark.parametrize(("setting", "runs"), [({}, 2), ({"once_per_fact": True}, 1)])
def test_what_two_webhooks_of_an_app_report_is_one_event_if_the_settings_say_so(setting, runs):
    hooks, seen = HookKit(), []
    hooks.on("conversation:message")(lambda event: seen.append(event.message.id))
    app = make_app(hooks, HOOKKIT_ENDPOINTS={"support": ENDPOINTS["support"] | setting})
    second = message()
    second["webhook"]["id"] = "webhook-2"
    second["events"][0] |= {"id": "event-2", "createdAt": "2026-03-01T10:00:00.007Z"}

    with app.test_client() as client:
        assert post(client, message()).json["new"] == 1
        answer = post(client, second).json

    assert answer == {"code": "accepted", "new": runs - 1, "duplicates": 2 - runs}
    assert seen == ["message-of-event-1"] * runs
    (newest, *_) = app.extensions["hookkit"].opening.inbox().find()
    assert newest.conflicts == 0


def test_rejection_duplicate_and_acceptance_are_signalled(client):
    heard = []

    def note(name):
        return lambda sender, **what: heard.append((name, what["endpoint"]))

    app = client.application
    with (
        signals.delivery_rejected.connected_to(rejected := note("rejected"), app),
        signals.delivery_accepted.connected_to(accepted := note("accepted"), app),
        signals.event_duplicate.connected_to(duplicate := note("duplicate"), app),
    ):
        post(client, message(), secret="wrong")
        post(client, message())
        post(client, message())

    del rejected, accepted, duplicate  # blinker holds them weakly
    assert [name for name, _ in heard] == ["rejected", "accepted", "accepted", "duplicate"]
    assert {endpoint for _, endpoint in heard} == {"support"}


@pytest.mark.parametrize("name", ["delivery_began", "delivery_answered"])
def test_beginning_and_answer_are_signalled_each_by_itself(client, name):
    heard = []

    def note(sender, **what):
        heard.append(what)

    with getattr(signals, name).connected_to(note, client.application):
        post(client, message())
        post(client, message(), secret="wrong")

    assert [what["endpoint"] for what in heard] == ["support", "support"]
    if name == "delivery_answered":
        assert [what["receipt"].status for what in heard] == [200, 401]


def test_observer_that_raises_changes_nothing(client, caplog):
    def broken(sender, **what):
        raise RuntimeError("the metrics server is away")

    with signals.delivery_accepted.connected_to(broken, client.application):
        response = post(client, message())

    assert response.status_code == 200
    assert "signal_receiver_failed" in [record.action for record in caplog.records]


def test_log_of_a_delivery_has_machine_words_and_no_secret(client, caplog):
    caplog.set_level(logging.DEBUG)

    post(client, message())
    post(client, message(), secret="a-wrong-secret-of-a-stranger")

    actions = [getattr(record, "action", None) for record in caplog.records]
    assert {"delivery_accepted", "delivery_rejected"} <= set(actions)
    assert SECRET not in caplog.text
    assert "a-wrong-secret-of-a-stranger" not in caplog.text
    assert "Where is my order?" not in caplog.text


def test_kept_bytes_are_exactly_what_was_sent(hooks, tmp_path):
    url = f"sqlite:///{tmp_path / 'inbox.db'}"
    app = make_app(hooks, HOOKKIT_DATABASE=url)
    body = json.dumps(message(), indent=3).encode() + b"\n\n"

    post(app.test_client(), body)

    app.extensions["hookkit"].stop()
    inbox = open_inbox(url)
    inbox.replay(1, now=app.extensions["hookkit"].worker.assignment.clock())
    (entry,) = inbox.claim(
        now=app.extensions["hookkit"].worker.assignment.clock(),
        lease_s=60,
        limit=1,
        endpoints=["support"],
    )
    inbox.close()
    assert entry.body == body
    kept = {"content-type", "user-agent", "hookkit-fingerprint"}
    assert set(entry.headers) == kept  # and not the secret's
