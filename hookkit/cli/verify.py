"""``hookkit verify``: verify a captured request, and say what is wrong with it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, BinaryIO
from urllib.parse import urlsplit

import click

from hookkit.cli.captured import MAX_FILE_BYTES, read_captured
from hookkit.cli.http_text import HttpRequest
from hookkit.cli.normalize import split_now
from hookkit.cli.options import http_url, provider_option
from hookkit.cli.signer import settings_option
from hookkit.cli.terminal import click_errors, show, show_json
from hookkit.cli.times import TIME
from hookkit.core.delivery import Delivery
from hookkit.core.errors import Rejected
from hookkit.core.provider import Provider
from hookkit.core.scheme import KeyScheme
from hookkit.core.text import counted, visible
from hookkit.providers import load_providers
from hookkit.receiving.doctor import diagnose
from hookkit.receiving.endpoint import Endpoint
from hookkit.receiving.trials.trial import tolerant
from hookkit.receiving.verification import verify as prove
from hookkit.settings.endpoint import ENDPOINT_LIMITS, read_endpoint


@click.command(short_help="Verify a captured request, or say why not.")
@click.argument("file", type=click.File("rb"))
@provider_option
@settings_option
@click.option(
    "--secret",
    "secrets",
    multiple=True,
    help="A secret of the endpoint, newest first. Repeatable. Default: the variable"
    " HOOKKIT_SECRET, which other users of the machine cannot see.",
)
@click.option(
    "--key",
    "keys",
    multiple=True,
    type=click.File("r"),
    metavar="FILENAME",
    help="A file with a public key of 8x8: PEM or JWK. Repeatable.",
)
@click.option("--body", type=click.File("rb"), help="A file with the body, if FILE has none.")
@click.option(
    "--at",
    "arrived_at",
    type=TIME,
    help="When it arrived (2h, 2026-03-01T09:00Z). Without it, the age of the signature is not"
    " checked.",
)
@click.option(
    "--url",
    callback=http_url,
    metavar="URL",
    help="The URL that the vendor posts to, if it signs the URL. Default: that of the request.",
)
@click.option("--json", "is_json", is_flag=True, help="Print the finding as JSON.")
@click.pass_context
def verify(  # noqa: PLR0913  # one for each option
    context: click.Context,
    *,
    file: BinaryIO,
    provider: Provider,
    settings: Mapping[str, Any] | None,
    secrets: tuple[str, ...],
    keys: tuple[Any, ...],
    body: BinaryIO | None,
    arrived_at: datetime | None,
    url: str | None,
    is_json: bool,
) -> None:
    """Verify the request in FILE, and say why it would be refused.

    FILE holds an HTTP request as text (ngrok, tcpdump, hookkit send --print), an entry of a HAR
    file, JSON with url, headers and body or body_base64, or headers alone with --body. - is the
    standard input. The exit status is 0 if it verifies, and 1 if not.
    """
    request = _request_in(file, body)
    given = settings or _settings_of(provider, secrets, keys)
    endpoint = _endpoint_of(given, url or _url_of(request))
    endpoint = tolerant(endpoint) if arrived_at is None else endpoint
    delivery = Delivery(
        endpoint=endpoint.name,
        body=request.body,
        headers=request.headers,
        received_at=arrived_at or datetime.now(UTC),
        path_token=urlsplit(request.target).path.rpartition("/")[2] or None,
        query=urlsplit(request.target).query,
    )
    with click_errors():
        found = _finding(endpoint, delivery)
    if is_json:
        show_json(found)
    elif found["verified"]:
        show(_spelt(endpoint, found, is_timed=arrived_at is not None))
    else:
        show(f"{found['cause']}: {found['text']}", f"({found['code']}: {found['reason']})")
    context.exit(0 if found["verified"] else 1)


def _request_in(file: BinaryIO, body: BinaryIO | None) -> HttpRequest:
    text = file.read(MAX_FILE_BYTES)
    try:
        return read_captured(text, None if body is None else body.read(MAX_FILE_BYTES))
    except ValueError as error:
        raise click.UsageError(visible(f"FILE {error}")) from error


def _settings_of(
    provider: Provider, secrets: tuple[str, ...], keys: tuple[Any, ...]
) -> Mapping[str, Any]:
    """Return the settings of an endpoint with these secrets or keys."""
    try:
        texts = [key.read(1 << 16) for key in keys]
    except ValueError as error:
        raise click.UsageError("--key: it is not text") from error
    if isinstance(provider.scheme, KeyScheme):
        if not texts:
            raise click.UsageError("give --key: the public key, as PEM or JWK")
        return {"provider": provider.name, "keys": texts}
    if texts:
        raise click.UsageError(f"{provider.name} has secrets: give --secret, for public keys too")
    secrets = secrets or tuple(filter(None, [os.environ.get("HOOKKIT_SECRET")]))
    if not secrets:
        raise click.UsageError("give --secret or HOOKKIT_SECRET, or --settings")
    return {"provider": provider.name, "secrets": list(secrets)}


def _endpoint_of(given: Mapping[str, Any], url: str) -> Endpoint:
    """Return the endpoint; *url* is what its sender signs, unless its settings say it."""
    limits = {**dict.fromkeys(ENDPOINT_LIMITS, 1 << 10), "max_unproven_bytes": MAX_FILE_BYTES}
    endpoint, mistakes = read_endpoint("endpoint", given, load_providers(), limits)
    is_unknown = any(each.startswith("public_url: missing") for each in mistakes)
    if is_unknown and url:
        given = {**given, "public_url": url}
        endpoint, mistakes = read_endpoint("endpoint", given, load_providers(), limits)
    if endpoint is None:
        raise click.UsageError("; ".join(map(visible, mistakes)))
    return endpoint


def _url_of(request: HttpRequest) -> str:
    """Return the URL that *request* was sent to, without its query; empty if it does not say."""
    parts = urlsplit(request.target)
    if parts.scheme:
        return f"{parts.scheme}://{parts.netloc}{parts.path}"
    host, proto = request.headers.get("host", ""), request.headers.get("x-forwarded-proto", "https")
    return f"{proto}://{host}{parts.path}" if host else ""


def _finding(endpoint: Endpoint, delivery: Delivery) -> dict[str, Any]:
    """Return what is found, as JSON types.

    Raises:
        Unavailable: A key cannot be had.
    """
    try:
        verified, secret = prove(endpoint, delivery)
    except Rejected as error:
        cause, text = diagnose(endpoint, delivery, error)
        found = {"cause": cause, "text": text, "code": error.code, "reason": str(error)}
        return {"verified": False, **found}
    items = split_now(endpoint.provider, delivery.body, delivery.headers)
    return {
        "verified": True,
        "secret": verified.secret_index if secret is not None else None,
        "version": items[0].payload.version or None,
        "events": [item.vendor_type or "unknown" for item in items],
    }


def _spelt(endpoint: Endpoint, found: Mapping[str, Any], *, is_timed: bool) -> str:
    number, events = found["secret"], found["events"]
    by = "a key" if number is None else f"secret #{number}"
    words = ", ".join(dict.fromkeys(events))
    text = (
        f"verified by {by}, {endpoint.provider.name} version {found['version'] or 'unknown'},"
        f" {counted(len(events), 'event', 'events')}: {words}"
    )
    return text if is_timed else f"{text} (its age was not checked: give --at)"
