"""What a program may do to the inbox of its application, and what is refused."""

from datetime import UTC, datetime

import pytest
from flask import Flask
from sqlalchemy import create_engine, text

from hookkit import ConfigurationError, Filter, HookKit, Outcome, ReplayRefused, RetryPolicy, State
from hookkit.inbox.opening import open_inbox
from tests.applications import admit, make_app, message, post


@pytest.fixture
def hooks():
    return HookKit()


def test_replay_of_chosen_handlers_runs_these(hooks):
    seen = []
    for name in ("first", "second"):
        hooks.on("*", name=name)(lambda event, name=name: seen.append(name))
    app = make_app(hooks)
    post(app.test_client(), message())

    hooks.replay(app, 1, handlers=["second"])

    assert seen == ["first", "second", "second"]


@pytest.mark.parametrize(
    ("handlers", "named"),
    [
        pytest.param(["nobody"], "the name 'nobody'; known are see, rest", id="unknown"),
        pytest.param(["see", "b", "a"], "the name 'a', 'b'; known", id="some unknown"),
        pytest.param([], "(none is given)", id="none at all"),
    ],
)
def test_handlers_that_nobody_knows_are_refused(hooks, handlers, named):
    hooks.on("*", name="see")(lambda event: None)

    def rest(event):
        pass

    rest.__module__, rest.__qualname__ = "shop", "rest"
    hooks.fallback(rest)
    app = make_app(hooks)
    post(app.test_client(), message())

    for replay in (
        lambda: hooks.replay(app, 1, handlers=handlers),
        lambda: hooks.replay_all(app, Filter(), handlers=handlers),
    ):
        with pytest.raises(ConfigurationError) as refused:
            replay()

        assert named.replace("rest", "shop.rest") in str(refused.value)


def test_handlers_of_a_waiting_entry_cannot_be_chosen(hooks):
    hooks.on("*", name="broken")(lambda event: 1 / 0)
    app = make_app(hooks)
    post(app.test_client(), message())

    with pytest.raises(ReplayRefused, match="handlers cannot be chosen now"):
        hooks.replay(app, 1, handlers=["broken"])


def test_many_are_replayed_and_progress_is_told(hooks, tmp_path):
    seen, progress = [], []
    hooks.on("*", name="see")(lambda event: seen.append(event.id))
    app = make_app(hooks, HOOKKIT_DATABASE=f"sqlite:///{tmp_path}/inbox.db", HOOKKIT_RUNNER="none")
    state = app.extensions["hookkit"]
    for number in range(250):
        admit(state.opening.inbox(), message(f"event-{number}"), datetime.now(UTC))
    state.worker.work(limit=250)

    count = hooks.replay_all(app, Filter(state=State.DONE), progress=progress.append)
    state.worker.work(limit=250)

    assert (count, progress[-1], len(seen)) == (250, 250, 500)
    assert progress == sorted(progress)
    assert len(progress) == 3
    state.stop()


def test_replay_of_an_empty_inbox_is_none(hooks):
    progress = []
    app = make_app(hooks)

    assert hooks.replay_all(app, Filter(), progress=progress.append) == 0
    assert progress == []


def test_what_arrives_meanwhile_is_not_replayed(hooks):
    app = make_app(hooks)
    count = 0

    @hooks.on("*", name="echo")
    def echo(event, run):
        nonlocal count
        count += 1
        if run.is_replay:
            # Done at once, and what the filter is about.
            post(app.test_client(), message(f"echo-{count}"))

    for number in range(150):
        post(app.test_client(), message(f"event-{number}"))

    replayed = hooks.replay_all(app, Filter(state=State.DONE))

    assert replayed == 150
    assert count == 150 + 150 + 150


def test_unhandled_events_reach_a_handler_that_was_written_later(hooks):
    app = make_app(hooks)
    post(app.test_client(), message("event-1"))
    seen = []
    hooks.on("conversation:message", name="new")(lambda event: seen.append(event.id))
    post(app.test_client(), message("event-2"))

    count = hooks.replay_all(app, Filter(outcome=Outcome.UNHANDLED))

    assert (count, seen) == (1, ["event-2", "event-1"])


