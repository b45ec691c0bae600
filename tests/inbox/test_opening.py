"""What ``HOOKKIT_DATABASE`` may hold, and what is said when it cannot be opened."""

import logging
import sqlite3
import stat
import sys
from contextlib import ExitStack
from datetime import UTC, datetime

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.pool import StaticPool

from hookkit.core.errors import ConfigurationError, Unavailable
from hookkit.inbox.opening import check_database, open_inbox
from hookkit.inbox.sql import transactions
from tests.applications import admit as admit_body
from tests.applications import message
from tests.inbox.making import admit


def refusal(database):
    """Return why *database* is refused."""
    with pytest.raises(ConfigurationError) as caught:
        open_inbox(database)
    (mistake,) = caught.value.mistakes
    assert mistake.startswith("HOOKKIT_DATABASE: ")
    return mistake


def test_memory_is_a_store_of_its_own_each_time():
    first, second = open_inbox("memory://"), open_inbox("memory://")

    admit(first, "m-1")

    assert second.find() == []


@pytest.mark.parametrize(
    "form",
    [
        pytest.param(lambda url: url, id="text"),
        pytest.param(make_url, id="URL"),
        pytest.param(lambda url: lambda: url, id="function"),
        pytest.param(lambda url: lambda: make_url(url), id="function of a URL"),
    ],
)
def test_sqlite_file_is_opened(sqlite_url, form):
    inbox = open_inbox(form(sqlite_url))

    assert admit(inbox, "m-1")
    inbox.close()


@pytest.mark.parametrize("is_function", [False, True])
def test_engine_is_used_as_it_is(sqlite_url, is_function):
    engine = create_engine(sqlite_url)

    inbox = open_inbox((lambda: engine) if is_function else engine)

    with engine.connect() as connection:
        count = connection.execute(text("SELECT count(*) FROM hookkit_entries")).scalar_one()
    assert (count, inbox._transactions.engine) == (0, engine)
    engine.dispose()


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_postgresql_is_reached_through_psycopg(postgres_url, scheme):
    url = make_url(postgres_url).set(drivername=scheme).render_as_string(hide_password=False)

    inbox = open_inbox(url)

    assert inbox._transactions.engine.dialect.driver == "psycopg"
    assert admit(inbox, "m-1")
    inbox.close()


@pytest.mark.parametrize(("given", "taken"), [("none", None), ("0", 0), ("7", 7)])
def test_statements_are_prepared_as_the_url_says(postgres_url, given, taken):
    inbox = open_inbox(make_url(postgres_url).update_query_dict({"prepare_threshold": given}))

    with inbox._transactions.read() as connection:
        threshold = connection.connection.dbapi_connection.prepare_threshold

    inbox.close()
    assert threshold == taken


def test_threshold_that_is_no_number_is_refused():
    assert "prepare_threshold must be a number, or none" in refusal(
        "postgresql://me:hunter2@localhost/inbox?prepare_threshold=often"
    )


def test_connections_are_as_many_as_the_threads_need(postgres_url):
    inbox = open_inbox(postgres_url, threads=20)

    with ExitStack() as held:
        connections = [held.enter_context(inbox._transactions.read()) for _ in range(30)]

        assert len({one.connection.dbapi_connection for one in connections}) == 30
    inbox.close()


def test_missing_psycopg_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)

    why = refusal("postgresql://me:hunter2@localhost/inbox")

    assert "pip install hookkit[postgres]" in why
    assert "hunter2" not in why


def test_missing_driver_is_named():
    why = refusal("postgresql+psycopg2://localhost/inbox")

    assert "pip install psycopg2" in why


@pytest.mark.parametrize(
    ("url", "name"),
    [
        pytest.param("mysql://me:hunter2@localhost/inbox", "MySQL is not supported", id="mysql"),
        pytest.param("mysql+pymysql://me:hunter2@db/inbox", "MySQL is not", id="with driver"),
        pytest.param("mariadb://me:hunter2@localhost/inbox", "MariaDB is not", id="mariadb"),
        pytest.param("oracle://me:hunter2@localhost/inbox", "'oracle' is not", id="oracle"),
        pytest.param("redis://:hunter2@localhost/0", "'redis' is not", id="no dialect"),
        pytest.param("memory://hunter2", "'memory' is not", id="memory with a name"),
        pytest.param("postgresql+odd://me:hunter2@db/inbox", "postgresql+odd", id="odd driver"),
        pytest.param("sqlite+odd:///hunter2", "sqlite+odd", id="odd driver of sqlite"),
        pytest.param("postgresql+psycopg_async://me:hunter2@db/i", "psycopg_async", id="async"),
        pytest.param("me:hunter2@localhost/inbox", "not a database URL", id="no scheme"),
        pytest.param("", "not a database URL", id="empty"),
        pytest.param("postgresql://me:hunter2@db:port/inbox", "URL", id="port is no number"),
    ],
)
def test_database_that_cannot_hold_an_inbox_is_refused_by_name(url, name):
    why = refusal(url)

    assert name in why
    assert "hunter2" not in why
    with pytest.raises(ConfigurationError):
        check_database(url)


@pytest.mark.parametrize(
    "database",
    [
        pytest.param("memory://", id="memory"),
        pytest.param("postgresql://me:hunter2@127.0.0.1:1/inbox", id="server that is down"),
        pytest.param(lambda: "mysql://", id="function, not called"),
    ],
)
def test_check_touches_no_database(database):
    check_database(database)


