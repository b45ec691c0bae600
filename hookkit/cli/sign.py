"""``hookkit sign``: print the proof of a body, for other programs to send."""

from __future__ import annotations

import json
import shlex
from base64 import b64encode
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import click

from hookkit.cli.http_text import write_request
from hookkit.cli.options import http_url
from hookkit.cli.signer import Signer, signer_options
from hookkit.cli.terminal import click_errors
from hookkit.cli.times import Time, utc_now
from hookkit.core.errors import HookkitError
from hookkit.core.scheme import ProofInBody
from hookkit.testing import SignedDelivery
from hookkit.testing import sign as prove


class _SignedAt(Time):
    """A moment; with a plus before it, so long after now: ``+10m``."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        if not isinstance(value, str) or not value.startswith("+"):
            return super().convert(value, param, ctx)
        if not value[1:-1].isdigit():
            self.fail(f"{value!r} is no time: write +90s, +15m, +2h or +3d", param, ctx)
        now = utc_now()
        return now + (now - super().convert(value[1:], param, ctx))


def _id(context: click.Context, parameter: click.Parameter, event_id: str | None) -> str:
    if event_id is not None and (not event_id.isprintable() or not event_id.isascii()):
        raise click.BadParameter("it holds a character that no header can carry")
    return event_id or ""


@click.command(short_help="Print the headers that prove a body.")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True), default="-")
@signer_options
@click.option(
    "--at",
    "--time",
    "signed_at",
    type=_SignedAt(),
    help="The time to sign: 2h (two hours ago), +10m (in ten minutes), 2026-03-01T09:00Z."
    " Default: now.",
)
@click.option(
    "--id",
    "event_id",
    callback=_id,
    help="The event's id, where the scheme sends one in a header. Default: a new one.",
)
@click.option(
    "--curl",
    "curl_url",
    callback=http_url,
    metavar="URL",
    help="Print a whole curl command that posts the body to this URL.",
)
@click.option(
    "--http",
    "http_url",
    callback=http_url,
    metavar="URL",
    help="Print the whole HTTP request that posts the body to this URL.",
)
@click.option(
    "--url",
    callback=http_url,
    metavar="URL",
    help="The URL that is signed too (Twilio, Square), for the headers alone and for --json.",
)
@click.option("--json", "is_json", is_flag=True, help="Print headers and body as JSON.")
def sign(  # one for each option
    *,
    file: str,
    signer: Signer,
    signed_at: datetime | None,
    event_id: str,
    curl_url: str | None,
    http_url: str | None,
    url: str | None,
    is_json: bool,
) -> None:
    """Print the headers that prove the body in FILE.

    Each header is on its own line. Without FILE the body is read from the standard input. If
    the proof is part of the body, as with livechat's secret_key, the body is printed with the
    proof in it. If the proof is the secret itself, as there and in sunshine's X-API-Key, the
    secret is printed: keep the output out of logs.
    """
    proof = signer.required_proof()
    urls = [each for each in (curl_url, http_url, url) if each is not None]
    if len(urls) + (is_json and url is None) > 1:
        raise click.UsageError("give one of --curl, --http, --url and --json; --url and --json fit")
    target = urls[0] if urls else None
    if target is None and signer.signs_url:
        name = signer.provider.name
        raise click.UsageError(f"{name} signs the URL too: give it with --curl, --http or --url")
    with click.open_file(file, "rb") as stream:
        body = stream.read()
    with click_errors(click.UsageError):
        try:
            delivery = prove(
                signer.provider,
                body,
                secret=proof,
                public_url=signer.public_url or target,
                now=signed_at,
                event_id=event_id,
            )
        except TypeError as error:  # the proof lies in the URL
            raise HookkitError(str(error)) from error
    is_enclosed = isinstance(signer.provider.scheme, ProofInBody)
    # From here on nothing is made visible: what is printed is sent as it is.
    if curl_url is not None:
        text = _curl(curl_url, delivery, "-" if is_enclosed else file)
        click.echo(text.encode(errors="surrogateescape"))
    elif http_url is not None:
        click.echo(write_request(http_url, delivery), nl=False)
    elif is_json:
        click.echo(json.dumps(_plain(delivery, url), indent=2))
    else:
        _print_headers(delivery, is_enclosed=is_enclosed)


def _print_headers(delivery: SignedDelivery, *, is_enclosed: bool) -> None:
    for name, value in _shown(delivery).items():
        if name != "content-type":  # it is no proof
            click.echo(f"{name}: {value}".encode(errors="surrogateescape"))
    if is_enclosed:
        click.echo(delivery.body)


def _plain(delivery: SignedDelivery, url: str | None) -> Mapping[str, Any]:
    """Return *delivery* as JSON types; a body that is no text is in base64."""
    try:
        body = {"body": delivery.body.decode()}
    except UnicodeDecodeError:
        body = {"body_base64": b64encode(delivery.body).decode()}
    target = {} if url is None else {"url": url}
    return {"method": "POST", **target, "headers": dict(delivery.headers), **body}


def _curl(url: str, delivery: SignedDelivery, file: str) -> str:
    words = ["curl", url]
    for name, value in _shown(delivery).items():
        words += ["-H", f"{name}: {value}"]
    return shlex.join([*words, *_data(delivery.body, file)])


def _data(body: bytes, file: str) -> list[str]:
    if file != "-":
        return ["--data-binary", f"@{file}"]
    if b"\0" in body:
        raise click.UsageError("a body with a NUL byte must be in a file, for curl to read it")
    # curl cannot read the standard input again, so the body is part of the command.
    return ["--data-raw", body.decode(errors="surrogateescape")]


def _shown(delivery: SignedDelivery) -> dict[str, str]:
    """Return the headers as texts whose UTF-8 bytes are the bytes to send.

    HTTP sends the text of a header as latin-1, but a terminal writes UTF-8.
    """
    return {
        name: value.encode("latin-1").decode(errors="surrogateescape")
        for name, value in delivery.headers.items()
    }
