"""What a user writes, and the mistakes that are told at once."""

import functools
import threading
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask, current_app, g
from sqlalchemy import create_engine

from hookkit import ConfigurationError, HookKit, ReplayRefused, RetryPolicy
from hookkit.core.entry import Settlement, State
from hookkit.inbox.opening import open_inbox
from hookkit.providers import load_providers
from tests.applications import ENDPOINTS, admit, make_app, message, post


@pytest.fixture
def hooks():
    return HookKit()


def test_decorator_returns_the_function_unchanged(hooks):
    def handle(event):
        return None

    assert hooks.on("*")(handle) is handle
    assert hooks.fallback(lambda event: None)


@pytest.mark.parametrize(
    ("triggers", "conditions", "told"),
    [
        pytest.param((), {}, "on() needs a trigger", id="no trigger"),
        pytest.param(("conversation:mesage",), {}, "'conversation:message'", id="misspelt"),
        pytest.param(("acme/x",), {}, "sunshine/...", id="unknown provider/"),
        pytest.param(("*",), {"author": "robot"}, "known are user, business", id="author"),
        pytest.param(
            ("*",),
            {"provider": "x"},
            "known are " + ", ".join(sorted(load_providers())),
            id="provider",
        ),
        pytest.param(
            ("*",),
            {"version": "v3", "provider": "sunshine"},
            "known are v1, v1.1, v2",
            id="version",
        ),
        pytest.param(("*",), {"name": ""}, "must have 1 to 255 characters", id="empty name"),
        pytest.param(("*",), {"name": "x" * 256}, "must have 1 to 255", id="long name"),
    ],
)
def test_registration_that_cannot_work_says_why(hooks, triggers, conditions, told):
    with pytest.raises(ConfigurationError) as raised:
        hooks.on(*triggers, **conditions)(lambda event: None)

    assert told in str(raised.value)


def test_handler_without_a_parameter_is_refused(hooks):
    with pytest.raises(ConfigurationError, match="must take the event"):
        hooks.on("*", name="none")(lambda: None)


def test_two_handlers_of_one_name_are_refused(hooks):
    hooks.on("*", name="greet")(lambda event: None)

    with pytest.raises(ConfigurationError, match="two handlers are named 'greet'"):
        hooks.on("test", name="greet")(lambda event: None)


def test_callable_without_a_name_needs_one(hooks):
    handle = functools.partial(print, "event")

    with pytest.raises(ConfigurationError, match="pass name="):
        hooks.on("*")(handle)


def test_conditions_narrow_a_trigger(hooks):
    seen = []
    for name, conditions in {
        "author": {"author": "user"},
        "other author": {"author": "business"},
        "provider": {"provider": "sunshine"},
        "endpoint": {"endpoint": "support"},
        "other endpoint": {"endpoint": "sales"},
        "version": {"version": "v2"},
        "other version": {"version": "v1.1"},
        "when": {"when": lambda event: "order" in event.message.text},
        "other when": {"when": lambda event: "refund" in event.message.text},
    }.items():
        hooks.on("conversation:message", name=name, **conditions)(
            lambda event, name=name: seen.append(name)
        )

    post(make_app(hooks).test_client(), message())

    assert seen == ["author", "provider", "endpoint", "version", "when"]


def test_blueprint_and_init_app_serve_the_same(hooks):
    by_blueprint, by_init_app = Flask("a"), Flask("b")
    for app in (by_blueprint, by_init_app):
        app.config.update(TESTING=True, HOOKKIT_ENDPOINTS=ENDPOINTS, HOOKKIT_URL_PREFIX="/in")
    by_blueprint.register_blueprint(hooks.blueprint, url_prefix="/other")
    hooks.init_app(by_init_app)

    answers = [
        post(by_blueprint.test_client(), message(), url="/other/support").status_code,
        post(by_init_app.test_client(), message(), url="/in/support").status_code,
    ]

    assert answers == [200, 200]


def test_applications_with_one_hookkit_keep_their_events_apart(hooks):
    apps = [make_app(hooks), make_app(hooks)]

    answers = [post(app.test_client(), message()).json["new"] for app in apps]

    assert answers == [1, 1]


