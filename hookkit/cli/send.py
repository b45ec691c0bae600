"""``hookkit send``: post a delivery to an endpoint, as the vendor would."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import Message
from http.client import HTTPException, HTTPResponse
from typing import IO, Any, BinaryIO
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

import click

from hookkit.cli.options import (
    http_url,
    key_option,
    missing_proof,
    proof_of,
    provider_option,
    secret_option,
)
from hookkit.cli.terminal import click_errors, show
from hookkit.core.body import decode_list
from hookkit.core.errors import BodyUnreadable
from hookkit.core.provider import Provider, split
from hookkit.core.text import visible
from hookkit.testing import SignedDelivery, find_sample, freshen, list_samples, set_path, sign

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
    """

    status: int
    body: str

    @property
    def is_success(self) -> bool:
        """Whether a vendor would consider the delivery successful."""
        return 200 <= self.status < 300


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


class _NoRedirect(HTTPRedirectHandler):
    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> None:
        """Follow no redirect: the headers may hold the secret, which no other server may see."""


def _read(response: HTTPResponse | HTTPError) -> Answer:
    text = response.read(MAX_ANSWER_BYTES).decode(errors="replace")
    body = visible(" ".join(text.split()))
    if len(body) > MAX_SHOWN_CHARS:
        body = f"{body[: MAX_SHOWN_CHARS - 1]}\u2026"
    return Answer(status=response.status or 0, body=body)


def _reason(error: Exception) -> str:
    cause = error.reason if isinstance(error, URLError) else error
    text = getattr(cause, "strerror", None) or str(cause)
    return visible(text.strip()) or type(cause).__name__


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


#: Paths into a payload, and the values to set there.
Changes = tuple[tuple[str, Any], ...]


def _changes(context: click.Context, parameter: click.Parameter, texts: tuple[str, ...]) -> Changes:
    return tuple(_change(text) for text in texts)


def _change(text: str) -> tuple[str, Any]:
    path, equals, value = text.partition("=")
    if not path or not equals:
        raise click.BadParameter(f"{text!r} is not PATH=VALUE")
    try:
        (decoded,) = decode_list(f"[{value}]".encode())["items"]
    except (BodyUnreadable, ValueError):  # not JSON, or not one value
        return path, value
    return path, decoded


@click.command()
@click.argument("url", required=False, callback=http_url)
@provider_option
@click.option("--version", help="The payload version. Default: the newest that has the sample.")
@click.option(
    "--trigger",
    help="The vendor's word for the event, with a variant if you like"
    " (conversation:message.image). Default: a customer's text message.",
)
@secret_option
@key_option
@click.option(
    "--set",
    "changes",
    multiple=True,
    callback=_changes,
    metavar="PATH=VALUE",
    help="Change a value of the sample (events.0.payload.message.content.text=Hi). A VALUE that"
    " is JSON is read as JSON. Repeatable.",
)
@click.option(
    "--body",
    type=click.File("rb"),
    help="Send exactly the bytes of this file instead of a sample. - is the standard input.",
)
@click.option("--duplicate", is_flag=True, help="Send the same delivery twice.")
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(0, 3600, min_open=True),
    default=20.0,
    show_default=True,
    help="How long the server may be silent, in seconds.",
)
@click.option("--unsigned", is_flag=True, help="Send no secret and no signature.")
@click.option(
    "--basic",
    envvar="HOOKKIT_BASIC",
    show_envvar=True,
    metavar="USER:PASSWORD",
    help="HTTP Basic credentials, for an endpoint that asks for them.",
)
@click.option("--list", "is_listing", is_flag=True, help="List the samples and send nothing.")
@click.pass_context
def send(  # noqa: PLR0913  # one for each option
    context: click.Context,
    *,
    url: str | None,
    provider: Provider,
    version: str | None,
    trigger: str | None,
    secret: str | None,
    key: str | None,
    changes: Changes,
    body: BinaryIO | None,
    duplicate: bool,
    timeout_s: float,
    unsigned: bool,
    basic: str | None,
    is_listing: bool,
) -> None:
    """Send a delivery to URL, as the vendor would.

    Each sample is sent as a new event: its ids are new and its times are now. The exit status
    is 0 if every answer is 2xx, and 1 otherwise.
    """
    if is_listing:
        _list(provider, version)
        return
    if url is None:
        raise click.UsageError("Missing argument 'URL'.")
    proof = proof_of(provider, secret, key)
    if proof is None and not unsigned:
        raise click.UsageError(f"give {missing_proof(provider)}, or --unsigned")
    payload: dict[str, Any] | bytes
    headers: Mapping[str, str]
    if body is None:
        payload, headers = _payload(provider, version, trigger, changes)
    elif version or trigger or changes:
        raise click.UsageError("--body is sent as it is, without the options for samples")
    else:
        payload, headers = body.read(), {}
    with click_errors(click.UsageError):
        delivery = sign(
            provider,
            payload,
            secret=None if unsigned else proof,
            basic=basic,
            headers=headers,
            public_url=url,
        )
    all_accepted = True
    for _ in range(2 if duplicate else 1):
        answer = post(url, delivery, timeout_s=timeout_s)
        all_accepted = all_accepted and answer.is_success
        sent = describe(provider, delivery)
        show(f"{sent} -> {answer.status} {answer.body}".rstrip())
    context.exit(0 if all_accepted else 1)


def _payload(
    provider: Provider, version: str | None, trigger: str | None, changes: Changes
) -> tuple[dict[str, Any] | bytes, Mapping[str, str]]:
    """Return a changed sample, and the headers that it is sent with besides the proof."""
    with click_errors(click.UsageError):
        sample = find_sample(provider, version, trigger)
        # Where samples are made from the scheme, their headers are a proof: it is made anew.
        headers = sample.headers if provider.samples else {}
        payload = freshen(provider.decode(sample.body), provider.versions[sample.version])
        for path, value in changes:
            set_path(payload, path, value)
    return _encoded_like(sample.body, payload), headers


def _encoded_like(body: bytes, payload: dict[str, Any]) -> dict[str, Any] | bytes:
    """Return *payload* in the encoding of *body*: an object, a list or a form."""
    if body.startswith(b"{"):
        return payload
    if body.startswith(b"["):
        return json.dumps(payload["items"]).encode()
    return urlencode(payload, doseq=True).encode()


def describe(provider: Provider, delivery: SignedDelivery) -> str:
    """Return *delivery* on one line: provider, version, vendor types, event ids."""
    items = split(
        provider,
        endpoint="",
        body=delivery.body,
        headers=delivery.headers,
        received_at=datetime.now(UTC),
    )
    version = items[0].payload.version or "unknown version"
    types = dict.fromkeys(item.vendor_type or "unknown" for item in items)
    ids = [item.event_id for item in items]
    return f"{provider.name} {version} {'+'.join(types)} {' '.join(ids)}"


def _list(provider: Provider, version: str | None) -> None:
    with click_errors(click.UsageError):
        samples = list_samples(provider, version)
    for sample in samples:
        show(f"{sample.version:8} {sample.name}")
