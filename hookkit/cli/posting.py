"""Post a delivery, and read the answer: each attempt ends with an answer or with one sentence."""

from __future__ import annotations

import ipaddress
import json
import time
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPException, HTTPResponse
from typing import IO, Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

import click

from hookkit.core.text import visible
from hookkit.testing import SignedDelivery

#: How much of an answer is read. hookkit's own answers are shorter than a line.
MAX_ANSWER_BYTES = 1 << 16

#: How much of an answer is shown.
MAX_SHOWN_CHARS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The endpoint's answer.

    Attributes:
        status: The HTTP status.
        body: The start of the body, on one line.
        code: The word in ``{"code": ...}``, which is hookkit's own answer; else empty.
        new: How many events the answer calls new; None if it does not say so.
        took_s: Seconds from the first byte sent to the last byte read.
    """

    status: int
    body: str
    code: str = ""
    new: int | None = None
    took_s: float = 0.0

    @property
    def is_success(self) -> bool:
        """Whether a vendor would consider the delivery successful."""
        return 200 <= self.status < 300

    def plain(self) -> dict[str, Any]:
        """Return it as JSON types."""
        took_ms = round(self.took_s * 1000, 1)
        return {"status": self.status, "code": self.code, "body": self.body, "took_ms": took_ms}


def post(url: str, delivery: SignedDelivery, *, timeout_s: float) -> Answer:
    """Post *delivery* and return the answer.

    Args:
        url: A URL that ``http_url`` has accepted.
        delivery: The headers and the body.
        timeout_s: How long the server may be silent, in seconds.

    Raises:
        click.ClickException: There was no answer. The message says why, on one line.
    """
    host = urlsplit(url).hostname or ""
    # None: use the proxies that the environment names.
    proxies: dict[str, str] | None = {} if _is_local(host) else None
    opener = build_opener(ProxyHandler(proxies), _NoRedirect)
    started = time.monotonic()
    try:
        request = Request(  # noqa: S310  # http_url lets nothing but http and https through
            url, data=delivery.body, headers=dict(delivery.headers), method="POST"
        )
        with opener.open(request, timeout=timeout_s) as response:
            return _read(response, started)
    except HTTPError as error:
        with error:
            return _read(error, started)
    except (OSError, HTTPException, ValueError) as error:
        raise click.ClickException(f"no answer from {host}: {_reason(error)}") from error


class _NoRedirect(HTTPRedirectHandler):
    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> None:
        """Follow no redirect: the headers may hold the secret, which no other server may see."""


def _read(response: HTTPResponse | HTTPError, started: float) -> Answer:
    text = response.read(MAX_ANSWER_BYTES).decode(errors="replace")
    took_s = time.monotonic() - started
    code, new = _meaning(text)
    body = visible(" ".join(text.split()))
    if len(body) > MAX_SHOWN_CHARS:
        body = f"{body[: MAX_SHOWN_CHARS - 1]}\u2026"
    return Answer(status=response.status or 0, body=body, code=code, new=new, took_s=took_s)


def _meaning(text: str) -> tuple[str, int | None]:
    """Return the code in an answer of hookkit, and how many events it calls new."""
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError):
        return "", None
    if not isinstance(answer, dict):
        return "", None
    code, new = answer.get("code"), answer.get("new")
    is_code = isinstance(code, str) and code.isascii() and code.isprintable()
    return (str(code)[:40] if is_code else ""), new if isinstance(new, int) else None


def _reason(error: Exception) -> str:
    cause = error.reason if isinstance(error, URLError) else error
    text = getattr(cause, "strerror", None) or str(cause)
    return visible(text.strip()) or type(cause).__name__


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
