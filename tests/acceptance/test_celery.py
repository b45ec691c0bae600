"""hookkit over Celery's workers: real ones, on a real broker, which die and come back."""

import os
import signal
import time
from collections import Counter
from contextlib import ExitStack
from functools import partial
from random import Random

from hookkit.core.entry import Filter, State
from hookkit.inbox.opening import open_inbox
from tests.acceptance.celery_processes import celery_beat, celery_worker, over_celery
from tests.acceptance.load import (
    APPLICATION,
    LEASE_S,
    Load,
    all_are_done,
    assert_all_is_settled,
    effects_in,
    make_effects_table,
    sending,
)
from tests.acceptance.servers import gunicorn, hookkit_worker
from tests.acceptance.test_duplicates import send_at_once
from tests.applications import message
from tests.scale import SCALE
from tests.waiting import DEADLINE_S, wait_until

EVENTS = 500 if SCALE == 1 else 20_000
FAULTS = 5 if SCALE == 1 else 60
#: Each is received, and each has succeeded: two lines of the log.
SWEEPS_OF_3_LEASES = 2 + 2 * 3 * LEASE_S
OUTAGE_S = 10 if SCALE == 1 else 60

#: The process that forks has used the inbox, so its children must forget its connections.
OPENED = APPLICATION.replace(
    "hooks.init_app(app)",
    "hooks.init_app(app)\n    app.extensions['hookkit'].opening.inbox().counts()",
)


def test_kill_9_of_workers_and_an_emptied_broker_lose_and_double_nothing(
    tmp_path, postgres_url, redis_server, record_property
):
    application = over_celery(OPENED % postgres_url, redis_server.url)
    make_effects_table(postgres_url)
    random = Random(8)  # noqa: S311  # no secret depends on it
    load = Load()

    with ExitStack() as running:
        server = running.enter_context(gunicorn(tmp_path, application))
        start = partial(celery_worker, tmp_path)
        workers = [running.enter_context(start(f"celery-{number}")) for number in range(2)]
        running.enter_context(celery_beat(tmp_path))
        with sending(load):
            load.server = server
            for number in range(1, FAULTS + 1):
                enough = EVENTS * number // FAULTS
                wait_until(lambda enough=enough: len(load.acknowledged) >= enough, 300)
                which = random.randrange(2)
                match number % 3:
                    case 0:
                        os.kill(random.choice(workers[which].children()), signal.SIGKILL)
                    case 1:
                        workers[which].kill()
                        name = f"celery-again-{number}"
                        workers[which] = running.enter_context(start(name))
                    case 2:
                        redis_server.flush()
        redis_server.flush()
        for worker in workers:
            worker.kill()
        for number in range(2):
            running.enter_context(start(f"celery-last-{number}"))
        began = time.monotonic()
        wait_until_all_are_done(postgres_url)
        record_property("done_after_workers_are_back_s", round(time.monotonic() - began, 1))
        assert_all_is_settled(postgres_url, server, load.acknowledged)

    assert load.others == set()
    assert len(load.acknowledged) >= EVENTS


def test_broker_that_is_down_costs_deliveries_nothing(
    tmp_path, postgres_url, redis_server, record_property
):
    application = over_celery(APPLICATION % postgres_url, redis_server.url)
    make_effects_table(postgres_url)
    load = Load(pause_s=0.02)

    with ExitStack() as running:
        server = running.enter_context(gunicorn(tmp_path, application))
        worker = running.enter_context(celery_worker(tmp_path))
        sweep = ("--sweep", "--concurrency", "0")
        running.enter_context(hookkit_worker(tmp_path, *sweep))
        with sending(load):
            load.server = server
            wait_until(lambda: server.lines("handled"))
            redis_server.stop()
            load.stop.wait(OUTAGE_S)
            redis_server.start()
            # Celery's own process may have ended of it: kombu 5.7 has a race there.
            if worker.process.poll() is not None:
                running.enter_context(celery_worker(tmp_path, "celery-again"))
        began = time.monotonic()
        wait_until_all_are_done(postgres_url)
        record_property("done_after_return_s", round(time.monotonic() - began, 1))
        assert_all_is_settled(postgres_url, server, load.acknowledged)

    assert load.others == set()
    assert "wake-ups cannot be published" in server.log()


def wait_until_all_are_done(database_url):
    inbox = open_inbox(database_url)
    wait_until(lambda: all_are_done(inbox.counts()), 60 + 5 * OUTAGE_S)
    inbox.close()


def test_duplicate_sent_to_two_machines_at_once_is_handled_once(tmp_path, postgres_url, broker_url):
    application = over_celery(APPLICATION % postgres_url, broker_url)
    make_effects_table(postgres_url)
    ids = range(50)

    with ExitStack() as running:
        machines = []
        for name, pool in (("one", "threads"), ("two", "solo")):
            folder = tmp_path / name
            folder.mkdir()
            machines.append(running.enter_context(gunicorn(folder, application, "--workers=1")))
            running.enter_context(celery_worker(folder, name, f"--pool={pool}"))
        numbers = [(number, machine) for number in ids for machine in machines * 2]
        answers = send_at_once(
            lambda each: each[1].post(message(f"event-{each[0]}")), numbers, senders=4
        )
        running.enter_context(hookkit_worker(tmp_path / "one", "--sweep", "--concurrency", "0"))
        inbox = open_inbox(postgres_url)
        wait_until(lambda: inbox.counts()[State.DONE] == len(ids), 60)
        attempts = [each.attempts for each in inbox.find(Filter(), limit=1000)]
        inbox.close()

    handled = Counter(line.split()[0] for each in machines for line in each.lines("handled"))
    assert {status for _, status, _ in answers} == {200}
    assert sum(answer["new"] for _, _, answer in answers) == len(ids)
    assert handled == effects_in(postgres_url) == {f"event-{number}": 1 for number in ids}
    # Retries came from the inbox: those that failed at first were tried again, and no others.
    assert Counter(len(each) for each in attempts) == {2: 40, 3: 10}


def test_warm_shutdown_lets_a_handler_end_that_has_outlasted_its_lease(
    tmp_path, postgres_url, broker_url
):
    waits = "(HERE / f'begun-{event.id}').touch()\n"
    waits += "        while event.id == 'event-1' and not (HERE / 'go').exists():\n"
    waits += "            __import__('time').sleep(0.01)\n        with (HERE"
    slow = APPLICATION.replace("with (HERE", waits)
    make_effects_table(postgres_url)

    with ExitStack() as running:
        server = running.enter_context(
            gunicorn(tmp_path, over_celery(slow % postgres_url, broker_url))
        )
        worker = running.enter_context(celery_worker(tmp_path))
        server.post(message("event-1"))
        wait_until((tmp_path / "begun-event-1").exists)
        running.enter_context(celery_beat(tmp_path))
        # Longer than the lease: each sweep is a second after the one before.
        wait_until(lambda: worker.log().count("hookkit.sweep") > SWEEPS_OF_3_LEASES)
        server.post(message("event-2"))
        wait_until((tmp_path / "begun-event-2").exists)
        worker.process.send_signal(signal.SIGTERM)
        worker.wait_for("Warm shutdown")
        (tmp_path / "go").touch()
        status = worker.process.wait(DEADLINE_S)

    inbox = open_inbox(postgres_url)
    records = {each.event_id: each for each in inbox.find()}
    inbox.close()
    assert status == 0
    assert Counter(line.split()[0] for line in server.lines("handled")) == {
        "event-1": 1,
        "event-2": 1,
    }
    assert {(each.state, each.claim_count) for each in records.values()} == {(State.DONE, 1)}
