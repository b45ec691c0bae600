"""Creates the tables, however many processes start at once, and refuses those of the future."""

from __future__ import annotations

from sqlalchemy import Connection, inspect, select
from sqlalchemy.schema import CreateTable

from hookkit.core.errors import ConfigurationError
from hookkit.inbox.tables import SCHEMA_VERSION, metadata, schema
from hookkit.inbox.transactions import Transactions


def ensure_tables(transactions: Transactions) -> None:
    """Create hookkit's tables where they are missing.

    Raises:
        ConfigurationError: They were made by a newer hookkit.
        Unavailable: The database cannot be used now.
    """
    # Reading first: a process that starts beside busy ones need not wait for its turn.
    with transactions.read() as connection:
        if _version(connection) == SCHEMA_VERSION:
            return
    with transactions.write() as connection:
        transactions.lock_schema(connection)
        if _version(connection) is None:
            connection.execute(CreateTable(schema, if_not_exists=True))
            metadata.create_all(connection)
            connection.execute(schema.insert().values(version=SCHEMA_VERSION))


def _version(connection: Connection) -> int | None:
    """Return the version of the tables that are there, None when there are none."""
    if not inspect(connection).has_table(schema.name):
        return None
    version = connection.execute(select(schema.c.version)).scalar()
    if version is not None and version > SCHEMA_VERSION:
        raise ConfigurationError(
            f"HOOKKIT_DATABASE: its tables have version {version}, made by a newer hookkit; "
            f"this one knows version {SCHEMA_VERSION}: install the newer release again"
        )
    return version
