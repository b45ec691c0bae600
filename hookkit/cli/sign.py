"""``hookkit sign``: print the proof of a body, for other programs to send."""

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
)
from hookkit.cli.terminal import click_errors
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
    help="Print a whole curl command that posts the body to this URL.",
)
def sign(
    *, file: str, provider: Provider, secret: str | None, key: str | None, url: str | None
) -> None:
    """Print the headers that prove the body in FILE.

    Each header is on its own line. Without FILE the body is read from the standard input. If
    the proof is part of the body, as with livechat's secret_key, the body is printed with the
    proof in it. If the proof is the secret itself, as there and in sunshine's X-API-Key, the
    secret is printed: keep the output out of logs.
    """
    proof = proof_of(provider, secret, key)
    if proof is None:
        raise click.UsageError(f"give {missing_proof(provider)}")
    scheme = provider.scheme
    if url is None and isinstance(scheme, UrlScheme) and scheme.signs_url:
        raise click.UsageError(f"{provider.name} signs the URL too: give it with --curl")
    with click.open_file(file, "rb") as stream:
        body = stream.read()
    with click_errors(click.UsageError):
        delivery = prove(provider, body, secret=proof, public_url=url)
    is_enclosed = isinstance(provider.scheme, ProofInBody)
    if url is not None:
        file = "-" if is_enclosed else file
        # Here and below nothing is made visible: what is printed is sent as it is.
        click.echo(_curl(url, delivery, file).encode(errors="surrogateescape"))
        return
    for name, value in _shown(delivery).items():
        if name != "content-type":  # it is no proof
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
