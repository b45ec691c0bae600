"""One GET over HTTPS that ends in time, whatever the server does.

The timeout of a socket bounds the wait for the next byte only: a server that sends one byte a
second never exceeds it. So another thread, which waits for the answer, can abort the connection.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from http.client import HTTPException, HTTPSConnection
from threading import Lock
from urllib.parse import urlsplit

from hookkit.core.errors import Unavailable

#: A JWK of the longest key has some 1500 bytes.
MAX_ANSWER_BYTES = 1 << 14

#: Statuses that mean "there is no such key". 8x8 documents 404 alone; the others are taken for
#: its answer to a key id that it does not accept, and not for an outage.
_ABSENT = frozenset({400, 404, 410, 422})

_HEADERS = {"Accept": "application/json", "Connection": "close", "User-Agent": "hookkit"}


class Download:
    """One GET.

    ``run`` also resolves the name of the host, which nothing can abort. So call it in a thread
    of its own, and stop waiting for that thread in time.
    """

    def __init__(self, url: str, context: ssl.SSLContext) -> None:
        parts = urlsplit(url)
        self.host: str = parts.hostname or ""
        self._port = parts.port or 443
        self._path = parts.path
        self._context = context
        self._lock = Lock()
        self._socket: socket.socket | None = None
        self._is_aborted = False

    def run(self, timeout_s: float, max_bytes: int = MAX_ANSWER_BYTES) -> bytes | None:
        """Return the body of the answer; None if the server has no such thing.

        It follows no redirect, uses no proxy and accepts no invalid certificate.

        Raises:
            Unavailable: There is no usable answer.
        """
        try:
            with self._connected(time.monotonic() + timeout_s) as connected:
                return self._ask(connected, max_bytes)
        except (OSError, HTTPException, ValueError) as error:
            raise self._unavailable(type(error).__name__) from error

    def abort(self) -> None:
        """Close the connection, from any thread, so that ``run`` ends at once."""
        with self._lock:
            self._is_aborted = True
            if self._socket is not None:
                # Not SSLSocket.shutdown, which also removes the object that ``run`` reads from.
                # It fails if the socket is not connected yet, or not any more.
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def _connected(self, deadline_s: float) -> ssl.SSLSocket:
        addresses = socket.getaddrinfo(self.host, self._port, type=socket.SOCK_STREAM)
        last_error: OSError | None = None
        for tried, (family, kind, protocol, _, address) in enumerate(addresses):
            # An address that never answers leaves time for the next.
            share_s = (deadline_s - time.monotonic()) / (len(addresses) - tried)
            bare = socket.socket(family, kind, protocol)
            try:
                self._watch(bare)
                bare.settimeout(max(share_s, 0.001))
                bare.connect(address)
                return self._encrypted(bare, deadline_s)
            except OSError as error:
                bare.close()
                last_error = error
        raise last_error or OSError("no address")

    def _encrypted(self, bare: socket.socket, deadline_s: float) -> ssl.SSLSocket:
        encrypted = self._context.wrap_socket(
            bare, server_hostname=self.host, do_handshake_on_connect=False
        )
        try:
            self._watch(encrypted)
            encrypted.settimeout(max(deadline_s - time.monotonic(), 0.001))
            encrypted.do_handshake()
        except OSError:
            encrypted.close()
            raise
        return encrypted

    def _watch(self, watched: socket.socket) -> None:
        with self._lock:
            self._socket = watched
            if self._is_aborted:
                raise TimeoutError

    def _ask(self, connected: ssl.SSLSocket, max_bytes: int) -> bytes | None:
        connection = HTTPSConnection(self.host, self._port, context=self._context)
        connection.sock = connected
        connection.request("GET", self._path, headers=_HEADERS)
        with connection.getresponse() as response:
            if response.status in _ABSENT:
                return None
            if response.status != 200:
                raise self._unavailable(f"status {response.status}")
            body = response.read(max_bytes + 1)
        if len(body) > max_bytes:
            raise self._unavailable(f"more than {max_bytes} bytes")
        return body

    def _unavailable(self, reason: str) -> Unavailable:
        return Unavailable(f"key server {self.host}: {reason}")
