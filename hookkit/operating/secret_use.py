"""Which secrets are in use, where an endpoint has several: read from the kept deliveries.

The inbox is read a piece at a time: what arrived since the last look, and one piece further back,
down to twice ``UNUSED_AFTER``. So each look costs the same, however much is stored. After a start
it takes several looks until everything is known; before that, no secret is called unused.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hookkit.core.errors import Unavailable
from hookkit.inbox.inbox import Inbox
from hookkit.inbox.records import IdSpan, Proofs
from hookkit.receiving.endpoint import Endpoint

_logger = logging.getLogger("hookkit")

#: No known sender retries longer with an old secret. The longest is WhatsApp, with 7 days.
UNUSED_AFTER = timedelta(days=7)

#: How many ids below the newest are read again: an id is given before its transaction commits.
OVERLAP_IDS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretUse:
    """The use of one secret.

    Attributes:
        endpoint: The endpoint's name.
        setting: The setting that holds it: ``secrets``, ``basic`` or ``path_token``.
        position: Its position in the list as it is now; the newest has 0.
        fingerprint: Its name in logs and in the kept deliveries.
        first_used_at: When it first proved a delivery with a new event, of those that were read.
        last_used_at: When it last proved such a delivery, in UTC; None if it proved none.
        can_go: Whether it has proved no delivery for ``UNUSED_AFTER``, while the newest has.
    """

    endpoint: str
    setting: str
    position: int
    fingerprint: str
    first_used_at: datetime | None
    last_used_at: datetime | None
    can_go: bool


#: Each list of secrets of one endpoint: its setting, and the fingerprints, newest first.
_Lists = Sequence[tuple[str, list[str]]]

#: (endpoint, fingerprint) -> (first use, last use)
_Spans = Mapping[tuple[str, str], tuple[datetime, datetime]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What was read of the deliveries from one id to another.

    Attributes:
        since: When the oldest of them was received; None if there are none.
    """

    first_id: int = 1
    last_id: int = 0
    since: datetime | None = None
    spans: _Spans = field(default_factory=dict)

    def merged(self, proofs: Proofs) -> _Seen:
        spans = dict(self.spans)
        since = self.since
        for use in proofs.uses:
            since = use.first_at if since is None else min(since, use.first_at)
            if use.fingerprint is None:  # proved by something else than a secret
                continue
            key = use.endpoint, use.fingerprint
            first, last = spans.get(key, (use.first_at, use.last_at))
            spans[key] = min(first, use.first_at), max(last, use.last_at)
        return _Seen(
            first_id=min(self.first_id, proofs.first_id),
            last_id=max(self.last_id, proofs.last_id),
            since=since,
            spans=spans,
        )


class Rotation:
    """Reports which secrets are in use, and logs once of each that it can go.

    Args:
        inbox: Returns the inbox; may raise ``Unavailable``.
        clock: Returns the time as aware UTC.
        endpoints: By name.
    """

    def __init__(
        self,
        inbox: Callable[[], Inbox],
        clock: Callable[[], datetime],
        endpoints: Mapping[str, Endpoint],
    ) -> None:
        self.inbox = inbox
        self.clock = clock
        self.endpoints = endpoints
        self._seen = _Seen()
        self._logged: set[tuple[str, str]] = set()

    def report(self) -> Sequence[SecretUse]:
        """Read the inbox once more; return the use of each secret that is one of several.

        Raises:
            Unavailable: The inbox cannot be reached.
        """
        lists = {name: list(_fingerprints(each)) for name, each in self.endpoints.items()}
        if not any(len(names) > 1 for of_one in lists.values() for _, names in of_one):
            return ()
        return self._look(lists, least=2)

    def of_endpoint(self, name: str) -> Sequence[SecretUse]:
        """Read the inbox once more; return the use of each secret of one endpoint.

        Secrets that are asked for beside another proof are left out: their use is not kept.

        Raises:
            Unavailable: The inbox cannot be reached.
        """
        return self._look({name: list(_fingerprints(self.endpoints[name]))}, least=1)

    def _look(self, lists: Mapping[str, _Lists], least: int) -> Sequence[SecretUse]:
        """Read the inbox once more; return the uses of *lists*, by endpoint.

        Args:
            least: How many secrets a list must have to be reported.
        """
        now = self.clock()
        self._seen = self._read_more(now)
        uses = [
            use
            for endpoint, of_one in lists.items()
            for use in _uses(endpoint, of_one, self._seen.spans, now - UNUSED_AFTER, least)
        ]
        for use in uses:
            if use.can_go:
                self._log_once(use)
        return uses

    def _read_more(self, now: datetime) -> _Seen:
        """Return what is known after reading what is new, and one piece further back."""
        seen = self._seen
        spans = [IdSpan(after_id=max(0, seen.last_id - OVERLAP_IDS))]
        is_enough = seen.since is not None and seen.since <= now - 2 * UNUSED_AFTER
        if not is_enough and seen.first_id > 1:
            spans.append(IdSpan(before_id=seen.first_id))
        new, *older = self.inbox().reading.proofs(*spans)
        if new.last_id < seen.last_id or new.first_id > seen.last_id + 1:
            # Another database, or a gap that one look cannot read: begin again.
            return _Seen(first_id=new.first_id, last_id=new.last_id).merged(new)
        for each in (new, *older):
            seen = seen.merged(each)
        return seen

    def _log_once(self, use: SecretUse) -> None:
        key = use.endpoint, use.fingerprint
        if key in self._logged:
            return
        self._logged.add(key)
        _logger.warning(
            "the %s of endpoint %r: number %d (%s) has proved nothing for %d days, while the"
            " newest has; it can go",
            use.setting,
            use.endpoint,
            use.position,
            use.fingerprint,
            UNUSED_AFTER.days,
            extra={
                "action": "secret_unused",
                "endpoint": use.endpoint,
                "secret_index": use.position,
                "fingerprint": use.fingerprint,
            },
        )


def _fingerprints(endpoint: Endpoint) -> Iterator[tuple[str, list[str]]]:
    """Yield each list of secrets whose use is tracked: its setting, and the fingerprints."""
    for protection in endpoint.protections:
        setting = protection.proving_setting
        if setting is None:
            continue
        try:
            for secrets in endpoint.secret_lists(protection, setting):
                yield setting, [endpoint.fingerprint(each) for each in secrets]
        except Unavailable:  # each delivery reports it
            continue


def _uses(
    endpoint: str, lists: _Lists, spans: _Spans, horizon: datetime, least: int
) -> Iterator[SecretUse]:
    known = {name for _, names in lists for name in names}
    # An unknown secret proved something: perhaps this one, before fingerprints were kept.
    has_unknown = any(
        at == endpoint and name not in known and last >= horizon
        for (at, name), (_, last) in spans.items()
    )
    for setting, names in lists:
        if len(names) < least:
            continue
        first, last = spans.get((endpoint, names[0]), (None, None))
        has_run = first is not None and last is not None and first <= horizon <= last
        for position, name in enumerate(names):
            first_used_at, last_used_at = spans.get((endpoint, name), (None, None))
            is_unused = last_used_at is None or last_used_at < horizon
            yield SecretUse(
                endpoint=endpoint,
                setting=setting,
                position=position,
                fingerprint=name,
                first_used_at=first_used_at,
                last_used_at=last_used_at,
                can_go=bool(position) and has_run and is_unused and not has_unknown,
            )
