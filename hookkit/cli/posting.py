"""Posts a delivery over HTTP, as a vendor does: no redirect followed, no wait without end."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPException, HTTPResponse
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

import click

from hookkit.testing import SignedDelivery

#: What is read of an answer; hookkit's own are shorter than a line.
MAX_ANSWER_BYTES = 1 << 16

#: What is shown of it.
MAX_SHOWN_CHARS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the endpoint answered.

    Attributes:
        status: The HTTP status.
        body: The start of the body, on one line and without control characters.
    """

    status: int
    body: str

    @property
    def is_success(self) -> bool:
        """Whether a vendor would take the delivery for delivered."""
        return 200 <= self.status < 300


def post(url: str, delivery: SignedDelivery, *, timeout_s: float) -> Answer:
    """Return what the server at *url* answers.

    Args:
        url: Checked by ``http_url`` before.
        delivery: What is sent.
        timeout_s: How long the server may be silent, in seconds.

    Raises:
        click.ClickException: There was no answer; the message says why on one line.
    """
    host = urlsplit(url).hostname or ""
    # None stands for those of the environment.
    proxies: dict[str, str] | None = {} if _is_local(host) else None
    opener = build_opener(ProxyHandler(proxies), _NoRedirect)
    try:
        request = Request(  # noqa: S310  # http_url lets nothing but http and https through
            url, data=delivery.body, headers=dict(delivery.headers), method="POST"
        )
        with opener.open(request, timeout=timeout_s) as response:
            return _read(response)
    except HTTPError as error:
        with error:
            return _read(error)
    except (OSError, HTTPException, ValueError) as error:
        raise click.ClickException(f"no answer from {host}: {_reason(error)}") from error


def one_line(text: str) -> str:
    """Return *text* as it can be shown to a person: what others wrote steers no terminal."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


class _NoRedirect(HTTPRedirectHandler):
    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> None:
        """Follow none: the headers hold the secret, and are for the given server alone."""


def _read(response: HTTPResponse | HTTPError) -> Answer:
    body = one_line(response.read(MAX_ANSWER_BYTES).decode(errors="replace"))
    if len(body) > MAX_SHOWN_CHARS:
        body = f"{body[: MAX_SHOWN_CHARS - 1]}\u2026"
    return Answer(status=response.status or 0, body=body)


def _reason(error: Exception) -> str:
    cause = error.reason if isinstance(error, URLError) else error
    text = getattr(cause, "strerror", None) or str(cause)
    return one_line(text) or type(cause).__name__


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
