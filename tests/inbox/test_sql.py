"""What only an inbox in a SQL database has."""

import os
import re
import sqlite3
import traceback
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import create_engine, event, inspect, make_url, select, text
from sqlalchemy.pool import NullPool

from hookkit.core.entry import Entry, State
from hookkit.core.errors import ConfigurationError, ReplayRefused, StoreRefused, Unavailable
from hookkit.inbox.opening import open_inbox
from hookkit.inbox.sql import transactions
from hookkit.inbox.sql.claim import _DUE, _LEASE, FIRST_DUE
from hookkit.inbox.sql.claimed import _BODIES
from hookkit.inbox.sql.tables import SCHEMA_VERSION, attempts, deliveries, entries, metadata, schema
from tests.acceptance.forking import fork, forks
from tests.inbox.making import NOW, admit, attempt, claim_one, deliver, done, item, kept, record
from tests.inbox.racing import open_and_admit

ENTRY = Entry(
    id=1,
    endpoint="support",
    event_id="m-1",
    position=0,
    claim_count=1,
    lease_token="token",
    received_at=NOW,
    body=b"",
    headers={},
)

REFUSE = {
    "sqlite": """
        CREATE TRIGGER refuse BEFORE INSERT ON {table} WHEN NEW.{column} = '{value}'
        BEGIN SELECT RAISE(ABORT, 'refused'); END
    """,
    "postgresql": "ALTER TABLE {table} ADD CONSTRAINT refuse CHECK ({column} <> '{value}')",
}


@pytest.fixture
def make_engine():
    """Return ``create_engine``, for engines that are disposed of after the test."""
    made = []

    def make(url, **options):
        psycopg_url = make_url(url)
        if psycopg_url.drivername == "postgresql":
            psycopg_url = psycopg_url.set(drivername="postgresql+psycopg")
        made.append(create_engine(psycopg_url, **options))
        return made[-1]

    yield make
    for engine in made:
        engine.dispose()


def refuse(inbox, table, column, value):
    """Have the database refuse a row of *table*."""
    with inbox._transactions.write() as connection:
        statement = REFUSE[connection.dialect.name]
        connection.execute(text(statement.format(table=table, column=column, value=value)))


def scalar(connection, statement):
    return connection.exec_driver_sql(statement).scalar_one()


def test_of_processes_that_start_and_admit_at_once_one_is_first(sql_url):
    processes = 5
    start, results = forks.Barrier(processes), forks.Queue()
    started = [fork(open_and_admit, sql_url, number, start, results) for number in range(processes)]

    for process in started:
        process.start()
    new_counts = [results.get(timeout=60) for _ in started]
    for process in started:
        process.join()
        process.close()

    inbox = open_inbox(sql_url)
    assert sorted(new_counts, key=str) == [0, 0, 0, 0, 1]
    assert (len(inbox.find()), len(kept(inbox))) == (1, 1)
    inbox.close()
    results.close()
    results.join_thread()


def test_delivery_whose_entries_cannot_be_stored_is_not_half_stored(sql_inbox):
    refuse(sql_inbox, "hookkit_entries", "event_id", "m-2")

    with pytest.raises(Unavailable):
        sql_inbox.admit(deliver(item("m-1"), item("m-2"), item("m-3")))

    assert (kept(sql_inbox), sql_inbox.find()) == ([], [])
    assert admit(sql_inbox, "m-1")


def test_settlement_whose_outcomes_cannot_be_stored_is_not_half_settled(sql_inbox):
    (entry_id,) = admit(sql_inbox, "m-1")
    entry = claim_one(sql_inbox)
    refuse(sql_inbox, "hookkit_attempts", "handler", "refused")

    with pytest.raises(Unavailable):
        sql_inbox.settle(entry, done(attempt("greet"), attempt("refused")), now=NOW)

    stands = record(sql_inbox, entry_id)
    assert (stands.state, stands.attempts) == (State.RUNNING, ())
    assert sql_inbox.settle(entry, done(attempt("greet")), now=NOW)


def test_settlement_that_can_never_be_stored_is_told_from_an_outage(sql_inbox):
    admit(sql_inbox, "m-1")
    entry = claim_one(sql_inbox)

    with pytest.raises(StoreRefused):
        sql_inbox.settle(entry, done(attempt(None)), now=NOW)

    assert sql_inbox.settle(entry, done(attempt("greet")), now=NOW)


