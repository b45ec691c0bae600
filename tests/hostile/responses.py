"""Reads what a server answers on a connection, however odd the request was."""

from __future__ import annotations

import io
import socket
import time
from contextlib import suppress
from http.client import HTTPMessage, parse_headers
from typing import NamedTuple

from tests.hostile.items import KEPT, PAUSE_S, Item
from tests.hostile.servers import RawServer
from tests.waiting import DEADLINE_S

#: A server that has said nothing for so long is still waiting for the rest of the request.
QUIET_S = 2.0


class Answer(NamedTuple):
    """One response."""

    status: int
    headers: HTTPMessage
    body: bytes

    @property
    def is_ours(self) -> bool:
        """Whether it is an answer to a request below ``/hooks``."""
        return self.headers.get("X-Hooks") is not None


def send(server: RawServer, item: Item) -> list[Answer]:
    """Send *item* over a connection of its own and return every answer to it."""
    with server.connect() as connection:
        with suppress(OSError):  # the server may have answered and gone
            for part in item.parts:
                connection.sendall(part)
                time.sleep(PAUSE_S if len(item.parts) < 5 else PAUSE_S / 5)
            if item.half_closes:
                connection.shutdown(socket.SHUT_WR)
        if item.leaves:
            return []
        received = read_all(connection, DEADLINE_S if item.outcome == KEPT else QUIET_S)
        return read_answers(received, is_head=item.parts[0].startswith(b"HEAD "))


def read_answers(received: bytes, *, is_head: bool = False) -> list[Answer]:
    """Return the responses that *received* is made of, without those that say "go on"."""
    stream = io.BytesIO(received)
    answers = []
    while line := stream.readline():
        if not line.startswith(b"HTTP/"):
            # As HTTP/0.9 had it: a body and nothing else.
            return [*answers, Answer(200, HTTPMessage(), line + stream.read())]
        status, headers = int(line.split()[1]), parse_headers(stream)
        if status == 100:
            continue
        length = headers.get("Content-Length")
        body = b"" if is_head else stream.read(None if length is None else int(length))
        answers.append(Answer(status, headers, body))
    return answers


def read_all(connection: socket.socket, patience_s: float = QUIET_S) -> bytes:
    """Return what the server sends until it hangs up or is quiet.

    Args:
        patience_s: How long it may be quiet before it says anything.
    """
    received = b""
    connection.settimeout(patience_s)
    with suppress(OSError):
        while piece := connection.recv(65_536):
            received += piece
            connection.settimeout(QUIET_S)
    return received
