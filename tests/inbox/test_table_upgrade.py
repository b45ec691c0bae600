"""Tables of an older hookkit become those of today, and tables are checked or refused."""

import os
import signal
import sys
import uuid
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect, make_url, select, text, update

from hookkit import crash_points
from hookkit.core.attempts import Outcome
from hookkit.core.entry import State
from hookkit.core.errors import ConfigurationError
from hookkit.core.scheme import KeptKey
from hookkit.inbox.opening import open_inbox
from hookkit.inbox.sql.table_upgrade import MIGRATIONS
from hookkit.inbox.sql.tables import SCHEMA_VERSION, metadata, schema
from tests.acceptance.forking import fork, forks, run_python
from tests.inbox.making import (
    LEASE_S,
    NOW,
    admit,
    after,
    attempt,
    claim,
    claim_one,
    deliver,
    done,
    item,
    kept,
    succeeded,
)
from tests.inbox.racing import open_and_admit
from tests.inbox.version_1 import BODY, make_version_1

ROOT = Path(__file__).parents[2]


def engine_of(url):
    parsed = make_url(url)
    if parsed.drivername == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    return create_engine(parsed)


@pytest.fixture
def engine(sql_url):
    made = engine_of(sql_url)
    yield made
    made.dispose()


@pytest.fixture
def version_1(engine):
    make_version_1(engine)
    return engine


def versions_in(engine):
    with engine.connect() as connection:
        return list(connection.scalars(select(schema.c.version)))


def shape_of(engine):
    """Return what the database says of hookkit's tables."""
    found = inspect(engine)
    return {
        name: {
            "columns": {
                column["name"]: (
                    repr(column["type"]),
                    column["nullable"],
                    # SQLite has no word of its own for false.
                    {"false": "0"}.get(column["default"], column["default"])
                    if engine.dialect.name == "sqlite"
                    else column["default"],
                )
                for column in found.get_columns(name)
            },
            "key": found.get_pk_constraint(name)["constrained_columns"],
            "unique": found.get_unique_constraints(name),
            "foreign": found.get_foreign_keys(name),
            "indexes": {
                index["name"]: (index["column_names"], index["unique"], where_of(index))
                for index in found.get_indexes(name)
            },
        }
        for name in metadata.tables
    }


def where_of(index):
    """Return the condition of a partial index, without what databases add to its words."""
    options = index.get("dialect_options", {})
    where = [str(value) for name, value in options.items() if name.endswith("_where")]
    return "".join(where).replace("hookkit_entries.", "").replace("\n", " ").split()


def test_every_version_has_a_migration_that_leads_to_it():
    assert list(MIGRATIONS) == list(range(2, SCHEMA_VERSION + 1))


def test_migrated_tables_are_those_that_are_made_today(version_1, sql_url, request):
    open_inbox(sql_url).close()
    migrated = shape_of(version_1)
    with version_1.begin() as connection:
        metadata.drop_all(connection)

    open_inbox(sql_url).close()

    fresh = shape_of(version_1)
    assert migrated == fresh
    assert versions_in(version_1) == [SCHEMA_VERSION]


def test_tables_that_are_made_are_those_of_the_metadata(engine, sql_url):
    open_inbox(sql_url).close()

    found = inspect(engine)
    there = {name: {each["name"] for each in found.get_columns(name)} for name in metadata.tables}

    assert there == {name: set(table.c.keys()) for name, table in metadata.tables.items()}


def test_rows_of_version_1_mean_what_they_meant(version_1, sql_url):
    inbox = open_inbox(sql_url)

    stands = {one.event_id: one for one in inbox.find()}

    inbox.close()
    assert {name: one.state.value for name, one in stands.items()} == {
        name: name for name in ("done", "waiting", "pending", "running")
    }
    assert {one.received_at for one in stands.values()} == {NOW}
    assert {(one.has_body, one.event_type) for one in stands.values()} == {(True, None)}
    assert stands["waiting"].next_attempt_at == after(30)
    assert [(one.handler, one.outcome, one.error) for one in stands["waiting"].attempts] == [
        ("greet", Outcome.SUCCEEDED, None),
        ("log", Outcome.FAILED, "ValueError: no"),
    ]


def test_entries_of_version_1_are_worked_on(version_1, sql_url):
    inbox = open_inbox(sql_url)

    claimed = []
    for at in (0, 30, LEASE_S):
        claimed += claim(inbox, at=at, in_lanes=True)
        assert inbox.settle(claimed[-1], done(attempt("log")), now=after(at))
    pending, waiting, running = claimed
    inbox.replay(1, now=NOW)

    assert (pending.event_id, pending.body, pending.tries) == ("pending", BODY, {})
    assert (waiting.event_id, succeeded(waiting)) == ("waiting", {"greet"})
    assert (running.event_id, running.lost_claim_count) == ("running", 1)
    assert inbox.counts() == dict.fromkeys(State, 0) | {State.PENDING: 1, State.DONE: 3}
    (again,) = inbox.admit(deliver(item("done"))).admitted
    assert (again.entry_id, again.is_new) == (1, False)
    assert admit(inbox, "new") == [5]
    inbox.close()


