"""What a sender writes into a payload steers no terminal and forges no line of a command."""

import json
import logging
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import click
import pytest
from click.testing import CliRunner

from hookkit import HookKit
from hookkit.cli.main import main
from tests.applications import SECRET, make_app, message, post
from tests.cli.test_versions import V1_1

#: Nothing of it may arrive at a terminal as it is, and its last line must not begin one.
HOSTILE = "a\x1b]0;owned\x07\x1b[2K\u202etxt.exe\u2066\u200b\x9b31m\x7f\rsafe to switch to v2\nsafe"


@pytest.fixture
def app(tmp_path):
    """Return an application whose inbox, handlers and versions are full of hostile text."""
    hooks = HookKit()

    @hooks.on("*", name=f"handler {HOSTILE}")
    def fail(event):
        raise ValueError(HOSTILE)

    declared = {
        "provider": "sunshine",
        "secrets": [SECRET],
        "versions": {"v1.1": "live", "v2": "shadow"},
    }
    app = make_app(
        hooks,
        TESTING=False,
        HOOKKIT_RUNNER="none",
        HOOKKIT_DATABASE=f"sqlite:///{tmp_path}/inbox.db",
        HOOKKIT_ENDPOINTS={"support": declared},
    )
    client = app.test_client()
    new = message(f"event {HOSTILE}", text=HOSTILE)
    unknown = message(f"other {HOSTILE}")
    unknown["events"][0]["type"] = f"type {HOSTILE}"
    old = {**V1_1, "trigger": f"trigger {HOSTILE}"}
    for body in (new, unknown, V1_1, old):
        assert post(client, body).status_code == 200
    forged = {"X-API-Key": HOSTILE.encode("unicode_escape"), "X-Sum": "a"}
    address = {"REMOTE_ADDR": HOSTILE}
    client.post("/hooks/support", json=new, headers=forged, environ_overrides=address)
    return app


