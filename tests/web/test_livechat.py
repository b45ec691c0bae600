"""LiveChat over HTTP: who is let in, what is kept, and what is handled once."""

import base64
import json
import logging
import warnings

import pytest

from hookkit import ConfigurationError, HookKit, signals
from hookkit.core.entry import State
from hookkit.core.parts import AuthorType
from tests.applications import make_app
from tests.providers.livechat_bodies import CUSTOMER, SECRET_KEY, body, said

pytestmark = pytest.mark.usefixtures("each_door")

OLD_KEY = "the-secret-key-before-that"
BASIC = "livechat:a-password-nobody-guesses"
TOKEN = "a-token-that-nobody-guesses"
AUTHORIZATION = {"Authorization": f"Basic {base64.b64encode(BASIC.encode()).decode()}"}
LEGACY = {"event_type": "chat_started", "token": "the-token-of-legacy", "license_id": "1"}
APP = {"event": "application_installed", "applicationID": "a", "date": "2020-09-14T15:29:53Z"}

URL = "/hooks/support"


@pytest.fixture
def hooks():
    return HookKit()


@pytest.fixture
def seen(hooks):
    events = []
    hooks.on("*", name="see")(events.append)
    return events


@pytest.fixture(params=["memory", "sqlite"])
def database(request, tmp_path):
    return "memory://" if request.param == "memory" else f"sqlite:///{tmp_path / 'inbox.db'}"


def app_of(hooks, database="memory://", **settings):
    endpoint = {"provider": "livechat"} | (settings or {"secrets": [SECRET_KEY, OLD_KEY]})
    return make_app(hooks, HOOKKIT_ENDPOINTS={"support": endpoint}, HOOKKIT_DATABASE=database)


def post(app, document, *, url=URL, headers=None):
    data = document if isinstance(document, bytes) else json.dumps(document).encode()
    return app.test_client().post(
        url, data=data, headers=headers or {}, content_type="application/json"
    )


def code_of(response):
    return response.status_code, response.json["code"]


# Who is let in


@pytest.mark.parametrize("version", ["3.0", "3.1", "3.2", "3.4", "3.6"])
def test_message_of_a_customer_is_handled(hooks, version):
    said_by_customers = []

    @hooks.on("conversation:message", author="user")
    def answer(event):
        said_by_customers.append((event.conversation.id, event.message.text))

    response = post(app_of(hooks), said(version=version))

    assert code_of(response) == (200, "accepted")
    assert said_by_customers == [("PJ0MRSHTDG", "Hi!")]


TOO_DEEP = b'{"a":' * 5000 + b"1" + b"}" * 5000


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        pytest.param(said() | {"secret_key": OLD_KEY}, (200, "accepted"), id="older"),
        pytest.param(said() | {"secret_key": "wrong"}, (401, "signature_mismatch"), id="wrong"),
        pytest.param(said() | {"secret_key": None}, (401, "signature_missing"), id="null"),
        pytest.param(said() | {"secret_key": ""}, (401, "signature_missing"), id="empty"),
        pytest.param(said() | {"secret_key": [OLD_KEY]}, (401, "signature_missing"), id="a list"),
        pytest.param(LEGACY, (401, "signature_missing"), id="legacy"),
        pytest.param(APP, (401, "signature_missing"), id="app"),
        pytest.param({}, (401, "signature_missing"), id="nothing"),
        pytest.param(b"", (400, "malformed_body"), id="empty body"),
        pytest.param(b"secret_key=x", (400, "malformed_body"), id="a form"),
        pytest.param(b"[1]", (400, "malformed_body"), id="an array"),
        pytest.param(b"\xff\xfe", (400, "malformed_body"), id="not UTF-8"),
        pytest.param(b"[" * 100_000, (400, "malformed_body"), id="deep"),
        pytest.param(b'{"a":' * 1000 + b"1" + b"}" * 1000, (400, "malformed_body"), id="too deep"),
        # A large body is not decoded unless it holds the secret.
        pytest.param(TOO_DEEP, (401, "signature_missing"), id="large"),
        pytest.param(
            b'{"secret_key":"%b","a":%b}' % (OLD_KEY.encode(), TOO_DEEP),
            (400, "malformed_body"),
            id="large with the secret",
        ),
        pytest.param(b'{"a": ' + b"9" * 5000 + b"}", (400, "malformed_body"), id="long number"),
    ],
)
def test_answer_hangs_on_the_secret_in_the_body(hooks, seen, sent, answer):
    response = post(app_of(hooks), sent)

    assert code_of(response) == answer
    assert len(seen) == (1 if answer[0] == 200 else 0)


def test_unknown_action_with_the_right_secret_is_kept(hooks, seen):
    response = post(app_of(hooks), body("from_tomorrow", {"a": 1}))

    assert code_of(response) == (200, "accepted")
    assert seen[0].problems == ("action: not known",)