def test_unavailable_shows_no_body_and_no_statement(sql_url, make_engine):
    engine = make_engine(sql_url, hide_parameters=False)
    inbox = open_inbox(engine)
    refuse(inbox, "hookkit_deliveries", "endpoint", "support")
    private = deliver(item("m-1"), body=b"a secret")

    with pytest.raises(Unavailable) as caught:
        inbox.admit(private)

    assert str(caught.value).startswith("the inbox cannot be used: ")
    assert "INSERT" not in str(caught.value)
    told = "".join(traceback.format_exception(caught.value))
    # SQLite is spoken to by its own driver here, whose errors hold no parameters at all.
    assert "SQL parameters hidden" in told or sql_url.startswith("sqlite")
    assert "a secret" not in told


@pytest.mark.parametrize(
    ("method", "how"),
    [
        ("admit", {"envelope": deliver(item("m-2"))}),
        ("claim", {"now": NOW, "lease_s": 1, "limit": 1, "endpoints": ["support"]}),
        ("renew", {"held": [ENTRY], "now": NOW, "lease_s": 1}),
        ("settle", {"entry": ENTRY, "settlement": done(), "now": NOW}),
        ("replay", {"entry_id": 1, "now": NOW}),
        ("next_due_at", {"endpoints": ["support"]}),
        ("find", {}),
        ("counts", {}),
    ],
)
def test_every_failure_of_the_database_is_unavailable(sql_inbox, method, how):
    with sql_inbox._transactions.write() as connection:
        metadata.drop_all(connection)

    with pytest.raises(Unavailable):
        getattr(sql_inbox, method)(**how)


def test_schema_version_is_written_once(sql_url):
    for _ in range(2):
        open_inbox(sql_url).close()

    inbox = open_inbox(sql_url)
    with inbox._transactions.read() as connection:
        versions = list(connection.scalars(select(schema.c.version)))
    inbox.close()
    assert versions == [SCHEMA_VERSION]


def test_tables_of_a_newer_hookkit_are_refused(sql_url):
    inbox = open_inbox(sql_url)
    with inbox._transactions.write() as connection:
        connection.execute(schema.update().values(version=SCHEMA_VERSION + 1))
    inbox.close()

    with pytest.raises(ConfigurationError, match="made by a newer hookkit"):
        open_inbox(sql_url)