def make_older(engine, version, *statements):
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
        connection.execute(update(schema).values(version=version))


OF_VERSION_5 = (
    "DROP TABLE hookkit_applications",
    "ALTER TABLE hookkit_deliveries DROP COLUMN application",
)

OF_VERSION_6 = (
    "DROP INDEX hookkit_entries_subject",
    "ALTER TABLE hookkit_entries DROP COLUMN subject",
)

OF_VERSION_7 = (
    "ALTER TABLE hookkit_attempts DROP COLUMN raised_at",
    "DROP TABLE hookkit_quarantine",
    "DROP TABLE hookkit_minutes",
    "DROP TABLE hookkit_drift",
    "DROP TABLE hookkit_replays",
    "DROP TABLE hookkit_replayed",
    "DROP TABLE hookkit_audit",
    "DROP TABLE hookkit_workers",
)


def test_inbox_of_the_version_before_applications_opens_and_hands_out_what_it_has(engine, sql_url):
    inbox = open_inbox(sql_url)
    admit(inbox, "old")
    inbox.close()
    make_older(engine, 4, *OF_VERSION_5, *OF_VERSION_6, *OF_VERSION_7)

    inbox = open_inbox(sql_url)
    inbox.applications.recognize({"support": ["us"]}, lambda _: [])

    assert [each.event_id for each in claim(inbox)] == ["old"]
    assert versions_in(engine) == [SCHEMA_VERSION]
    inbox.close()


def test_inbox_of_the_version_before_keys_opens_and_keeps_them(engine, sql_url):
    open_inbox(sql_url).close()
    since_4 = (*OF_VERSION_5, *OF_VERSION_6, *OF_VERSION_7)
    make_older(engine, 3, "DROP TABLE hookkit_keys", *since_4)

    inbox = open_inbox(sql_url)
    inbox.keys.keep("server", KeptKey("key", "{}", NOW))

    assert list(inbox.keys.load("server")) == [KeptKey("key", "{}", NOW)]
    assert versions_in(engine) == [SCHEMA_VERSION]
    inbox.close()


def test_migrated_inbox_may_encrypt_from_then_on(version_1, sql_url):
    inbox = open_inbox(sql_url, encryption_keys=["MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="])
    inbox.admit(deliver(item("new"), body=b"sent today"))

    bodies = {entry.event_id: entry.body for entry in claim(inbox)}

    assert bodies == {"pending": BODY, "new": b"sent today"}
    assert [stored == BODY for stored, _ in kept(inbox)] == [True, False]
    inbox.close()


OPEN = """
import sys
from hookkit.inbox.opening import open_inbox
open_inbox(sys.argv[1]).close()
"""


def test_death_amid_a_migration_leaves_the_old_tables_whole(version_1, sql_url):
    before = inspect(version_1).get_columns("hookkit_attempts")
    environment = os.environ | {
        "PYTHONPATH": f"{ROOT}",
        crash_points.VARIABLE: "migration_written:1",
    }

    died = run_python([sys.executable, "-c", OPEN, sql_url], env=environment).returncode

    assert died == -signal.SIGKILL
    assert versions_in(version_1) == [1]
    after_death = inspect(version_1).get_columns("hookkit_attempts")
    assert [each["name"] for each in after_death] == [each["name"] for each in before]
    open_inbox(sql_url).close()
    assert versions_in(version_1) == [SCHEMA_VERSION]


@pytest.mark.parametrize("is_there", [False, True], ids=["no tables", "version 1"])
def test_processes_that_start_at_once_see_to_the_tables_once(engine, sql_url, is_there):
    if is_there:
        make_version_1(engine)
    processes = 4
    start, results = forks.Barrier(processes), forks.Queue()
    started = [fork(open_and_admit, sql_url, number, start, results) for number in range(processes)]

    for process in started:
        process.start()
    new_counts = [results.get(timeout=60) for _ in started]
    for process in started:
        process.join()
        process.close()
    results.close()
    results.join_thread()

    assert sorted(new_counts, key=str) == [0, 0, 0, 1]
    assert versions_in(engine) == [SCHEMA_VERSION]


def refused_by_check(url):
    with pytest.raises(ConfigurationError) as refused:
        open_inbox(url, migrates=False)
    (mistake,) = refused.value.mistakes
    assert mistake.startswith("HOOKKIT_DATABASE: its tables lack ")
    assert "flask hookkit tables upgrade" in mistake
    assert 'HOOKKIT_TABLES to "upgrade"' in mistake
    return mistake