def test_second_registration_in_one_application_is_refused(hooks):
    app = make_app(hooks)

    with pytest.raises(ConfigurationError, match="has a HookKit already"):
        app.register_blueprint(HookKit().blueprint, url_prefix="/again", name="again")


def test_wrong_settings_stop_the_start_with_every_mistake(hooks):
    app = Flask("a")
    app.config.update(HOOKKIT_ENDPOINTS={"a": {}}, HOOKKIT_RUNNER="x")

    with pytest.raises(ConfigurationError) as raised:
        hooks.init_app(app)

    assert len(raised.value.mistakes) == 3
    assert "hookkit" not in app.extensions


def test_settings_may_come_from_prefixed_environment(hooks, monkeypatch):
    monkeypatch.setenv("FLASK_HOOKKIT_WORKERS", "2")
    monkeypatch.setenv("FLASK_HOOKKIT_RETRY", '{"max_attempts": 2}')
    monkeypatch.setenv("FLASK_HOOKKIT_ENDPOINTS__shop__provider", "sunshine")
    monkeypatch.setenv("FLASK_HOOKKIT_ENDPOINTS__shop__secrets", '["a-secret-of-the-environment"]')
    app = Flask("a")
    app.config.from_prefixed_env()

    hooks.init_app(app)

    settings = app.extensions["hookkit"].settings
    assert (settings.workers, settings.retry) == (2, RetryPolicy(max_attempts=2))
    shop = settings.endpoints["shop"]
    assert shop.secrets(shop.protection, "secrets") == [b"a-secret-of-the-environment"]


def test_late_handler_is_refused_once_deliveries_came(hooks, tmp_path):
    app = make_app(hooks, TESTING=False, HOOKKIT_RUNNER="none")
    app.config["HOOKKIT_DATABASE"] = f"sqlite:///{tmp_path / 'inbox.db'}"
    app.extensions.pop("hookkit")
    app.extensions["hookkit"] = make_app(
        hooks,
        TESTING=False,
        HOOKKIT_RUNNER="none",
        HOOKKIT_DATABASE=f"sqlite:///{tmp_path / 'inbox.db'}",
    ).extensions["hookkit"]
    hooks.on("*", name="in time")(lambda event: None)

    post(app.test_client(), message())

    with pytest.raises(ConfigurationError, match="registered after"):
        hooks.on("*", name="late")(lambda event: None)
    app.extensions["hookkit"].stop()


def test_late_handler_is_allowed_in_tests(hooks):
    app = make_app(hooks)
    post(app.test_client(), message("event-1"))
    seen = []

    hooks.on("*", name="late")(lambda event: seen.append(event.id))
    post(app.test_client(), message("event-2"))

    assert seen == ["event-2"]


def test_replay_runs_a_done_entry_again(hooks):
    runs = []
    hooks.on("*", name="see")(lambda event, run: runs.append(run.is_replay))
    app = make_app(hooks)
    post(app.test_client(), message())

    hooks.replay(app, 1)

    assert runs == [False, True]


def test_replay_of_nothing_is_refused(hooks):
    app = make_app(hooks)

    with pytest.raises(ReplayRefused):
        hooks.replay(app, 7)


def test_handler_runs_in_a_fresh_application_context_with_teardown(hooks):
    app = make_app(hooks)
    torn_down = []
    app.teardown_appcontext(torn_down.append)

    @hooks.on("*", name="first")
    def first(event):
        g.mark = "first"
        raise ValueError("for the teardown")

    second_saw = []
    hooks.on("*", name="second")(lambda event: second_saw.append(hasattr(g, "mark")))

    response = post(app.test_client(), message())

    assert response.status_code == 503
    assert second_saw == [False]
    assert [type(error) for error in torn_down] == [ValueError, type(None), type(None)]


