import json
import socket
import subprocess
import sys
import threading

import pytest
from flask import Flask

from hookkit import HookKit
from tests.cli.serving import SECRET, run, serving
from tests.serving import serving as serving_app


def send(endpoint, *options, stdin=None, **environment):
    return run("send", endpoint.url, "--secret", SECRET, *options, stdin=stdin, **environment)


@pytest.mark.parametrize(
    ("version", "text_of"),
    [
        ("v1", lambda payload: payload["messages"][0]["text"]),
        ("v1.1", lambda payload: payload["messages"][0]["text"]),
        ("v2", lambda payload: payload["events"][0]["payload"]["message"]["content"]["text"]),
    ],
)
def test_text_message_is_sent_by_default(version, text_of):
    with serving() as endpoint:
        result = send(endpoint, "--version", version)

    ((_, _, body),) = endpoint.requests
    assert result.exit_code == 0
    assert text_of(json.loads(body)) == "Hi! Do you have time to chat?"
    assert f"sunshine {version} " in result.output


def test_newest_version_is_sent_by_default():
    with serving() as endpoint:
        send(endpoint)

    ((_, _, body),) = endpoint.requests
    assert json.loads(body)["webhook"]["version"] == "v2"


@pytest.mark.parametrize(
    "trigger", ["conversation:message.image", "conversation-message.image"], ids=["word", "name"]
)
def test_trigger_chooses_the_sample(trigger):
    with serving() as endpoint:
        send(endpoint, "--trigger", trigger)

    ((_, _, body),) = endpoint.requests
    assert json.loads(body)["events"][0]["payload"]["message"]["content"]["type"] == "image"


def test_line_tells_what_was_sent_and_what_was_answered():
    with serving((200, {}, b'{"code": "accepted"}\n')) as endpoint:
        result = send(endpoint)

    ((_, _, body),) = endpoint.requests
    event_id = json.loads(body)["events"][0]["id"]
    assert result.output == (
        f'sunshine v2 conversation:message {event_id} -> 200 {{"code": "accepted"}}\n'
    )


def test_every_send_is_a_new_event():
    with serving() as endpoint:
        send(endpoint)
        send(endpoint)

    first, second = (json.loads(body)["events"][0]["id"] for _, _, body in endpoint.requests)
    assert first != second


def test_duplicate_is_the_same_delivery_twice():
    with serving() as endpoint:
        result = send(endpoint, "--duplicate")

    first, second = endpoint.requests
    assert first == second
    assert len(result.output.splitlines()) == 2


def test_one_refused_duplicate_is_a_failure():
    with serving((200, {}, b""), (500, {}, b"")) as endpoint:
        result = send(endpoint, "--duplicate")

    assert result.exit_code == 1
    assert [line.split(" -> ")[1] for line in result.output.splitlines()] == ["200", "500"]


def test_values_are_set_as_json_or_else_as_text():
    with serving() as endpoint:
        send(
            endpoint,
            *("--set", "events.0.payload.message.content.text=a=b"),
            *("--add", 'events.0.payload.message.metadata.deep={"number": 1}'),
            *("--add", "events.0.payload.message.metadata.nan=NaN"),
        )

    ((_, _, body),) = endpoint.requests
    message = json.loads(body)["events"][0]["payload"]["message"]
    assert message["content"]["text"] == "a=b"
    assert message["metadata"] == {"deep": {"number": 1}, "nan": "NaN"}


def test_beginning_of_a_path_may_be_left_out():
    with serving() as endpoint:
        send(endpoint, "--set", "content.text=short")

    ((_, _, body),) = endpoint.requests
    assert json.loads(body)["events"][0]["payload"]["message"]["content"]["text"] == "short"


def test_body_is_sent_byte_for_byte(tmp_path):
    file = tmp_path / "body"
    file.write_bytes(b"\xff no JSON \r\n")
    with serving() as endpoint:
        send(endpoint, "--body", file)
        send(endpoint, "--body", "-", stdin=b"\0\n")

    assert [body for _, _, body in endpoint.requests] == [b"\xff no JSON \r\n", b"\0\n"]