@pytest.mark.parametrize("operation", ["replay", "replay_all", "stats"])
def test_application_without_a_hookkit_is_refused(hooks, operation):
    arguments = {"replay": [1], "replay_all": [Filter()], "stats": []}[operation]

    with pytest.raises(ConfigurationError, match="has not registered a HookKit"):
        getattr(hooks, operation)(Flask("bare"), *arguments)


# Transactional handlers


def test_transactional_handler_that_takes_no_run_is_refused(hooks):
    with pytest.raises(
        ConfigurationError, match=r"'book' is transactional .* def handle\(event, r"
    ):
        hooks.on("*", name="book", transactional=True)(lambda event: None)

    assert hooks._registry.names == ()


def test_transactional_handler_of_an_application_under_test_needs_no_database(hooks):
    @hooks.on("conversation:message", name="book", transactional=True)
    def book(event, run):
        run.connection.execute(text("CREATE TABLE tickets (event_id TEXT)"))
        run.connection.execute(text("INSERT INTO tickets VALUES (:id)"), {"id": event.id})

    app = make_app(hooks)

    answer = post(app.test_client(), message())

    assert answer.status_code == 200
    (entry,) = app.extensions["hookkit"].opening.inbox().find()
    assert [(each.handler, each.outcome) for each in entry.attempts] == [
        ("book", Outcome.SUCCEEDED)
    ]


@pytest.mark.parametrize("runner", ["inline", "none"])
def test_transactional_handler_writes_to_the_applications_own_database(hooks, tmp_path, runner):
    engine = create_engine(f"sqlite:///{tmp_path}/own.db")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE tickets (event_id TEXT)"))

    @hooks.on("conversation:message", name="book", transactional=True)
    def book(event, run):
        run.connection.execute(text("INSERT INTO tickets VALUES (:id)"), {"id": event.id})

    app = make_app(hooks, HOOKKIT_DATABASE=lambda: engine, HOOKKIT_RUNNER=runner)
    assert post(app.test_client(), message()).status_code == 200
    app.extensions["hookkit"].worker.work()

    with engine.connect() as connection:
        booked = list(connection.execute(text("SELECT event_id FROM tickets")).scalars())
    (record,) = open_inbox(engine).find()
    app.extensions["hookkit"].stop()
    engine.dispose()
    assert (booked, record.state) == (["event-1"], State.DONE)
    assert len(record.attempts) == 1


# Ordered handlers


def batch(*event_ids):
    body = message(event_ids[0])
    body["events"] = [message(event_id)["events"][0] for event_id in event_ids]
    return body


def test_events_of_one_delivery_are_handled_in_order_before_the_answer(hooks):
    seen = []
    hooks.on("*", name="write", ordered=True)(lambda event: seen.append(event.id))

    answer = post(make_app(hooks).test_client(), batch("event-3", "event-1", "event-2"))

    assert (answer.status_code, seen) == (200, ["event-3", "event-1", "event-2"])


def test_event_that_fails_holds_up_those_behind_it_and_the_answer_says_so(hooks):
    seen = []

    @hooks.on("*", name="write", ordered=True)
    def write(event, run):
        seen.append(event.id)
        if event.id == "event-1" and run.attempt == 1:
            raise ValueError("not yet")

    client = make_app(hooks).test_client()

    first = post(client, batch("event-1", "event-2"))
    again = post(client, batch("event-1", "event-2"))

    assert (first.status_code, again.status_code) == (503, 200)
    assert seen == ["event-1", "event-1", "event-2"]


def test_dead_letter_frees_those_behind_it(hooks):
    seen = []

    @hooks.on("*", name="write", ordered=True, retry=RetryPolicy(max_attempts=1))
    def write(event):
        seen.append(event.id)
        if event.id == "event-1":
            raise ValueError("never")

    answer = post(make_app(hooks).test_client(), batch("event-1", "event-2"))

    assert (answer.status_code, seen) == (200, ["event-1", "event-2"])
