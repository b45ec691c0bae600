"""Opens the inbox that the setting ``HOOKKIT_DATABASE`` names.

A mistake that a developer must mend is a ``ConfigurationError`` that says how; a database that
is locked or down just now is ``Unavailable``. No message shows a URL: it may hold a password.
"""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from sqlalchemy import URL, Engine, create_engine, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    InterfaceError,
    NoSuchModuleError,
    OperationalError,
)

from hookkit.core.errors import ConfigurationError, Unavailable
from hookkit.inbox.inbox import Inbox
from hookkit.inbox.postgres.transactions import PostgresTransactions
from hookkit.inbox.sql.rows import BodyCipher
from hookkit.inbox.sql.transactions import BUSY_TIMEOUT_S, Transactions, brief_reason
from hookkit.inbox.sqlite.loss import forget, loss_of_missing
from hookkit.inbox.sqlite.private import PrivateFolder, PrivateTransactions
from hookkit.inbox.sqlite.transactions import SqliteTransactions

#: What ``HOOKKIT_DATABASE`` may hold.
Database: TypeAlias = str | URL | Engine | Callable[[], str | URL | Engine]

_SETTING = "HOOKKIT_DATABASE"
#: The URL of a store that is private to this process, and gone with it.
MEMORY = "memory://"

# Of every connection to PostgreSQL, unless the URL says otherwise.
_POSTGRES_OPTIONS: dict[str, object] = {
    # Seconds that it may take to connect: a vendor is waiting.
    "connect_timeout": 5,
    # A server that vanished without a word is found out in a minute, not in two hours.
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
}

# psycopg takes this one as a number, and from no URL. PgBouncer before 1.21 gives transactions
# other sessions, where nothing is prepared: https://www.psycopg.org/psycopg3/docs/advanced/prepare.html
_PREPARE = "prepare_threshold"

# SQLAlchemy logs the rows that it reads at DEBUG, bodies among them, whatever hide_parameters says.
_LOGGING_NAME = "hookkit"
logging.getLogger(f"sqlalchemy.engine.Engine.{_LOGGING_NAME}").addFilter(
    lambda record: record.levelno > logging.DEBUG
)

# Connections of one process that stay open, and that may be open at once, beside one for each
# thread that runs handlers. To PostgreSQL deliveries use six at most: the others queue for them.
_POOL_SIZE = 8
_MAX_CONNECTIONS = 15

# Their unique keys compare texts without case by default, and one event id would be another.
_REFUSED = {"mysql": "MySQL", "mariadb": "MariaDB"}

# What a SQLite file gets better of by itself, or by other means than a setting.
_PASSING = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_INTERRUPT,
}


def open_inbox(
    database: Database,
    *,
    encryption_keys: Sequence[str] = (),
    migrates: bool = True,
    threads: int = 0,
) -> Inbox:
    """Return the inbox in *database*, its tables created where they were missing.

    Args:
        database: ``memory://`` for a new store that is private to this process; a SQLAlchemy
            URL of a SQLite file or of PostgreSQL; an engine; or a function that returns one
            of these. A missing folder of a SQLite file is created, readable by its owner
            alone, when its own parent is there; so is the file.
        encryption_keys: Fernet keys, newest first; with none, bodies are stored as they are.
        migrates: Whether tables may be created and changed; otherwise they are only checked.
        threads: How many threads run handlers in this process; each gets a connection more.

    Raises:
        ConfigurationError: *database* cannot hold an inbox.
        Unavailable: It cannot be used now.
    """
    if callable(database):
        database = database()
    check_database(database)
    inbox = Inbox(
        _transactions(database, migrates=migrates, threads=threads), BodyCipher(encryption_keys)
    )
    try:
        inbox.prepare()
    except BaseException as error:
        inbox.close()
        if isinstance(error, Unavailable):
            _explain(error.__cause__)
        raise
    return inbox