def test_secret_may_come_from_the_environment():
    with serving() as endpoint:
        result = run("send", endpoint.url, HOOKKIT_SECRET=SECRET)

    ((_, headers, _),) = endpoint.requests
    assert result.exit_code == 0
    assert {name.lower(): value for name, value in headers.items()}["x-api-key"] == SECRET


def test_secret_is_never_shown():
    with serving() as endpoint:
        accepted = send(endpoint)
    unreachable = send(endpoint)
    refused = send(endpoint, "--trigger", "nonsense")

    for result in (accepted, unreachable, refused):
        assert SECRET not in result.output


def test_unsigned_sends_no_proof():
    with serving() as endpoint:
        result = run("send", endpoint.url, "--unsigned", HOOKKIT_SECRET=SECRET)

    ((_, headers, _),) = endpoint.requests
    assert result.exit_code == 0
    assert SECRET not in headers.values()


@pytest.mark.parametrize("status", [302, 401, 413, 503])
def test_answer_other_than_2xx_is_a_failure(status):
    with serving((status, {"location": "/elsewhere"}, b"no")) as endpoint:
        result = send(endpoint)

    assert result.exit_code == 1
    assert result.output.endswith(f" -> {status} no\n")
    assert len(endpoint.requests) == 1


def test_answer_steers_no_terminal_and_is_cut():
    with serving((200, {}, b"\x1b[2Jhello\r\nthere \xff" + b"x" * 100_000)) as endpoint:
        result = send(endpoint)

    answer = result.output.rstrip("\n").partition(" -> 200 ")[2]
    assert answer.startswith("\\x1b[2Jhello there \ufffdxxx")
    assert answer.endswith("x\u2026")
    assert len(answer) == 300


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_proxy_of_the_environment_is_not_asked_about_this_machine(host):
    with serving() as endpoint:
        endpoint.url = endpoint.url.replace("127.0.0.1", host)
        result = send(endpoint, http_proxy="http://127.0.0.1:9", no_proxy="")

    assert result.exit_code == 0


def test_unreachable_server_is_reported_on_one_line():
    with serving() as endpoint:
        pass

    result = send(endpoint)

    assert result.exit_code == 1
    assert result.output == "Error: no answer from 127.0.0.1: Connection refused\n"


def test_silent_server_is_not_waited_for():
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        result = run("send", url, "--secret", SECRET, "--timeout", "0.05")

    assert result.exit_code == 1
    assert result.output == "Error: no answer from 127.0.0.1: timed out\n"


def test_server_that_hangs_up_is_reported_on_one_line():
    with socket.create_server(("127.0.0.1", 0)) as server:

        def hang_up():
            connection, _ = server.accept()
            connection.recv(1 << 16)
            connection.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        result = run("send", url, "--secret", SECRET)
        thread.join()

    assert result.exit_code == 1
    assert result.output.startswith("Error: no answer from 127.0.0.1: ")
    assert len(result.output.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "printed"),
    [
        pytest.param([], "Missing argument 'URL'", id="no URL"),
        pytest.param(["ftp://host/", "--unsigned"], "http://host/path", id="other protocol"),
        pytest.param(["file:///etc/passwd", "--unsigned"], "http://host/path", id="file"),
        pytest.param(["http:///hooks", "--unsigned"], "http://host/path", id="no host"),
        pytest.param(["http://host:port/", "--unsigned"], "http://host/path", id="no port"),
        pytest.param(["http://a:b@host/", "--unsigned"], "http://host/path", id="password"),
        pytest.param(["http://[::1/", "--unsigned"], "http://host/path", id="half an address"),
        pytest.param(["http://localhost/"], "give --secret or HOOKKIT_SECRET", id="no secret"),
        pytest.param(["http://localhost/", "--secret", ""], "no header can", id="empty secret"),
        pytest.param(["http://localhost/", "--secret", "a\nb"], "no header can", id="two lines"),
        pytest.param(
            ["http://localhost/", "--unsigned", "--provider", "moonshine"],
            "provider 'moonshine' is not known; known are",
            id="unknown provider",
        ),
        pytest.param(
            ["http://localhost/", "--unsigned", "--version", "v9"],
            "sunshine has no version 'v9'; it has v1, v1.1, v2",
            id="unknown version",
        ),
        pytest.param(
            ["http://localhost/", "--unsigned", "--trigger", "conversation:mesage"],
            "did you mean conversation-message",
            id="unknown trigger",
        ),
        pytest.param(
            ["http://localhost/", "--unsigned", "--set", "events"],
            "'events' is not PATH=VALUE",
            id="no value",
        ),
        pytest.param(
            ["http://localhost/", "--unsigned", "--set", "content.txt=Hi"],
            "path 'content.txt' names nothing in the payload; did you mean"
            " events.0.payload.message.content.text or",
            id="mistyped path",
        ),
        pytest.param(
            ["http://localhost/", "--unsigned", "--set", "type=Hi"],
            "write more of the one you mean",
            id="several places",
        ),
        pytest.param(
            ["http://localhost/", "--unsigned", "--add", "events.7.id=x"],
            "path 'events.7': the array has elements 0 to 0",
            id="no such element",
        ),
        pytest.param(
            ["http://localhost/", "--unsigned", "--body", "-", "--trigger", "message"],
            "--body is sent as it is",
            id="body and sample",
        ),
        pytest.param(
            ["http://localhost/", "--unsigned", "--timeout", "0"], "--timeout", id="no time"
        ),
    ],
)
def test_mistake_in_the_arguments_sends_nothing(arguments, printed):
    result = run("send", *arguments)

    assert result.exit_code == 2
    assert printed in " ".join(result.output.split())


