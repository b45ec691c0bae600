"""hookkit behind nginx, with the configuration that docs/how-to/deploy.md shows."""

import json
import re
import socket
import subprocess
from contextlib import contextmanager

import pytest

from hookkit.inbox.opening import open_inbox
from tests.acceptance.debian import program
from tests.acceptance.servers import ROOT, free_port, gunicorn
from tests.applications import ENDPOINTS, SECRET, message
from tests.waiting import DEADLINE_S, wait_until

#: One worker that takes one request at a time: whatever holds it, holds up all others.
APPLICATION = f"""
    from pathlib import Path
    from flask import Flask, request
    from hookkit import HookKit
    from werkzeug.middleware.proxy_fix import ProxyFix

    HERE = Path(__file__).parent
    app = Flask(__name__)
    app.config["HOOKKIT_ENDPOINTS"] = {ENDPOINTS!r}
    app.config["HOOKKIT_DATABASE"] = f"sqlite:///{{HERE / 'inbox.db'}}"
    app.config["HOOKKIT_RUNNER"] = "none"
    app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1)
    HookKit().init_app(app)

    @app.before_request
    def note():
        with (HERE / "addresses").open("a") as file:
            file.write(f"{{request.remote_addr}}\\n")

    @app.get("/")
    def page():
        return "up"
"""

#: What belongs around the server that the page shows, so that it runs as anybody, anywhere.
AROUND = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/nginx-errors;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {folder}/bodies;
    proxy_temp_path {folder}/answers;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
{server}
}}
"""


def shown_configuration():
    page = (ROOT / "docs/how-to/deploy.md").read_text()
    return re.search(r"```nginx\n(.*?)```", page, re.DOTALL).group(1)


@contextmanager
def nginx(folder, behind_port):
    port = free_port()
    shown = shown_configuration()
    server = shown.replace("listen 8080;", f"listen 127.0.0.1:{port};").replace(
        "127.0.0.1:8000", f"127.0.0.1:{behind_port}"
    )
    assert server.count(str(port)) == server.count(str(behind_port)) == 1
    with serving(folder, port, server):
        yield port


@contextmanager
def serving(folder, port, server):
    """Run nginx with the configuration *server*, which listens on *port*."""
    (folder / "nginx.conf").write_text(AROUND.format(folder=folder, server=server))
    # Its workers run as another user if it is started by root.
    user = ["-g", "user root;"] if (folder.owner()) == "root" else []
    command = [program("nginx"), "-e", f"{folder}/nginx-errors", "-c", f"{folder}/nginx.conf"]
    process = subprocess.Popen([*command, *user])
    try:
        wait_until(lambda: process.poll() is not None or is_open(port))
        assert process.poll() is None, (folder / "nginx-errors").read_text()
        yield
    finally:
        process.terminate()
        process.wait(DEADLINE_S)


def is_open(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def behind_nginx(tmp_path_factory):
    """Return the port of nginx and the folder of the application behind it."""
    program("nginx")
    folder = tmp_path_factory.mktemp("nginx")
    with (
        gunicorn(folder, APPLICATION, "--workers=1") as server,
        nginx(folder, server.port) as port,
    ):
        yield port, folder


def head(*lines):
    first = ["POST /hooks/support HTTP/1.1", "Host: localhost", "Connection: close"]
    return "\r\n".join([*first, f"X-API-Key: {SECRET}", *lines, "", ""]).encode()


def exchange(port, sent):
    with socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_S) as connection:
        connection.sendall(sent)
        return answer_on(connection)


def answer_on(connection):
    received = b""
    while piece := connection.recv(65_536):
        received += piece
    top, _, body = received.partition(b"\r\n\r\n")
    return int(top.split()[1]), json.loads(body)


def body_of(event_id, padding=0):
    text = json.dumps(message(event_id)).encode()
    return text[:-1] + b" " * padding + text[-1:]


def declared(body):
    return head(f"Content-Length: {len(body)}") + body


def chunked(body):
    return head("Transfer-Encoding: chunked") + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)


@pytest.mark.parametrize("framed", [declared, chunked])
def test_delivery_arrives_whole(behind_nginx, framed):
    port, folder = behind_nginx
    event_id = f"event-{framed.__name__}"

    status, answer = exchange(port, framed(body_of(event_id, 300_000)))

    assert (status, answer["new"]) == (200, 1)
    assert event_id in stored_ids(folder)


@pytest.mark.parametrize("framed", [declared, chunked])
def test_body_over_the_limit_hears_hookkits_413_in_json(behind_nginx, framed):
    port, _ = behind_nginx

    answer = exchange(port, framed(body_of("event-large", 1 << 20)))

    assert answer == (413, {"code": "body_too_large"})


@pytest.mark.parametrize("options", ["--workers=1", "--threads=2"])
def test_answer_to_a_body_that_is_not_read_is_never_a_502(tmp_path, options):
    program("nginx")
    large = declared(body_of("event-large", 1_900_000))
    with gunicorn(tmp_path, APPLICATION, options) as server, nginx(tmp_path, server.port) as port:
        answers = [exchange(port, large) for _ in range(30)]
        elsewhere = large.replace(b"/hooks/support", b"/hooks/nowhere")
        answers += [exchange(port, elsewhere) for _ in range(30)]

    assert answers[:30] == [(413, {"code": "body_too_large"})] * 30
    assert answers[30:] == [(404, {"code": "unknown_endpoint"})] * 30


@pytest.mark.parametrize("framed", [declared, chunked])
def test_cut_body_never_reaches_the_application(behind_nginx, framed):
    port, folder = behind_nginx
    before = requests_in(folder)

    with socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_S) as connection:
        connection.sendall(framed(body_of("event-cut"))[:-20])
    exchange(port, declared(body_of("event-after")))

    assert requests_in(folder) == before + 1
    assert "event-cut" not in stored_ids(folder)


def test_client_that_sends_slowly_holds_up_nobody(behind_nginx):
    port, _ = behind_nginx
    slow = declared(body_of("event-slow"))

    with socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_S) as connection:
        connection.sendall(slow[:-20])
        status, answer = exchange(port, declared(body_of("event-meanwhile")))
        connection.sendall(slow[-20:])
        last_status, last = answer_on(connection)

    assert (status, answer["new"]) == (last_status, last["new"]) == (200, 1)


def test_address_of_the_client_is_not_what_the_client_says(behind_nginx):
    port, folder = behind_nginx
    body = body_of("event-from")

    exchange(port, head("X-Forwarded-For: 203.0.113.7", f"Content-Length: {len(body)}") + body)

    assert (folder / "addresses").read_text().splitlines()[-1] == "127.0.0.1"
    assert "203.0.113.7" not in (folder / "addresses").read_text()


def test_header_with_underscores_is_not_the_one_with_hyphens(behind_nginx):
    port, _ = behind_nginx
    body = body_of("event-underscores")
    sent = head(f"Content-Length: {len(body)}").replace(b"X-API-Key", b"X_API_Key")

    assert exchange(port, sent + body) == (401, {"code": "signature_missing"})


def requests_in(folder):
    return len((folder / "addresses").read_text().splitlines())


def stored_ids(folder):
    inbox = open_inbox(f"sqlite:///{folder / 'inbox.db'}")
    try:
        return {each.event_id for each in inbox.find(limit=1000)}
    finally:
        inbox.close()
