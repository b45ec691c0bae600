"""What comes again: answers, rows, runs of handlers and log lines, item by item."""

import json
import logging
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

import hookkit
from hookkit import HookKit, RetryPolicy, signals
from hookkit.core.entry import State
from tests.applications import SECRET, make_app, message, post
from tests.senders.test_senders import delivery_of, endpoint_of

pytestmark = pytest.mark.usefixtures("no_way_out")

STANDARD = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
GITHUB = "a-secret-that-nobody-knows-2"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ACCEPTED, CONFLICT = "delivery_accepted", "event_conflict"


class Place:
    """An application, the events that its handler got, and what it logs."""

    def __init__(self, caplog, endpoints=None, runner="inline", **config):
        caplog.set_level(logging.INFO, "hookkit")
        self.caplog, self.seen, hooks = caplog, [], HookKit()
        self.fails = False
        hooks.on("*", name="see")(self.handle)
        endpoints = {"support": {"provider": "sunshine", "secrets": [SECRET]}} | (endpoints or {})
        self.app = make_app(hooks, HOOKKIT_ENDPOINTS=endpoints, HOOKKIT_RUNNER=runner, **config)
        self.client = self.app.test_client()

    def handle(self, event):
        self.seen.append(event)
        if self.fails:
            raise ValueError("not today")

    @property
    def inbox(self):
        return self.app.extensions["hookkit"].opening.inbox()

    def rows(self):
        """Return the state and the conflicts of each entry, oldest first."""
        return [(each.state, each.conflicts) for each in reversed(self.inbox.find())]

    def send(self, to, body, headers):
        """Return the status and the counts of a delivery."""
        answer = self.client.post(f"/hooks/{to}", data=body, headers=headers)
        return answer.status_code, answer.json.get("new"), answer.json.get("duplicates")

    def told(self):
        """Return what was logged since the last call, without ends of runs and what is not read."""
        words = [each.action for each in self.caplog.records]
        self.caplog.clear()
        return [each for each in words if each not in ("event_done", "drift")]


