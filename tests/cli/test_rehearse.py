"""``flask hookkit versions rehearse``: a switch tried on kept deliveries, without a handler."""

import json
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from hookkit.cli.flask_commands.versions import lines_of_rehearsal
from hookkit.core.entry import State
from hookkit.core.modes import Mode
from hookkit.inbox.inbox import Inbox
from hookkit.inbox.records import Kept
from hookkit.providers.sunshine import PROVIDER
from hookkit.switching.rehearsal import rehearse
from tests.applications import message
from tests.cli.test_versions import V1_1, Shop
from tests.providers.sunshine_bodies import USER_ID, v1_1, v2

NOW = datetime(2026, 3, 1, 10, tzinfo=UTC)


@pytest.fixture
def shop():
    return Shop()


def both(shop, *names):
    for name in names:
        shop.old(name)
        shop.new(name)


def test_rehearsal_switches_in_the_middle_and_handles_nothing(shop):
    both(shop, "a", "b", "c", "d")
    shop.new("e")
    seen, counts = list(shop.seen), shop.counts()

    printed = shop.printed("rehearse", "support")

    assert "deliveries replayed: 4 of v1.1 and 5 of v2; switched to v2 at 2" in printed
    assert "each of 5 facts is handled once" in printed
    (row,) = (line.split() for line in printed.splitlines() if line.startswith("conversation:"))
    assert int(row[1]) + int(row[2]) == 5
    assert 0 < int(row[1]) < 5
    assert shop.seen == seen
    assert shop.counts() == counts
    assert "v1.1: live" in shop.printed("status", "support", code=3)


def test_rehearsal_for_machines(shop):
    both(shop, "a", "b")

    printed = json.loads(shop.printed("rehearse", "support", "--to", "v2", "--json"))

    assert printed["is_clean"] is True
    assert printed["deliveries"] == {"v1.1": 2, "v2": 2}
    assert (printed["facts"], printed["lost"], printed["doubled"]) == (2, [], [])
    assert printed["rows"][0]["kind"] == "conversation:message"


def test_rehearsal_of_one_version_is_refused(shop):
    shop.old("a")

    assert "no delivery of v2 is kept" in shop.refused("rehearse", "support")
    alone = Shop(versions={"v2": "live"})
    assert "there are no two versions at support" in alone.refused("rehearse", "support")


# What it finds, on deliveries that are made by hand


def kept(number, version, body, at_s):
    return Kept(
        id=number,
        endpoint="support",
        event_id="",
        delivery_id=number,
        position=0,
        vendor_type="",
        version=version,
        lane=None,
        fact=None,
        state=State.DONE,
        received_at=NOW + timedelta(seconds=at_s),
        body=json.dumps(body).encode(),
        headers={},
    )


def old(name):
    body = deepcopy(V1_1)
    body["messages"][0]["_id"] = f"message-of-{name}"
    return body


def played(*printed, window_s=10):
    entries = [kept(number, *one) for number, one in enumerate(printed, 1)]
    return rehearse(PROVIDER, entries, live=["v1.1"], new="v2", window_s=window_s)


def test_what_one_version_alone_reports_near_the_switch_runs():
    found = played(
        ("v1.1", old("a"), 0),
        ("v2", message("a"), 0),
        ("v2", message("b"), 5),
        ("v2", message("c"), 6),
        ("v1.1", old("d"), 7),
        ("v1.1", old("c"), 8),
    )

    assert (found.facts, found.lost, found.doubled, found.promoted) == (4, [], [], 2)
    assert found.is_clean


def test_what_only_the_shadow_reports_far_from_the_switch_does_not_run():
    found = played(
        ("v1.1", old("a"), 0),
        ("v2", message("b"), 1),
        ("v1.1", old("c"), 100),
        ("v2", message("c"), 100),
        ("v2", message("d"), 100),
    )

    assert (found.facts, found.unasked) == (3, 1)
    assert found.is_clean
    printed = "reported by the shadow alone and too far from the switch: 1"
    assert printed in list(lines_of_rehearsal(found))


def test_near_facts_on_both_sides_of_the_switch_are_counted():
    pressed = v2("conversation:postback", {"user": {"id": USER_ID}, "postback": {"payload": "Y"}})
    found = played(
        ("v2", message("a"), 0),
        ("v1.1", v1_1("postback", postbacks=[{"action": {"payload": "Y"}}]), 1),
        ("v2", pressed, 2),
        ("v1.1", old("a"), 3),
    )

    assert found.near_twice == 1
    assert found.is_clean
    assert "without an exact fact, handled in both versions: 1" in list(lines_of_rehearsal(found))


def test_what_stays_live_in_the_old_version_runs_after_the_switch():
    found = played(
        ("v1.1", old("a"), 0),
        ("v2", message("a"), 0),
        ("v2", message("b"), 1),
        ("v1.1", v1_1("request:success", timestamp=2.5), 2),
    )

    assert next(row for row in found.rows if row.kind == "request:success").from_old == 1


def test_versions_that_are_live_together_are_one_side():
    v1 = {name: value for name, value in old("b").items() if name != "version"}
    entries = [
        kept(1, "v1.1", old("a"), 0),
        kept(2, "v1", v1, 1),
        kept(3, "v2", message("a"), 2),
        kept(4, "v2", message("b"), 3),
        kept(5, "v1.1", old("c"), 4),
        kept(6, "v2", message("c"), 5),
    ]

    found = rehearse(PROVIDER, entries, live=["v1", "v1.1"], new="v2", window_s=10)

    assert found.old == "v1.1"
    assert found.deliveries == {"v1": 1, "v1.1": 2, "v2": 3}
    assert (found.facts, found.is_clean) == (3, True)


@pytest.fixture
def broken(monkeypatch):
    """An inbox that forgets to look for owners: what a rehearsal is there to find."""
    admit = Inbox.admit

    def forgetful(self, envelope, _lease=None):
        return admit(self, replace(envelope, modes=dict.fromkeys(envelope.modes, Mode.LIVE)))

    monkeypatch.setattr(Inbox, "admit", forgetful)
    monkeypatch.setattr("hookkit.inbox.sql.owners.runs_beside", lambda *_: True)


def test_fact_that_is_handled_twice_is_printed_and_the_command_fails(shop, broken):
    both(shop, "a", "b")

    printed = shop.refused("rehearse", "support")

    assert "handled twice: message:message-of-a" in printed
    assert "is handled once" not in printed


def test_first_of_many_facts_are_printed(shop, broken):
    both(shop, *(f"n{number}" for number in range(60)))

    printed = shop.refused("rehearse", "support").splitlines()

    named = [line for line in printed if line.startswith("handled twice: ")]
    assert len(named) == 21
    assert named[-1].endswith(" more")


def test_lost_fact_is_printed(shop, monkeypatch):
    both(shop, "a", "b")
    monkeypatch.setattr(Inbox, "claim", lambda self, **_: [])

    assert "lost: message:message-of-a" in shop.refused("rehearse", "support")
