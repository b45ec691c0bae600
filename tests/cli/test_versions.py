"""``flask hookkit versions``: from v1.1 to v2 of one endpoint."""

import json
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from hookkit import HookKit
from hookkit.core.entry import State
from hookkit.inbox.sql.tables import deliveries, entries
from hookkit.testing import find_provider, find_sample
from tests.applications import SECRET, make_app, message, post

VERSIONS = {"v1.1": "live", "v2": "shadow"}
V1_1 = json.loads(find_sample(find_provider("sunshine"), "v1.1", "message-appUser").body)
REQUEST = json.loads(find_sample(find_provider("sunshine"), "v1.1", "request-success").body)


class Shop:
    """An application with one endpoint, and what its handler was given."""

    def __init__(self, **endpoint):
        self.hooks, self.seen = HookKit(), []
        self.hooks.on("conversation:message", name="greet")(
            lambda event: self.seen.append(f"{event.version} {event.message.id}")
        )
        declared = {"provider": "sunshine", "secrets": [SECRET], "versions": VERSIONS} | endpoint
        self.app = make_app(self.hooks, HOOKKIT_ENDPOINTS={"support": declared})

    def old(self, name):
        body = deepcopy(V1_1)
        body["messages"][0]["_id"] = f"message-of-{name}"
        assert post(self.app.test_client(), body).status_code == 200

    def new(self, name):
        assert post(self.app.test_client(), message(name)).status_code == 200

    def run(self, *arguments):
        return self.app.test_cli_runner().invoke(args=["hookkit", "versions", *arguments])

    def printed(self, *arguments, code=0):
        result = self.run(*arguments)
        assert result.exit_code == code, result.output
        return result.output

    def wait_an_hour(self):
        """Make everything an hour older."""
        inbox = self.app.extensions["hookkit"].opening.inbox()
        with inbox._transactions.write() as connection:
            for table in (entries, deliveries):
                hour = {"received_at_ms": table.c.received_at_ms - 3_600_000}
                connection.execute(table.update().values(hour))

    def refused(self, *arguments):
        result = self.run(*arguments)
        assert result.exit_code == 1
        return result.output

    def counts(self):
        found = self.app.extensions["hookkit"].opening.inbox().counts()
        return {state.value: count for state, count in found.items() if count}


@pytest.fixture
def shop():
    return Shop()


def test_shadow_is_answered_and_not_run(shop):
    shop.new("a")
    shop.old("a")

    assert shop.seen == ["v1.1 message-of-a"]
    assert shop.counts() == {"done": 1, "shadow": 1}


def test_switch_is_not_judged_before_both_versions_were_watched_for_a_while(shop):
    shop.old("a")
    shop.new("a")

    printed = shop.printed("status", "support", code=3)

    assert "not enough seen yet: both versions have been watched for 0 s, and are judged" in printed
    assert "safe" not in printed
    assert json.loads(shop.printed("status", "support", "--json", code=3))["is_undecided"] is True
    assert "not enough seen yet" in shop.refused("switch", "support", "v2")
    assert "v2 is live" in shop.printed("switch", "support", "v2", "--force")


def test_status_says_what_is_safe(shop):
    shop.old("a")
    shop.new("a")
    shop.wait_an_hour()

    printed = shop.printed("status", "support").splitlines()

    assert printed[0].startswith("v1.1: live, last seen 2")
    assert printed[1].startswith("v2: shadow, last seen 2")
    assert printed[2].split() == [
        "type",
        "v1.1",
        "v2",
        "paired",
        "not",
        "in",
        "v1.1",
        "not",
        "in",
        "v2",
        "apart",
        "longest",
    ]
    assert printed[3].split()[:4] == ["conversation:message", "1", "1", "1"]
    (staying,) = (line for line in printed if line.startswith("stay live in v1.1: "))
    assert "request:success" in staying
    assert printed[-1] == "safe to switch to v2"


def test_status_for_machines(shop):
    shop.old("a")
    shop.new("a")
    shop.wait_an_hour()
    shop.printed("switch", "support", "v2", "--who", "ada")

    printed = json.loads(shop.printed("status", "support", "--to", "v1.1", "--json"))

    assert printed["modes"] == {"v1.1": "shadow", "v2": "live"}
    assert (printed["old"], printed["new"], printed["is_safe"]) == ("v2", "v1.1", True)
    assert printed["rows"][0]["paired"] == 1
    fields = {each["path"]: each for each in printed["rows"][0]["fields"]}
    assert fields["conversation.type"]["only_old"] == 1
    assert fields["conversation.type"]["example"]["old"] == "personal"
    assert printed["handlers"] == [
        {"handler": "greet", "words": ["conversation:message"], "loses": []}
    ]
    assert {"message:appUser", "message:appMaker"} <= {one["word"] for one in printed["triggers"]}
    assert {one["who"] for one in printed["log"]} == {"ada"}
    assert set(printed["last_seen"]) == {"v1.1", "v2"}