def test_database_may_be_a_callable_that_needs_the_application(hooks, tmp_path):
    engine = create_engine(f"sqlite:///{tmp_path / 'own.db'}")
    names = []

    def database():
        names.append(current_app.name)
        return engine

    app = make_app(hooks, HOOKKIT_DATABASE=database)
    post(app.test_client(), message())

    found = open_inbox(engine).find()
    app.extensions["hookkit"].stop()
    engine.dispose()
    assert (names, len(found)) == ([app.name], 1)


def test_replay_in_a_process_that_does_not_serve_starts_no_pool(hooks, tmp_path):
    app = make_app(
        hooks, HOOKKIT_RUNNER="thread", HOOKKIT_DATABASE=f"sqlite:///{tmp_path / 'inbox.db'}"
    )
    state = app.extensions["hookkit"]
    now = datetime.now(UTC)
    admit(state.opening.inbox(), message(), now)
    (entry,) = state.opening.inbox().claim(now=now, lease_s=60, limit=1, endpoints=["support"])
    done = Settlement(state=State.DONE, retry_after_s=None, attempts=())
    state.opening.inbox().settle(entry, done, now=now)
    running = threading.active_count()

    hooks.replay(app, entry.id)

    assert threading.active_count() == running
    assert state.opening.inbox().counts()[State.PENDING] == 1
    state.stop()


def test_handler_of_an_endpoint_that_is_not_there_is_told_of(hooks, caplog):
    hooks.on("*", endpoint="suport", name="typo")(lambda event: None)

    post(make_app(hooks).test_client(), message())

    (told,) = [record for record in caplog.records if record.action == "endpoint_unknown"]
    assert "handler typo waits for endpoint 'suport'" in told.getMessage()


def test_stats_count_the_states_and_tell_how_long_the_oldest_waits(hooks):
    app = make_app(hooks, HOOKKIT_RUNNER="none")
    idle = hooks.stats(app)
    admit(
        app.extensions["hookkit"].opening.inbox(), message(), datetime.now(UTC) - timedelta(hours=1)
    )

    waiting = hooks.stats(app)

    assert (idle.overdue_s, set(idle.entries.values()), set(idle.entries)) == (0, {0}, set(State))
    assert waiting.entries[State.PENDING] == 1
    assert 3600 <= waiting.overdue_s < 3700


def test_default_prefix_is_hooks_and_an_empty_one_leaves_the_application_its_404(hooks):
    by_default, without = Flask("a"), Flask("b")
    for app in (by_default, without):
        app.config.update(TESTING=True, HOOKKIT_ENDPOINTS=ENDPOINTS)
        app.register_error_handler(404, lambda error: ("my own page", 404))
    by_default.register_blueprint(hooks.blueprint)
    without.register_blueprint(hooks.blueprint, url_prefix="/")

    answers = [
        post(by_default.test_client(), message(), url="/hooks/support").status_code,
        by_default.test_client().get("/nothing").text,
        post(without.test_client(), message(), url="/support").status_code,
        without.test_client().get("/nothing").text,
    ]

    assert answers == [200, "my own page", 200, "my own page"]


def test_path_that_another_view_answers_is_refused(hooks):
    app = Flask("a")
    endpoints = {"support": ENDPOINTS["support"] | {"path": "/smooch"}}
    app.config.update(TESTING=True, HOOKKIT_ENDPOINTS=endpoints)
    app.add_url_rule("/smooch", endpoint="old_view", view_func=lambda: "", methods=["POST"])

    with pytest.raises(ConfigurationError, match="'old_view' answers POST /smooch already"):
        hooks.init_app(app)


@pytest.mark.parametrize("prefix", ["hooks", 5, "/", "/a/", ""])
def test_url_prefix_that_is_no_path_is_told_with_the_other_mistakes(hooks, prefix):
    app = Flask("a")
    app.config.update(HOOKKIT_ENDPOINTS={"a": {}}, HOOKKIT_URL_PREFIX=prefix)

    with pytest.raises(ConfigurationError) as raised:
        hooks.init_app(app)

    assert [mistake.split(":")[0] for mistake in raised.value.mistakes] == [
        "HOOKKIT_URL_PREFIX",
        "HOOKKIT_ENDPOINTS.a.provider",
        "HOOKKIT_ENDPOINTS.a.secrets",
    ]
