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
SCHEMA_VERSION = 7

#: Longest network that is stored.
MAX_NETWORK_CHARS = 64
#: Longest text that is stored of what a person did.
MAX_AUDIT_CHARS = 1000

#: All tables of hookkit: public, so that an application's own Alembic can own them.
metadata: MetaData = MetaData()

# SQLite numbers rows by itself in a column of type INTEGER only.
_RowId = BigInteger().with_variant(Integer(), "sqlite")

#: One row: which version of hookkit's tables this database holds.
schema: Table = Table(
    "hookkit_schema",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
)

#: The bytes of every delivery that brought something new, or something conflicting.
deliveries: Table = Table(
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
entries: Table = Table(
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
attempts: Table = Table(
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
    # Where the handler raised: file and line, as ``core.attempts.Attempt`` has it.
    Column("raised_at", String(MAX_WORD_CHARS)),
    Index("hookkit_attempts_entry", "entry_id"),
)

#: Which entry runs for a fact, where several payload versions report it.
facts: Table = Table(
    "hookkit_facts",
    metadata,
    Column("endpoint", Text, primary_key=True),
    Column("fact", String(MAX_ID_CHARS), primary_key=True),
    # No foreign key: it would have to be looked up for every event that is admitted.
    Column("entry_id", BigInteger, nullable=False),
    Column("version", String(MAX_WORD_CHARS), nullable=False),
)

#: Every mode that was switched, in order: the last one of a version or a type holds.
switches: Table = Table(
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
applications: Table = Table(
    "hookkit_applications",
    metadata,
    Column("endpoint", Text, primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("application", String(64), nullable=False),
)

#: The public keys that have proved a delivery, so that a process that starts knows them.
keys: Table = Table(
    "hookkit_keys",
    metadata,
    # The addresses that are asked for it: what one vendor's server says is no other's key.
    Column("server", String(MAX_ID_CHARS), primary_key=True),
    Column("key_id", String(64), primary_key=True),
    # JSON in ASCII.
    Column("jwk", Text, nullable=False),
    Column("fetched_at_ms", BigInteger, nullable=False),
)

#: Deliveries that were refused for their proof; bounded, and never read or run as they are.
quarantine: Table = Table(
    "hookkit_quarantine",
    metadata,
    Column("id", _RowId, primary_key=True),
    Column("endpoint", Text, nullable=False),
    Column("received_at_ms", BigInteger, nullable=False),
    # The code of the answer.
    Column("code", String(32), nullable=False),
    # Whose address it came from, so that nobody pushes out what others have sent.
    Column("network", String(MAX_NETWORK_CHARS), nullable=False),
    # What was sent, as JSON in ASCII: the request without its body, and without secrets.
    Column("request", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("body_sha256", String(64), nullable=False),
    # The length of the body as it came, in bytes.
    Column("size", Integer, nullable=False),
    # Whether body and request are Fernet tokens instead of what arrived.
    Column("is_encrypted", Boolean, nullable=False),
    # When it was verified again and admitted, which deletes request and body; NULL before.
    Column("released_at_ms", BigInteger),
    Index("hookkit_quarantine_endpoint", "endpoint", "id"),
    sqlite_autoincrement=True,
)

#: How many events, or refused deliveries, an endpoint was sent, by minutes.
minutes: Table = Table(
    "hookkit_minutes",
    metadata,
    # Whole minutes since the epoch.
    Column("minute", BigInteger, primary_key=True, autoincrement=False),
    Column("endpoint", Text, primary_key=True),
    # ``new``, ``duplicate`` or ``conflict`` of an event, or the code of a delivery's refusal.
    Column("code", String(32), primary_key=True),
    Column("count", BigInteger, nullable=False),
    # What came to one endpoint, whatever the others were sent: its silence is looked for often.
    Index("hookkit_minutes_endpoint", "endpoint", "minute", "code"),
)

#: What vendors send that is not read, by days.
drift: Table = Table(
    "hookkit_drift",
    metadata,
    # Whole days since the epoch.
    Column("day", BigInteger, primary_key=True, autoincrement=False),
    Column("provider", String(64), primary_key=True),
    Column("version", String(MAX_WORD_CHARS), primary_key=True),
    # ``field``, ``type`` or ``problem``.
    Column("kind", String(16), primary_key=True),
    Column("name", String(MAX_WORD_CHARS), primary_key=True),
    Column("count", BigInteger, nullable=False),
)

#: Replays of many entries, so that one that was interrupted can go on.
replays: Table = Table(
    "hookkit_replays",
    metadata,
    Column("id", _RowId, primary_key=True),
    # JSON in ASCII: the fields of the ``Filter`` that are set.
    Column("wanted", Text, nullable=False),
    # JSON: the names of the handlers that it is for; NULL is all of them.
    Column("chosen_handlers", Text),
    Column("reason", Text, nullable=False),
    Column("who", Text, nullable=False),
    Column("started_at_ms", BigInteger, nullable=False),
    # NULL until every entry was looked at.
    Column("ended_at_ms", BigInteger),
    # What has an id up to the first has been looked at; what has one above the second is left out.
    Column("after_id", BigInteger, nullable=False),
    Column("up_to_id", BigInteger, nullable=False),
    Column("replayed_count", BigInteger, nullable=False),
    # What people call it.
    Column("title", Text, nullable=False),
    # NULL where the process that started it does it: nobody else goes on with it unasked.
    Column("per_second", Integer),
    Column("previewed_count", BigInteger),
    Column("next_at_ms", BigInteger),
    Column("paused_at_ms", BigInteger),
    # A word of ``records.Ending``.
    Column("ending", String(16)),
    # JSON: how many entries could not run again, by the reason.
    Column("refused", Text, nullable=False),
)

#: Which entries a replay has made due, and of which of their replays that was.
replayed: Table = Table(
    "hookkit_replayed",
    metadata,
    Column("replay_id", BigInteger, primary_key=True, autoincrement=False),
    # No foreign key: an entry may be pruned.
    Column("entry_id", BigInteger, primary_key=True, autoincrement=False),
    Column("replay_count", Integer, nullable=False),
)

#: The processes that run handlers, as they say themselves every 30 seconds.
workers: Table = Table(
    "hookkit_workers",
    metadata,
    # Another one whenever a process starts: host and pid come again.
    Column("id", String(32), primary_key=True),
    Column("name", String(MAX_WORD_CHARS), nullable=False),
    Column("host", String(MAX_WORD_CHARS), nullable=False),
    Column("pid", BigInteger, nullable=False),
    Column("version", String(MAX_WORD_CHARS), nullable=False),
    Column("threads", Integer, nullable=False),
    # JSON: the names of the endpoints whose entries are claimed.
    Column("endpoints", Text, nullable=False),
    Column("started_at_ms", BigInteger, nullable=False),
    Column("seen_at_ms", BigInteger, nullable=False),
)

#: Who did what, for people who look later; nothing but pruning deletes it.
audit: Table = Table(
    "hookkit_audit",
    metadata,
    Column("id", _RowId, primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("who", Text, nullable=False),
    # The right that it took.
    Column("permitted_by", String(16), nullable=False),
    Column("action", String(32), nullable=False),
    Column("target", Text, nullable=False),
    # JSON in ASCII: the fields of the ``Filter`` that are set; NULL if there was none.
    Column("wanted", Text),
    Column("reason", Text, nullable=False),
    Column("address", Text, nullable=False),
    # NULL until it has ended.
    Column("result", Text),
    sqlite_autoincrement=True,
)
