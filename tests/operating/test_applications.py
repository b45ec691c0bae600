"""Two applications with an endpoint of one name in one database leave each other's events alone."""

import json
from datetime import UTC, datetime

import pytest

from hookkit import HookKit
from hookkit.operating.applications import MAX_NAMED_SECRETS
from tests.applications import make_app, message

OURS, OURS_BEFORE = "the-secret-of-our-application", "our-secret-before-that-one"
THEIRS = "the-secret-of-their-application"


class Running:
    """An application that admits in one step and handles in another."""

    def __init__(self, url, secrets, endpoint=None, **config):
        self.ran = []
        hooks = HookKit()
        hooks.on("*", name="see")(lambda event: self.ran.append(event.id))
        declared = endpoint or {"provider": "sunshine", "secrets": secrets}
        self.app = make_app(
            hooks,
            HOOKKIT_ENDPOINTS={"support": declared},
            HOOKKIT_DATABASE=url,
            HOOKKIT_RUNNER="none",
            **config,
        )
        self.state = self.app.extensions["hookkit"]

    def receive(self, event_id, secret):
        answer = self.app.test_client().post(
            "/hooks/support", data=json.dumps(message(event_id)), headers={"x-api-key": secret}
        )
        assert answer.get_json() == {"code": "accepted", "new": 1, "duplicates": 0}

    def handle(self):
        """Handle what is due, and return the ids of the events."""
        self.ran.clear()
        while self.state.worker.work(limit=10):
            pass
        return [*self.ran]

    def has_due(self):
        inbox, endpoints = self.state.opening.inbox(), self.state.settings.endpoints
        has_due = inbox.has_due(endpoints, now=datetime.now(UTC))
        return has_due, self.state._next_due_at() is not None

    def findings(self):
        return [each.text for each in self.state.checkup.findings() if "other secrets" in each.text]


@pytest.fixture
def run(sql_url):
    running = []

    def start(secrets, **config):
        running.append(Running(sql_url, secrets, **config))
        running[-1].state.opening.prepare()
        return running[-1]

    yield start
    for each in running:
        each.state.stop()


def test_entry_that_a_secret_of_another_application_has_proved_is_left_to_it(run, caplog):
    we, they = run([OURS]), run([THEIRS])
    we.receive("ours", OURS)
    they.receive("theirs", THEIRS)

    assert they.handle() == ["theirs"]
    assert (they.has_due(), we.has_due()) == ((False, False), (True, True))
    assert we.handle() == ["ours"]
    (line,) = [each for each in caplog.records if each.action == "endpoint_shared"]
    assert (line.levelname, line.endpoint, line.entries) == ("WARNING", "support", 0)


def test_other_application_is_said_at_the_start_and_by_check(run, caplog):
    they = run([THEIRS])
    they.receive("theirs", THEIRS)
    we = run([OURS])

    (line,) = [each for each in caplog.records if each.action == "endpoint_shared"]
    assert line.entries == 1
    assert [line.message] == we.findings()
    assert (
        "1 entry that its secrets have proved, and that nobody has handled yet, must wait"
        in line.message
    )
    assert THEIRS not in line.message


def test_chosen_entry_of_another_application_is_not_claimed(run):
    we, they = run([OURS]), run([THEIRS])
    they.receive("theirs", THEIRS)
    inbox = we.state.opening.inbox()
    (entry,) = inbox.find()

    for in_lanes in (False, True):
        claimed = inbox.claim(
            now=entry.received_at,
            lease_s=60,
            limit=9,
            endpoints=["support"],
            only=[entry.id],
            in_lanes=in_lanes,
        )
        assert claimed == []


def test_what_a_removed_secret_has_proved_is_still_handled(run):
    run([OURS_BEFORE]).receive("first", OURS_BEFORE)
    run([OURS, OURS_BEFORE]).receive("second", OURS_BEFORE)

    assert run([OURS]).handle() == ["first", "second"]


def test_secret_that_is_replaced_at_once_under_one_secret_key_strands_nothing(run):
    run([OURS_BEFORE], SECRET_KEY="k").receive("first", OURS_BEFORE)

    assert run([OURS], SECRET_KEY="k").handle() == ["first"]


