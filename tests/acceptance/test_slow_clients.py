"""A client that sends slowly, beside handlers that run in the same process."""

import socket
import time

import pytest

from tests.acceptance.servers import gunicorn
from tests.applications import ENDPOINTS, SECRET, message
from tests.waiting import wait_until

#: The master kills a worker that says nothing for so long.
TIMEOUT_S = 4

APPLICATION = f"""
    import time
    from pathlib import Path
    from flask import Flask
    from hookkit import HookKit

    HERE = Path(__file__).parent
    hooks = HookKit()

    @hooks.on("conversation:message")
    def handle(event):
        (HERE / "begun").open("a").write(f"{{event.id}}\\n")
        time.sleep({2 * TIMEOUT_S})
        (HERE / "ended").open("a").write(f"{{event.id}}\\n")

    app = Flask(__name__)
    app.config["HOOKKIT_ENDPOINTS"] = {ENDPOINTS!r}
    app.config["HOOKKIT_DATABASE"] = f"sqlite:///{{HERE / 'inbox.db'}}"
    hooks.init_app(app)
"""

WARNING = "one client that sends slowly gets this worker of gunicorn killed after 4 s"


def send_slowly(port, headers):
    """Send a body a byte at a time until there is an answer; return it."""
    with socket.create_connection(("127.0.0.1", port), timeout=0.2) as client:
        client.sendall(b"POST /hooks/support HTTP/1.1\r\nHost: x\r\n" + headers + b"\r\n")
        give_up_at = time.monotonic() + 3 * TIMEOUT_S
        while time.monotonic() < give_up_at:
            client.sendall(b"1\r\nx\r\n" if b"chunked" in headers else b"x")
            try:
                answer = client.recv(65536)
            except TimeoutError:
                continue
            client.settimeout(None)
            while piece := client.recv(65536):  # headers and body may come apart
                answer += piece
            return answer
    return b""


@pytest.mark.parametrize(
    ("headers", "options"),
    [(b"Content-Length: 1000\r\n", ()), (b"Transfer-Encoding: chunked\r\n", ("--preload",))],
)
def test_slow_body_kills_no_worker_and_no_handler(tmp_path, headers, options):
    timeout = f"--timeout={TIMEOUT_S}"
    with gunicorn(tmp_path, APPLICATION, "--workers=1", timeout, *options) as server:
        assert server.post(message(), SECRET)[0] == 200
        wait_until(lambda: server.lines("begun"))

        answer = send_slowly(server.port, headers)

        assert answer.startswith(b"HTTP/1.1 400 ")
        assert b'{"code": "malformed_body"}' in answer
        wait_until(lambda: server.lines("ended"), 3 * TIMEOUT_S)
        log = server.log()

    assert server.lines("begun") == ["event-1"]
    assert "WORKER TIMEOUT" not in log
    assert log.count(WARNING) == 1


@pytest.mark.parametrize(
    "options", [("--threads=2",), ("--timeout=0",), ("--worker-class=gthread", "--threads=1")]
)
def test_worker_that_no_client_gets_killed_is_not_warned_of(tmp_path, options):
    with gunicorn(tmp_path, APPLICATION, *options) as server:
        server.post(message(), "a-secret-that-does-not-fit")

    assert "gets this worker of gunicorn killed" not in server.log()
