"""The vendors' public keys that have proved deliveries."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import bindparam, delete, select, update

from hookkit.core.scheme import KeptKey
from hookkit.inbox.records import from_ms, to_ms
from hookkit.inbox.sql.tables import keys
from hookkit.inbox.sql.transactions import Transactions

#: How many public keys of one vendor's server are kept; what was fetched first goes first.
MAX_KEPT_KEYS = 100

_THIS = (keys.c.server == bindparam("at"), keys.c.key_id == bindparam("named"))
_LOAD = (
    select(keys.c.key_id, keys.c.jwk, keys.c.fetched_at_ms)
    .where(keys.c.server == bindparam("at"))
    .order_by(keys.c.fetched_at_ms.desc(), keys.c.key_id)
    .limit(MAX_KEPT_KEYS)
)
_REPLACE = (
    update(keys)
    .where(*_THIS, keys.c.fetched_at_ms <= bindparam("at_ms"))
    .values(jwk=bindparam("spelt"), fetched_at_ms=bindparam("at_ms"))
)
_DROP = delete(keys).where(*_THIS, keys.c.fetched_at_ms <= bindparam("at_ms"))
_DROP_OLDER = delete(keys).where(
    keys.c.server == bindparam("at"), keys.c.fetched_at_ms < bindparam("at_ms")
)


class KeptKeys:
    """The ``KeyBook`` of an inbox."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions
        self._insert = transactions.insert_unless_there(keys)

    def load(self, server: str) -> Sequence[KeptKey]:
        """Return the keys of *server*, the one that was fetched last first."""
        with self._transactions.read() as connection:
            rows = connection.execute(_LOAD, {"at": server}).all()
        return [KeptKey(row.key_id, row.jwk, from_ms(row.fetched_at_ms)) for row in rows]

    def keep(self, server: str, key: KeptKey) -> None:
        """Keep *key*, unless the same was fetched later by somebody else."""
        at_ms = to_ms(key.fetched_at)
        row = {"server": server, "key_id": key.key_id, "jwk": key.jwk, "fetched_at_ms": at_ms}
        this = {"at": server, "named": key.key_id, "at_ms": at_ms, "spelt": key.jwk}
        with self._transactions.write() as connection:
            connection.execute(self._insert, row)
            connection.execute(_REPLACE, this)
            oldest = connection.execute(_LOAD, {"at": server}).all()[-1]
            connection.execute(_DROP_OLDER, {"at": server, "at_ms": oldest.fetched_at_ms})

    def drop(self, server: str, key_id: str, fetched_at: datetime) -> None:
        """Forget a key that the server has no more, unless it was fetched later than that."""
        this = {"at": server, "named": key_id, "at_ms": to_ms(fetched_at)}
        with self._transactions.write() as connection:
            connection.execute(_DROP, this)
