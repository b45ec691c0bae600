"""Deliveries that were refused for their proof: kept, listed, read, released, deleted.

What is deleted where there is no room (``Room``), so that a flood does not push out what others
have sent: first what was released. Then, as long as there is too much, a delivery of the network
that takes most room: of the fullest minute of that network the last one, or the largest one if
bytes are short. So the first delivery of each network and minute stays longest.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, delete, select, update

from hookkit.core.delivery import Delivery
from hookkit.inbox.records import Refused, RefusedDelivery, Room, from_ms, storable_text, to_ms
from hookkit.inbox.sql.minutes import MINUTE_MS
from hookkit.inbox.sql.rows import BodyCipher, Values, chunks
from hookkit.inbox.sql.tables import MAX_NETWORK_CHARS, quarantine
from hookkit.inbox.sql.transactions import Transactions

_LISTED = (
    quarantine.c.id,
    quarantine.c.endpoint,
    quarantine.c.received_at_ms,
    quarantine.c.code,
    quarantine.c.network,
    quarantine.c.size,
    quarantine.c.released_at_ms,
)
_AT_ENDPOINT = (
    select(*_LISTED).where(quarantine.c.endpoint == bindparam("at")).order_by(quarantine.c.id)
)
_READ = select(quarantine).where(quarantine.c.id == bindparam("of"))
_DELETE = delete(quarantine).where(quarantine.c.id.in_(bindparam("ids", expanding=True)))
_PRUNE = delete(quarantine).where(quarantine.c.received_at_ms < bindparam("before_ms"))
_RELEASE = (
    update(quarantine)
    .where(quarantine.c.id == bindparam("of"), quarantine.c.released_at_ms.is_(None))
    .values(released_at_ms=bindparam("now_ms"), request="{}", body=b"", is_encrypted=False)
)


class _Light(NamedTuple):
    """What decides whether a refused delivery stays."""

    id: int
    minute: int
    is_weak: bool
    is_released: bool
    network: str
    size: int


class Quarantine:
    """The refused deliveries of an inbox; ``Inbox.quarantine`` is one.

    Every method may raise ``Unavailable``.
    """

    def __init__(self, transactions: Transactions, cipher: BodyCipher) -> None:
        self._transactions = transactions
        self._cipher = cipher

    def keep(self, delivery: Delivery, code: str, network: str, size: int, room: Room) -> None:
        """Store *delivery*, and delete what there is no room for any more, if need be itself.

        Args:
            delivery: With every secret in it hidden.
            code: The code of its refusal.
            network: Whose address it came from.
            size: The length of its body as it came, in bytes.
            room: How much of its endpoint's is kept.
        """
        row = self._row(delivery, code) | {
            "network": storable_text(network, MAX_NETWORK_CHARS),
            "size": size,
        }

        def store(connection: Connection) -> None:
            connection.execute(quarantine.insert(), row)
            found = connection.execute(_AT_ENDPOINT, {"at": delivery.endpoint}).all()
            too_many = overflow([_light(each, room) for each in found], room)
            for ids in chunks(too_many):
                connection.execute(_DELETE, {"ids": ids})

        self._transactions.write_shared(store)

    def find(
        self,
        *,
        endpoint: str | None = None,
        since: datetime | None = None,
        ids: Collection[int] | None = None,
        below_id: int | None = None,
        limit: int | None = 100,
    ) -> Sequence[Refused]:
        """Return refused deliveries, newest first; those that were released are among them.

        Args:
            endpoint: Only those to this endpoint.
            since: Only those that were received at this moment or later.
            ids: Only these.
            below_id: Only those with a lower number: the last one of the page before.
            limit: How many at most; None is all of them.
        """
        wanted = select(*_LISTED).order_by(quarantine.c.id.desc()).limit(limit)
        if endpoint is not None:
            wanted = wanted.where(quarantine.c.endpoint == endpoint)
        if since is not None:
            wanted = wanted.where(quarantine.c.received_at_ms >= to_ms(since))
        if ids is not None:
            wanted = wanted.where(quarantine.c.id.in_(ids))
        if below_id is not None:
            wanted = wanted.where(quarantine.c.id < below_id)
        with self._transactions.read() as connection:
            return [_refused(row) for row in connection.execute(wanted)]

    def read(self, refused_id: int) -> RefusedDelivery | None:
        """Return the refused delivery of this id; None if there is none."""
        with self._transactions.read() as connection:
            row = connection.execute(_READ, {"of": refused_id}).first()
        if row is None:
            return None
        is_there = row.released_at_ms is None
        return RefusedDelivery(_refused(row), self._delivery(row) if is_there else None)

    def release(self, refused_id: int, now: datetime) -> bool:
        """Delete what was kept of a delivery that is admitted; False if it was released before."""
        this = {"of": refused_id, "now_ms": to_ms(now)}
        return self._transactions.write_shared(
            lambda connection: connection.execute(_RELEASE, this).rowcount > 0
        )

    def prune(self, before: datetime) -> None:
        """Delete what was received before a moment."""
        this = {"before_ms": to_ms(before)}
        self._transactions.write_shared(lambda connection: connection.execute(_PRUNE, this))

    def _row(self, delivery: Delivery, code: str) -> Values:
        request = {
            "headers": dict(delivery.headers),
            "path_token": delivery.path_token,
            "query": delivery.query,
            "address": delivery.address,
            "salt": None if delivery.salt is None else delivery.salt.hex(),
        }
        return {
            "endpoint": delivery.endpoint,
            "received_at_ms": to_ms(delivery.received_at),
            "code": code,
            "request": self._cipher.encrypt(json.dumps(request).encode()).decode(),
            "body": self._cipher.encrypt(delivery.body),
            "body_sha256": hashlib.sha256(delivery.body).hexdigest(),
            "is_encrypted": self._cipher.is_on,
            "released_at_ms": None,
        }

    def _delivery(self, row: Any) -> Delivery | None:
        """Return what was sent; None if no key fits, or if it was damaged."""
        request: bytes | None = row.request.encode()
        body: bytes | None = row.body
        if row.is_encrypted:
            request, body = self._cipher.decrypt(request or b""), self._cipher.decrypt(row.body)
        if request is None or body is None or hashlib.sha256(body).hexdigest() != row.body_sha256:
            return None
        try:
            sent = json.loads(request)
            salt = sent.pop("salt")
            return Delivery(
                endpoint=row.endpoint,
                body=body,
                received_at=from_ms(row.received_at_ms),
                salt=None if salt is None else bytes.fromhex(salt),
                **sent,
            )
        except (ValueError, TypeError, KeyError, AttributeError):
            return None


def overflow(rows: Iterable[_Light], room: Room) -> list[int]:
    """Return the ids of those of *rows*, oldest first, that there is no room for."""
    released = [row for row in rows if row.is_released]
    weak = [row for row in rows if row.is_weak and not row.is_released]
    kept = [row for row in rows if not row.is_weak and not row.is_released]
    surplus = max(0, len(weak) - room.weak_rows)
    gone = [row.id for row in weak[:surplus]]
    kept += weak[surplus:]
    rest = max(0, room.rows - len(kept))
    gone += [row.id for row in released[: max(0, len(released) - rest)]]
    for row in _too_much(kept, room):
        kept.remove(row)
        gone.append(row.id)
    return gone


def _too_much(kept: list[_Light], room: Room) -> Iterator[_Light]:
    """Yield what goes next, as long as there is too much; the caller takes it out of *kept*."""
    while True:
        is_short_of_bytes = sum(row.size for row in kept) > room.bytes
        if not is_short_of_bytes and len(kept) <= room.rows:
            return
        load = Counter[str]()
        for row in kept:
            load[row.network] += row.size if is_short_of_bytes else 1
        heaviest = max(load, key=lambda network: load[network])
        of_it = [row for row in kept if row.network == heaviest]
        if is_short_of_bytes:
            yield max(of_it, key=lambda row: (row.size, row.id))
            continue
        by_minute = Counter(row.minute for row in of_it)
        fullest = max(by_minute, key=lambda minute: (by_minute[minute], -minute))
        yield max((row for row in of_it if row.minute == fullest), key=lambda row: row.id)


def _light(row: Any, room: Room) -> _Light:
    return _Light(
        id=row.id,
        minute=row.received_at_ms // MINUTE_MS,
        is_weak=row.code in room.weak_codes,
        is_released=row.released_at_ms is not None,
        network=row.network,
        size=row.size,
    )


def _refused(row: Any) -> Refused:
    released_ms = row.released_at_ms
    return Refused(
        id=row.id,
        endpoint=row.endpoint,
        received_at=from_ms(row.received_at_ms),
        code=row.code,
        network=row.network,
        size=row.size,
        released_at=None if released_ms is None else from_ms(released_ms),
    )
