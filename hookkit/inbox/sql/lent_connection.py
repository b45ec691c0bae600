"""Lends a connection to a handler, whose effects are then committed with its success."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, event
from sqlalchemy.exc import InvalidRequestError


@contextmanager
def lent(connection: Connection) -> Iterator[Connection]:
    """Keep whoever uses *connection* from ending the transaction that it is in.

    An early commit would keep effects whose success is not recorded, and they would be
    there twice after the next attempt.
    """

    def refuse(_: Connection) -> None:
        raise InvalidRequestError(
            "a transactional handler must neither commit nor roll back run.connection: it is"
            " committed with the record of success; raise an exception to roll it back"
        )

    for ending in ("commit", "rollback"):
        event.listen(connection, ending, refuse)
    try:
        yield connection
    finally:
        for ending in ("commit", "rollback"):
            event.remove(connection, ending, refuse)
