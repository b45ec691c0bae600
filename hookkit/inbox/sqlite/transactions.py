"""Transactions on a SQLite file."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import Any, NoReturn, TypeVar
from weakref import finalize

from sqlalchemy import Column, Connection, Engine, Table, event
from sqlalchemy.dialects import sqlite
from sqlalchemy.sql.dml import Insert

from hookkit import crash_points
from hookkit.core.entry import Entry, Receipt, Settlement
from hookkit.core.errors import ConfigurationError, Unavailable
from hookkit.inbox.sql import transactions
from hookkit.inbox.sql.admit import admit
from hookkit.inbox.sql.group_commit import GroupCommit
from hookkit.inbox.sql.patience import look_limit_s
from hookkit.inbox.sql.rows import PreparedDelivery
from hookkit.inbox.sql.transactions import Exclusive, unavailable
from hookkit.inbox.sqlite import file as sqlite_file
from hookkit.inbox.sqlite.admit import SqliteStorage
from hookkit.inbox.sqlite.loss import WatchedLog, refuse_loss, remember
from hookkit.inbox.sqlite.patience import given_up_after
from hookkit.inbox.sqlite.second_writer import one_writer
from hookkit.inbox.sqlite.settle import settle

_BUSY = "the inbox was busy for {:g} s"

# Of ``PRAGMA synchronous``. With a write-ahead log FULL puts a commit on the disk; without
# one, only EXTRA also syncs the folder, or a power cut brings the old journal back.
# https://www.sqlite.org/pragma.html#pragma_synchronous
_FULL = 2
_EXTRA = 3

# A delivery of 2 KiB does not fit into SQLite's usual 4 KiB pages twice. Larger pages cost a
# lone delivery more: each commit writes one of every index. ``python -m bench durable``
_PAGE_SIZE = 8192

# A wait shorter than this one leaves SQLite its whole timeout.
_SHORT_WAIT_S = 0.05

_Answer = TypeVar("_Answer")


class _LogGoneError(Unavailable):
    """The log that a connection writes to is not where the next one would look for it."""


class SqliteTransactions(transactions.Transactions):
    """Transactions on a SQLite file.

    The threads of a process queue for a lock before they try SQLite's own, because its busy
    handler sleeps and polls; so do the processes that share a file of our own. On the user's
    own engine SQLite's lock is waited for as long as that engine's ``timeout`` says, and the
    journal mode of its file stays as it is.

    The connection that writes to a file of our own is kept for the next write: to check one out
    of the pool and set it up takes longer than most statements. After an error, or a handler of
    the user, the next write checks out another.
    """

    def __init__(self, engine: Engine, *, is_own: bool, migrates: bool = True) -> None:
        super().__init__(engine, is_own=is_own, migrates=migrates)
        self._file_lock: sqlite_file.FileLock | None = None
        self._path: Path | None = None
        self._watched: sqlite_file.WatchedFile | None = None
        self._watched_log: WatchedLog | None = None
        # Whether another file may be in the place of the one that was opened.
        self._is_doubtful = False
        # The newest entry of a commit that is not remembered yet.
        self._newest_entry_id: int | None = None
        # What each write sets on its connection; None where connections are set up with it.
        self._synchronous: int | None = _EXTRA
        self._forget_threads()
        if is_own:
            self._set_up_connections()
            # An application that nobody holds any more, as after a test, leaves none open.
            finalize(self, _close_all, engine, self._kept).atexit = False

    def write_shared(self, work: Callable[[Connection], _Answer]) -> _Answer:
        """Return what *work* returned once that is durable.

        Raises:
            Unavailable: It is not durable, or its turn did not come in time.
        """
        self.prepare()
        answer: _Answer = self._small_writes.submit(work)
        return answer

    def admit(self, delivery: PreparedDelivery) -> Receipt:
        """Store what is new of *delivery*, in one commit with what other threads bring.

        Raises:
            Unavailable: It is not stored, or its turn did not come in time.
        """
        self.prepare()
        return self._admissions.submit(delivery, len(delivery.envelope.body))

    def settle(
        self, connection: Connection, finished: Sequence[tuple[Entry, Settlement]], now_ms: int
    ) -> set[int]:
        """Record attempts and next states; return the ids of those that were settled."""
        return settle(connection, finished, now_ms)

    def insert_unless_there(self, table: Table) -> Insert:
        """Return an insert into *table* that passes over rows that are there already."""
        return sqlite.insert(table).on_conflict_do_nothing()

    def insert_or_add(self, column: Column[Any]) -> Insert:
        """Return an insert that adds to *column* of the rows that are there already."""
        statement = sqlite.insert(column.table)
        return statement.on_conflict_do_update(
            index_elements=column.table.primary_key,
            set_={column.name: column + statement.excluded[column.name]},
        )

    def take(self, connection: Connection, what: Exclusive) -> None:
        """Do nothing: there is one writer anyway."""

    def share(self, connection: Connection, what: Exclusive) -> None:
        """Do nothing: there is one writer anyway."""

    def handling(self, connection: Connection) -> AbstractContextManager[None]:
        """Refuse what would wait for the lock that the handler holds itself."""
        # It may leave options on the connection, or close it.
        self._may_keep = False
        return one_writer(connection)

    def after_fork(self) -> None:
        """Forget the connections, the queues, and the locks that the parent may have held."""
        self._forget_threads()
        self._close_file_lock()
        self._forget_connections()
        super().after_fork()

    def close(self) -> None:
        """Close idle connections; those of the user's own engine are the user's to close."""
        self._is_prepared = False  # first: what is kept from now on, nobody would close
        # Whoever writes just now needs the lock until the end.
        if self._writer.acquire(blocking=False):
            self._close_file_lock()
            self._writer.release()
        self._forget_connections()
        super().close()

    def _set_up_connections(self) -> None:
        event.listen(self.engine, "connect", sqlite_file.set_up)

    def _forget_threads(self) -> None:
        self._writer = Lock()
        self._kept.clear()
        # Whether the connection that writes just now is as it was.
        self._may_keep = True
        self._small_writes: GroupCommit[Callable[[Connection], Any], Any] = GroupCommit(
            self._commit_small_writes, timeout_s=lambda: transactions.BUSY_TIMEOUT_S
        )
        self._admissions: GroupCommit[PreparedDelivery, Receipt] = GroupCommit(
            self._commit_admissions, timeout_s=lambda: transactions.BUSY_TIMEOUT_S
        )

    def _commit_small_writes(
        self, take: Callable[[], Sequence[Callable[[Connection], Any]]], *, timeout_s: float
    ) -> list[Any]:
        with self._writing(timeout_s) as connection:
            return [work(connection) for work in take()]

    def _commit_admissions(
        self, take: Callable[[], Sequence[PreparedDelivery]], *, timeout_s: float
    ) -> list[Receipt]:
        with self._writing(timeout_s) as connection:
            storage = SqliteStorage(connection)
            receipts = admit(connection, storage, take())
            self._newest_entry_id = storage.newest_entry_id
            crash_points.reach("admit_written")
            return receipts

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with (
            unavailable(),
            self._connection() as connection,
            _begun(connection, "BEGIN"),
            given_up_after(look_limit_s(), connection, is_own=self.is_own),
        ):
            yield connection

    @contextmanager
    def _writing(self, timeout_s: float | None = None) -> Iterator[Connection]:
        """Begin the one transaction that may write, within *timeout_s* if that is shorter."""
        began_at = time.monotonic()
        limit_s = transactions.BUSY_TIMEOUT_S
        timeout_s = limit_s if timeout_s is None else min(timeout_s, limit_s)
        with (
            self._turn(began_at + timeout_s),
            unavailable(),
            self._writing_connection() as connection,
        ):
            if self._is_doubtful:
                self._refuse_other_file(connection)
            left_s = timeout_s - (time.monotonic() - began_at)
            try:
                with (
                    self._synced(connection),
                    self._hurried(connection, left_s),
                    _begun(connection, "BEGIN IMMEDIATE"),
                ):
                    yield connection
            except Exception:
                if self._watched_log is not None and self._watched_log.has_gone():
                    self._give_up_log()  # which tells why
                raise
            self._note_commit()

    def _prepare_database(self) -> None:
        """Switch a file of our own to a write-ahead log, so that readers never block."""
        with unavailable(), self._connection() as connection:
            path = sqlite_file.file_of(connection) if self.is_own else None
            if path is not None:
                sqlite_file.refuse_network(path)
            mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar_one()
            if mode != "wal" and self.is_own:
                # Without effect on a file that holds something already.
                connection.exec_driver_sql(f"PRAGMA page_size = {_PAGE_SIZE}")
                mode = sqlite_file.switch_to_wal(connection, transactions.BUSY_TIMEOUT_S)
            if path is not None:
                if self._file_lock is None:
                    self._file_lock = sqlite_file.lock_beside(path)
                refuse_loss(connection, path)
                self._watched = sqlite_file.WatchedFile(path)
                self._watched_log = WatchedLog(path) if mode == "wal" else None
            self._path = path
        self._synchronous = _EXTRA
        if mode == "wal":
            self._synchronous = None if self.is_own else _FULL

    def _close_file_lock(self) -> None:
        if self._file_lock is not None:
            self._file_lock.close()

    def _check_descriptors(self) -> None:
        if self._file_lock is not None:
            self._file_lock.check()

    def _check_file(self) -> None:
        """Raise ``Unavailable`` when the file is gone: connections would go on writing to it."""
        if self._watched is not None and self._watched.has_gone():
            self._is_doubtful = True
            self._forget_connections()
            self.engine.dispose()
            raise Unavailable("the file of the inbox was moved or removed; put it back")

    def _note_commit(self) -> None:
        """Remember what was committed, if it is where the next process will find it.

        The log is not looked for before the write as well: what went into one that is gone is told
        to nobody, and each look lets other threads run.

        Raises:
            Unavailable: It is not.
        """
        newest, self._newest_entry_id = self._newest_entry_id, None
        if self._watched_log is not None and not self._watched_log.note_commit():
            self._give_up_log()
        self._check_descriptors()
        if newest is not None and self._file_lock is not None:
            with suppress(OSError):  # a full disk: less will be noticed, and nothing is lost
                remember(self._file_lock.open()[0], newest)

    def _give_up_log(self) -> NoReturn:
        # The last connection that is closed puts what it has written into the file.
        self._forget_connections()
        self.engine.dispose()
        raise _LogGoneError("the write-ahead log of the inbox was removed while it was in use")

    def _refuse_other_file(self, connection: Connection) -> None:
        """Raise ``Unavailable`` if the file was replaced by one that holds less."""
        assert self._path is not None  # noqa: S101  # for the type checker
        try:
            refuse_loss(connection, self._path)
        except ConfigurationError as error:
            raise Unavailable(str(error)) from error
        self._is_doubtful = False

    def _forget_connections(self) -> None:
        self._release_kept()
        if self._watched_log is not None:
            self._watched_log.forget()

    @contextmanager
    def _turn(self, give_up_at: float) -> Iterator[None]:
        """Wait until no other thread writes, and no other process that waits here as well."""
        writer = self._writer
        if not writer.acquire(timeout=max(0.0, give_up_at - time.monotonic())):
            raise Unavailable(_BUSY.format(transactions.BUSY_TIMEOUT_S))
        try:
            lock = self._file_lock
            with unavailable():
                if lock is not None and not lock.acquire(give_up_at):
                    raise Unavailable(_BUSY.format(transactions.BUSY_TIMEOUT_S))
            try:
                self._check_file()
                yield
            finally:
                # Not when it is a child's that was forked meanwhile: see ``after_fork``.
                if lock is not None:
                    lock.release()
        finally:
            writer.release()

    @contextmanager
    def _hurried(self, connection: Connection, left_s: float) -> Iterator[None]:
        """Have SQLite wait no longer than is left of our own timeout."""
        if not self.is_own or left_s > transactions.BUSY_TIMEOUT_S - _SHORT_WAIT_S:
            yield
            return
        usual_ms = connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one()
        left_ms = max(0, min(usual_ms, round(left_s * 1000)))
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {left_ms}")
        try:
            yield
        finally:
            connection.exec_driver_sql(f"PRAGMA busy_timeout = {usual_ms}")

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        """Check out a connection on which nobody but us begins and ends transactions."""
        self._check_descriptors()
        with self.engine.connect() as connection:
            undo = _take_over(connection)
            try:
                yield connection
            finally:
                undo()

    @contextmanager
    def _writing_connection(self) -> Iterator[Connection]:
        """Return a connection to write on: to a file of our own, the one that wrote last."""
        if not self.is_own:
            with self._connection() as connection:
                yield connection
            return
        connection = self._take_kept() or self._check_out()
        self._may_keep = True
        try:
            yield connection
        except _LogGoneError:
            _end(connection)
            raise
        except BaseException:
            connection.close()
            raise
        if not self._may_keep:
            connection.close()
            return
        self._keep(connection)

    def _check_out(self) -> Connection:
        """Return a connection of our own engine on which only we begin transactions."""
        self._check_descriptors()
        connection = self.engine.connect()
        try:
            _take_over(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    @contextmanager
    def _synced(self, connection: Connection) -> Iterator[None]:
        if self._synchronous is None:
            yield
            return
        level = connection.exec_driver_sql("PRAGMA synchronous").scalar_one()
        if level >= self._synchronous:
            yield
            return
        connection.exec_driver_sql(f"PRAGMA synchronous = {self._synchronous}")
        try:
            yield
        finally:
            connection.exec_driver_sql(f"PRAGMA synchronous = {level}")


def _take_over(connection: Connection) -> Callable[[], None]:
    """Have only us begin and end transactions on *connection*; return what undoes that.

    SQLAlchemy leaves BEGIN to the driver, which begins late and deferred, or to the user's
    listener for ``begin``: https://docs.sqlalchemy.org/en/20/dialects/sqlite.html
    Its isolation level AUTOCOMMIT would switch off the first and not the second, and give the
    connection back with the driver's default in place of the user's setting.
    """
    driver: Any = connection.connection.dbapi_connection
    isolation_level = driver.isolation_level
    # Python 3.12's other way to have the driver begin: it ignores isolation_level.
    begins_always = getattr(driver, "autocommit", None) is False

    def undo() -> None:
        driver.isolation_level = isolation_level
        if begins_always:
            driver.autocommit = False

    if begins_always:
        driver.autocommit = True
    driver.isolation_level = None
    try:
        connection.begin()
        if driver.in_transaction:
            connection.exec_driver_sql("ROLLBACK")
    except BaseException:
        undo()
        raise
    return undo


@contextmanager
def _begun(connection: Connection, begin: str) -> Iterator[None]:
    # Not through SQLAlchemy, which takes longer over these three than SQLite does.
    driver: Any = connection.connection.dbapi_connection
    driver.execute(begin)
    try:
        yield
        driver.execute("COMMIT")
    except BaseException:
        # Some errors, such as a full disk, make SQLite roll back by itself.
        if driver.in_transaction:
            driver.execute("ROLLBACK")
        raise


def _close_all(engine: Engine, kept: deque[Connection]) -> None:
    for connection in kept:
        _end(connection)
    engine.dispose()


def _end(connection: Connection) -> None:
    # Given back, it would stay open in a pool that was disposed of before.
    connection.invalidate()
    connection.close()