def _transactions(database: str | URL | Engine, *, migrates: bool, threads: int) -> Transactions:
    if isinstance(database, Engine):
        engine, is_own = database, False
    elif is_memory(database):
        folder = PrivateFolder()
        file = URL.create("sqlite", database=str(folder.path / "inbox.db"))
        return PrivateTransactions(_own_engine(file, threads), folder)
    else:
        url = parse_url(database)
        if url.get_backend_name() == "sqlite":
            _create_file(url)
        engine, is_own = _own_engine(url, threads), True
    kind = SqliteTransactions if engine.dialect.name == "sqlite" else PostgresTransactions
    return kind(engine, is_own=is_own, migrates=migrates)


def accept_loss(database: Database) -> int:
    """Have the SQLite file of *database* used as it is, whatever it has lost.

    Returns:
        The number of the newest event that it was known to hold; 0 if none was.

    Raises:
        ConfigurationError: It is no file that hookkit opens by its name.
    """
    if isinstance(database, str | URL) and not is_memory(database):
        url = parse_url(database)
        if url.get_backend_name() == "sqlite" and "uri" not in url.query:
            return forget(Path(url.database or "").resolve())
    raise ConfigurationError(
        f"{_SETTING}: only a SQLite file that is named by its path is known to have lost events"
    )


def check_database(database: object) -> None:
    """Refuse what cannot hold an inbox, as far as that shows without touching a database.

    What a function returns is checked when the inbox is opened.

    Raises:
        ConfigurationError: *database* cannot hold an inbox.
    """
    if isinstance(database, Engine):
        _check(database.url)
        _check_driver(database)
    elif isinstance(database, str | URL):
        if str(database) != MEMORY:
            _own_engine(parse_url(database))
    elif not callable(database):
        raise ConfigurationError(
            f"{_SETTING}: a URL or a SQLAlchemy Engine is needed, not {type(database).__name__}"
        )


def is_memory(database: object) -> bool:
    """Tell whether *database* is a store that no other process sees."""
    return isinstance(database, str | URL) and str(database) == MEMORY


def in_instance_folder(database: str | URL | Engine, folder: str) -> str | URL | Engine:
    """Return *database*; of a SQLite file with a relative path, the one in *folder*.

    Two processes may have other working folders, and would have two inboxes. ``~`` is the
    folder of the user.
    """
    if isinstance(database, Engine) or is_memory(database):
        return database
    url = parse_url(database)
    path = url.database or ""
    if url.get_backend_name() != "sqlite" or path.startswith(("/", "file:")) or "uri" in url.query:
        return database
    # An absolute path on Windows is one, too: joined to a folder, it stays what it is.
    return url.set(database=str(Path(folder) / Path(path).expanduser()))


def parse_url(database: str | URL) -> URL:
    """Return the URL in *database*, with the driver that is used.

    Raises:
        ConfigurationError: It is none, or of a database that cannot hold an inbox.
    """
    try:
        url = make_url(database)
    except (ArgumentError, ValueError):
        # Not from the error, which may show the text and the password in it.
        message = f"{_SETTING}: it is not a database URL; sqlite:////path/to/file.db is one"
        raise ConfigurationError(message) from None
    if url.drivername in ("postgres", "postgresql"):
        url = url.set(drivername="postgresql+psycopg")
    _check(url)
    return url


def _check(url: URL) -> None:
    if "@" in (url.host or ""):
        # The driver would look for a host with the end of the password in its name, and log it.
        raise ConfigurationError(
            f"{_SETTING}: there are two @ in it; write the one in the password as %40"
        )
    backend = url.get_backend_name()
    if backend in _REFUSED:
        raise ConfigurationError(
            f"{_SETTING}: {_REFUSED[backend]} is not supported; use SQLite or PostgreSQL"
        )
    if backend not in ("sqlite", "postgresql"):
        raise ConfigurationError(
            f"{_SETTING}: {backend!r} is not supported; use SQLite or PostgreSQL"
        )
    if backend == "sqlite" and _is_in_memory(url):
        raise ConfigurationError(
            f"{_SETTING}: each connection to an in-memory SQLite database has a store of its"
            f" own; use {MEMORY} for tests, or a file"
        )


def _is_in_memory(url: URL) -> bool:
    name = url.database or ""
    return (
        name in ("", ":memory:", "file:")
        or name.startswith("file::memory:")
        or url.query.get("mode") == "memory"
        or "mode=memory" in name
    )


