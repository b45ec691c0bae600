"""hookkit on PostgreSQL behind PgBouncer in transaction mode."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime

import pytest

from hookkit import Unavailable
from hookkit.inbox.opening import open_inbox
from tests.acceptance.debian import program
from tests.acceptance.load import (
    APPLICATION,
    Load,
    assert_all_is_settled,
    make_effects_table,
    sending,
)
from tests.acceptance.pgbouncer import pgbouncer
from tests.acceptance.servers import gunicorn, hookkit_worker
from tests.acceptance.test_celery import wait_until_all_are_done
from tests.applications import admit, message
from tests.inbox.making import attempt, done
from tests.postgres_server import own_server
from tests.scale import SCALE
from tests.waiting import wait_until

EVENTS = 100 * SCALE
THREADS = 8  # on 3 connections of PgBouncer's to the server


@pytest.fixture
def urls():
    """Return the URL of a server, and that of PgBouncer as docs/how-to/scale-out.md has it."""
    found = program("pgbouncer")
    with own_server() as server, pgbouncer(found, server.url) as url:
        yield server.url, f"{url}?prepare_threshold=none"


def test_threads_that_share_few_sessions_disturb_each_other_nowhere(urls):
    errors = Counter()

    def handle_one(number):
        try:
            admit(inbox, message(f"pooled-{number}"), datetime.now(UTC))
            how = {"now": datetime.now(UTC), "lease_s": 60, "limit": 1, "in_lanes": True}
            for entry in inbox.claim(endpoints=["support"], **how):
                inbox.settle(entry, done(attempt()), now=datetime.now(UTC), in_lanes=True)
        except Unavailable as error:
            errors[str(error)[:90]] += 1

    with closing(open_inbox(urls[1])) as inbox, ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(handle_one, range(EVENTS)))

    assert errors == {}


def test_servers_and_workers_behind_it_lose_and_double_nothing(tmp_path, urls):
    direct_url, pooled_url = urls
    make_effects_table(direct_url)
    load = Load()

    with (
        gunicorn(tmp_path, APPLICATION % pooled_url) as server,
        hookkit_worker(tmp_path) as worker,
        sending(load),
    ):
        load.server = server
        wait_until(lambda: len(load.acknowledged) >= EVENTS)
        load.stop.set()
        wait_until_all_are_done(direct_url)
        assert_all_is_settled(direct_url, server, load.acknowledged)

    assert load.others == set()
    assert "prepared statement" not in server.log() + worker.log()