def test_tables_of_others_stay_as_they_are(sql_url, make_engine):
    engine = make_engine(sql_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE theirs (a INTEGER)"))

    open_inbox(engine)

    names = set(inspect(engine).get_table_names())
    assert names == {"theirs", "hookkit_schema", *metadata.tables}


def test_id_of_a_removed_row_is_not_given_again(sql_inbox):
    (first,) = admit(sql_inbox, "m-1")
    with sql_inbox._transactions.write() as connection:
        connection.execute(entries.delete())

    (second,) = admit(sql_inbox, "m-1")

    assert second > first


@pytest.mark.parametrize("secret_index", [0, 1, None])
def test_delivery_tells_which_secret_proved_its_sender(sql_inbox, secret_index):
    sql_inbox.admit(deliver(item("m-1"), secret_index=secret_index))

    with sql_inbox._transactions.read() as connection:
        recorded = connection.execute(select(deliveries.c.secret_index)).scalar_one()
    assert recorded == secret_index


def test_entry_whose_bytes_are_gone_holds_nothing_up_and_is_not_replayed(sql_inbox):
    (gone,) = admit(sql_inbox, "m-1")
    admit(sql_inbox, "m-2")
    with sql_inbox._transactions.write() as connection:
        connection.execute(deliveries.delete().where(deliveries.c.id == gone))

    claimed = claim_one(sql_inbox)
    nothing = sql_inbox.claim(now=NOW, lease_s=60, limit=9, endpoints=["support"], only=[gone])

    assert (claimed.event_id, nothing) == ("m-2", [])
    with sql_inbox._transactions.write() as connection:
        connection.execute(entries.update().values(state=State.DONE.value))
    with pytest.raises(ReplayRefused, match=f"the bytes of entry {gone} are gone"):
        sql_inbox.replay(gone, now=NOW)


def test_attempts_go_with_their_entry(postgres_url):
    inbox = open_inbox(postgres_url)
    admit(inbox, "m-1")
    inbox.settle(claim_one(inbox), done(attempt()), now=NOW)

    with inbox._transactions.write() as connection:
        connection.execute(entries.delete())
        left = connection.execute(select(attempts)).all()

    inbox.close()
    assert left == []


def test_claim_does_not_wait_behind_what_others_hold(postgres_url, make_engine, monkeypatch):
    monkeypatch.setattr(transactions, "BUSY_TIMEOUT_S", 0.5)
    inbox = open_inbox(postgres_url)
    held, free = admit(inbox, "m-1", "m-2")

    with make_engine(postgres_url).begin() as other:
        other.execute(select(entries).where(entries.c.id == held).with_for_update())
        claimed = inbox.claim(now=NOW, lease_s=60, limit=10, endpoints=["support"])
        of_these = inbox.claim(now=NOW, lease_s=60, limit=10, endpoints=["support"], only=[held])

    assert [entry.id for entry in claimed] == [free]
    assert of_these == []
    assert claim_one(inbox).id == held
    inbox.close()


@pytest.mark.parametrize("state", [State.PENDING, State.WAITING, State.RUNNING])
def test_claim_walks_the_index_and_sorts_nothing(sqlite_inbox, state):
    values = {"endpoints": ["support"], "now_ms": 0, "row_limit": 10}
    values |= sqlite_inbox.applications.ours
    with sqlite_inbox._transactions.read() as connection:
        query = _DUE[state].compile(connection).construct_expanded_state(values)
        explain = f"EXPLAIN QUERY PLAN {query.statement}"
        plan = connection.exec_driver_sql(explain, query.positional_parameters).all()

    first, then = [row.detail for row in plan]  # and no step that sorts
    assert "USING INDEX hookkit_entries_due (state=?" in first
    assert "SEARCH hookkit_deliveries USING INTEGER PRIMARY KEY" in then


def test_bodies_are_looked_up_by_their_ids(sqlite_inbox):
    values = {"delivery_ids": [7, 8, 9]}
    with sqlite_inbox._transactions.read() as connection:
        query = _BODIES.compile(connection).construct_expanded_state(values)
        explain = f"EXPLAIN QUERY PLAN {query.statement}"
        plan = connection.exec_driver_sql(explain, query.positional_parameters).all()

    (step,) = [row.detail for row in plan]
    assert "SEARCH hookkit_deliveries USING INTEGER PRIMARY KEY" in step


def test_find_by_state_walks_the_index_and_sorts_nothing(sqlite_inbox):
    query = "SELECT * FROM hookkit_entries WHERE state = 'done' ORDER BY id DESC LIMIT 10"
    with sqlite_inbox._transactions.read() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}").all()

    (step,) = [row.detail for row in plan]
    assert "USING INDEX hookkit_entries_state (state=?)" in step


@pytest.fixture
def large_url(postgres_url):
    """Return the URL of an inbox with 20 000 settled entries, of which statistics know."""
    inbox = open_inbox(postgres_url)
    with inbox._transactions.write() as connection:
        for statement in (
            """
            INSERT INTO hookkit_deliveries (
                endpoint, provider, version, received_at_ms, body, headers, body_sha256, is_conflict
            ) SELECT 'support', 'sunshine', 'v2', n, '', '{}', '', false
            FROM generate_series(1, 20000) AS n
            """,
            """
            INSERT INTO hookkit_entries (
                endpoint, event_id, delivery_id, position, vendor_type, version, content_hash,
                received_at_ms, state, attempt_count, generation, replay_count, conflict_count
            ) SELECT 'support', 'old-' || n, n, 0, '', 'v2', '', n, 'done', 1, 0, 0, 0
            FROM generate_series(1, 20000) AS n
            """,
            "ANALYZE hookkit_deliveries",
            "ANALYZE hookkit_entries",
        ):
            connection.exec_driver_sql(statement)
    admit(inbox, "m-1")
    inbox.close()
    return postgres_url


