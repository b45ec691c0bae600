"""What was acknowledged is handled, and effects are there once, wherever a process dies."""

import ast
import signal
from contextlib import ExitStack
from datetime import UTC, datetime
from random import Random

import pytest

from hookkit import crash_points
from hookkit.core.entry import Settlement, State
from hookkit.inbox.opening import open_inbox
from tests.acceptance.forking import run_code
from tests.acceptance.load import (
    APPLICATION,
    Load,
    assert_all_is_settled,
    kill_all,
    make_effects_table,
    parent_of,
    sending,
)
from tests.acceptance.servers import ROOT, gunicorn
from tests.applications import admit, message
from tests.scale import SCALE
from tests.waiting import wait_until

#: Reached by what people and housekeeping do, not by a delivery.
OF_OPERATIONS = (
    "readmitted",
    "released",
    "replay_written",
    "prune_written",
    "switch_written",
    "migration_written",
)
SERVING = [name for name in crash_points.NAMES if name not in OF_OPERATIONS]
#: So many of the server's processes die before all of it is killed.
DEATHS = 2


def test_every_place_that_is_reached_has_its_name_in_the_list():
    reached = set()
    for path in (ROOT / "hookkit").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "crash_points.reach":
                (name,) = node.args
                reached.add(ast.literal_eval(name))

    assert reached == set(crash_points.NAMES)
    assert len(crash_points.NAMES) == len(set(crash_points.NAMES))


def deaths_of(server, before):
    """Return how many worker processes are gone, without those of servers *before* this one."""
    return sum(parent_of(int(pid)) is None for pid in server.lines("imported")[before:])


@pytest.mark.parametrize("name", SERVING)
def test_death_in_the_life_of_a_delivery_loses_and_doubles_nothing(tmp_path, database_url, name):
    application = APPLICATION % database_url
    make_effects_table(database_url)
    random = Random(name)  # noqa: S311  # no secret depends on it
    load = Load()

    for round_number in range(SCALE):
        load.stop.clear()
        # The first deaths come soon, so that no point is missed when little is sent.
        which = 3 if round_number == 0 else random.randint(1, 50)
        with ExitStack() as running:
            with sending(load):
                before = len((tmp_path / "imported").read_text().split()) if round_number else 0
                load.server = running.enter_context(
                    gunicorn(tmp_path, application, probe=False, crash_at=f"{name}:{which}")
                )
                wait_until(
                    lambda before=before: deaths_of(load.server, before) >= DEATHS,
                    told=lambda: f"for deaths, {load}, {load.server.told()}",
                )
                kill_all(load.server)
            # Nothing but the restart itself may wake the handlers.
            server = running.enter_context(gunicorn(tmp_path, application, "--workers", "1"))
            assert_all_is_settled(database_url, server, load.acknowledged)
            kill_all(server)

    assert load.others <= {503}


PREPARE = """
import sys
from datetime import UTC, datetime
from hookkit.core.entry import Filter
from hookkit.core.modes import Change, Mode
from hookkit.inbox.opening import open_inbox
inbox = open_inbox(sys.argv[1])
now = datetime.now(UTC)
"""
OPERATIONS = {
    "replay_written": "inbox.replay_all(Filter(), now=now)",
    "prune_written": "inbox.prune(bodies_before=now, ids_before=now)",
    "switch_written": (
        "inbox.switches.change("
        "'support', [Change('v2', '', Mode.LIVE)], who='me', now=now, window_s=60)"
    ),
    "migration_written": "inbox.counts()",
}


def operate(database_url, name, crash_at=""):
    """Do what leads past the place *name* in a process of its own; return how it ended."""
    return run_code(PREPARE + OPERATIONS[name], crash_at, database_url)


def settled_entry(inbox):
    now = datetime.now(UTC)
    admit(inbox, message(), now)
    (entry,) = inbox.claim(now=now, lease_s=60, limit=1, endpoints=["support"])
    done = Settlement(state=State.DONE, retry_after_s=None, attempts=())
    assert inbox.settle(entry, done, now=now)


def test_death_amid_a_replay_leaves_the_entry_as_it_was(database_url):
    inbox = open_inbox(database_url)
    settled_entry(inbox)
    before = inbox.find()

    died = operate(database_url, "replay_written", "replay_written:1")
    after_death = inbox.find()
    ended = operate(database_url, "replay_written")
    after_all = inbox.find()
    inbox.close()

    assert (died, ended) == (-signal.SIGKILL, 0)
    assert after_death == before
    assert [(each.state, each.replays) for each in after_all] == [(State.PENDING, 1)]


def test_death_amid_pruning_leaves_the_entry_as_it_was(database_url):
    inbox = open_inbox(database_url)
    settled_entry(inbox)
    before = inbox.find()

    died = operate(database_url, "prune_written", "prune_written:1")
    after_death = inbox.find()
    ended = operate(database_url, "prune_written")
    after_all = inbox.find()
    inbox.close()

    assert (died, ended) == (-signal.SIGKILL, 0)
    assert after_death == before
    assert after_all == []


def test_death_amid_a_switch_leaves_the_modes_as_they_were(database_url):
    inbox = open_inbox(database_url)

    died = operate(database_url, "switch_written", "switch_written:1")
    after_death = inbox.switches.log("support")
    ended = operate(database_url, "switch_written")
    after_all = inbox.switches.log("support")
    inbox.close()

    assert (died, ended) == (-signal.SIGKILL, 0)
    assert list(after_death) == []
    assert [each.who for each in after_all] == ["me"]


def test_death_amid_the_making_of_the_tables_leaves_none_behind(database_url):
    died = operate(database_url, "migration_written", "migration_written:1")
    with pytest.raises(Exception, match="lack table hookkit_applications") as refused:
        open_inbox(database_url, migrates=False)
    ended = operate(database_url, "migration_written")

    assert (died, ended) == (-signal.SIGKILL, 0)
    assert "table hookkit_schema" in str(refused.value)
    inbox = open_inbox(database_url, migrates=False)
    assert inbox.find() == []
    inbox.close()