def test_secret_may_hang_on_the_webhook(hooks, seen):
    app = app_of(hooks, secrets={"w1": [SECRET_KEY], "w2": [OLD_KEY]})

    answers = [
        post(app, said(webhook_id=webhook_id) | {"secret_key": secret}).status_code
        for webhook_id, secret in (
            ("w1", SECRET_KEY),
            ("w2", SECRET_KEY),
            ("w2", OLD_KEY),
            ("w3", SECRET_KEY),
        )
    ]

    assert answers == [200, 401, 200, 401]


def test_secret_of_one_webhook_burns_no_id_of_another(hooks, seen):
    app = app_of(hooks, secrets={"w1": [SECRET_KEY], "w2": [OLD_KEY]})
    forged = said(webhook_id="w1") | {"secret_key": SECRET_KEY}
    genuine = said(webhook_id="w2") | {"secret_key": OLD_KEY}
    forged["payload"]["event"]["text"] = "Forged"

    answers = [post(app, each).json for each in (forged, genuine, forged, genuine)]

    assert [each["new"] for each in answers] == [1, 1, 0, 0]
    assert [(event.webhook_id, event.raw["payload"]["event"]["text"]) for event in seen] == [
        ("w1", "Forged"),
        ("w2", genuine["payload"]["event"]["text"]),
    ]
    entries = app.extensions["hookkit"].opening.inbox().find()
    assert [each.conflicts for each in entries] == [0, 0]
    assert len({each.lane for each in entries}) == 2
    assert len({each.fact for each in entries}) == 2


def test_webhooks_with_a_secret_in_common_are_one_account(hooks, seen):
    """As while an account replaces its webhook, whose two registrations report the same event."""
    app = app_of(hooks, secrets={"w1": [SECRET_KEY, OLD_KEY], "w2": [OLD_KEY, SECRET_KEY]})
    ways = [("w1", SECRET_KEY), ("w2", OLD_KEY), ("w2", SECRET_KEY)]

    answers = [
        post(app, said(webhook_id=webhook_id) | {"secret_key": secret}).json["new"]
        for webhook_id, secret in ways
    ]

    assert answers == [1, 0, 0]
    assert len(seen) == 1


def test_account_stays_when_a_secret_is_replaced(hooks, seen):
    secrets = {"w1": [OLD_KEY]}
    app = app_of(hooks, secrets=lambda: secrets)
    first = post(app, said(webhook_id="w1") | {"secret_key": OLD_KEY}).json["new"]

    secrets["w1"] = [SECRET_KEY]
    again = post(app, said(webhook_id="w1") | {"secret_key": SECRET_KEY}).json["new"]

    assert (first, again) == (1, 0)


def test_twins_by_webhooks_without_a_common_secret_are_warned_of(hooks):
    modes = {"3.5": "live", "3.6": "shadow"}
    strange = {"w1": [SECRET_KEY], "w2": [OLD_KEY]}
    common = {"w1": [SECRET_KEY, OLD_KEY], "w2": [OLD_KEY]}

    with pytest.warns(UserWarning, match="no two webhooks have a secret in common"):
        app_of(hooks, secrets=strange, versions=modes)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        app_of(HookKit(), secrets=common, versions=modes)
        app_of(HookKit(), secrets=strange)


MIXED = {
    "secrets": [SECRET_KEY],
    "versions": {
        "legacy": {"unsigned": True, "basic": [BASIC]},
        "app": {"unsigned": True, "path_token": [TOKEN]},
    },
}


@pytest.mark.parametrize(
    ("document", "how", "status"),
    [
        pytest.param(LEGACY, {"headers": AUTHORIZATION}, 200, id="legacy with Basic"),
        pytest.param(LEGACY, {}, 401, id="legacy with nothing"),
        pytest.param(LEGACY, {"url": f"{URL}/{TOKEN}"}, 401, id="legacy with the app's token"),
        pytest.param(LEGACY | {"secret_key": SECRET_KEY}, {}, 401, id="legacy with a secret"),
        pytest.param(APP, {"url": f"{URL}/{TOKEN}"}, 200, id="app with its token"),
        pytest.param(APP, {"url": f"{URL}/{TOKEN}x"}, 401, id="app with another token"),
        pytest.param(APP, {"headers": AUTHORIZATION}, 401, id="app with Basic"),
        pytest.param(said(), {}, 200, id="3.x with its secret"),
        pytest.param(said() | {"secret_key": "x"}, {"headers": AUTHORIZATION}, 401, id="3.x wrong"),
        pytest.param(
            said() | {"secret_key": None},
            {"headers": AUTHORIZATION, "url": f"{URL}/{TOKEN}"},
            401,
            id="3.x without its secret",
        ),
        pytest.param(
            said() | {"secret_key": None, "event_type": "chat_started", **APP},
            {"headers": AUTHORIZATION, "url": f"{URL}/{TOKEN}"},
            401,
            id="3.x that claims to be everything",
        ),
        pytest.param({"x": 1}, {"headers": AUTHORIZATION}, 401, id="no version"),
    ],
)
def test_each_version_needs_its_own_proof_and_no_body_chooses(hooks, seen, document, how, status):
    response = post(app_of(hooks, **MIXED), document, **how)

    assert response.status_code == status
    assert len(seen) == (1 if status == 200 else 0)


