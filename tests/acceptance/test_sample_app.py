"""The application that users copy from."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from html import unescape
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from hookkit.testing import find_provider, find_sample, freshen, set_path, sign
from sample_app import DEMO_SECRET, create_app
from tests.acceptance.forking import ForkedPython
from tests.key_server import pem_of, private_key, public_pem_of
from tests.waiting import DEADLINE_S, wait_until

ROOT = Path(__file__).parents[2]
SUNSHINE = find_provider("sunshine")


@pytest.fixture
def app(tmp_path, monkeypatch):
    monkeypatch.delenv("SAMPLE_SECRET", raising=False)
    return create_app({"TESTING": True, "SAMPLE_DATABASE": str(tmp_path / "sample.db")})


def deliver(app, *, version="v2", trigger=None, secret=DEMO_SECRET, **changes):
    sample = find_sample(SUNSHINE, version, trigger)
    document = freshen(sample.document(), SUNSHINE.versions[version])
    for path, value in changes.items():
        set_path(document, path.replace("__", "."), value)
    delivery = sign(SUNSHINE, document, secret=secret)
    return app.test_client().post(
        "/hooks/support", data=delivery.body, headers=dict(delivery.headers)
    )


def handled(app):
    return [
        (row["handler"], row["type"], row["what"])
        for row in reversed(app.test_client().get("/events.json").json["events"])
    ]


@pytest.mark.parametrize("version", ["v1", "v1.1", "v2"])
def test_message_of_every_version_reaches_one_handler(app, version):
    deliver(app, version=version)

    said = "Ana Rivera says: Hi! Do you have time to chat?"
    assert handled(app) == [("answer_customer", "conversation:message", said)]


@pytest.mark.parametrize("version", ["3.0", "3.1", "3.2", "3.4", "3.6"])
def test_message_of_another_vendor_reaches_the_same_handler(app, version):
    livechat = find_provider("livechat")
    document = freshen(find_sample(livechat, version).document(), livechat.versions[version])
    delivery = sign(livechat, document, secret=f"chat-{DEMO_SECRET}")

    response = app.test_client().post(
        "/hooks/chat", data=delivery.body, headers=dict(delivery.headers)
    )

    assert response.status_code == 200
    ((handler, kind, what),) = handled(app)
    assert (handler, kind) == ("answer_customer", "conversation:message")
    assert "hello there, my order" in what


@pytest.mark.parametrize(
    ("version", "trigger", "handler"),
    [
        ("v2", "conversation:message.image", "answer_customer"),
        ("v2", "conversation:message.business", "note_answer"),
        ("v2", "conversation:message:delivery:channel", "follow_delivery"),
        ("v1", "delivery:failure", "follow_delivery"),
        ("v1.1", "notification:delivery:user", "follow_delivery"),
        ("v1.1", "postback", "press_button"),
        ("v2", "conversation:read", "follow_activity"),
        ("v1.1", "typing:appUser", "follow_activity"),
        ("v1.1", "appUser:delete", "forget_user"),
        ("v2", "user:remove", "forget_user"),
        ("v2", "_unknown-event", "ignore"),
        ("v2", "conversation:join", "ignore"),
    ],
)
def test_trigger_reaches_its_handler(app, version, trigger, handler):
    response = deliver(app, version=version, trigger=trigger)

    assert response.status_code == 200
    assert [name for name, _, _ in handled(app)] == [handler]


def test_failing_handler_is_tried_again_and_no_other(app):
    text = {"messages__0__text": "flaky", "messages__0___id": "64e5f60718293a4b5c6d7e99"}

    first = deliver(app, version="v1.1", **text)
    second = deliver(app, version="v1.1", **text)

    # With the inline runner of tests, the vendor's redelivery is the retry.
    assert (first.status_code, second.status_code) == (503, 200)
    assert [name for name, _, _ in handled(app)] == ["answer_customer", "look_up_order"]


def test_page_escapes_what_strangers_write(app):
    hostile = "<script>alert('x')</script> \ud800 \x00"

    response = deliver(app, events__0__payload__message__content__text=hostile)

    page = app.test_client().get("/").text
    assert response.status_code == 200
    assert "&lt;script&gt;alert" in page
    assert "<script" not in page


def page_of(app):
    """Return the page as a person reads it: without tags, on one line."""
    page = app.test_client().get("/").text
    return unescape(" ".join(re.sub(r"<[^>]*>", " ", page.partition("<main>")[2]).split()))


FLAKY = "events.0.payload.message.content.text".replace(".", "__")


def test_page_shows_a_handler_while_it_fails(app):
    deliver(app, **{FLAKY: "flaky: my order"})

    page = page_of(app)

    assert "answer_customer succeeded Ana Rivera says: flaky: my order" in page
    assert "look_up_order failed, attempt 1, FlakyServiceError" in page
    assert re.search(r"waiting next attempt \d{4}-\d\d-\d\d \d\d:\d\d:\d\d", page)
    assert "the order service is away" not in page


def test_page_shows_what_has_no_attempts_left(tmp_path):
    app = create_app(
        {
            "TESTING": True,
            "SAMPLE_DATABASE": str(tmp_path / "sample.db"),
            "HOOKKIT_RETRY": {"max_attempts": 1},
        }
    )
    deliver(app, **{FLAKY: "flaky"})

    page = app.test_client().get("/").text

    assert "dead" in page_of(app)
    assert '<tr id="entry-1" class="look">' in page


def test_page_says_that_a_body_cannot_be_read(app):
    delivery = sign(SUNSHINE, b"oops", secret=DEMO_SECRET)
    app.test_client().post("/hooks/support", data=delivery.body, headers=delivery.headers)

    page = page_of(app)

    assert "unknown could not be read: body: not JSON" in page
    assert "nobody can read this: body: not JSON" in page


def test_page_names_the_commands_that_show_and_replay_an_event(app):
    deliver(app)

    page = page_of(app)

    assert "1 flask --app sample_app hookkit show 1" in page
    assert "flask --app sample_app hookkit replay 1" in page


def test_page_has_the_day_of_each_event(app):
    deliver(app)

    assert f"{datetime.now(UTC):%Y-%m-%d} " in page_of(app)


def test_page_never_reloads_itself_and_names_its_main_part(app):
    page = app.test_client().get("/").text

    assert "http-equiv" not in page
    assert "<main>" in page
    assert "<button>Refresh</button>" in page


def test_page_has_a_style_for_narrow_and_for_dark_screens(app):
    client = app.test_client()
    (address,) = re.findall(r'<link rel="stylesheet" href="([^"]+)"', client.get("/").text)

    with client.get(address) as style:
        assert style.status_code == 200
        assert "prefers-color-scheme: dark" in style.text
        assert "@media (max-width" in style.text


def test_page_says_so_while_the_inbox_is_away(tmp_path):
    app = create_app(
        {
            "SAMPLE_DATABASE": str(tmp_path / "sample.db"),
            "HOOKKIT_DATABASE": f"sqlite:///{tmp_path}/no-such-folder/inbox.db",
        }
    )
    (tmp_path / "no-such-folder").write_text("a file")

    response = app.test_client().get("/")

    assert response.status_code == 200
    assert "The inbox cannot be read now" in response.text


def test_page_is_there_before_anything_has_happened(app):
    assert "Nothing yet" in app.test_client().get("/").text


def test_wrong_secret_is_refused(app):
    assert deliver(app, secret="some other secret").status_code == 401
    assert handled(app) == []


def test_secret_comes_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("SAMPLE_SECRET", "a secret of my own")
    app = create_app({"TESTING": True, "SAMPLE_DATABASE": str(tmp_path / "sample.db")})

    assert deliver(app, secret="a secret of my own").status_code == 200
    assert deliver(app, secret=DEMO_SECRET).status_code == 401


def test_settings_come_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("FLASK_HOOKKIT_WORKERS", "2")
    app = create_app({"TESTING": True, "SAMPLE_DATABASE": str(tmp_path / "sample.db")})

    assert app.config["HOOKKIT_WORKERS"] == 2


def test_flask_command_serves_it(tmp_path):
    served = ("-m", "flask", "--app", "sample_app", "run", "--port", "0")
    with running(tmp_path, *served, is_fresh=True) as server:
        url = server.find(r"Running on (http://\S+)")
        result = server.sh(
            f"{sys.executable} -m hookkit.cli.main send {url}/hooks/support --secret {DEMO_SECRET}"
        )

        assert result.returncode == 0, result.stderr
        wait_until(lambda: len(events(url)) == 1)


def test_printed_hookkit_lines_work(tmp_path):
    with running(tmp_path, "-m", "sample_app.run") as server:
        url = server.find(r"(http://\S+)/ shows")
        line = server.find(r"^  (.*hookkit\S* .*send .*)$")
        of_another_vendor = server.find(r"^  (.*hookkit\S* .*send .*livechat .*)$")
        results = [server.sh(each) for each in (line, line, of_another_vendor)]

        assert [each.returncode for each in results] == [0, 0, 0], results
        wait_until(lambda: len(events(url)) == 3)


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
def test_printed_curl_line_works(tmp_path):
    with running(tmp_path, "-m", "sample_app.run") as server:
        url = server.find(r"(http://\S+)/ shows")
        line = server.find(r"^  (curl .*)$")
        first, second = server.sh(line), server.sh(line)

        assert json.loads(first.stdout) == {"code": "accepted", "new": 1, "duplicates": 0}
        assert json.loads(second.stdout) == {"code": "accepted", "new": 0, "duplicates": 1}
        wait_until(lambda: len(events(url)) == 1)


def test_running_application_is_filled_and_has_a_console(tmp_path):
    with running(tmp_path, "-m", "sample_app.run", SAMPLE_FILL="yes") as server:
        console = server.find(r"(http://\S+/ops) the console")
        wait_until(lambda: filled_states(console) >= {"dead", "done", "shadow", "waiting"})
        texts = [text_of(f"{console}/{name}") for name in ("dead", "quarantine", "versions/orders")]

    assert "book_return" in texts[0]
    assert "signature mismatch" in texts[1]
    assert "From <strong>v1.1</strong> to <strong>v2</strong>" in texts[2]


def filled_states(console):
    """Return the states of which the overview counts events."""
    return set(re.findall(r'state=(\w+)"><strong>[1-9]', text_of(f"{console}/")))


def text_of(url):
    with urlopen(url, timeout=DEADLINE_S) as page:
        return page.read().decode()


def test_console_opens_to_this_machine_in_debug_mode_alone(app):
    deliver(app)
    client = app.test_client()

    assert client.get("/ops/").status_code == 404
    assert "/ops/" not in client.get("/").text
    app.debug = True
    assert client.get("/ops/").status_code == 200
    assert 'href="/ops/events/1"' in client.get("/").text


def test_own_secret_is_not_printed(tmp_path):
    secret = "a secret of my own"
    with running(tmp_path, "-m", "sample_app.run", SAMPLE_SECRET=secret) as server:
        line = server.find(r"^  (.*hookkit\S* .*send .*)$")
        result = server.sh(line)

        assert result.returncode == 0, result.stderr
        assert secret not in server.log()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda each: each.name)
def test_running_application_ends_without_a_traceback(tmp_path, number):
    with running(tmp_path, "-m", "sample_app.run", is_fresh=number == signal.SIGINT) as server:
        url = server.find(r"(http://\S+)/ shows")

        server.process.send_signal(number)
        status = server.process.wait(DEADLINE_S)

    assert status == 0
    assert "Traceback" not in server.log()
    assert server.log().endswith("\nstopped\n")
    with pytest.raises(URLError):
        events(url)


@pytest.mark.parametrize(
    ("port", "told"),
    [("http", "PORT is 'http'; it must be a number up to 65535"), ("99999", "PORT is '99999'")],
)
def test_port_that_is_none_is_told(tmp_path, port, told):
    with running(tmp_path, "-m", "sample_app.run", PORT=port) as server:
        status = server.process.wait(DEADLINE_S)

    assert status == 2
    assert server.log().startswith(told)


def test_port_in_use_is_told(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as used:
        port = str(used.getsockname()[1])
        with running(tmp_path, "-m", "sample_app.run", PORT=port) as server:
            status = server.process.wait(DEADLINE_S)

    assert status == 1
    assert server.log() == f"port {port} cannot be used: Address already in use\n"


def test_celery_handles_what_the_application_receives(tmp_path, broker_url):
    settings = {"FLASK_HOOKKIT_RUNNER": "celery", "SAMPLE_BROKER": broker_url}
    schedule = ("--beat", "--schedule", str(tmp_path / "schedule"))
    celery = ("-m", "celery", "--app", "sample_app.make_celery", "worker", "--queues=hookkit")
    with (
        running(tmp_path, "-m", "sample_app.run", **settings) as server,
        running(
            tmp_path, *celery, *schedule, "--loglevel=info", is_fresh=True, **settings
        ) as worker,
    ):
        url = server.find(r"(http://\S+)/ shows")
        line = server.find(r"^  (.*hookkit\S* .*send .*)$")
        worker.find(r"(ready)\.")
        # Its second handler fails at first, and a sweep sees to the next attempt.
        answer = server.sh(f"{line} --set events.0.payload.message.content.text=flaky")

        assert answer.returncode == 0, answer.stderr
        wait_until(lambda: len(events(url)) == 2)
        assert [row["attempt"] for row in reversed(events(url))] == [1, 2]
        assert "hookkit.wake" in worker.log()


def test_8x8_is_proven_by_a_key_to_try_things_out_with(tmp_path, monkeypatch):
    key = private_key()
    file = tmp_path / "public.pem"
    file.write_text(public_pem_of(key))
    monkeypatch.setenv("SAMPLE_PUBLIC_KEY", str(file))
    app = create_app({"TESTING": True, "SAMPLE_DATABASE": str(tmp_path / "sample.db")})
    provider = find_provider("8x8")
    delivery = sign(provider, find_sample(provider).document(), secret=pem_of(key).decode())

    answer = app.test_client().post(
        "/hooks/contact-center", data=delivery.body, headers=delivery.headers
    )

    assert (answer.status_code, answer.json["new"]) == (200, 1)
    assert handled(app) == [
        ("answer_customer", "conversation:message", "a customer says: Where is my order?")
    ]


class Running:
    """A program of this project that is running, and what it prints."""

    def __init__(self, process, log_file, environment):
        self.process = process
        self.log_file = log_file
        self.environment = environment

    def log(self):
        return self.log_file.read_text(encoding="utf-8")

    def find(self, pattern):
        """Wait for a line, and return its group."""

        def found():
            assert self.process.poll() is None, self.log()
            return re.search(pattern, self.log(), re.MULTILINE)

        wait_until(found)
        return found().group(1)

    def sh(self, line):
        return subprocess.run(
            ["/bin/sh", "-c", line],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )


@contextmanager
def running(folder, *arguments, is_fresh=False, **more):
    """Run a program of this project until the end of the block.

    Args:
        is_fresh: Start a Python for it; else it is forked, and what it starts as well.
    """
    environment = {name: value for name, value in os.environ.items() if name != "SAMPLE_SECRET"}
    environment |= {
        "SAMPLE_DATABASE": str(folder / "sample.db"),
        "FLASK_HOOKKIT_DATABASE": f"sqlite:///{folder / 'inbox.db'}",
        "PYTHONUNBUFFERED": "1",
        "SAMPLE_FILL": "no",
        **more,
    }
    log_file = folder / f"log-{len(list(folder.iterdir()))}"
    start = subprocess.Popen if is_fresh else partial(ForkedPython, forks_too=True)
    with log_file.open("wb") as log:
        process = start(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        yield Running(process, log_file, environment)
    finally:
        process.terminate()
        process.wait(DEADLINE_S)


def events(url):
    return json.loads(text_of(f"{url}/events.json"))["events"]
