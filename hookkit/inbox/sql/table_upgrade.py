"""Creates, upgrades and checks the tables, inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, inspect, select, update

from hookkit import crash_points
from hookkit.core.errors import ConfigurationError
from hookkit.inbox.sql.tables import SCHEMA_VERSION, metadata, schema

#: What a database calls a column of its own numbers, and one of bytes.
_TYPES: Mapping[str, Mapping[str, str]] = {
    "sqlite": {"row_id": "INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT", "bytes": "BLOB"},
    "postgresql": {"row_id": "BIGSERIAL NOT NULL PRIMARY KEY", "bytes": "BYTEA"},
}

#: version -> the statements that lead there from the version before; ``_TYPES`` fills in what
#: databases call differently.
MIGRATIONS: Mapping[int, Sequence[str]] = {
    # For retries of each handler, lanes, chosen handlers, pruning and encryption.
    2: (
        "ALTER TABLE hookkit_deliveries ADD COLUMN is_encrypted BOOLEAN DEFAULT false NOT NULL",
        "ALTER TABLE hookkit_entries ADD COLUMN lost_claim_count INTEGER DEFAULT 0 NOT NULL",
        "ALTER TABLE hookkit_entries ADD COLUMN chosen_handlers TEXT",
        "ALTER TABLE hookkit_entries ADD COLUMN event_type VARCHAR(64)",
        "ALTER TABLE hookkit_attempts RENAME COLUMN result TO outcome",
        "ALTER TABLE hookkit_attempts ADD COLUMN retry_at_ms BIGINT",
        "CREATE INDEX hookkit_entries_delivery ON hookkit_entries (delivery_id)",
        """
        CREATE INDEX hookkit_entries_lane ON hookkit_entries (endpoint, lane, delivery_id, position)
        WHERE lane IS NOT NULL AND state IN ('pending', 'waiting', 'running')
        """,
    ),
    # Payload versions side by side.
    3: (
        """
        CREATE TABLE hookkit_facts (
            endpoint TEXT NOT NULL,
            fact VARCHAR(255) NOT NULL,
            entry_id BIGINT NOT NULL,
            version VARCHAR(255) NOT NULL,
            PRIMARY KEY (endpoint, fact)
        )
        """,
        """
        CREATE TABLE hookkit_switches (
            endpoint TEXT NOT NULL,
            number INTEGER NOT NULL,
            version VARCHAR(255) NOT NULL,
            vendor_type VARCHAR(255) NOT NULL,
            mode VARCHAR(16) NOT NULL,
            since_ms BIGINT NOT NULL,
            who TEXT NOT NULL,
            is_over BOOLEAN NOT NULL,
            PRIMARY KEY (endpoint, number)
        )
        """,
    ),
    # Vendors' public keys.
    4: (
        """
        CREATE TABLE hookkit_keys (
            server VARCHAR(255) NOT NULL,
            key_id VARCHAR(64) NOT NULL,
            jwk TEXT NOT NULL,
            fetched_at_ms BIGINT NOT NULL,
            PRIMARY KEY (server, key_id)
        )
        """,
    ),
    # Several applications in one database.
    5: (
        "ALTER TABLE hookkit_deliveries ADD COLUMN application VARCHAR(64)",
        """
        CREATE TABLE hookkit_applications (
            endpoint TEXT NOT NULL,
            name VARCHAR(64) NOT NULL,
            application VARCHAR(64) NOT NULL,
            PRIMARY KEY (endpoint, name)
        )
        """,
    ),
    # States that flip back.
    6: (
        "ALTER TABLE hookkit_entries ADD COLUMN subject VARCHAR(255)",
        """
        CREATE INDEX hookkit_entries_subject ON hookkit_entries (endpoint, subject, id)
        WHERE subject IS NOT NULL
        """,
    ),
    # Refused deliveries, counts by minutes, replays that go on, where handlers raise, who did what,
    # and which processes run handlers.
    7: (
        "ALTER TABLE hookkit_attempts ADD COLUMN raised_at VARCHAR(255)",
        """
        CREATE TABLE hookkit_quarantine (
            id {row_id},
            endpoint TEXT NOT NULL,
            received_at_ms BIGINT NOT NULL,
            code VARCHAR(32) NOT NULL,
            network VARCHAR(64) NOT NULL,
            request TEXT NOT NULL,
            body {bytes} NOT NULL,
            body_sha256 VARCHAR(64) NOT NULL,
            size INTEGER NOT NULL,
            is_encrypted BOOLEAN NOT NULL,
            released_at_ms BIGINT
        )
        """,
        "CREATE INDEX hookkit_quarantine_endpoint ON hookkit_quarantine (endpoint, id)",
        """
        CREATE TABLE hookkit_minutes (
            minute BIGINT NOT NULL,
            endpoint TEXT NOT NULL,
            code VARCHAR(32) NOT NULL,
            count BIGINT NOT NULL,
            PRIMARY KEY (minute, endpoint, code)
        )
        """,
        "CREATE INDEX hookkit_minutes_endpoint ON hookkit_minutes (endpoint, minute, code)",
        """
        CREATE TABLE hookkit_drift (
            day BIGINT NOT NULL,
            provider VARCHAR(64) NOT NULL,
            version VARCHAR(255) NOT NULL,
            kind VARCHAR(16) NOT NULL,
            name VARCHAR(255) NOT NULL,
            count BIGINT NOT NULL,
            PRIMARY KEY (day, provider, version, kind, name)
        )
        """,
        """
        CREATE TABLE hookkit_replays (
            id {row_id},
            wanted TEXT NOT NULL,
            chosen_handlers TEXT,
            reason TEXT NOT NULL,
            who TEXT NOT NULL,
            started_at_ms BIGINT NOT NULL,
            ended_at_ms BIGINT,
            after_id BIGINT NOT NULL,
            up_to_id BIGINT NOT NULL,
            replayed_count BIGINT NOT NULL,
            title TEXT NOT NULL,
            per_second INTEGER,
            previewed_count BIGINT,
            next_at_ms BIGINT,
            paused_at_ms BIGINT,
            ending VARCHAR(16),
            refused TEXT NOT NULL
        )
        """,
        """
        CREATE TABLE hookkit_replayed (
            replay_id BIGINT NOT NULL,
            entry_id BIGINT NOT NULL,
            replay_count INTEGER NOT NULL,
            PRIMARY KEY (replay_id, entry_id)
        )
        """,
        """
        CREATE TABLE hookkit_workers (
            id VARCHAR(32) NOT NULL PRIMARY KEY,
            name VARCHAR(255) NOT NULL,
            host VARCHAR(255) NOT NULL,
            pid BIGINT NOT NULL,
            version VARCHAR(255) NOT NULL,
            threads INTEGER NOT NULL,
            endpoints TEXT NOT NULL,
            started_at_ms BIGINT NOT NULL,
            seen_at_ms BIGINT NOT NULL
        )
        """,
        """
        CREATE TABLE hookkit_audit (
            id {row_id},
            at_ms BIGINT NOT NULL,
            who TEXT NOT NULL,
            permitted_by VARCHAR(16) NOT NULL,
            action VARCHAR(32) NOT NULL,
            target TEXT NOT NULL,
            wanted TEXT,
            reason TEXT NOT NULL,
            address TEXT NOT NULL,
            result TEXT
        )
        """,
    ),
}


class OutdatedError(ConfigurationError):
    """The tables are missing or older than this hookkit, and may not be changed."""


def are_current(connection: Connection) -> bool:
    """Tell whether the tables have the version that this hookkit needs.

    Raises:
        ConfigurationError: They were made by a newer hookkit.
    """
    return _version(connection) == SCHEMA_VERSION


def check_tables(connection: Connection) -> None:
    """Refuse tables that are not as this version of hookkit needs them.

    Raises:
        ConfigurationError: They are not.
    """
    version = _version(connection)
    missing = _missing(connection)
    if version is not None and version < SCHEMA_VERSION:
        missing.insert(0, f"version {SCHEMA_VERSION} (it has version {version})")
    if missing:
        raise OutdatedError(
            f"HOOKKIT_DATABASE: its tables lack {', '.join(missing)}; run `flask hookkit tables"
            ' upgrade` as a role that may change them, or set HOOKKIT_TABLES to "upgrade"'
        )


def upgrade_one_step(connection: Connection) -> bool:
    """Create the tables, or upgrade them by one version; return whether they are current.

    The caller keeps other transactions from doing the same.

    Raises:
        ConfigurationError: They were made by a newer hookkit.
    """
    version = _version(connection)
    if version is None:
        metadata.create_all(connection)
        connection.execute(schema.insert().values(version=SCHEMA_VERSION))
        version = SCHEMA_VERSION
    elif version < SCHEMA_VERSION:
        version += 1
        for statement in MIGRATIONS[version]:
            connection.exec_driver_sql(statement.format_map(_TYPES[connection.dialect.name]))
        connection.execute(update(schema).values(version=version))
    crash_points.reach("migration_written")
    return version == SCHEMA_VERSION


def _missing(connection: Connection) -> list[str]:
    """Return the tables and columns that should be there and are not."""
    found = inspect(connection)
    missing = []
    for table in metadata.sorted_tables:
        if not found.has_table(table.name):
            missing.append(f"table {table.name}")
            continue
        there = {column["name"] for column in found.get_columns(table.name)}
        missing += [f"column {table.name}.{name}" for name in set(table.c.keys()) - there]
    return sorted(missing)


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
    if version is not None and version < 1:
        raise ConfigurationError(
            f"HOOKKIT_DATABASE: its tables have version {version}, which no hookkit has made: it"
            " is damaged; put back a copy of it"
        )
    return version