#: What is asked while events arrive, and the index that answers it.
WALKS = {
    "claim new": (_DUE[State.PENDING], "hookkit_entries_due"),
    "claim again": (_DUE[State.WAITING], "hookkit_entries_due"),
    "claim lost": (_DUE[State.RUNNING], "hookkit_entries_due"),
    "lease": (_LEASE, "hookkit_entries_pkey"),
    "bodies": (_BODIES, "hookkit_deliveries_pkey"),
    "look": (FIRST_DUE, "hookkit_entries_due"),
    "list": (
        select(entries).where(entries.c.state == "dead").order_by(entries.c.id.desc()).limit(9),
        "hookkit_entries_state",
    ),
    "prune": (
        select(entries.c.id).where(entries.c.id > 9).order_by(entries.c.id).limit(200),
        "hookkit_entries_pkey",
    ),
    "is needed": (
        select(entries.c.id).where(entries.c.delivery_id.in_([7, 8, 9])),
        "hookkit_entries_delivery",
    ),
}


def test_postgresql_walks_an_index_and_sorts_nothing(large_url, make_engine):
    values = {"endpoints": ["support"], "now_ms": 10**15, "row_limit": 10}
    values |= {"entry_ids": [7, 8, 9], "delivery_ids": [7, 8, 9]}
    plans = {}
    with make_engine(large_url).connect() as connection:
        for name, (statement, _) in WALKS.items():
            compiled = statement.compile(connection)
            query = compiled.construct_expanded_state(compiled.params | values)
            explain = f"EXPLAIN {query.statement}"
            plans[name] = "\n".join(connection.exec_driver_sql(explain, query.parameters).scalars())

    for name, (_, index) in WALKS.items():
        assert f" {index} on " in plans[name], plans[name]
        assert not re.search(r"Seq Scan|\bSort\b", plans[name]), plans[name]


def test_pruned_rows_leave_room_for_new_ones(large_url, make_engine):
    inbox = open_inbox(large_url)
    after = (0, 0)
    while after is not None:
        after = inbox.prune(bodies_before=NOW, ids_before=NOW, after=after, limit=5000).last
    with make_engine(large_url, isolation_level="AUTOCOMMIT").connect() as connection:
        connection.exec_driver_sql("VACUUM hookkit_entries, hookkit_deliveries, hookkit_attempts")
        sizes = [
            scalar(connection, f"SELECT pg_relation_size('{table}')")
            for table in ("hookkit_entries", "hookkit_deliveries")
        ]

    counts = inbox.counts()
    inbox.close()
    assert (counts[State.DONE], counts[State.PENDING]) == (0, 1)
    assert max(sizes) <= 8192 * 8 * 50  # not the 2 MB and more that 20 000 rows took


def test_own_sqlite_file_is_durable(sqlite_inbox):
    with sqlite_inbox._transactions.write() as connection:
        pragmas = ("journal_mode", "synchronous", "busy_timeout")
        in_force = [scalar(connection, f"PRAGMA {pragma}") for pragma in pragmas]

    assert in_force == ["wal", 2, 2000]


def test_write_transaction_holds_the_writers_lock_from_its_first_moment(sqlite_inbox, tmp_path):
    other = sqlite3.connect(tmp_path / "inbox.db", timeout=0, isolation_level=None)

    with (
        sqlite_inbox._transactions.write(),
        pytest.raises(sqlite3.OperationalError, match="locked"),
    ):
        other.execute("BEGIN IMMEDIATE")

    other.execute("BEGIN IMMEDIATE")
    other.close()


def test_read_transaction_sees_one_state_and_blocks_nobody(sqlite_inbox):
    admit(sqlite_inbox, "m-1")
    count = "SELECT count(*) FROM hookkit_entries"

    with sqlite_inbox._transactions.read() as connection:
        before = scalar(connection, count)
        admit(sqlite_inbox, "m-2")
        after = scalar(connection, count)

    assert (before, after) == (1, 1)
    assert len(sqlite_inbox.find()) == 2


