"""What was acknowledged is handled, however often and whenever the receiver is killed."""

import os
import signal
from contextlib import ExitStack
from random import Random

from tests.acceptance.load import (
    APPLICATION,
    Load,
    assert_all_is_settled,
    kill_all,
    make_effects_table,
    sending,
    wait_for_workers,
)
from tests.acceptance.servers import gunicorn
from tests.scale import SCALE
from tests.waiting import wait_until

KILLS = 5 * SCALE


def test_nothing_acknowledged_is_lost_doubled_or_stuck_by_kill_9(tmp_path, database_url):
    application = APPLICATION % database_url
    make_effects_table(database_url)
    random = Random(11)  # noqa: S311  # no secret depends on it
    load = Load()

    with ExitStack() as running:
        with sending(load):
            load.server = running.enter_context(gunicorn(tmp_path, application))
            for number in range(KILLS):
                enough = len(load.acknowledged) + random.randint(1, 150)
                wait_until(lambda enough=enough: len(load.acknowledged) >= enough)
                is_last = number == KILLS - 1
                if random.random() < 0.5 and not is_last:
                    workers = wait_for_workers(load.server)
                    os.kill(random.choice(workers), signal.SIGKILL)
                    continue
                kill_all(load.server)
                if not is_last:
                    load.server = running.enter_context(gunicorn(tmp_path, application))
        # Nothing but the restart itself may wake the handlers.
        server = running.enter_context(gunicorn(tmp_path, application))
        assert_all_is_settled(database_url, server, load.acknowledged)

    assert load.others <= {503}
    assert len(load.acknowledged) == len(set(load.acknowledged)) > KILLS
