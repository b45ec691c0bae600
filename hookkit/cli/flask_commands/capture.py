"""``flask hookkit capture``: a stored event as a file for tests."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

import click
from flask.cli import with_appcontext

from hookkit.application.app_state import AppState
from hookkit.cli.flask_commands.common import echo_json, state_of_app
from hookkit.cli.terminal import click_errors, show
from hookkit.core.body import Headers
from hookkit.core.errors import HookkitError
from hookkit.core.masking import masked, masked_alike
from hookkit.core.provider import Provider, normalize, split
from hookkit.inbox.records import Kept
from hookkit.inbox.sights import Detail
from hookkit.testing.fixture_files import Captured, encoding_of


@click.command()
@click.argument("entry_id", type=int)
@with_appcontext
def capture(entry_id: int) -> None:
    """Print a stored event as a file for tests.

    It is masked: what a person wrote or is becomes a text or a number of its kind. The whole
    body is printed, with all of its events. A test reads it: hookkit_sample(Path("FILE")).
    """
    with click_errors():
        found = captured_entry(state_of_app(), entry_id)
    if found.warning:
        show(found.warning, err=True)
    echo_json(found.captured)


class Found(NamedTuple):
    """A stored event as a file holds it.

    Attributes:
        endpoint: The name of the one that received it.
        warning: How it is read otherwise than what is stored; empty if it is not.
    """

    captured: Captured
    endpoint: str
    warning: str


def captured_entry(state: AppState, entry_id: int) -> Found:
    """Return an entry's event without what a person wrote or is.

    Raises:
        HookkitError: There is no such entry, it has no body that can be decoded, or its
            endpoint is not there any more.
    """
    kept = _kept(state.opening.inbox().reading.read(entry_id), entry_id)
    endpoint = state.settings.endpoints.get(kept.endpoint)
    if endpoint is None:
        raise HookkitError(
            f"entry {entry_id} was received by endpoint {kept.endpoint!r}, which"
            " HOOKKIT_ENDPOINTS does not have any more"
        )
    return _captured(endpoint.provider, kept)


def _kept(detail: Detail | None, entry_id: int) -> Kept:
    """Return the entry with its body.

    Raises:
        HookkitError: There is no such entry, or its body is not there.
    """
    if detail is None:
        raise HookkitError(f"there is no entry {entry_id}")
    if detail.body is None:
        raise HookkitError(
            f"entry {entry_id} has no body to capture ({detail.missing}): flask hookkit show"
            f" {entry_id} says why"
        )
    return detail.kept


def _captured(provider: Provider, kept: Kept) -> Found:
    body = kept.body or b""
    document = dict(provider.decode(body))
    names = [name for name in provider.kept_headers if name in kept.headers]
    captured = Captured(
        provider=provider.name,
        version=kept.version,
        document=masked_alike(document, words_of(provider)),
        headers={name: masked(kept.headers[name], "id") for name in names},
        encoding=encoding_of(body),
    )
    before = _types(provider, kept, document, kept.headers)
    after = _types(provider, kept, captured.document, {**kept.headers, **captured.headers})
    if before == after:
        return Found(captured, kept.endpoint, "")
    read_as = f"masked, it is read as {', '.join(after)}, and not as {', '.join(before)}"
    return Found(
        captured, kept.endpoint, f"{read_as}: see to the words in the file before you use it"
    )


def words_of(provider: Provider) -> frozenset[str]:
    """Return the words by which *provider* tells what happened, and the parts of each."""
    words = {*provider.versions, *provider.triggers}
    words |= {word for version in provider.versions.values() for word in version.types}
    for meanings in provider.triggers.values():
        words |= {word for meaning in meanings for word in meaning.vendor_types or ()}
    return frozenset(words | {part for word in words for part in re.split("[:.]", word)})


def _types(
    provider: Provider, kept: Kept, document: Mapping[str, object], headers: Headers
) -> list[str]:
    items = split(
        provider,
        endpoint=kept.endpoint,
        body=kept.body or b"",
        headers=headers,
        received_at=kept.received_at,
        document=document,
    )
    return [normalize(provider, item).type.value for item in items]
