"""Which application the entries of an endpoint belong to, where several share a database.

An application is recognized by *names* that it has at an endpoint, such as the fingerprints of
its secrets. Sets of names that overlap are one application: when a secret is rotated, the list
holds the old one and the new one for a while. So a name that is gone still counts.

An application that gets its first ``SECRET_KEY`` has other names from then on. It is recognized by
those that it had without the key, unless another one with a key has been recognized by them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, Update, bindparam, func, or_, select, update

from hookkit.core.entry import State
from hookkit.core.ids import BY_KEY
from hookkit.inbox.sql.rows import Values
from hookkit.inbox.sql.tables import applications, deliveries, entries
from hookkit.inbox.sql.transactions import Exclusive, Transactions

#: Takes an endpoint; returns the names of this application there if it had no ``SECRET_KEY``.
NamesWithoutKey = Callable[[str], Collection[str]]

#: The states of entries that somebody still has to handle.
_UNSETTLED = [State.PENDING.value, State.WAITING.value, State.RUNNING.value]

#: Of a delivery: its endpoint, and the application whose secret has proved it.
_OF_DELIVERY = deliveries.c.endpoint + " " + deliveries.c.application

#: That a delivery is nobody's, or this application's: what one of its names has stamped.
IS_OURS = or_(
    deliveries.c.application.is_(None),
    bindparam("is_any_ours"),
    _OF_DELIVERY.in_(bindparam("our_names", expanding=True)),
)

_ROWS = select(applications.c.name, applications.c.application).where(
    applications.c.endpoint == bindparam("of_endpoint")
)
_UNSETTLED_AT: Select[Any] = (
    select(_OF_DELIVERY, func.count())
    .join(entries, entries.c.delivery_id == deliveries.c.id)
    .where(
        entries.c.endpoint == bindparam("of_endpoint"),
        entries.c.state.in_(_UNSETTLED),
        deliveries.c.application.is_not(None),
    )
    .group_by(_OF_DELIVERY)
)


class Others(NamedTuple):
    """Another application with an endpoint of the same name.

    Attributes:
        endpoint: The name.
        unsettled: How many of its entries are not handled yet.
    """

    endpoint: str
    unsettled: int


class Applications:
    """Tells the entries of this application from those of others.

    Attributes:
        ours: The parameters of ``IS_OURS``; until ``recognize``, every delivery is ours.
    """

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions
        self._insert = transactions.insert_unless_there(applications)
        self._ids: dict[str, str] = {}
        self.ours: Values = {"is_any_ours": True, "our_names": [""]}

    def id_at(self, endpoint: str) -> str | None:
        """Return what a delivery to *endpoint* is stamped with; None leaves it to anybody."""
        return self._ids.get(endpoint)

    def recognize(self, names: Mapping[str, Collection[str]], without_key: NamesWithoutKey) -> None:
        """Take as ours what any application with one of these names was sent.

        Args:
            names: By endpoint; an endpoint without a name is not told apart from others.
        """
        ids, ours = {}, []
        with self._transactions.write() as connection:
            self._transactions.take(connection, Exclusive.APPLICATIONS)
            for endpoint, wanted in names.items():
                if wanted:
                    ids[endpoint] = self._join(connection, endpoint, sorted(wanted), without_key)
                    ours += [
                        f"{endpoint} {name}"
                        for name, of in _at(connection, endpoint).items()
                        if of == ids[endpoint]
                    ]
        self._ids = ids
        self.ours = {"is_any_ours": False, "our_names": ours or [""]}

    def adopt(self, endpoint: str) -> None:
        """Take as ours what any application was sent at *endpoint*; ``recognize`` comes first."""
        every = _at_endpoint(endpoint)
        with self._transactions.write() as connection:
            self._transactions.take(connection, Exclusive.APPLICATIONS)
            connection.execute(every.values(application=self._ids[endpoint]))

    def others(
        self, names: Mapping[str, Collection[str]], without_key: NamesWithoutKey
    ) -> list[Others]:
        """Return the endpoints that other applications use as well, without writing anything."""
        with self._transactions.read() as connection:
            return [
                Others(endpoint, unsettled)
                for endpoint, wanted in names.items()
                for unsettled in _of_others(connection, endpoint, wanted, without_key)
            ]

    def _join(
        self,
        connection: Connection,
        endpoint: str,
        wanted: list[str],
        without_key: NamesWithoutKey,
    ) -> str:
        """Return the id of the application that has these names, and give it all of them."""
        there = _at(connection, endpoint)
        ids = _ids_of(there, endpoint, wanted, without_key)
        # An id is the first name of its application, and so one of its names for ever.
        application = min(ids, default=wanted[0])
        rows = [
            {"endpoint": endpoint, "name": name, "application": application}
            for name in wanted
            if name not in there
        ]
        if rows:
            connection.execute(self._insert, rows)
        if len(ids) > 1:
            joined = _at_endpoint(endpoint).where(applications.c.application.in_(ids))
            connection.execute(joined.values(application=application))
        return application


def _at_endpoint(endpoint: str) -> Update:
    return update(applications).where(applications.c.endpoint == endpoint)


def _at(connection: Connection, endpoint: str) -> dict[str, str]:
    rows = connection.execute(_ROWS, {"of_endpoint": endpoint})
    return {row.name: row.application for row in rows}


def _ids_of(
    there: Mapping[str, str],
    endpoint: str,
    wanted: Collection[str],
    without_key: NamesWithoutKey,
) -> set[str]:
    """Return the ids of the application that has these names.

    Args:
        there: Every name at *endpoint*, and the id of its application.
    """
    ids = {there[name] for name in wanted if name in there}
    if ids or not any(name.startswith(BY_KEY) for name in wanted):
        return ids
    keyed = {application for name, application in there.items() if name.startswith(BY_KEY)}
    if keyed.issuperset(there.values()):  # the usual case: to name a secret without a key is slow
        return ids
    return {there[name] for name in without_key(endpoint) if name in there} - keyed


def _of_others(
    connection: Connection,
    endpoint: str,
    wanted: Collection[str],
    without_key: NamesWithoutKey,
) -> list[int]:
    """Return nothing, or how many entries of others are not handled yet."""
    there = _at(connection, endpoint)
    ids = _ids_of(there, endpoint, wanted, without_key)
    theirs = {f"{endpoint} {name}" for name, application in there.items() if application not in ids}
    if not wanted or not theirs:
        return []
    counted = connection.execute(_UNSETTLED_AT, {"of_endpoint": endpoint}).all()
    return [sum(count for stamp, count in counted if stamp in theirs)]
