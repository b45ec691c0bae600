"""hookkit's Celery runner with RabbitMQ for its broker."""

from contextlib import ExitStack

import pytest

from tests.acceptance.celery_processes import celery_worker, over_celery
from tests.acceptance.debian import program
from tests.acceptance.load import (
    APPLICATION,
    Load,
    assert_all_is_settled,
    make_effects_table,
    sending,
)
from tests.acceptance.servers import gunicorn, hookkit_worker
from tests.acceptance.test_celery import wait_until_all_are_done
from tests.rabbitmq_server import RabbitServer
from tests.scale import SCALE
from tests.waiting import wait_until

EVENTS = 30 * SCALE


@pytest.fixture
def rabbit(tmp_path_factory):
    server = RabbitServer(program("rabbitmq-server"), tmp_path_factory.mktemp("rabbitmq"))
    server.start()
    yield server
    server.remove()


def test_broker_that_restarts_costs_deliveries_nothing(tmp_path, postgres_url, rabbit):
    application = over_celery(APPLICATION % postgres_url, rabbit.url)
    make_effects_table(postgres_url)
    load = Load(pause_s=0.02)

    with ExitStack() as running:
        server = running.enter_context(gunicorn(tmp_path, application))
        worker = running.enter_context(celery_worker(tmp_path))
        with sending(load):
            load.server = server
            # By Celery alone: nothing sweeps yet.
            wait_until(lambda: len(server.lines("handled")) >= EVENTS)
            running.enter_context(hookkit_worker(tmp_path, "--sweep", "--concurrency", "0"))
            rabbit.stop()
            so_far = len(load.acknowledged)
            wait_until(lambda: len(load.acknowledged) >= so_far + EVENTS)
            rabbit.start()
            if worker.process.poll() is not None:
                running.enter_context(celery_worker(tmp_path, "celery-again"))
        wait_until_all_are_done(postgres_url)
        assert_all_is_settled(postgres_url, server, load.acknowledged)

    assert load.others == set()