def test_locked_file_is_unavailable(sqlite_url, tmp_path):
    inbox = open_inbox(f"{sqlite_url}?timeout=0.05")
    other = sqlite3.connect(tmp_path / "inbox.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(Unavailable, match="database is locked"):
        inbox.admit(deliver(item("m-1")))

    assert inbox.find() == []
    other.execute("ROLLBACK")
    assert admit(inbox, "m-1")
    other.close()
    inbox.close()


def test_thread_that_waits_too_long_for_another_is_unavailable(sqlite_inbox, monkeypatch):
    monkeypatch.setattr(transactions, "BUSY_TIMEOUT_S", 0.05)

    with ThreadPoolExecutor(1) as pool, sqlite_inbox._transactions.write():
        waiting = pool.submit(admit, sqlite_inbox, "m-1")
        error = waiting.exception()

    assert isinstance(error, Unavailable)
    assert admit(sqlite_inbox, "m-1")


def test_event_that_another_process_is_admitting_for_too_long_is_unavailable(
    postgres_url, make_engine, monkeypatch
):
    monkeypatch.setattr(transactions, "BUSY_TIMEOUT_S", 0.05)
    inbox = open_inbox(postgres_url)
    (entry_id,) = admit(inbox, "m-1")
    entry = claim_one(inbox)

    with make_engine(postgres_url).begin() as other:
        other.execute(select(entries).where(entries.c.id == entry_id).with_for_update())
        with pytest.raises(Unavailable, match="LockNotAvailable"):
            inbox.settle(entry, done(), now=NOW)

    assert inbox.settle(entry, done(), now=NOW)
    inbox.close()


def test_postgresql_commits_to_disk_whatever_its_default(postgres_url):
    options = make_url(postgres_url).query["options"] + " -c synchronous_commit=off"
    inbox = open_inbox(make_url(postgres_url).update_query_dict({"options": options}))

    with inbox._transactions.write() as connection:
        in_force = [
            scalar(connection, f"SHOW {setting}")
            for setting in ("synchronous_commit", "lock_timeout", "transaction_isolation")
        ]

    inbox.close()
    assert in_force == ["on", "2s", "read committed"]


@pytest.mark.parametrize("is_own", [True, False])
def test_connections_that_the_server_closed_cost_no_delivery(postgres_url, make_engine, is_own):
    inbox = open_inbox(postgres_url if is_own else make_engine(postgres_url))
    admit(inbox, "m-1")
    with inbox._transactions.engine.connect() as connection:
        process_id = scalar(connection, "SELECT pg_backend_pid()")

    with make_engine(postgres_url).begin() as other:
        scalar(other, f"SELECT pg_terminate_backend({process_id}, 5000)")

    assert admit(inbox, "m-2")
    inbox.close()


@pytest.mark.parametrize("isolation_level", ["AUTOCOMMIT", "REPEATABLE READ", "SERIALIZABLE"])
def test_engine_with_another_isolation_level_loses_nothing(
    postgres_url, make_engine, isolation_level
):
    engine = make_engine(postgres_url, isolation_level=isolation_level)
    before = isolation_of(engine)
    inbox = open_inbox(engine)
    refuse(inbox, "hookkit_entries", "event_id", "m-2")

    with pytest.raises(Unavailable):
        inbox.admit(deliver(item("m-1"), item("m-2")))

    assert kept(inbox) == []
    assert isolation_of(engine) == before


def isolation_of(engine):
    with engine.connect() as connection:
        driver = connection.connection.dbapi_connection
        return connection.get_isolation_level(), driver.autocommit


def user_begins(engine):
    """Have SQLAlchemy begin transactions, as its documentation recommends for SQLite."""

    @event.listens_for(engine, "connect")
    def stop_the_driver(driver, _):
        driver.isolation_level = None

    @event.listens_for(engine, "begin")
    def begin(connection):
        connection.exec_driver_sql("BEGIN")


def user_is_careless(engine):
    @event.listens_for(engine, "connect")
    def set_pragmas(driver, _):
        driver.execute("PRAGMA synchronous = OFF")
        driver.execute("PRAGMA foreign_keys = ON")


@pytest.fixture(
    params=[
        pytest.param((None, {}), id="plain"),
        pytest.param((user_begins, {}), id="user begins"),
        pytest.param((user_is_careless, {}), id="not synchronous"),
        pytest.param((None, {"isolation_level": "AUTOCOMMIT"}), id="autocommit"),
        pytest.param((None, {"isolation_level": "READ UNCOMMITTED"}), id="uncommitted"),
        pytest.param((None, {"poolclass": NullPool}), id="no pool"),
        pytest.param(
            (None, {"connect_args": {"isolation_level": "EXCLUSIVE"}}), id="driver begins early"
        ),
    ]
)
def users_engine(request, sqlite_url, make_engine):
    set_up, options = request.param
    engine = make_engine(sqlite_url, **options)
    if set_up is not None:
        set_up(engine)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE theirs (a INTEGER)"))
    return engine


def settings_of(engine):
    """Return how a connection of *engine* behaves."""
    with engine.connect() as connection:
        isolation_level = connection.connection.dbapi_connection.isolation_level
        pragmas = ("synchronous", "busy_timeout", "journal_mode", "foreign_keys")
        return isolation_level, *(scalar(connection, f"PRAGMA {pragma}") for pragma in pragmas)


def test_users_own_engine_works(users_engine):
    inbox = open_inbox(users_engine)

    admit(inbox, "m-1", "m-2")
    inbox.settle(claim_one(inbox, limit=1), done(attempt()), now=NOW)

    assert inbox.counts() == dict.fromkeys(State, 0) | {State.PENDING: 1, State.DONE: 1}


def test_users_own_engine_stores_nothing_half(users_engine):
    inbox = open_inbox(users_engine)
    refuse(inbox, "hookkit_entries", "event_id", "m-2")

    with pytest.raises(Unavailable):
        inbox.admit(deliver(item("m-1"), item("m-2")))

    assert (kept(inbox), inbox.find()) == ([], [])


def test_users_own_engine_is_durable_while_hookkit_uses_it(users_engine):
    inbox = open_inbox(users_engine)

    with inbox._transactions.write() as connection:
        level = scalar(connection, "PRAGMA synchronous")

    # Without a write-ahead log, FULL does not sync the folder of the journal.
    assert level == 3


def test_users_own_engine_behaves_as_before(users_engine):
    before = settings_of(users_engine)
    inbox = open_inbox(users_engine)

    admit(inbox, "m-1")
    inbox.find()

    assert settings_of(users_engine) == before


def test_users_own_transactions_behave_as_before(users_engine):
    inbox = open_inbox(users_engine)
    admit(inbox, "m-1")
    insert = text("INSERT INTO theirs VALUES (1)")
    is_autocommit = users_engine.dialect._on_connect_isolation_level == "AUTOCOMMIT"

    with users_engine.connect() as connection:
        connection.execute(insert)
        connection.rollback()
        left = scalar(connection, "SELECT count(*) FROM theirs")
    with users_engine.begin() as connection:
        connection.execute(insert)

    assert left == is_autocommit
    with users_engine.connect() as connection:
        assert scalar(connection, "SELECT count(*) FROM theirs") == left + 1


def test_users_own_file_in_wal_mode_needs_full_only(sqlite_url, make_engine):
    engine = make_engine(sqlite_url)
    with engine.connect() as connection:
        scalar(connection, "PRAGMA journal_mode = WAL")
    inbox = open_inbox(engine)

    with inbox._transactions.write() as connection:
        level = scalar(connection, "PRAGMA synchronous")

    assert level == 2


def test_users_own_connections_are_not_closed(sqlite_url, make_engine):
    engine = make_engine(sqlite_url)
    inbox = open_inbox(engine)
    admit(inbox, "m-1")
    pool = engine.pool

    inbox.close()

    assert engine.pool is pool


def test_own_connections_are_closed(sql_inbox):
    admit(sql_inbox, "m-1")

    sql_inbox.close()

    assert sql_inbox._transactions.engine.pool.checkedin() == 0


def test_forked_process_has_connections_of_its_own(sql_inbox):
    admit(sql_inbox, "m-1")
    # The parent is in the middle of a transaction when it forks.
    with sql_inbox._transactions.write():
        reading, writing = os.pipe()
        process_id = os.fork()
        if process_id == 0:
            sql_inbox.after_fork()
            os.write(writing, sql_inbox.find()[0].event_id.encode())
            os._exit(0)
        os.waitpid(process_id, 0)

    assert os.read(reading, 10) == b"m-1"
    assert admit(sql_inbox, "m-2")
    os.close(reading)
    os.close(writing)


def test_forked_process_forgets_the_lock_that_its_parent_held(sqlite_inbox):
    with sqlite_inbox._transactions.write():
        sqlite_inbox.after_fork()

        assert sqlite_inbox._transactions._writer.acquire(blocking=False)
