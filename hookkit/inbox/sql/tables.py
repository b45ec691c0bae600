"""The tables of the SQL inbox.

Rule 1: a time is a whole number of milliseconds since the epoch, which every database stores
        and sorts alike; its column ends in ``_ms``.
Rule 2: a body is bytes, never text: what proved the sender covers the bytes.
Rule 3: a text that comes out of a payload is made storable before it gets here.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    and_,
    false,
    text,
)

from hookkit.core.ids import MAX_ID_CHARS
from hookkit.inbox.records import MAX_WORD_CHARS

#: Goes up with every change of the tables below; ``table_upgrade`` leads from one to the next.
SCHEMA_VERSION = 6

#: All tables of hookkit: public, so that an application's own Alembic can own them.
metadata = MetaData()

# SQLite numbers rows by itself in a column of type INTEGER only.
_RowId = BigInteger().with_variant(Integer(), "sqlite")

#: One row: which version of hookkit's tables this database holds.
schema = Table(
    "hookkit_schema",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
)

#: The bytes of every delivery that brought something new, or something conflicting.
deliveries = Table(
    "hookkit_deliveries",
    metadata,
    Column("id", _RowId, primary_key=True),
    Column("endpoint", Text, nullable=False),
    # For people who look at the bytes with a SQL client; hookkit reads neither.
    Column("provider", Text, nullable=False),
    Column("version", String(MAX_WORD_CHARS), nullable=False),
    Column("received_at_ms", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    # JSON in ASCII: PostgreSQL refuses NUL in text, JSON writes it as an escape.
    Column("headers", Text, nullable=False),
    Column("body_sha256", String(64), nullable=False),
    Column("secret_index", Integer),
    Column("is_conflict", Boolean, nullable=False),
    # Whether the body is a Fernet token instead of what arrived.
    Column("is_encrypted", Boolean, nullable=False, server_default=false()),
    # Whose secret has proved it; NULL if no secret did, or only one application is known.
    Column("application", String(64)),
    # An id is never given twice: an entry outlives its delivery's bytes, and must not come
    # to point at another's.
    sqlite_autoincrement=True,
)

# Only conflicts are looked up by their bytes, and they are rare: the others pay nothing.
Index(
    "hookkit_deliveries_conflicts",
    deliveries.c.endpoint,
    deliveries.c.body_sha256,
    # As text: Alembic writes a lone column as a Python string, which it cannot read again.
    sqlite_where=text("is_conflict"),
    postgresql_where=text("is_conflict"),
)

#: One row per event; the unique constraint is what makes an event an entry once.
entries = Table(
    "hookkit_entries",
    metadata,
    Column("id", _RowId, primary_key=True),
    Column("endpoint", Text, nullable=False),
    Column("event_id", String(MAX_ID_CHARS), nullable=False),
    # No foreign key: the bytes go before the id that stops duplicates.
    Column("delivery_id", _RowId, nullable=False),
    Column("position", Integer, nullable=False),
    Column("vendor_type", String(MAX_WORD_CHARS), nullable=False),
    Column("version", String(MAX_WORD_CHARS), nullable=False),
    Column("lane", String(MAX_ID_CHARS)),
    Column("fact", String(MAX_ID_CHARS)),
    # What it is about, if that decides whether an equal event is a duplicate.
    Column("subject", String(MAX_ID_CHARS)),
    Column("problem", Text),
    Column("content_hash", String(64), nullable=False),
    Column("received_at_ms", BigInteger, nullable=False),
    Column("state", String(16), nullable=False),
    # PENDING: since when it is due. WAITING: when the next attempt is due. RUNNING: when
    # the lease is over. Otherwise NULL. One column, so that one index serves every claim.
    Column("due_at_ms", BigInteger),
    Column("lease_token", String(32)),
    # How often it was claimed since it was admitted or replayed: ``claim_count`` elsewhere.
    Column("attempt_count", Integer, nullable=False),
    # Successes of an older generation no longer count: the entry started over.
    Column("generation", Integer, nullable=False),
    # ``replays`` elsewhere.
    Column("replay_count", Integer, nullable=False),
    Column("conflict_count", Integer, nullable=False),
    # How many claims in a row were never settled.
    Column("lost_claim_count", Integer, nullable=False, server_default=text("0")),
    # JSON: the names of the handlers that a replay is for; NULL is all of them.
    Column("chosen_handlers", Text),
    # What the entry was read as when it was last settled.
    Column("event_type", String(64)),
    UniqueConstraint("endpoint", "event_id", name="hookkit_entries_event"),
    # A claim looks through the index alone for what is due longest at its endpoints.
    Index("hookkit_entries_due", "state", "due_at_ms", "delivery_id", "position", "endpoint", "id"),
    # What people look through: entries of a state, newest first.
    Index("hookkit_entries_state", "state", "id"),
    # Pruning asks whether the bytes of a delivery are still needed.
    Index("hookkit_entries_delivery", "delivery_id"),
    sqlite_autoincrement=True,
)

# What stands before an entry in its lane; most entries are settled, and pay nothing.
_UNSETTLED_IN_LANE = and_(
    entries.c.lane.is_not(None), entries.c.state.in_(["pending", "waiting", "running"])
)
Index(
    "hookkit_entries_lane",
    entries.c.endpoint,
    entries.c.lane,
    entries.c.delivery_id,
    entries.c.position,
    sqlite_where=_UNSETTLED_IN_LANE,
    postgresql_where=_UNSETTLED_IN_LANE,
)

# What was last said about a subject; entries without one pay nothing.
Index(
    "hookkit_entries_subject",
    entries.c.endpoint,
    entries.c.subject,
    entries.c.id,
    sqlite_where=entries.c.subject.is_not(None),
    postgresql_where=entries.c.subject.is_not(None),
)

#: One row per attempt of a handler.
attempts = Table(
    "hookkit_attempts",
    metadata,
    Column("id", _RowId, primary_key=True),
    Column("entry_id", _RowId, ForeignKey(entries.c.id, ondelete="CASCADE"), nullable=False),
    Column("generation", Integer, nullable=False),
    # How often the entry had been replayed by then: ``replays`` elsewhere.
    Column("replay_count", Integer, nullable=False),
    Column("number", Integer, nullable=False),
    Column("handler", Text, nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("started_at_ms", BigInteger, nullable=False),
    Column("ended_at_ms", BigInteger, nullable=False),
    Column("error", Text),
    # When the handler was to be tried again.
    Column("retry_at_ms", BigInteger),
    Index("hookkit_attempts_entry", "entry_id"),
)

#: Which entry runs for a fact, where several payload versions report it.
facts = Table(
    "hookkit_facts",
    metadata,
    Column("endpoint", Text, primary_key=True),
    Column("fact", String(MAX_ID_CHARS), primary_key=True),
    # No foreign key: it would have to be looked up for every event that is admitted.
    Column("entry_id", BigInteger, nullable=False),
    Column("version", String(MAX_WORD_CHARS), nullable=False),
)

#: Every mode that was switched, in order: the last one of a version or a type holds.
switches = Table(
    "hookkit_switches",
    metadata,
    Column("endpoint", Text, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("version", String(MAX_WORD_CHARS), nullable=False),
    # "" is the whole version.
    Column("vendor_type", String(MAX_WORD_CHARS), nullable=False),
    Column("mode", String(16), nullable=False),
    Column("since_ms", BigInteger, nullable=False),
    Column("who", Text, nullable=False),
    # Whether every event near the switch has had its time to meet its twin.
    Column("is_over", Boolean, nullable=False),
)

#: The applications that share this database, by the names that each has at an endpoint.
applications = Table(
    "hookkit_applications",
    metadata,
    Column("endpoint", Text, primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("application", String(64), nullable=False),
)

#: The public keys that have proved a delivery, so that a process that starts knows them.
keys = Table(
    "hookkit_keys",
    metadata,
    # The addresses that are asked for it: what one vendor's server says is no other's key.
    Column("server", String(MAX_ID_CHARS), primary_key=True),
    Column("key_id", String(64), primary_key=True),
    # JSON in ASCII.
    Column("jwk", Text, nullable=False),
    Column("fetched_at_ms", BigInteger, nullable=False),
)