def test_status_of_one_version_has_nothing_to_compare():
    printed = Shop(versions={"v2": "live"}).printed("status", "support", code=1)

    assert printed == "v2: live, not seen\nin the way: there are no two versions to compare\n"


def test_switch_is_refused_until_the_new_version_is_seen(shop):
    shop.old("a")

    assert "v2 has not been seen: create its webhook" in shop.refused("switch", "support", "v2")
    assert "v2 is live at support" in shop.printed("switch", "support", "v2", "--force")


def test_switch_runs_what_only_the_new_version_has_reported_and_back(shop):
    shop.old("a")
    shop.new("a")
    shop.new("b")

    forced = ("switch", "support", "v2", "--force")
    assert "v2 is live at support; 1 event that only" in shop.printed(*forced)
    shop.old("b")
    shop.old("c")
    shop.new("c")
    assert "; 0 events" in shop.printed("switch", "support", "v1.1", "--who", "ada", "--force")
    shop.old("d")

    assert shop.seen == [
        f"{version} message-of-{name}"
        for version, name in (("v1.1", "a"), ("v2", "b"), ("v2", "c"), ("v1.1", "d"))
    ]
    assert "v1.1 live, by ada" in shop.printed("status", "support", code=3)


def test_type_without_counterpart_stays_live(shop):
    shop.printed("switch", "support", "v2", "--force")

    assert post(shop.app.test_client(), REQUEST).status_code == 200
    shop.old("a")

    assert shop.counts() == {"done": 1, "shadow": 1}


def test_retired_version_is_ignored(shop):
    assert "nothing else is live" in shop.refused("retire", "support", "v1.1")
    shop.old("a")
    shop.printed("switch", "support", "v2", "--force")

    assert "v1.1 is ignored at support; last seen 2" in shop.printed("retire", "support", "v1.1")
    shop.old("b")

    assert shop.counts() == {"done": 1, "ignored": 1}


def test_retiring_is_refused_while_a_handler_needs_the_version(shop):
    shop.hooks.on("sunshine/request:success", name="pay")(print)
    shop.hooks.on("request:success", name="log")(print)
    shop.hooks.on("request:success", name="v2 only", version="v2")(print)
    shop.hooks.on("*", name="all")(print)
    shop.printed("switch", "support", "v2", "--force")

    printed = shop.refused("retire", "support", "v1.1")

    assert "only v1.1 reports it, and handler pay waits for it" in printed
    assert "handler log waits" in printed
    assert "handler all" not in printed
    assert "v2 only" not in printed
    assert "it was not seen lately" in shop.printed("retire", "support", "v1.1", "--force")


def test_retiring_what_is_live_is_refused():
    shop = Shop(versions={"v1.1": "live", "v2": "live"})

    assert "v2 is live: switch to another" in shop.refused("retire", "support", "v2")
    assert "v1.1 is what is live" not in shop.printed("switch", "support", "v1.1", "--force")
    assert "v1.1 is what is live at support already" in shop.refused("switch", "support", "v1.1")


@pytest.mark.parametrize(
    ("endpoint", "arguments", "sentence"),
    [
        ({}, ("status", "sales"), "no endpoint has the name 'sales'; known are support"),
        ({"versions": {}}, ("status", "support"), "names no modes; give each version a mode"),
        ({}, ("switch", "support", "v1"), "does not list 'v1'; it lists v1.1, v2"),
        ({}, ("status", "support", "--to", "v1"), "does not list 'v1'; it lists v1.1, v2"),
        (
            {"provider": "8x8", "secrets": None, "region": "us", "versions": {}},
            ("status", "support"),
            "its vendor changes the version of a webhook in place",
        ),
    ],
)
def test_mistake_is_printed_as_a_sentence(endpoint, arguments, sentence):
    shop = Shop.__new__(Shop)
    declared = {"provider": "sunshine", "secrets": [SECRET], "versions": VERSIONS} | endpoint
    declared = {name: value for name, value in declared.items() if value is not None}
    shop.app = make_app(HookKit(), HOOKKIT_ENDPOINTS={"support": declared})

    assert sentence in shop.refused(*arguments)


def test_promotion_costs_nothing_where_no_modes_are_named():
    app = make_app(HookKit())

    assert app.extensions["hookkit"].versions.promote_held_back() == 0
    assert app.extensions["hookkit"].opening.inbox().counts()[State.PENDING] == 0


def test_promotion_runs_what_is_left_beside_a_switch(shop):
    versions = shop.app.extensions["hookkit"].versions
    shop.printed("switch", "support", "v2", "--force")
    shop.old("a")
    shop.old("b")
    shop.new("b")

    assert versions.promote_held_back() == 0
    later = replace(versions, clock=lambda: datetime.now(UTC) + timedelta(hours=2))
    assert later.promote_held_back() == 1
    assert later.promote_held_back() == 0

    assert shop.seen == ["v2 message-of-b", "v1.1 message-of-a"]