def test_check_creates_no_file(tmp_path):
    check_database(f"sqlite:///{tmp_path}/instance/inbox.db")

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("password", ["p@tail-of-it", "p@tail-of-it@more"])
def test_password_with_an_at_sign_is_refused_and_not_shown(password):
    with pytest.raises(ConfigurationError, match="as %40") as refused:
        open_inbox(f"postgresql://user:{password}@localhost:1/shop")

    assert "tail-of-it" not in str(refused.value)


@pytest.mark.parametrize("database", [None, 5, b"sqlite:///x.db", lambda: None])
def test_what_is_neither_url_nor_engine_is_refused(database):
    assert "a URL or a SQLAlchemy Engine is needed" in refusal(database)


@pytest.mark.parametrize(
    "url",
    [
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite+pysqlite:///:memory:",
        "sqlite:///file::memory:?cache=shared&uri=true",
        "sqlite:///file:inbox?mode=memory&cache=shared&uri=true",
    ],
)
def test_sqlite_in_memory_is_refused_in_favour_of_memory(url):
    assert "use memory://" in refusal(url)


def test_engine_in_memory_is_refused_in_favour_of_memory():
    engine = create_engine("sqlite://", poolclass=StaticPool)

    assert "use memory://" in refusal(engine)


def test_missing_folder_is_created_for_its_owner_alone(tmp_path):
    folder = tmp_path / "instance"

    open_inbox(f"sqlite:///{folder}/inbox.db").close()

    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_new_file_is_for_its_owner_alone(tmp_path, sqlite_url):
    inbox = open_inbox(sqlite_url)
    admit(inbox, "m-1")

    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}

    inbox.close()
    endings = ["", "-wal", "-shm", "-hookkit-lock", "-hookkit-lock-turnstile"]
    assert modes == {f"inbox.db{ending}": 0o600 for ending in endings}


def test_mode_of_a_file_that_is_there_is_the_users(tmp_path, sqlite_url):
    path = tmp_path / "inbox.db"
    path.touch()
    path.chmod(0o640)

    open_inbox(sqlite_url).close()

    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_folder_whose_own_folder_is_missing_is_not_created(tmp_path):
    why = refusal(f"sqlite:///{tmp_path}/misspelt/instance/inbox.db")

    assert "create its folder" in why
    assert list(tmp_path.iterdir()) == []


def test_folder_in_place_of_the_file_is_refused(tmp_path):
    assert f"{tmp_path} cannot be read and written" in refusal(f"sqlite:///{tmp_path}")


def test_file_in_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "instance").touch()

    assert "cannot be read and written" in refusal(f"sqlite:///{tmp_path}/instance/inbox.db")


def test_file_that_is_no_database_is_refused_and_left_alone(tmp_path, sqlite_url):
    path = tmp_path / "inbox.db"
    path.write_bytes(b"a letter to somebody " * 500)

    why = refusal(sqlite_url)

    assert "file is not a database" in why
    assert "name another file" in why
    assert path.read_bytes() == b"a letter to somebody " * 500


def test_file_that_can_only_be_read_is_refused(tmp_path):
    path = tmp_path / "inbox.db"
    sqlite3.connect(path).close()

    why = refusal(f"sqlite:///file:{path}?mode=ro&uri=true")

    assert "readonly database" in why


def test_file_that_is_locked_at_start_is_unavailable(tmp_path, sqlite_url, monkeypatch):
    monkeypatch.setattr(transactions, "BUSY_TIMEOUT_S", 0.05)
    other = sqlite3.connect(tmp_path / "inbox.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")

    with pytest.raises(Unavailable, match="database is locked"):
        open_inbox(f"{sqlite_url}?timeout=0.05")

    other.close()
    open_inbox(sqlite_url).close()


def test_switch_to_a_write_ahead_log_waits_for_a_reader(tmp_path, sqlite_url, monkeypatch):
    other = sqlite3.connect(tmp_path / "inbox.db", isolation_level=None)
    other.execute("CREATE TABLE theirs (a INTEGER)")
    other.execute("BEGIN")
    other.execute("SELECT * FROM theirs").fetchall()
    # What the switch does instead of polling on: the reader goes away.
    monkeypatch.setattr("hookkit.inbox.sqlite.file.time.sleep", lambda _: other.execute("ROLLBACK"))

    inbox = open_inbox(f"{sqlite_url}?timeout=0")

    with inbox._transactions.read() as connection:
        mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar_one()
    inbox.close()
    other.close()
    assert mode == "wal"


def test_server_that_is_down_is_unavailable():
    with pytest.raises(Unavailable) as caught:
        open_inbox("postgresql://me:hunter2@127.0.0.1:1/inbox")

    assert "OperationalError" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_user_who_may_not_create_tables_is_refused(postgres_url):
    options = {"options": "-csearch_path=pg_catalog"}
    url = make_url(postgres_url).update_query_dict(options)

    why = refusal(url)

    assert "InsufficientPrivilege" in why
    assert "check the rights of its user" in why


def test_log_of_our_own_engine_holds_no_body_at_any_level(sql_url, caplog):
    caplog.set_level(logging.DEBUG, "sqlalchemy")
    inbox = open_inbox(sql_url)
    admit_body(inbox, message(text="Where is my order?"), datetime(2026, 3, 1, tzinfo=UTC))
    (claimed,) = inbox.claim(
        now=datetime(2026, 3, 2, tzinfo=UTC), lease_s=60, limit=1, endpoints=["support"]
    )
    inbox.close()

    assert b"Where is my order?" in claimed.body
    assert "SELECT" in caplog.text
    assert "Where is my order?" not in caplog.text
    assert "event-1" not in caplog.text
