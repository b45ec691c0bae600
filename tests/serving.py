"""A real server around an application, in a thread of this process."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from flask import Flask
from werkzeug.serving import make_server

from tests.applications import SECRET
from tests.waiting import DEADLINE_S


@contextmanager
def serving(app: Flask) -> Iterator[str]:
    """Serve *app* until the end of the block; yield the beginning of its URLs."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def fetch(url: str, data: bytes | None = None, **headers: str) -> tuple[int, bytes]:
    """Return the status and the body of the answer."""
    request = urllib.request.Request(url, data=data, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=DEADLINE_S) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def deliver(base: str, body: object, *, secret: str = SECRET, **headers: str) -> int:
    """Deliver *body* to the endpoint ``support``; return the status of the answer."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    more = {"X-API-Key": secret, "Content-Type": "application/json", **headers}
    return fetch(f"{base}/hooks/support", data, **more)[0]
