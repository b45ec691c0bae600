"""A PostgreSQL server that is restarted, crashes and hangs, and what vendors hear meanwhile."""

import pytest
from sqlalchemy import text

from hookkit import HookKit, State
from hookkit.inbox.postgres import transactions as postgres_transactions
from tests.acceptance.load import (
    APPLICATION,
    Load,
    assert_all_is_settled,
    make_effects_table,
    sending,
)
from tests.acceptance.servers import gunicorn
from tests.applications import make_app, message, post
from tests.postgres_server import FAST, IMMEDIATE, own_server
from tests.scale import SCALE
from tests.waiting import wait_until

RESTARTS = 2 * SCALE


@pytest.fixture(scope="module")
def server():
    with own_server() as running:
        yield running


@pytest.fixture
def app(server):
    hooks = HookKit()

    @hooks.on("*", name="handle", transactional=True)
    def handle(event, run):
        run.connection.execute(text("SELECT pg_sleep(1)"))

    # The shortest that libpq knows.
    made = make_app(
        hooks, HOOKKIT_DATABASE=f"{server.url}&connect_timeout=2", HOOKKIT_RUNNER="none"
    )
    yield made
    made.extensions["hookkit"].stop()


def test_server_that_is_restarted_under_load_costs_503_and_no_event(tmp_path, server):
    application = APPLICATION % server.url
    make_effects_table(server.url)
    load = Load()

    with gunicorn(tmp_path, application) as running:
        load.server = running
        with sending(load):
            for number in range(RESTARTS):
                enough = len(load.acknowledged) + 50
                wait_until(lambda enough=enough: len(load.acknowledged) >= enough)
                server.stop(IMMEDIATE if number % 2 else FAST)
                refused = load.refused
                wait_until(lambda refused=refused: load.refused > refused + 2)
                server.start()
            enough = len(load.acknowledged) + 50
            wait_until(lambda: len(load.acknowledged) >= enough)
        assert_all_is_settled(server.url, running, load.acknowledged)
        processes = running.lines("imported")

    assert (load.others, load.broken) == ({503}, 0)
    assert len(processes) == 2  # of gunicorn's, none of which was replaced


def test_server_that_hangs_is_503_in_time_and_takes_again_when_it_goes_on(app, server, monkeypatch):
    monkeypatch.setattr(postgres_transactions, "TRANSACTION_TIMEOUT_S", 0.5)
    client = app.test_client()
    before = post(client, message("hang-1"))

    with server.hanging():
        connected = post(client, message("hang-2"))
        connecting = post(client, message("hang-3"))
    after = [post(client, message(f"hang-{number}")) for number in (1, 2, 3)]

    assert [before.status_code, connected.status_code, connecting.status_code] == [200, 503, 503]
    assert connected.headers["Retry-After"] == "10"
    assert [answer.status_code for answer in after] == [200] * 3
    # Whether it was stored that was not answered in time, nobody knows; it is stored once.
    inbox = app.extensions["hookkit"].opening.inbox()
    stored = [each.event_id for each in inbox.find() if each.event_id.startswith("hang")]
    assert sorted(stored) == ["hang-1", "hang-2", "hang-3"]


def test_transactional_handler_may_take_longer_than_hookkit_itself(app, monkeypatch):
    client = app.test_client()
    answer = post(client, message("slow"))
    inbox = app.extensions["hookkit"].opening.inbox()
    (entry,) = (each for each in inbox.find() if each.event_id == "slow")
    monkeypatch.setattr(postgres_transactions, "STATEMENT_TIMEOUT_S", 0.5)
    monkeypatch.setattr(postgres_transactions, "TRANSACTION_TIMEOUT_S", 0.5)

    states = app.extensions["hookkit"].worker.work(only=[entry.id])

    assert answer.status_code == 200
    assert states == {entry.id: State.DONE}


def test_statement_of_hookkit_that_takes_too_long_is_unavailable(app, server, monkeypatch):
    monkeypatch.setattr(postgres_transactions, "STATEMENT_TIMEOUT_S", 0.2)
    client = app.test_client()
    engine = app.extensions["hookkit"].opening.inbox()._transactions.engine
    with engine.begin() as connection:
        connection.execute(
            text("""
            CREATE FUNCTION be_slow() RETURNS trigger LANGUAGE plpgsql
            AS 'BEGIN PERFORM pg_sleep(60); RETURN NEW; END'
            """)
        )
        connection.execute(
            text("""
            CREATE TRIGGER be_slow BEFORE INSERT ON hookkit_deliveries
            FOR EACH ROW EXECUTE FUNCTION be_slow()
            """)
        )

    slow = post(client, message("statement"))
    with engine.begin() as connection:
        connection.execute(text("DROP FUNCTION be_slow CASCADE"))
    fast = post(client, message("statement"))

    assert (slow.status_code, fast.status_code, fast.json["new"]) == (503, 200, 1)
