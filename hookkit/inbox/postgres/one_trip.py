"""Runs a transaction by one message to the server and one back, where others take four."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Dialect
from sqlalchemy.exc import DBAPIError

from hookkit.inbox.sql.rows import Values


def is_possible(dialect: Dialect) -> bool:
    """Tell whether the driver can send several statements at once; of psycopg, most can."""
    pipeline = getattr(dialect.dbapi, "Pipeline", None)
    return pipeline is not None and bool(pipeline.is_supported())


def run_in_one_trip(
    connection: Connection, settings: str, statement: str, values: Values
) -> list[tuple[Any, ...]]:
    """Return the rows that *statement* returns, once they are committed.

    What is sent before the driver asks for answers is one transaction.
    https://www.postgresql.org/docs/current/libpq-pipeline-mode.html

    Args:
        connection: One that begins no transaction by itself.
        settings: A statement that sets what is in force for this transaction.

    Raises:
        DBAPIError: Nothing is committed, unless the connection was lost.
    """
    driver: Any = connection.connection.driver_connection
    try:
        with driver.pipeline():
            driver.execute(settings)
            cursor = driver.execute(statement, values)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    except Exception as error:
        dbapi = connection.dialect.loaded_dbapi
        # psycopg cannot leave every failed pipeline. Where the commit fails it may also lose count
        # of the answers, and raise an IndexError, but it cannot take a failure for a success: the
        # server tells of the failure before it tells that it is ready.
        told: Any = error
        if not isinstance(error, dbapi.Error):
            told = dbapi.OperationalError(type(error).__name__)  # its text may show a parameter
        is_lost = connection.dialect.is_disconnect(told, driver, None)
        connection.invalidate(told)
        raise DBAPIError.instance(
            statement,
            None,
            told,
            dbapi.Error,
            hide_parameters=True,
            connection_invalidated=is_lost,
            dialect=connection.dialect,
        ) from error
    return rows
