"""``hookkit sign``: what proves a body, for other programs to send."""

from __future__ import annotations

import shlex

import click

from hookkit.cli.options import (
    http_url,
    key_option,
    missing_proof,
    proof_of,
    provider_option,
    secret_option,
    usage_errors,
)
from hookkit.core.body import decode_body
from hookkit.core.provider import Provider
from hookkit.core.scheme import ProofInBody, UrlScheme
from hookkit.testing import SignedDelivery
from hookkit.testing import sign as prove


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True), default="-")
@provider_option
@secret_option
@key_option
@click.option(
    "--curl",
    "url",
    callback=http_url,
    metavar="URL",
    help="Print a whole curl command that sends the body there.",
)
def sign(
    *, file: str, provider: Provider, secret: str | None, key: str | None, url: str | None
) -> None:
    """Print what proves the body in FILE: headers, one on each line.

    Without FILE the body is read from the standard input. Where the proof lies in the body,
    as with livechat's secret_key, the body is printed with it. Where the vendor's proof is
    the secret itself, as with these and sunshine's X-API-Key, the secret is printed: keep
    the output out of logs.
    """
    proof = proof_of(provider, secret, key)
    if proof is None:
        raise click.UsageError(f"give {missing_proof(provider)}")
    scheme = provider.scheme
    if url is None and isinstance(scheme, UrlScheme) and scheme.signs_url:
        raise click.UsageError(f"{provider.name} signs the URL too: give it with --curl")
    with click.open_file(file, "rb") as stream:
        body = stream.read()
    with usage_errors():
        delivery = prove(provider, body, secret=proof, public_url=url)
    is_enclosed = isinstance(provider.scheme, ProofInBody)
    if is_enclosed:
        with usage_errors():
            decode_body(body)  # what is not a JSON object has no room for the proof
    if url is not None:
        file = "-" if is_enclosed else file
        click.echo(_curl(url, delivery, file).encode(errors="surrogateescape"))
        return
    for name, value in _shown(delivery).items():
        if name != "content-type":  # which proves nothing
            click.echo(f"{name}: {value}")
    if is_enclosed:
        click.echo(delivery.body)


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
    # What was read cannot be read again by curl, so it stands in the command.
    return ["--data-raw", body.decode(errors="surrogateescape")]


def _shown(delivery: SignedDelivery) -> dict[str, str]:
    """Return the headers as texts whose UTF-8 is what goes over the wire.

    A header's text is latin-1 on the wire, whereas a terminal writes UTF-8.
    """
    return {
        name: value.encode("latin-1").decode(errors="surrogateescape")
        for name, value in delivery.headers.items()
    }