def test_endpoint_of_an_application_accepts_what_is_sent():
    hooks = HookKit()
    seen = []
    hooks.on("conversation:message")(lambda event: seen.append(event.message.text))
    app = Flask(__name__)
    app.config["TESTING"] = True
    app.config["HOOKKIT_ENDPOINTS"] = {"support": {"provider": "sunshine", "secrets": [SECRET]}}
    hooks.init_app(app)
    with serving_app(app) as url:
        result = run(
            *("send", f"{url}/hooks/support", "--secret", SECRET, "--version", "v1.1"),
            *("--duplicate", "--set", "messages.0.text=once"),
        )

    assert [line.split(" -> ")[1] for line in result.output.splitlines()] == [
        '200 {"code": "accepted", "new": 1, "duplicates": 0}',
        '200 {"code": "accepted", "new": 0, "duplicates": 1}',
    ]
    assert seen == ["once"]


def test_command_can_be_run_as_a_module():
    command = [sys.executable, "-m", "hookkit.cli.main", "--help"]

    result = subprocess.run(command, capture_output=True, text=True, check=True)

    assert "Commands:" in result.stdout


# LiveChat, whose secret lies in the body


def test_secret_that_lies_in_the_body_is_put_there():
    with serving() as endpoint:
        result = send(endpoint, "--provider", "livechat", "--trigger", "incoming_event.file")

    ((_, headers, body),) = endpoint.requests
    assert json.loads(body)["secret_key"] == SECRET
    assert SECRET not in str(headers)
    assert SECRET not in result.output


def test_line_names_the_event_as_the_endpoint_does():
    hooks, seen = HookKit(), []
    hooks.on("*", name="see")(seen.append)
    app = Flask("a")
    endpoints = {"support": {"provider": "livechat", "secrets": [SECRET]}}
    app.config.update(TESTING=True, HOOKKIT_ENDPOINTS=endpoints)
    hooks.init_app(app)

    with serving_app(app) as url:
        result = run(
            *("send", f"{url}/hooks/support", "--provider", "livechat", "--version", "3.4"),
            *("--trigger", "incoming_event", "--secret", SECRET, "--duplicate"),
        )

    assert result.exit_code == 0
    (event,) = seen
    assert result.output.count(f"livechat 3.4 incoming_event {event.id} -> 200") == 2
    assert '"duplicates": 1' in result.output


def test_basic_credentials_are_sent_beside_or_instead_of_the_secret():
    with serving() as endpoint:
        run("send", endpoint.url, "--unsigned", "--basic", "me:you", HOOKKIT_SECRET=SECRET)
        send(endpoint, HOOKKIT_BASIC="me:you")

    (_, first, _), (_, second, _) = endpoint.requests
    assert first["Authorization"] == second["Authorization"] == "Basic bWU6eW91"
    assert "X-Api-Key" not in {name.title() for name in first}
    assert "X-Api-Key" in {name.title() for name in second}