def test_check_refuses_missing_tables_and_makes_none(engine, sql_url):
    mistake = refused_by_check(sql_url)

    assert all(f"table {name}" in mistake for name in metadata.tables)
    assert inspect(engine).get_table_names() == []


def test_check_refuses_an_older_version_and_leaves_it(version_1, sql_url):
    mistake = refused_by_check(sql_url)

    assert f"version {SCHEMA_VERSION} (it has version 1)" in mistake
    assert "column hookkit_attempts.outcome" in mistake
    assert "column hookkit_entries.chosen_handlers" in mistake
    assert versions_in(version_1) == [1]


def test_check_names_a_missing_column_alone(engine, sql_url):
    open_inbox(sql_url).close()
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE hookkit_entries DROP COLUMN event_type"))

    mistake = refused_by_check(sql_url)

    assert "lack column hookkit_entries.event_type; run" in mistake


def test_check_takes_what_the_user_made_of_the_metadata(engine, sql_url):
    with engine.begin() as connection:
        metadata.create_all(connection)  # as a migration of the user's own would

    inbox = open_inbox(sql_url, migrates=False)
    admit(inbox, "m-1")
    assert inbox.settle(claim_one(inbox), done(attempt()), now=NOW)

    inbox.close()
    assert versions_in(engine) == []


def test_tables_that_the_user_made_are_taken_without_check_as_well(engine, sql_url):
    with engine.begin() as connection:
        metadata.create_all(connection)

    open_inbox(sql_url).close()

    assert versions_in(engine) == [SCHEMA_VERSION]


@pytest.mark.parametrize("migrates", [True, False], ids=["upgrade", "check"])
def test_tables_of_a_newer_hookkit_are_refused_and_left(engine, sql_url, migrates):
    open_inbox(sql_url).close()
    with engine.begin() as connection:
        connection.execute(update(schema).values(version=SCHEMA_VERSION + 1))

    with pytest.raises(ConfigurationError, match="made by a newer hookkit") as refused:
        open_inbox(sql_url, migrates=migrates)

    assert "install the newer release again" in str(refused.value)
    assert versions_in(engine) == [SCHEMA_VERSION + 1]


@pytest.fixture
def role_url(postgres_url):
    """Return the URL of a role that may use tables, and neither make nor change any."""
    name = f"hookkit_role_{uuid.uuid4().hex}"
    admin = engine_of(postgres_url)
    with admin.begin() as connection:
        place = connection.execute(text("SELECT current_schema()")).scalar_one()
        connection.execute(text(f"CREATE ROLE {name} LOGIN PASSWORD 'of-a-test'"))
        connection.execute(text(f"GRANT USAGE ON SCHEMA {place} TO {name}"))
        for objects, rights in (
            ("TABLES", "SELECT, INSERT, UPDATE, DELETE"),
            ("SEQUENCES", "USAGE, SELECT"),
        ):
            connection.execute(
                text(
                    f"ALTER DEFAULT PRIVILEGES IN SCHEMA {place} GRANT {rights} ON {objects}"
                    f" TO {name}"
                )
            )
    url = make_url(postgres_url).set(username=name, password="of-a-test")
    yield url.render_as_string(hide_password=False)
    with admin.begin() as connection:
        connection.execute(text(f"DROP OWNED BY {name}"))
        connection.execute(text(f"DROP ROLE {name}"))
    admin.dispose()


def test_role_that_may_change_no_table_works_with_check(postgres_url, role_url):
    open_inbox(postgres_url).close()

    inbox = open_inbox(role_url, migrates=False)
    (entry_id,) = admit(inbox, "m-1")
    assert inbox.settle(claim_one(inbox), done(attempt()), now=NOW)
    inbox.replay(entry_id, now=NOW)
    assert inbox.settle(claim(inbox, in_lanes=True)[0], done(), now=NOW)

    assert inbox.prune(bodies_before=after(1), ids_before=after(1)) == (1, 1, None)
    inbox.close()


def test_role_that_may_change_no_table_needs_no_right_when_all_is_up_to_date(
    postgres_url, role_url
):
    open_inbox(postgres_url).close()

    inbox = open_inbox(role_url)

    assert inbox.find() == []
    inbox.close()


@pytest.mark.parametrize("migrates", [True, False], ids=["upgrade", "check"])
def test_role_that_may_make_no_table_is_told_so(role_url, migrates):
    with pytest.raises(ConfigurationError, match="HOOKKIT_DATABASE: ") as refused:
        open_inbox(role_url, migrates=migrates)

    told = "InsufficientPrivilege" if migrates else "lack table hookkit_applications"
    assert told in str(refused.value)
    assert "of-a-test" not in str(refused.value)
