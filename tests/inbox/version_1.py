"""The tables as version 1 of hookkit's schema made them, and rows in them."""

from hashlib import sha256

_TYPES = {
    "sqlite": {
        "counted": "INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT",
        "key": "INTEGER NOT NULL PRIMARY KEY",
        "row_id": "INTEGER",
        "bytes": "BLOB",
    },
    "postgresql": {
        "counted": "BIGSERIAL NOT NULL PRIMARY KEY",
        "key": "BIGSERIAL NOT NULL PRIMARY KEY",
        "row_id": "BIGINT",
        "bytes": "BYTEA",
    },
}

# As it was created then: it must not change with the tables of today.
_TABLES = """
CREATE TABLE hookkit_schema (
    version INTEGER NOT NULL,
    PRIMARY KEY (version)
);
CREATE TABLE hookkit_deliveries (
    id {counted},
    endpoint TEXT NOT NULL,
    provider TEXT NOT NULL,
    version VARCHAR(255) NOT NULL,
    received_at_ms BIGINT NOT NULL,
    body {bytes} NOT NULL,
    headers TEXT NOT NULL,
    body_sha256 VARCHAR(64) NOT NULL,
    secret_index INTEGER,
    is_conflict BOOLEAN NOT NULL
);
CREATE INDEX hookkit_deliveries_conflicts ON hookkit_deliveries (endpoint, body_sha256)
    WHERE is_conflict;
CREATE TABLE hookkit_entries (
    id {counted},
    endpoint TEXT NOT NULL,
    event_id VARCHAR(255) NOT NULL,
    delivery_id {row_id} NOT NULL,
    position INTEGER NOT NULL,
    vendor_type VARCHAR(255) NOT NULL,
    version VARCHAR(255) NOT NULL,
    lane VARCHAR(255),
    fact VARCHAR(255),
    problem TEXT,
    content_hash VARCHAR(64) NOT NULL,
    received_at_ms BIGINT NOT NULL,
    state VARCHAR(16) NOT NULL,
    due_at_ms BIGINT,
    lease_token VARCHAR(32),
    attempt_count INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    replay_count INTEGER NOT NULL,
    conflict_count INTEGER NOT NULL,
    CONSTRAINT hookkit_entries_event UNIQUE (endpoint, event_id)
);
CREATE INDEX hookkit_entries_due ON hookkit_entries
    (state, due_at_ms, delivery_id, position, endpoint, id);
CREATE INDEX hookkit_entries_state ON hookkit_entries (state, id);
CREATE TABLE hookkit_attempts (
    id {key},
    entry_id {row_id} NOT NULL,
    generation INTEGER NOT NULL,
    replay_count INTEGER NOT NULL,
    number INTEGER NOT NULL,
    handler TEXT NOT NULL,
    result VARCHAR(16) NOT NULL,
    started_at_ms BIGINT NOT NULL,
    ended_at_ms BIGINT NOT NULL,
    error TEXT,
    FOREIGN KEY (entry_id) REFERENCES hookkit_entries (id) ON DELETE CASCADE
);
CREATE INDEX hookkit_attempts_entry ON hookkit_attempts (entry_id);
INSERT INTO hookkit_schema VALUES (1)
"""

# One delivery of 2024-03-01 10:00:05.123; its entries: done, waiting, pending, and running
# under a lease that is over at 10:01:05.123.
_ROWS = """
INSERT INTO hookkit_deliveries
    (endpoint, provider, version, received_at_ms, body, headers, body_sha256, is_conflict)
    VALUES ('support', 'sunshine', 'v2', 1709287205123, {body}, '{{}}', '{sha256}', false);
INSERT INTO hookkit_entries
    (endpoint, event_id, delivery_id, position, vendor_type, version, lane, content_hash,
     received_at_ms, state, due_at_ms, lease_token, attempt_count, generation, replay_count,
     conflict_count)
    VALUES
    ('support', 'done', 1, 0, 'conversation:message', 'v2', 'c-1', 'x', 1709287205123,
     'done', NULL, NULL, 1, 1, 0, 0),
    ('support', 'waiting', 1, 1, 'conversation:message', 'v2', 'c-2', 'x', 1709287205123,
     'waiting', 1709287235123, NULL, 1, 1, 0, 0),
    ('support', 'pending', 1, 2, 'conversation:message', 'v2', 'c-3', 'x', 1709287205123,
     'pending', 1709287205123, NULL, 0, 1, 0, 0),
    ('support', 'running', 1, 3, 'conversation:message', 'v2', 'c-4', 'x', 1709287205123,
     'running', 1709287265123, 'token', 1, 1, 0, 0);
INSERT INTO hookkit_attempts
    (entry_id, generation, replay_count, number, handler, result, started_at_ms, ended_at_ms,
     error)
    VALUES
    (1, 1, 0, 1, 'greet', 'succeeded', 1709287205123, 1709287205223, NULL),
    (2, 1, 0, 1, 'greet', 'succeeded', 1709287205123, 1709287205223, NULL),
    (2, 1, 0, 1, 'log', 'failed', 1709287205123, 1709287205223, 'ValueError: no')
"""

BODY = b"sent to version 1"


def make_version_1(engine, *, is_filled=True):
    """Make the tables, and fill them."""
    dialect = engine.dialect.name
    body = f"X'{BODY.hex()}'" if dialect == "sqlite" else f"'\\x{BODY.hex()}'"
    digest = sha256(BODY).hexdigest()
    script = _TABLES + (";" + _ROWS if is_filled else "")
    with engine.begin() as connection:
        for statement in script.format(body=body, sha256=digest, **_TYPES[dialect]).split(";"):
            connection.exec_driver_sql(statement)
