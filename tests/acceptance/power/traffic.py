"""Senders and workers on one inbox, each promise that they hear recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import count, cycle
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from flask import Flask
from sqlalchemy import Engine, create_engine, event

from hookkit import HookKit, Unavailable
from hookkit.core.entry import State
from tests.acceptance.power.deliveries import Sent
from tests.acceptance.power.disk import folder_with
from tests.acceptance.power.driver import Connection
from tests.acceptance.power.record import Acknowledged, Record, Settled
from tests.acceptance.power.vfs import RecordingVFS
from tests.applications import ENDPOINTS, SECRET

FILE = "inbox.db"
_KEY = "power_cut.key"
_SENDERS = 6

# A name may not be given to a second VFS while the first is in use.
_vfs_numbers = count()


def run_traffic(
    files: Mapping[str, bytes],
    deliveries: Sequence[Sent],
    *,
    is_own: bool = True,
    checkpoint_pages: int = 1000,
) -> Record:
    """Send *deliveries* to an inbox, handle the events, and return what was recorded.

    Two applications share a file of hookkit's own, as two processes of a server do. With a
    user's engines they would mostly wait for each other, in SQLite's own busy handler.

    Args:
        files: What is there of the inbox, by name; nothing of a new one.
        deliveries: Some may be there already.
        is_own: Whether hookkit makes the engine; else it is the user's own, without a
            write-ahead log.
        checkpoint_pages: How long the write-ahead log becomes, in pages; SQLite's own default
            is more than a short run writes.
    """
    record: Record = []
    pragma = f"PRAGMA wal_autocheckpoint = {checkpoint_pages}"
    with folder_with(files) as folder, _recorded(folder, record, pragma):
        url = f"sqlite:///{folder / FILE}"
        databases: list[str | Engine] = [url, url] if is_own else [create_engine(url)]
        apps = [_make_app(database, record) for database in databases]
        try:
            _deliver_and_work(apps, record, deliveries)
        finally:
            for app, database in zip(apps, databases, strict=True):
                app.extensions["hookkit"].stop()
                if isinstance(database, Engine):
                    database.dispose()
    return record


def _make_app(database: str | Engine, record: Record) -> Flask:
    hooks = HookKit()
    hooks.on("conversation:message", name="handle")(lambda event: None)
    app = Flask("power")
    app.config["HOOKKIT_ENDPOINTS"] = ENDPOINTS
    app.config["HOOKKIT_DATABASE"] = database
    app.config["HOOKKIT_RUNNER"] = "none"
    hooks.init_app(app)
    app.wsgi_app = _recording(app.wsgi_app, record)  # type: ignore[method-assign]
    return app


def _deliver_and_work(apps: list[Flask], record: Record, deliveries: Sequence[Sent]) -> None:
    turns: SimpleQueue[str] = SimpleQueue()

    def send(delivery: Sent, app: Flask) -> None:
        app.test_client().post(
            "/hooks/support",
            data=delivery.body,
            headers={"X-API-Key": SECRET},
            content_type="application/json",
            environ_overrides={_KEY: delivery.key},
        )
        turns.put(delivery.key)

    def work(app: Flask) -> None:
        while turns.get():
            # A busy machine may keep an inbox waiting too long; another turn will do it.
            with suppress(Unavailable):
                for entry_id, state in app.extensions["hookkit"].worker.work().items():
                    if state is State.DONE:
                        record.append(Settled(entry_id))

    with ThreadPoolExecutor(_SENDERS + len(apps)) as pool:
        working = [pool.submit(work, app) for app in apps]
        try:
            list(pool.map(send, deliveries, cycle(apps)))
        finally:
            for _ in working:
                turns.put("")
        for each in working:
            each.result()


def _recording(serve: Callable[..., Any], record: Record) -> Callable[..., Any]:
    def serve_and_record(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        def start(status: str, *rest: Any) -> Any:
            # Nobody can have heard it before this moment.
            if status.startswith("200"):
                record.append(Acknowledged(environ[_KEY]))
            return start_response(status, *rest)

        return serve(environ, start)

    return serve_and_record


@contextmanager
def _recorded(folder: Path, record: Record, pragma: str) -> Iterator[None]:
    """Have every connection to a file in *folder* recorded, and run *pragma*."""
    vfs = RecordingVFS(f"recording-{next(_vfs_numbers)}", record, folder)

    def connect(dialect: Any, pool_entry: Any, arguments: Any, options: Any) -> Connection:
        path, *_ = arguments
        connection = Connection(path, vfs=vfs.name, timeout_s=options.get("timeout", 5.0))
        connection.execute(pragma)
        return connection

    event.listen(Engine, "do_connect", connect)
    try:
        yield
    finally:
        event.remove(Engine, "do_connect", connect)
