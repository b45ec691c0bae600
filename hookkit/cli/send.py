"""``hookkit send``: post deliveries to an endpoint, as the vendor would, or on purpose not so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import click

from hookkit.cli.deliveries import (
    Changes,
    Maker,
    Source,
    bytes_source,
    describe,
    named_sample,
    read_changes,
    sample_in,
    sample_source,
)
from hookkit.cli.http_text import write_request
from hookkit.cli.options import http_url
from hookkit.cli.posting import post
from hookkit.cli.signer import Signer, signer_options
from hookkit.cli.tamper import KINDS, tries
from hookkit.cli.terminal import show, show_bytes, show_json
from hookkit.cli.volley import Pace, send_all
from hookkit.core.provider import Provider

#: The status by which shells know what Ctrl-C has ended.
INTERRUPTED = 130


@click.command()
@click.argument("url", callback=http_url)
@signer_options
@click.option("--version", help="The payload version. Default: the newest that has the sample.")
@click.option(
    "--trigger",
    help="The vendor's word for the event, with a variant if you like"
    " (conversation:message.image). Default: a customer's text message.",
)
@click.option(
    "--set",
    "changes",
    multiple=True,
    callback=read_changes,
    metavar="PATH=VALUE",
    help="Change a value of the sample (content.text=Hi); the beginning of a PATH may be left out."
    " A VALUE that is JSON is read as JSON. Repeatable.",
)
@click.option(
    "--add",
    "additions",
    multiple=True,
    callback=read_changes,
    metavar="PATH=VALUE",
    help="Set a value that the sample does not have, at its whole PATH. Repeatable.",
)
@click.option(
    "--sample",
    "sample_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILENAME",
    help="Send the payload in this file as a new event: with new ids and present times.",
)
@click.option(
    "--body",
    type=click.File("rb"),
    help="Send exactly the bytes of this file instead of a sample. - is the standard input.",
)
@click.option("--duplicate", is_flag=True, help="Send the same delivery twice.")
@click.option(
    "--tamper",
    "kinds",
    multiple=True,
    type=click.Choice([*KINDS, "all"]),
    help="Send what is not as it should be, and compare the answers with what they should be."
    " Repeatable.",
)
@click.option("--count", type=click.IntRange(1), help="Send so many events, and sum up.")
@click.option(
    "--per-second",
    type=click.FloatRange(0, 1e6, min_open=True),
    help="With --count: begin so many in a second at most.",
)
@click.option(
    "--concurrency",
    type=click.IntRange(1, 256),
    default=1,
    show_default=True,
    help="With --count: have so many under way at the same time.",
)
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
@click.option(
    "--print",
    "is_printing",
    is_flag=True,
    help="Send nothing: print the HTTP request. It may hold the secret.",
)
@click.option("--json", "is_json", is_flag=True, help="Print JSON, for machines.")
@click.pass_context
def send(  # noqa: PLR0913  # one for each option
    context: click.Context,
    *,
    url: str,
    signer: Signer,
    version: str | None,
    trigger: str | None,
    changes: Changes,
    additions: Changes,
    sample_file: Path | None,
    body: BinaryIO | None,
    kinds: tuple[str, ...],
    count: int | None,
    per_second: float | None,
    concurrency: int,
    timeout_s: float,
    unsigned: bool,
    basic: str | None,
    duplicate: bool,
    is_printing: bool,
    is_json: bool,
) -> None:
    """Send a delivery to URL, as the vendor would.

    Each sample is sent as a new event: its ids are new and its times are now. The exit status
    is 0 if every answer is 2xx, or with --tamper if every answer is as it should be; else it
    is 1.
    """
    _refuse_contradictions(context.params)
    if not unsigned:
        signer.required_proof(*([] if kinds else ["--unsigned"]))
    every_change = (*changes, *additions)
    maker = Maker(
        url=url,
        signer=replace(signer, proof=None) if unsigned else signer,
        basic=basic,
        source=_source(signer.provider, version, trigger, every_change, sample_file, body),
        is_new=body is None,
    )
    if is_printing:
        show_bytes(write_request(url, maker.make()))
        return
    if kinds:
        chosen = list(KINDS) if "all" in kinds else list(dict.fromkeys(kinds))
        status = _tamper(maker, chosen, timeout_s, is_json=is_json)
    elif count is None:
        status = _send(maker, 2 if duplicate else 1, timeout_s, is_json=is_json)
    else:
        pace = Pace(count=count, per_second=per_second, concurrency=concurrency)
        status = _send_many(maker, pace, timeout_s, is_json=is_json)
    context.exit(status)


def _refuse_contradictions(given: Mapping[str, Any]) -> None:
    """Check the options that decide what is done, by name.

    Raises:
        click.UsageError: Two of them contradict each other.
    """
    is_many = given["count"] is not None
    if sum((given["duplicate"], bool(given["kinds"]), is_many, given["is_printing"])) > 1:
        raise click.UsageError("give one of --duplicate, --tamper, --count and --print")
    if not is_many and (given["per_second"] is not None or given["concurrency"] > 1):
        raise click.UsageError("--per-second and --concurrency go with --count")
    if given["kinds"] and given["unsigned"]:
        raise click.UsageError("--tamper needs a proof that it can change: not with --unsigned")


def _source(  # one for each option
    provider: Provider,
    version: str | None,
    trigger: str | None,
    changes: Changes,
    sample_file: Path | None,
    body: BinaryIO | None,
) -> Source:
    """Return what makes the payloads.

    Raises:
        click.UsageError: The options contradict each other, or there is no such sample.
    """
    if body is not None:
        if version or trigger or changes or sample_file:
            raise click.UsageError("--body is sent as it is, without the options for samples")
        return bytes_source(body.read())
    if trigger and sample_file:
        raise click.UsageError("give --trigger or --sample, not both")
    if sample_file is None:
        return sample_source(provider, named_sample(provider, version, trigger), changes)
    return sample_source(provider, sample_in(sample_file, provider, version), changes)


def _send(maker: Maker, times: int, timeout_s: float, *, is_json: bool) -> int:
    """Send one delivery so many times, and return the exit status."""
    delivery = maker.make()
    sent = describe(maker.signer.provider, delivery)
    answers = []
    for _ in range(times):
        answer = post(maker.url, delivery, timeout_s=timeout_s)
        answers.append(answer)
        if not is_json:
            show(f"{sent} -> {answer.status} {answer.body}".rstrip())
    if is_json:
        show_json([{"sent": sent, **answer.plain()} for answer in answers])
    return 0 if all(answer.is_success for answer in answers) else 1


def _send_many(maker: Maker, pace: Pace, timeout_s: float, *, is_json: bool) -> int:
    """Send many events, sum up, and return the exit status."""
    maker.make()  # so that a mistake is told once, and nothing is sent
    summary = send_all(pace, lambda: post(maker.url, maker.make(), timeout_s=timeout_s))
    if is_json:
        show_json(summary.plain())
    else:
        show(*summary.lines())
    if summary.is_interrupted:
        return INTERRUPTED
    return 0 if summary.is_success else 1


def _tamper(maker: Maker, kinds: Sequence[str], timeout_s: float, *, is_json: bool) -> int:
    """Send the deliveries of *kinds*, and return the exit status."""
    found = []
    for kind in kinds:
        for delivery, expected in tries(kind, maker):
            answer = post(maker.url, delivery, timeout_s=timeout_s)
            is_right = expected.fits(answer)
            found.append(
                {"tamper": kind, "expected": str(expected), "is_right": is_right, **answer.plain()}
            )
            if not is_json:
                label, color = ("ok    ", "green") if is_right else ("wrong ", "red")
                got = f"{answer.status} {answer.body}".rstrip()
                text = f"{kind}: should be {expected}; is {got}"
                show(text, label=label, color=color)
    if is_json:
        show_json(found)
    return 0 if all(each["is_right"] for each in found) else 1