class Answering(BaseHTTPRequestHandler):
    """An endpoint whose answer is hostile."""

    def do_POST(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(HOSTILE.encode())

    def log_message(self, *_):
        pass


@pytest.fixture
def url():
    with HTTPServer(("127.0.0.1", 0), Answering) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


#: Command -> how it is called; ``{url}`` and ``{body}`` are filled in.
OF_APP = {
    "adopt": [("support",), (f"no {HOSTILE}",)],
    "capture": [("1",), ("2",), ("99",)],
    "check": [(), ("--json",)],
    "handlers": [(), ("--json",)],
    "drift": [(), ("--json",), ("--since", f"no {HOSTILE}")],
    "list": [(), ("--json",), ("--type", f"no {HOSTILE}"), ("--type", f"type {HOSTILE}")],
    "prune": [()],
    "quarantine diagnose": [("1",), ("1", "--json"), ("9",)],
    "quarantine list": [(), ("--json",), ("--endpoint", HOSTILE), ("--since", HOSTILE)],
    "quarantine release": [("1",), ("--all", "--json"), ("--endpoint", HOSTILE)],
    "renormalize": [(), ("--json",), ("--diff",), ("--type", f"type {HOSTILE}", "--write")],
    "replay": [
        ("--all",),
        ("--all", "--dry-run"),
        ("--all", "--json", "--reason", HOSTILE, "--who", HOSTILE),
        ("--resume", "1"),
        ("--type", f"type {HOSTILE}"),
        ("--handler", f"no {HOSTILE}", "--all"),
    ],
    "replays": [(), ("--json",), ("--end", "1")],
    "show": [
        ("1", "--raw", "--event", "--headers"),
        ("1", "--raw", "--event", "--headers", "--reveal"),
        ("2", "--raw", "--event", "--reveal", "--json"),
    ],
    "stats": [(), ("--json",)],
    "tables accept-loss": [()],
    "tables upgrade": [()],
    "tail": [("--endpoint", f"no {HOSTILE}")],
    "versions rehearse": [("support",), ("support", "--json")],
    "versions retire": [("support", "v1.1")],
    "versions status": [("support",), ("support", "--json"), (f"no {HOSTILE}",)],
    "versions switch": [("support", "v2"), ("support", "v2", "--force")],
    "worker": [("--endpoint", f"no {HOSTILE}")],
}
ALONE = {
    "normalize": [("{body}",), ("{body}", "--version", HOSTILE), ("{body}", "--header", HOSTILE)],
    "samples list": [(), ("--json",), ("--version", HOSTILE), ("--provider", HOSTILE)],
    "samples show": [(), ("--event",), (HOSTILE,)],
    "send": [
        ("{url}", "--body", "{body}", "--unsigned"),
        ("{url}", "--set", f"events.0.type={json.dumps(HOSTILE)}", "--unsigned"),
        ("{url}", "--secret", SECRET, "--tamper", "all"),
        ("{url}", "--secret", SECRET, "--count", "2"),
        ("{url}", "--unsigned", "--json"),
        ("{url}", "--unsigned", "--version", HOSTILE),
    ],
    # It prints what is to be sent, byte for byte: the headers, and no text of the body.
    "sign": [("{body}", "--secret", SECRET)],
    "verify": [
        ("{body}", "--secret", SECRET),
        ("{captured}", "--secret", SECRET),
        ("{captured}", "--secret", SECRET, "--json"),
        ("{captured}", "--secret", "another"),
        ("{captured}", "--secret", "another", "--provider", "stripe"),
        ("{captured}", "--secret", SECRET, "--provider", HOSTILE),
    ],
}


def names_of(group):
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from (f"{name} {inner}" for inner in names_of(command))
        else:
            yield name


def assert_harmless(printed):
    for line in printed.split("\n"):
        assert line.isprintable(), line
        assert not line.startswith("safe"), line


def test_every_command_is_tried(app):
    assert set(names_of(app.cli.commands["hookkit"])) == OF_APP.keys()
    assert set(names_of(main)) == ALONE.keys()


@pytest.mark.parametrize(
    ("name", "arguments"), [(name, each) for name, calls in OF_APP.items() for each in calls]
)
def test_command_of_an_application_shows_hostile_text_harmlessly(app, name, arguments):
    result = app.test_cli_runner().invoke(args=["hookkit", *name.split(), *arguments])

    assert result.output
    assert_harmless(result.output)


@pytest.mark.parametrize(
    ("name", "arguments"), [(name, each) for name, calls in ALONE.items() for each in calls]
)
def test_command_without_an_application_shows_hostile_text_harmlessly(
    name, arguments, url, tmp_path
):
    body = tmp_path / "body.json"
    body.write_text(json.dumps(message(f"event {HOSTILE}")))
    captured = tmp_path / "captured.json"
    headers = {"x-api-key": SECRET, f"x-key-{HOSTILE}": HOSTILE, "stripe-signature": HOSTILE}
    unknown = {"events": [{"type": HOSTILE, "id": HOSTILE}]}
    request = {"url": HOSTILE, "headers": headers, "body": json.dumps(unknown)}
    captured.write_text(json.dumps(request))
    places = {"{url}": url, "{body}": str(body), "{captured}": str(captured)}
    filled = [places.get(each, each) for each in arguments]

    result = CliRunner().invoke(main, [*name.split(), *filled])

    assert result.output
    assert_harmless(result.output)


def test_replays_show_what_was_said_of_them_harmlessly(app):
    run = app.test_cli_runner().invoke
    run(args=["hookkit", "replay", "--type", HOSTILE, "--reason", HOSTILE, "--who", HOSTILE])
    run(args=["hookkit", "replay", "--all", "--reason", HOSTILE, "--who", HOSTILE])

    result = run(args=["hookkit", "replays"])

    assert r"a\x1b]0;owned\x07" in result.output
    assert_harmless(result.output)


def test_status_shows_what_is_hostile_and_where_it_begins(app):
    result = app.test_cli_runner().invoke(args=["hookkit", "versions", "status", "support"])

    assert r"a\x1b]0;owned\x07" in result.output


def test_log_of_handlers_shows_hostile_text_harmlessly(app, caplog):
    caplog.set_level(logging.DEBUG)
    state = app.extensions["hookkit"]

    while state.worker.work():
        pass

    assert "attempt_failed" in [record.action for record in caplog.records]
    assert_harmless(caplog.text)


def test_json_of_hostile_text_is_json(app):
    result = app.test_cli_runner().invoke(args=["hookkit", "handlers", "--json"])

    assert json.loads(result.output)[0]["name"] == f"handler {HOSTILE}"
