"""The pages of refused deliveries."""

import pytest

from tests.applications import SECRET, message, post
from tests.console.ops import SAME_ORIGIN

WRONG = "a-secret-that-is-wrong"


def refuse(ops, *event_ids, secret=WRONG):
    for event_id in event_ids:
        post(ops.client, message(event_id), secret=secret)


def mend(ops):
    """Give the settings the secret that the vendor signs with."""
    ops.secrets.append(WRONG)


def settings_of(secrets):
    return {"HOOKKIT_ENDPOINTS": {"support": {"provider": "sunshine", "secrets": lambda: secrets}}}


@pytest.fixture
def ops(make_ops):
    secrets = [SECRET]
    found = make_ops(**settings_of(secrets))
    found.secrets = secrets
    found.as_user("operate")
    return found


def test_empty_quarantine_says_so(ops):
    assert "No refused delivery is kept." in ops.get("/quarantine").text
    refuse(ops, "event-1")
    assert "No refused delivery is kept of these." in ops.get("/quarantine?since=2999-01-01").text


def test_list_leads_to_older_refusals(ops, monkeypatch):
    monkeypatch.setattr("hookkit.web.console.quarantine.LIMIT", 2)
    for _ in range(3):
        ops.client.post("/hooks/support", json={})

    newest, older = ops.get("/quarantine?at=support"), ops.get("/quarantine?at=support&below=2")

    assert 'rel="next" href="/ops/quarantine?at=support&amp;below=2"' in newest.text
    assert [number in older.text for number in ('quarantine/1"', 'quarantine/2"')] == [True, False]
    assert "Newest</a>" in older.text
    assert "Why, and what to do" not in older.text
    assert ops.get("/quarantine?below=x").status_code == 400


def test_refused_deliveries_are_listed_with_the_reason_of_the_newest(ops):
    refuse(ops, "event-1", "event-2")

    text = ops.get("/quarantine").text

    assert text.index(">2</a>") < text.index(">1</a>")
    assert "Delivery 2</a>, the newest at support" in text
    assert "signature_mismatch: " in text
    assert "Where is my order?" not in text
    assert WRONG not in text
    assert "choose their endpoint first" in text


def test_one_is_verified_again_and_admitted(ops):
    refuse(ops, "event-1")
    assert "By these it is refused: mend them first." in ops.get("/quarantine/1").text
    mend(ops)
    assert "mend them first" not in ops.get("/quarantine/1").text

    answer = ops.post("/quarantine/1/release", page="/quarantine/1")

    assert (answer.status_code, answer.location) == (303, "/ops/quarantine/1?released=1")
    assert ops.ran == ["event-1"]
    assert ops.acts() == [("ada@example.com", "release", "refused 1", "done")]
    text = ops.client.get(answer.location).text
    assert "1 released." in text
    assert "Verify again" not in text


def test_one_that_is_still_refused_is_told(ops):
    refuse(ops, "event-1")

    answer = ops.post("/quarantine/1/release", page="/quarantine/1")

    assert answer.location == "/ops/quarantine/1?refused=1"
    assert "1 still refused. See why below." in ops.client.get(answer.location).text
    assert ops.ran == []


def test_all_of_an_endpoint_are_verified_up_to_the_one_that_was_seen(ops):
    refuse(ops, "event-1", "event-2")
    fields = ops.token("/quarantine?at=support&since=2h", "/quarantine/release")
    refuse(ops, "event-3")
    mend(ops)

    answers = [
        ops.client.post("/ops/quarantine/release", data=fields, headers=SAME_ORIGIN)
        for _ in range(2)
    ]

    assert [answer.status_code for answer in answers] == [303, 409]
    assert ops.ran == ["event-1", "event-2"]
    assert "2 released." in ops.client.get(answers[0].location).text
    assert "3</a>, the newest at support" in ops.get("/quarantine?at=support").text


def test_many_are_verified_in_parts(ops, monkeypatch):
    monkeypatch.setattr("hookkit.web.console.quarantine.AT_ONCE", 2)
    refuse(ops, "event-1", "event-2", "event-3")
    mend(ops)
    page = "/quarantine?at=support"

    answer = ops.post("/quarantine/release", page=page)

    assert ops.ran == ["event-1", "event-2"]
    assert "2 released, 1 left for the next time." in ops.client.get(answer.location).text
    ops.post("/quarantine/release", page=page)
    assert ops.ran == ["event-1", "event-2", "event-3"]


@pytest.mark.parametrize("change", [{"at": ""}, {"at": "nowhere"}, {"since": "x"}, {"up_to": "x"}])
def test_what_the_page_does_not_offer_is_refused(ops, change):
    refuse(ops, "event-1")
    mend(ops)

    answer = ops.post("/quarantine/release", change, page="/quarantine?at=support")

    assert answer.status_code == 400
    assert ops.ran == []


def test_whoever_may_only_look_sees_why_there_is_no_button(ops):
    refuse(ops, "event-1")
    ops.as_user("view")

    for page in ("/quarantine?at=support", "/quarantine/1"):
        assert "This takes the right “operate”." in ops.get(page).text


@pytest.mark.parametrize(
    ("query", "sentence"), [("at=nowhere", "Choose one of"), ("since=soon", "Write 2h, today")]
)
def test_mistake_in_the_address_is_told(ops, query, sentence):
    answer = ops.get(f"/quarantine?{query}")

    assert answer.status_code == 400
    assert sentence in answer.text


def test_delivery_that_is_not_there_is_404(ops):
    assert ops.get("/quarantine/7").status_code == 404


def test_pages_work_on_both_databases(make_ops, sql_url):
    ops = make_ops(HOOKKIT_DATABASE=sql_url)
    ops.as_user("operate")
    refuse(ops, "event-1")

    assert "Delivery 1</a>" in ops.get("/quarantine?at=support&since=1h").text
    assert ops.post("/quarantine/1/release", page="/quarantine/1").status_code == 303
    assert SECRET not in ops.get("/audit").text