@pytest.mark.parametrize(
    "settings",
    [
        {"unsigned": True},
        {"secrets": [SECRET_KEY], "versions": {"legacy": {"unsigned": True}}},
    ],
    ids=["endpoint", "version"],
)
def test_unsigned_alone_does_not_start(hooks, settings):
    with pytest.raises(ConfigurationError, match="unsigned: not alone with livechat"):
        app_of(hooks, **settings)


@pytest.mark.parametrize(
    ("settings", "mistake"),
    [
        ({"version": "legacy"}, "version: 'legacy' cannot be pinned; livechat leaves open 3.0"),
        ({"version": {"w1": "3.9"}}, "version: '3.9' cannot be pinned"),
        ({"authors": {"w1": "customer"}}, "authors.w1.value: must be one of user, business"),
        ({"versions": {"v3": "live"}}, "versions.v3: livechat has legacy, app, 3.0"),
    ],
)
def test_mistake_in_its_settings_is_named(hooks, settings, mistake):
    with pytest.raises(ConfigurationError) as raised:
        app_of(hooks, secrets=[SECRET_KEY], **settings)

    (told,) = raised.value.mistakes
    assert told.startswith(f"HOOKKIT_ENDPOINTS.support.{mistake}")


def test_good_settings_give_no_warning(hooks):
    with warnings.catch_warnings():
        warnings.simplefilter("error")

        assert app_of(hooks, **MIXED, version={"w1": "3.6"}, authors={"w1": "user"})


# What is kept


@pytest.mark.parametrize(
    ("settings", "document", "headers", "secret"),
    [
        pytest.param({"secrets": [SECRET_KEY]}, said(), {}, SECRET_KEY, id="secret_key"),
        pytest.param(
            {"secrets": [SECRET_KEY]}, {"x": 1, "secret_key": SECRET_KEY}, {}, SECRET_KEY, id="odd"
        ),
        pytest.param(MIXED, LEGACY, AUTHORIZATION, LEGACY["token"], id="token"),
        pytest.param(
            {"unsigned": True, "basic": [BASIC]}, said(), AUTHORIZATION, SECRET_KEY, id="unsigned"
        ),
        pytest.param(
            {"unsigned": True, "basic": [BASIC]},
            json.dumps(said()).encode()[:-1],
            AUTHORIZATION,
            SECRET_KEY,
            id="unsigned and cut",
        ),
    ],
)
def test_secret_is_kept_nowhere(hooks, seen, tmp_path, caplog, settings, document, headers, secret):
    caplog.set_level(logging.DEBUG)
    app = app_of(hooks, f"sqlite:///{tmp_path / 'inbox.db'}", **settings)

    assert post(app, document, headers=headers).status_code == 200
    app.extensions["hookkit"].stop()

    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"***" in kept
    assert secret.encode() not in kept
    assert AUTHORIZATION["Authorization"].encode() not in kept
    assert secret not in json.dumps(dict(seen[0].raw)) + repr(seen[0]) + caplog.text


def test_secret_is_in_no_log_line_of_a_refusal(hooks, caplog):
    caplog.set_level(logging.DEBUG)

    post(app_of(hooks), said() | {"secret_key": "a-secret-that-does-not-fit"})

    assert "a-secret-that-does-not-fit" not in caplog.text


def test_replay_reads_what_is_kept_as_the_first_time(hooks, seen, database):
    app = app_of(
        hooks,
        database,
        secrets=[SECRET_KEY],
        version={"w1": "3.6"},
        authors={"w1": "bot"},
    )
    post(app, said(additional_data={"chat_properties": {"a": {"b": 1}}}, text="Grüße \U0001f641"))
    (record,) = app.extensions["hookkit"].opening.inbox().find()

    hooks.replay(app, record.id)

    first, again = seen
    assert again == first
    assert (again.version, again.actor.type) == ("3.6", AuthorType.BOT)
    app.extensions["hookkit"].stop()


# What is handled once


