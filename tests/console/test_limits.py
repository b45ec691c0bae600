"""What one look may cost, and what stays in no cache."""

from urllib.parse import quote

import pytest

from hookkit.inbox.reading import Reading
from tests.console.ops import SAME_ORIGIN
from tests.inbox.test_patience import ENDLESS, LONG


def look_for_ever(reading, *_):
    with reading._transactions.read() as connection:
        connection.execute(ENDLESS)


def test_page_that_takes_too_long_is_given_up_in_one_sentence(make_ops, sql_url, monkeypatch):
    monkeypatch.setattr("hookkit.web.console.console.LOOK_LIMIT_S", 0.2)
    monkeypatch.setattr(Reading, "dead_groups", look_for_ever)
    ops = make_ops(HOOKKIT_DATABASE=sql_url)

    given_up = ops.get("/dead")
    ops.receive("event-1")

    assert given_up.status_code == 504
    assert "this look was given up: choose less" in given_up.text
    assert ops.get("/events/1").status_code == 200


def test_action_is_not_given_up(ops, monkeypatch):
    """Its handlers may read the same database, and what it has begun is to end."""
    monkeypatch.setattr("hookkit.web.console.console.LOOK_LIMIT_S", 1e-9)
    ops.receive("event-1")
    ops.as_user("operate")
    fields = ops.token("/events/1", "/events/1/replay")
    found = []

    def fails(event):
        with ops.inbox._transactions.read() as connection:
            found.append(connection.execute(LONG).scalar_one())

    monkeypatch.setattr(ops, "fails", fails)
    answer = ops.client.post("/ops/events/1/replay", data=fields, headers=SAME_ORIGIN)

    assert (answer.status_code, found) == (303, [300_000])


def test_no_answer_stays_in_a_cache(ops, monkeypatch):
    ops.receive("event-1")
    ops.as_user("operate")
    replay = "/events/1/replay"
    fields = ops.token("/events/1", replay)
    answers = [
        ops.get("/events"),
        ops.get("/live/changes"),
        ops.get("/events?state=deed"),
        ops.get("/events/7"),
        ops.get(replay),
        ops.client.post(f"/ops{replay}", headers=SAME_ORIGIN),
        ops.client.post(f"/ops{replay}", data=fields, headers=SAME_ORIGIN),
        ops.client.post(f"/ops{replay}", data=fields, headers=SAME_ORIGIN),
        ops.get("/static/0000000000000000/console.css"),
    ]
    ops.access = RuntimeError("no database")
    answers.append(ops.get("/events"))
    ops.as_user("view")
    monkeypatch.setattr("hookkit.web.console.console.AT_ONCE", 0)
    ops.as_user("view", user="bob")
    answers.append(ops.get("/events"))

    statuses = [answer.status_code for answer in answers]
    assert statuses == [200, 200, 400, 404, 405, 403, 303, 409, 404, 500, 429]
    assert {answer.headers["Cache-Control"] for answer in answers} == {"no-store"}


@pytest.mark.parametrize("page", ["/events/1", "/replays/1", "/versions/moving", "/quarantine"])
def test_address_puts_no_words_into_a_page(ops, page):
    ops.receive("event-1")

    shown = ops.get(f"{page}?did={quote('Your session has ended')}&done=Ended&released=x")

    main = shown.text.split("<main")[1].split("</main>")[0]
    assert "ended" not in main.lower()
    assert 'class="done"' not in main