@contextmanager
def at(place, moment, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(place.app.extensions["hookkit"], "clock", lambda: moment)
        yield


def by_standard(body, event_id="msg_1", now=None):
    return body, hookkit.sign("standard", body, STANDARD, event_id=event_id, now=now)


FIRST = b'{"type": "contact.created", "data": {"id": 1}}'
OTHER = b'{"type": "contact.created", "data": {"id": 2}}'
ENDPOINTS = {
    "standard": {"provider": "standard", "secrets": [STANDARD]},
    "github": {"provider": "github", "secrets": [GITHUB]},
}


def test_delivery_within_its_tolerance_is_a_duplicate(caplog):
    place, delivery = Place(caplog, ENDPOINTS), by_standard(FIRST)

    answers = [place.send("standard", *delivery) for _ in range(3)]

    assert answers == [(200, 1, 0), (200, 0, 1), (200, 0, 1)]
    assert (place.rows(), len(place.seen)) == ([(State.DONE, 0)], 1)
    assert place.told() == [ACCEPTED] * 3


def test_delivery_beyond_its_tolerance_is_refused(caplog, monkeypatch):
    place, delivery = Place(caplog, ENDPOINTS), by_standard(FIRST, now=NOW)

    with at(place, NOW + timedelta(seconds=300), monkeypatch):
        in_time = place.send("standard", *delivery)
    with at(place, NOW + timedelta(seconds=300, milliseconds=1), monkeypatch):
        too_late = place.send("standard", *delivery)

    assert (in_time, too_late) == ((200, 1, 0), (401, None, None))
    assert (place.rows(), len(place.seen)) == ([(State.DONE, 0)], 1)
    assert place.told() == [ACCEPTED, "delivery_rejected"]


@pytest.mark.parametrize("days", [1, 31, 89])
def test_delivery_without_a_signed_time_is_a_duplicate_as_long_as_ids_are_kept(
    caplog, monkeypatch, days
):
    place, later = Place(caplog, ENDPOINTS), NOW + timedelta(days=days)
    headers = hookkit.sign("github", FIRST, GITHUB) | {"x-github-event": "push"}
    with at(place, NOW, monkeypatch):
        first = place.send("github", FIRST, headers)

    # As the defaults have it: bodies are gone after 30 days, ids after 90.
    place.inbox.prune(
        bodies_before=later - timedelta(days=30), ids_before=later - timedelta(days=90)
    )
    with at(place, later, monkeypatch):
        again = place.send("github", FIRST, headers)

    assert (first, again) == ((200, 1, 0), (200, 0, 1))
    assert (place.rows(), len(place.seen)) == ([(State.DONE, 0)], 1)
    assert place.told() == [ACCEPTED] * 2


def test_token_of_mailgun_serves_once(caplog):
    place, delivery = Place(caplog, {"shop": endpoint_of("mailgun")}), delivery_of("mailgun")
    document = json.loads(delivery.body)
    forged = {**document, "event-data": {"event": "delivered", "id": "2"}}

    first = place.send("shop", delivery.body, delivery.headers)
    second = place.send("shop", json.dumps(forged).encode(), delivery.headers)

    assert (first, second) == ((200, 1, 0), (200, 0, 1))
    assert (place.rows(), len(place.seen)) == ([(State.DONE, 1)], 1)
    assert place.told() == [ACCEPTED, ACCEPTED, CONFLICT]
    assert document["signature"]["token"] not in caplog.text


def test_other_body_under_a_known_id_is_a_conflict(caplog):
    place, conflicts = Place(caplog, ENDPOINTS), []

    with signals.event_conflict.connected_to(
        lambda _, **what: conflicts.append(what["event_id"]), place.app
    ):
        answers = [place.send("standard", *by_standard(each)) for each in (FIRST, OTHER, FIRST)]

    assert answers == [(200, 1, 0), (200, 0, 1), (200, 0, 1)]
    assert (place.rows(), [event.raw["data"]["id"] for event in place.seen]) == (
        [(State.DONE, 1)],
        [1],
    )
    assert [each.body for each in place.inbox.kept("standard")] == [FIRST]
    assert conflicts == ["msg_1"]
    assert place.told() == [ACCEPTED, ACCEPTED, CONFLICT, ACCEPTED]


def test_one_id_at_two_endpoints_is_two_events(caplog):
    two = ENDPOINTS["standard"] | {"secrets": ["whsec_" + "B" * 32]}
    place = Place(caplog, ENDPOINTS | {"second": two})
    again = hookkit.sign("standard", FIRST, two["secrets"][0], event_id="msg_1")

    answers = [place.send("standard", *by_standard(FIRST)), place.send("second", FIRST, again)]

    assert answers == [(200, 1, 0)] * 2
    assert (place.rows(), len(place.seen)) == ([(State.DONE, 0)] * 2, 2)
    assert place.told() == [ACCEPTED] * 2


@pytest.mark.parametrize("state", [State.PENDING, State.RUNNING, State.WAITING, State.DEAD])
def test_duplicate_leaves_the_first_as_it_is(caplog, state):
    policy = RetryPolicy(
        max_attempts=1 if state is State.DEAD else 3, first_delay_s=3600, max_delay_s=3600
    )
    place = Place(caplog, runner="none", HOOKKIT_RETRY=policy)
    place.fails = True
    post(place.client, message())
    if state is State.RUNNING:
        now = datetime.now(UTC)
        assert place.inbox.claim(now=now, lease_s=60, limit=1, endpoints=["support"])
    if state in (State.WAITING, State.DEAD):
        place.app.extensions["hookkit"].worker.work()
    before = place.inbox.find()
    place.told()

    answer = post(place.client, message())

    assert (answer.status_code, answer.json) == (
        200,
        {"code": "accepted", "new": 0, "duplicates": 1},
    )
    assert place.inbox.find() == before
    assert before[0].state is state
    assert place.told() == [ACCEPTED]


def test_batch_that_is_sent_again_is_all_duplicates(caplog):
    place, body = Place(caplog), message()
    event = body["events"][0]
    ids = [str(number) for number in range(50)]
    body["events"] = [*({**event, "id": each} for each in ids), "no object", {**event, "id": "7"}]

    answers = [post(place.client, body).json for _ in range(2)]

    assert [(each["new"], each["duplicates"]) for each in answers] == [(51, 1), (0, 52)]
    types = [each.type for each in place.seen]
    assert (len(types), types.count("unknown")) == (51, 1)
    assert place.rows() == [(State.DONE, 0)] * 51
    assert place.told() == [ACCEPTED] * 2


def test_older_event_tells_its_handler_that_it_is_older(caplog):
    place = Place(caplog)
    for event_id, created_at in (("new", "2026-03-01T10:05:00Z"), ("old", "2026-03-01T10:00:00Z")):
        body = message(event_id)
        body["events"][0]["createdAt"] = created_at
        post(place.client, body)

    newer, older = place.seen

    assert older.occurred_at == newer.occurred_at - timedelta(minutes=5)
    assert older.received_at >= newer.received_at
    assert place.rows() == [(State.DONE, 0)] * 2
    assert place.told() == [ACCEPTED] * 2