def test_secret_key_that_is_replaced_strands_nothing_beside_the_old_one(run):
    run([OURS_BEFORE], SECRET_KEY="old").receive("first", OURS_BEFORE)
    new = run([OURS], SECRET_KEY="new", SECRET_KEY_FALLBACKS=["old"])

    assert new.handle() == ["first"]


def test_first_secret_key_strands_nothing(run):
    run([OURS]).receive("first", OURS)
    new = run([OURS], SECRET_KEY="new")

    assert new.findings() == []
    assert new.handle() == ["first"]
    assert run([OURS], SECRET_KEY="new").findings() == []


def test_check_knows_an_application_that_starts_with_its_first_secret_key_next(run, sql_url):
    run([OURS]).receive("first", OURS)
    next_one = Running(sql_url, [OURS], SECRET_KEY="new")

    assert next_one.findings() == []


def test_process_without_the_first_secret_key_is_still_heard_beside_one_that_has_it(run):
    old, new = run([OURS]), run([OURS], SECRET_KEY="new")
    old.receive("of the old", OURS)
    assert new.handle() == ["of the old"]

    new.receive("of the new", OURS)
    assert old.handle() == ["of the new"]


def test_first_secret_key_with_other_secrets_is_another_application(run):
    run([OURS]).receive("ours", OURS)

    assert run([THEIRS], SECRET_KEY="new").handle() == []


def test_second_application_with_a_key_takes_nothing_of_the_one_that_had_none_before(run):
    run([OURS])
    first = run([OURS], SECRET_KEY="first")
    first.receive("theirs", OURS)
    second = run([OURS], SECRET_KEY="second")

    assert second.handle() == []
    assert first.handle() == ["theirs"]


def test_everything_replaced_at_once_is_said_and_can_be_adopted(run, caplog):
    run([OURS_BEFORE]).receive("first", OURS_BEFORE)
    new = run([OURS])

    assert new.handle() == []
    assert [each.entries for each in caplog.records if each.action == "endpoint_shared"] == [1]
    told = new.app.test_cli_runner().invoke(args=["hookkit", "adopt", "support"])
    assert told.output == "entries of support belong to this application\n"
    assert run([OURS]).handle() == ["first"]
    assert run([OURS]).findings() == []


def test_adopting_at_an_endpoint_that_is_not_there_is_refused(run):
    told = run([OURS]).app.test_cli_runner().invoke(args=["hookkit", "adopt", "elsewhere"])

    assert told.exit_code == 1
    assert "elsewhere: no endpoint of this application" in told.output


def test_two_applications_that_come_to_share_a_secret_become_one(run):
    run([OURS]).receive("ours", OURS)
    run([THEIRS]).receive("theirs", THEIRS)

    assert run([OURS, THEIRS]).handle() == ["ours", "theirs"]
    assert run([OURS]).findings() == []


def test_process_that_was_running_when_two_became_one_is_still_heard(run):
    old, _ = run([THEIRS]), run([OURS])
    both = run([OURS, THEIRS])
    old.receive("late", THEIRS)

    assert both.handle() == ["late"]


UNSIGNED = {"provider": "sunshine", "unsigned": True}


def test_what_no_secret_has_proved_is_anybodys(run):
    run(None, endpoint=UNSIGNED, SECRET_KEY="a").receive("first", "")

    assert run(None, endpoint=UNSIGNED, SECRET_KEY="b").handle() == ["first"]
    run(None, endpoint=UNSIGNED).receive("second", "")
    assert run([OURS]).handle() == ["second"]


def test_callable_with_secrets_is_asked_and_one_that_fails_is_not_in_the_way(run):
    def fail():
        raise OSError

    we, they, third = run(lambda: [OURS]), run(lambda: [THEIRS]), run(fail)
    we.receive("ours", OURS)

    assert (they.handle(), third.handle()) == ([], [])
    assert we.handle() == ["ours"]


def test_many_secrets_are_recognized_by_the_secret_key_alone(run):
    many = [f"a-secret-of-a-customer-{each}" for each in range(MAX_NAMED_SECRETS + 1)]
    run(many, SECRET_KEY="a").receive("first", many[0])

    assert run([many[0]]).handle() == []
    assert run([OURS], SECRET_KEY="a").handle() == ["first"]