@pytest.mark.parametrize("action", ["incoming_event", "thread_tagged"])
def test_two_registrations_of_an_action_are_handled_once(hooks, seen, database, action):
    app = app_of(hooks, database)
    told = []
    with (
        signals.event_duplicate.connected_to(lambda sender, **told_: told.append("duplicate")),
        signals.event_conflict.connected_to(lambda sender, **told_: told.append("conflict")),
    ):
        first = post(app, body(action, webhook_id="w1"))
        more = {"chat_properties": {"a": {"b": 1}}}
        second = post(app, body(action, webhook_id="w2", secret_key=OLD_KEY, additional_data=more))

    assert (first.json["new"], second.json["new"], second.json["duplicates"]) == (1, 0, 1)
    assert told == ["duplicate"]
    assert len(seen) == 1
    app.extensions["hookkit"].stop()


def test_same_message_with_other_words_is_a_conflict(hooks, seen, database):
    app = app_of(hooks, database)
    told = []
    with signals.event_conflict.connected_to(lambda sender, **told_: told.append("conflict")):
        post(app, said())
        second = post(app, said(text="Something else"))

    assert second.status_code == 200
    assert (len(seen), told) == (1, ["conflict"])
    app.extensions["hookkit"].stop()


def test_tagged_and_untagged_are_two_events_and_a_retry_is_none(hooks, seen):
    app = app_of(hooks)

    for action in ("thread_tagged", "thread_tagged", "thread_untagged", "thread_untagged"):
        assert post(app, body(action)).status_code == 200

    assert [event.vendor_type for event in seen] == ["thread_tagged", "thread_untagged"]


def test_array_is_several_events_of_one_delivery(hooks, seen):
    elements = [{"id": "a", "status": "added"}, {"id": "b", "status": "deleted"}]
    app = app_of(hooks)

    response = post(app, body("auto_accesses_updated", elements))

    assert response.json["new"] == 2
    records = app.extensions["hookkit"].opening.inbox().find()
    assert {record.state for record in records} == {State.DONE}
    assert {event.reason for event in seen} == {"added", "deleted"}


def test_handler_of_an_old_name_goes_on_working(hooks):
    heard = []
    hooks.on("thread_closed", name="old")(lambda event: heard.append(event.vendor_type))
    app = app_of(hooks)

    post(app, body("thread_closed", version="3.1"))
    post(app, body("chat_deactivated", version="3.6"))
    post(app, body("thread_tagged", version="3.6"))

    assert heard == ["thread_closed", "chat_deactivated"]


def test_customer_is_told_from_agents_and_bots(hooks):
    heard = []
    for author in ("user", "business", "bot", "system"):
        hooks.on("conversation:message", author=author, name=author)(
            lambda event, author=author: heard.append(author)
        )
    app = app_of(hooks)
    authors = (CUSTOMER, "smith@example.com", "5c9871d5372c824cbf22d860a707a578")

    for number, author_id in enumerate(authors):
        post(app, said(id=f"e{number}", author_id=author_id))
    post(app, said(id="e9", type="system_message", author_id=None))

    assert heard == ["user", "business", "bot", "system"]


# What counts as a redelivery


def test_redelivery_that_only_its_time_tells_is_logged_with_the_setting(hooks, seen, caplog):
    app = app_of(hooks)
    caplog.set_level(logging.INFO, "hookkit")

    for _ in range(2):
        assert post(app, body("thread_tagged")).status_code == 200
    post(app, said())
    post(app, said())

    (line,) = [each for each in caplog.records if each.action == "event_repeated"]
    assert (line.endpoint, line.repeat_after_s, line.repetitions) == ("support", 90, 1)
    assert "repeat_window_s" in line.getMessage()
    assert [event.vendor_type for event in seen] == ["thread_tagged", "incoming_event"]


def test_first_words_of_a_customer_are_handled_once(hooks, seen, database):
    app = app_of(hooks, database)
    words = {"id": "e1", "type": "message", "author_id": CUSTOMER, "text": "where is my order?"}
    chat = {"id": "c1", "thread": {"id": "t1", "events": [words]}}

    for _ in range(2):
        post(app, body("incoming_chat", {"chat": chat}))
        post(app, body("incoming_event", {"chat_id": "c1", "thread_id": "t1", "event": words}))

    assert [event.type for event in seen] == ["conversation:create", "conversation:message"]
    assert seen[1].message.text == "where is my order?"
    assert hooks.stats(app).entries[State.DONE] == 2


def test_status_that_flips_back_is_handled_each_time(hooks, seen, database):
    app = app_of(hooks, database)
    on, off = ({"agent_id": "a@x.com", "status": f"{word}accepting_chats"} for word in ("", "not_"))

    for status in (on, off, on, on, off):
        post(app, body("routing_status_set", status))

    assert [event.state for event in seen] == [each["status"] for each in (on, off, on, off)]
    assert len({event.id for event in seen}) == 4
