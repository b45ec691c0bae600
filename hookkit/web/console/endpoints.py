"""The pages of endpoints: what each proves its senders by, and which secret proved what when.

Rule 1: of a secret its place and its fingerprint are shown: never a part of it, nor its length.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from werkzeug.wrappers import Response

from hookkit.application.app_state import rule_name
from hookkit.cli.flask_commands.common import utc
from hookkit.cli.flask_commands.stats import ARRIVED
from hookkit.core.errors import Unavailable
from hookkit.core.handlers import Handler
from hookkit.core.modes import Change, Mode, modes_after
from hookkit.core.text import sentence
from hookkit.operating.secret_use import UNUSED_AFTER, SecretUse
from hookkit.operating.silence import last_deliveries
from hookkit.receiving.endpoint import Endpoint, Protection
from hookkit.switching.counterparts import waits_for, words_of
from hookkit.web.console.rendering import render
from hookkit.web.console.visit import PageRefused, Visit

_A_DAY = timedelta(days=1)

_PROOFS = {
    "secrets": "a signing secret",
    "basic": "HTTP Basic credentials",
    "path_token": "a token in the URL",
}


class _Line(NamedTuple):
    """An endpoint in the list."""

    endpoint: Endpoint
    url: str | None
    last_at: datetime | None
    arrived: int
    refused: int
    can_go: int


class _Secret(NamedTuple):
    """A secret as people see it; *use* is None where nothing keeps what it proved."""

    place: str
    fingerprint: str
    use: SecretUse | None
    evidence: str


def show_endpoints(visit: Visit) -> Response:
    """List the endpoints in the order of the settings."""
    state = visit.state
    inbox = state.opening.inbox()
    last_at = last_deliveries(inbox.rhythm, state.settings.endpoints, visit.now)
    sums = inbox.minutes.sums(visit.now - _A_DAY, visit.now)
    can_go = Counter(use.endpoint for use in state.rotation.report() if use.can_go)
    lines = []
    for name, endpoint in state.settings.endpoints.items():
        counts = _counts(sums, name)
        arrived = sum(counts.get(code, 0) for code in ARRIVED)
        lines.append(
            _Line(
                endpoint=endpoint,
                url=url_of(visit, endpoint),
                last_at=last_at.get(name),
                arrived=arrived,
                refused=sum(counts.values()) - arrived,
                can_go=can_go[name],
            )
        )
    return render(visit, "endpoints.html", lines=lines)


def show_endpoint(visit: Visit, at: str) -> Response:
    """Show an endpoint: what proves its senders, and what came in the last day."""
    state = visit.state
    endpoint = state.settings.endpoints.get(at)
    if endpoint is None:
        raise PageRefused(404, f"The settings have no endpoint {at}.")
    inbox = state.opening.inbox()
    registry = state.worker.assignment.registry
    return render(
        visit,
        "endpoint.html",
        endpoint=endpoint,
        url_of_it=url_of(visit, endpoint),
        last_at=last_deliveries(inbox.rhythm, [at], visit.now).get(at),
        proofs=list(_proofs(endpoint)),
        modes=_modes(visit, endpoint),
        handlers=[
            each.name for each in registry.handlers.values() if _may_be_given(each, endpoint)
        ],
        counts=sorted(_counts(inbox.minutes.sums(visit.now - _A_DAY, visit.now), at).items()),
        secrets=[*_used(state.rotation.of_endpoint(at)), *_others(endpoint)],
        keys=[key for keys in endpoint.keys for key in keys.key_ids(inbox.keys)],
        has_keys=bool(endpoint.keys),
    )


def _counts(sums: Mapping[tuple[str, str], int], name: str) -> dict[str, int]:
    return {code: count for (endpoint, code), count in sums.items() if endpoint == name}


def url_of(visit: Visit, endpoint: Endpoint) -> str | None:
    """Return the path of an endpoint's URL; its token is left out."""
    name = rule_name(endpoint)
    for rule in visit.state.app.url_map.iter_rules():
        if rule.endpoint.rpartition(".")[2] == name and not rule.arguments:
            return rule.rule
    return None


def _proofs(endpoint: Endpoint) -> Iterator[tuple[str, str]]:
    """Yield each kind of delivery, and what it must prove, in words."""
    if endpoint.protection is not None:
        yield "Every delivery", _in_words(endpoint.protection)
    elif endpoint.version_protections:
        yield "Other versions", "is refused"
    for version, protection in endpoint.version_protections.items():
        yield f"Version {version}", _in_words(protection)


def _in_words(protection: Protection) -> str:
    proofs = [_PROOFS[setting] for setting, _ in protection.configured()]
    if protection.keys is not None:
        proofs.append("one of the vendor's keys")
    return " and ".join(proofs) or "nothing: it takes what anybody sends (unsigned)"


def _modes(visit: Visit, endpoint: Endpoint) -> Mapping[str, Mode] | None:
    if endpoint.modes is None:
        return None
    log = visit.state.opening.inbox().switches.log(endpoint.name)
    changes = [Change(each.version, each.vendor_type, each.mode) for each in log]
    return modes_after(endpoint.modes, changes).of_versions


def _may_be_given(handler: Handler, endpoint: Endpoint) -> bool:
    provider = endpoint.provider
    if handler.condition.endpoint not in (None, endpoint.name):
        return False
    if any(each.word == "*" for each in handler.triggers):
        return handler.condition.provider in (None, provider.name)
    return any(
        waits_for(handler, provider, version, word)
        for version in provider.versions
        for word in words_of(provider, version)
    )


def _used(uses: Sequence[SecretUse]) -> Iterator[_Secret]:
    newest: SecretUse | None = None
    for use in uses:
        if newest is None or use.position == 0:
            newest = use
        yield _Secret(
            f"{use.setting} #{use.position}", use.fingerprint, use, _evidence(use, newest)
        )


def _evidence(use: SecretUse, newest: SecretUse) -> str:
    """Return whether a secret can be taken out of the settings, and why."""
    days = UNUSED_AFTER.days
    if use is newest:
        if use.last_used_at is None:
            return "It is the newest, and has proved nothing yet: does the vendor sign with it?"
        return "It is the newest: it stays."
    if use.can_go and newest.first_used_at is not None and newest.last_used_at is not None:
        return (
            f"It can go: it has proved nothing for {days} days, while the newest has, from"
            f" {utc(newest.first_used_at)} to {utc(newest.last_used_at)}."
        )
    if use.last_used_at is not None:
        return f"It stays: it must have proved nothing for {days} days before it can go."
    return (
        f"It stays: it can go when the newest has proved deliveries for {days} days, and no"
        " unknown secret has."
    )


def _others(endpoint: Endpoint) -> Iterator[_Secret]:
    """Yield the secrets that are asked for beside another proof: their use is not kept."""
    for protection in endpoint.protections:
        for setting, _ in protection.configured():
            if setting == protection.proving_setting:
                continue
            try:
                lists = endpoint.secret_lists(protection, setting)
            except Unavailable as error:
                yield _Secret(setting, "", None, sentence(str(error)))
                continue
            for secrets in lists:
                for position, secret in enumerate(secrets):
                    yield _Secret(
                        f"{setting} #{position}",
                        endpoint.fingerprint(secret),
                        None,
                        "It is asked for beside another proof: its use is not recorded.",
                    )