def _own_engine(url: URL, threads: int = 0) -> Engine:
    if url.get_backend_name() == "sqlite":
        # Statements for up to 64 rows of two tables stay prepared.
        options: dict[str, object] = {"cached_statements": 256}
        if "timeout" not in url.query:
            options["timeout"] = BUSY_TIMEOUT_S
    else:
        options = {key: at for key, at in _POSTGRES_OPTIONS.items() if key not in url.query}
        if _PREPARE in url.query:
            options[_PREPARE] = _prepare_threshold(url.query[_PREPARE])
            url = url.difference_update_query([_PREPARE])
    try:
        engine = create_engine(
            url,
            hide_parameters=True,
            logging_name=_LOGGING_NAME,
            connect_args=options,
            pool_size=_POOL_SIZE + threads,
            pool_timeout=BUSY_TIMEOUT_S,
            max_overflow=_MAX_CONNECTIONS - _POOL_SIZE,
            # The connection that wrote last has its pages and statements at hand.
            pool_use_lifo=True,
        )
    except ModuleNotFoundError as error:
        missing = "hookkit[postgres]" if error.name == "psycopg" else error.name
        raise ConfigurationError(
            f"{_SETTING}: the driver {error.name} is not installed: pip install {missing}"
        ) from error
    except NoSuchModuleError as error:
        raise ConfigurationError(
            f"{_SETTING}: SQLAlchemy has no driver {url.drivername!r}"
        ) from error
    except (ArgumentError, TypeError, ValueError) as error:
        raise ConfigurationError(
            f"{_SETTING}: SQLAlchemy refuses it ({type(error).__name__})"
        ) from None
    _check_driver(engine)
    return engine


def _prepare_threshold(given: object) -> int | None:
    """Return how often a statement runs before it is prepared; None is never."""
    if given == "none":
        return None
    if isinstance(given, str) and given.isdecimal():
        return int(given)
    raise ConfigurationError(f"{_SETTING}: {_PREPARE} must be a number, or none")


def _check_driver(engine: Engine) -> None:
    dialect = engine.dialect
    is_known = dialect.name == "postgresql" or dialect.driver == "pysqlite"
    if dialect.is_async or not is_known:
        raise ConfigurationError(
            f"{_SETTING}: {engine.url.drivername} is not supported; use sqlite:// or"
            " postgresql+psycopg://, which are not asynchronous"
        )


def _create_file(url: URL) -> None:
    """Create a SQLite file that is missing: bodies are private, other users may not read it.

    Only the last folder is created with it, normally Flask's instance folder: a longer path
    that is missing is more likely to be misspelt.
    """
    if url.query.get("uri") is not None:
        return
    path = Path(url.database or "").absolute()
    if not os.path.exists(path):  # noqa: PTH110  # this user may not look into a folder
        loss = loss_of_missing(path.resolve())
        if loss is not None:
            raise ConfigurationError(f"{_SETTING}: {path}: {loss}")
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise ConfigurationError(
            f"{_SETTING}: {path} cannot be read and written ({error.strerror}); create its"
            " folder, and give it to the user that runs the application"
        ) from error


def _explain(error: BaseException | None) -> None:
    """Raise what a developer must mend; return when waiting may help."""
    if not isinstance(error, DBAPIError | sqlite3.Error | UnicodeError):
        return
    code = getattr(getattr(error, "orig", error), "sqlite_errorcode", None)
    if isinstance(error, UnicodeError):
        advice = "it is damaged: put back a copy of it"
    elif code is None:
        if isinstance(error, OperationalError | InterfaceError | sqlite3.Error):
            return
        advice = "check the rights of its user"
    elif code & 0xFF in _PASSING:
        return
    elif code & 0xFF == sqlite3.SQLITE_NOTADB:
        advice = "name another file, or move this one away"
    else:
        advice = "check the file, its folder and their owner"
    raise ConfigurationError(
        f"{_SETTING}: the inbox cannot be opened ({brief_reason(error)}); {advice}"
    ) from error
