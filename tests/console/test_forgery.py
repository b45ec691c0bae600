"""Only the console's own forms do anything."""

from datetime import timedelta

import pytest

from hookkit.web.console.forgery import MAX_AGE_S, Signer
from tests.console.ops import SAME_ORIGIN, SECRET_KEY, cookie_of

PAGE = "/events/1"
ACTION = "/events/1/replay"


@pytest.fixture
def ops(make_ops):
    found = make_ops()
    found.receive("event-1")
    found.as_user("operate")
    return found


def send(ops, fields, headers=SAME_ORIGIN, **options):
    return ops.client.post(f"{ops.prefix}{ACTION}", data=fields, headers=headers, **options)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (SAME_ORIGIN, 303),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "none"}, 403),
        ({"Sec-Fetch-Site": ""}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"}, 403),
        ({"Origin": "http://localhost"}, 303),
        ({"Origin": "https://localhost"}, 403),
        ({"Origin": "http://localhost:8080"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": ""}, 403),
        ({}, 403),
    ],
    ids=str,
)
def test_browser_must_say_that_the_form_is_of_this_site(ops, headers, status):
    answer = send(ops, ops.token(PAGE, ACTION), headers)

    assert answer.status_code == status
    assert len(ops.ran) == (2 if status == 303 else 1)


def test_plain_http_to_a_mapped_name_works(ops):
    headers = {"Origin": "http://ops.internal:8000"}
    answer = send(ops, ops.token(PAGE, ACTION), headers, base_url="http://ops.internal:8000")

    assert answer.status_code == 303


def test_token_is_of_one_user_one_button_one_entry_and_a_day(ops):
    ops.receive("event-2")
    fields = ops.token(PAGE, ACTION)
    own = Signer([SECRET_KEY], "form")
    others = {
        "none": {},
        "empty": {"token": ""},
        "made up": {"token": "W10.aaaaaa.bbbbbbbb"},
        "of another key": {"token": Signer(["another"], "form").sign(*what())},
        "of another purpose": {"token": Signer([SECRET_KEY], "reveal").sign(*what())},
        "of another user": {"token": own.sign("bob", "replay", {"entry_id": 1})},
        "of another button": ops.token(PAGE, "/preferences"),
        "of another entry": ops.token("/events/2", "/events/2/replay"),
    }

    for name, other in others.items():
        answer = send(ops, {"replays": "0"} | other)
        assert (name, answer.status_code) == (name, 403)
    assert ops.ran == ["event-1", "event-2"]
    assert send(ops, fields).status_code == 303


def what():
    return "ada@example.com", "replay", {"entry_id": 1}


def test_old_token_is_refused_with_what_to_do(ops, monkeypatch):
    fields = ops.token(PAGE, ACTION)
    monkeypatch.setattr("hookkit.web.console.console.MAX_AGE_S", -1)

    answer = send(ops, fields)

    assert answer.status_code == 403
    assert "open the page again" in answer.text


def test_token_outlives_a_change_of_the_key(ops):
    fields = ops.token(PAGE, ACTION)
    ops.app.config.update(
        SECRET_KEY="a-new-key-of-the-application", SECRET_KEY_FALLBACKS=[SECRET_KEY]
    )

    assert send(ops, fields).status_code == 303


def test_token_of_a_working_day_is_young_enough():
    assert timedelta(seconds=MAX_AGE_S) == timedelta(hours=8)


def test_preferences_are_kept_in_cookies_and_lead_back(ops):
    answer = ops.post(
        "/preferences", {"theme": "dark", "times": "local"}, page="/events?state=dead"
    )

    cookie = cookie_of(answer, "hookkit_theme")
    assert (answer.status_code, answer.location) == (303, "/ops/events?state=dead")
    assert (cookie["path"], cookie["samesite"], cookie["httponly"]) == ("/ops/", "Strict", True)
    assert 'data-theme="dark" data-times="local"' in ops.get("/events").text


@pytest.mark.parametrize("prefix", ["/ops", "/"])
@pytest.mark.parametrize(
    "back",
    ["//evil.example", "\\\\evil.example", "https://evil.example", "/\t/evil.example", "\r\nX: 1"],
)
def test_preferences_lead_to_no_other_site(make_ops, prefix, back):
    ops = make_ops(prefix=prefix)
    answer = ops.post("/preferences", {"theme": "dark", "back": back}, page="/events")

    assert answer.status_code == 303
    assert answer.location.startswith(f"{ops.prefix}/")
    assert not answer.location.startswith(("//", "/\\"))


@pytest.mark.parametrize("theme", ["pink", "dark; path=/", ""])
def test_unknown_preference_is_refused(ops, theme):
    assert ops.post("/preferences", {"theme": theme}, page="/events").status_code == 400
