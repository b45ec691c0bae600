"""What applications do around hookkit, and what it makes of it."""

import logging
import logging.config
import subprocess
import sys
from pathlib import Path

import pytest
from flask import Flask, has_request_context, request
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session

from hookkit import ConfigurationError, HookKit, RetryPolicy
from hookkit.inbox.opening import in_instance_folder
from tests.applications import ENDPOINTS, make_app, message, post


@pytest.fixture
def hooks():
    return HookKit()


def state_of(app):
    return app.extensions["hookkit"]


# The request's context


@pytest.mark.parametrize("runner", ["inline", None])
def test_inline_handler_has_no_request_as_in_a_thread(hooks, runner):
    seen = []
    hooks.on("*", name="look")(lambda event: seen.append(has_request_context()))
    app = make_app(hooks, **({} if runner is None else {"HOOKKIT_RUNNER": runner}))

    assert post(app.test_client(), message()).status_code == 200
    assert seen == [False]


def test_inline_handler_that_needs_a_request_fails_in_the_test(hooks):
    hooks.on("*", name="look", retry=RetryPolicy(max_attempts=1))(lambda event: request.path)
    app = make_app(hooks)

    post(app.test_client(), message())

    (entry,) = state_of(app).opening.inbox().find()
    assert entry.state == "dead"
    assert "outside of request context" in entry.attempts[0].error


# Logging


@pytest.fixture
def loggers():
    """Enable afterwards every logger of the process, also those of other tests."""
    yield
    for each in list(logging.root.manager.loggerDict.values()):
        if isinstance(each, logging.Logger):
            each.disabled = False


@pytest.mark.usefixtures("loggers")
def test_loggers_that_a_configuration_has_disabled_are_enabled_at_registration(hooks):
    logging.config.dictConfig({"version": 1})
    assert logging.getLogger("hookkit").disabled

    make_app(hooks)

    assert not logging.getLogger("hookkit").disabled
    assert not logging.getLogger("hookkit.handlers").disabled


@pytest.mark.usefixtures("loggers")
def test_loggers_that_are_disabled_later_are_enabled_at_the_start_and_told_by_check(
    hooks, tmp_path
):
    app = make_app(hooks, HOOKKIT_DATABASE=f"sqlite:///{tmp_path}/inbox.db")
    logging.config.dictConfig({"version": 1})

    told = [each.text for each in state_of(app).checkup.findings() if each.text.startswith("log:")]
    state_of(app).start()

    assert any("the logger 'hookkit' is disabled" in each for each in told)
    assert not logging.getLogger("hookkit").disabled
    state_of(app).stop()


def test_exception_of_the_last_attempt_is_an_error_and_of_the_others_a_warning(hooks, caplog):
    def fail(event):
        raise RuntimeError("no")

    hooks.on("*", name="fail", retry=RetryPolicy(max_attempts=2, first_delay_s=0.001))(fail)
    app = make_app(hooks)
    for _ in range(2):
        post(app.test_client(), message())

    lines = [each for each in caplog.records if each.action == "attempt_failed"]
    assert [each.levelname for each in lines] == ["WARNING", "ERROR"]
    assert all(each.exc_info[0] is RuntimeError for each in lines)
    assert lines[1].getMessage().endswith("attempt 2, the last one")


def test_conversation_that_is_held_up_is_logged(hooks, caplog):
    def fail(event):
        raise RuntimeError("no")

    hooks.on("*", name="fail", ordered=True)(fail)
    app = make_app(hooks)
    post(app.test_client(), message())

    (line,) = [each for each in caplog.records if each.action == "lane_held_up"]
    assert (line.levelname, line.entry_id) == ("WARNING", 1)


# Registration


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"retry": {"max_attempts": 3}}, "retry=RetryPolicy(max_attempts=3)"),
        ({"retry": 3}, "must be a RetryPolicy"),
        ({"when": "x"}, "must be a function of the event"),
        ({"when": lambda: True}, "must take one argument, the event"),
        ({"when": lambda event, more: True}, "must take one argument, the event"),
        ({"when": lambda event: (yield)}, "has a yield in it"),
        ({"channel": ["web"]}, "on(channel=['web']): must be a text"),
        ({"endpoint": 5}, "on(endpoint=5): must be a text"),
        ({"name": 5}, "on(name=5): must be a text"),
        ({"ordered": "no"}, "on(ordered='no'): must be True or False"),
        ({"transactional": 1}, "on(transactional=1): must be True or False"),
        ({"author": ["user"]}, "on(author=['user']): not known"),
    ],
)
def test_option_that_would_fail_at_every_event_is_refused(hooks, options, told):
    with pytest.raises(ConfigurationError, match=r"on\(\w+=") as refused:
        hooks.on("*", **options)
    assert told in str(refused.value)


async def later(event):
    return True


def test_condition_that_is_never_awaited_is_refused(hooks):
    with pytest.raises(ConfigurationError, match="must not be a coroutine function"):
        hooks.on("*", when=later)


class Yielding:
    def __call__(self, event):
        yield event


def test_object_whose_call_runs_nothing_is_refused(hooks):
    with pytest.raises(ConfigurationError, match="has a yield in it"):
        hooks.on("*", name="yielding")(Yielding())


def test_condition_without_a_signature_is_taken(hooks):
    hooks.on("*", when=dict)(print)


def test_bare_decorator_and_a_list_of_triggers_say_what_to_write(hooks):
    with pytest.raises(ConfigurationError, match=r'write @hooks.on\("\*"\)'):

        @hooks.on
        def handle(event): ...

    with pytest.raises(ConfigurationError, match="several are separate arguments"):
        hooks.on(["conversation:message"])
    with pytest.raises(ConfigurationError, match="must be a function, and 5 is none"):
        hooks.on("*")(5)


def test_method_of_a_class_says_how_to_register_it(hooks):
    with pytest.raises(ConfigurationError, match=r"hooks.on\(...\)\(thing.handle\)"):

        class Bot:
            @hooks.on("*")
            def handle(self, event, run): ...


B = {"provider": "stripe", "secrets": ["x" * 20]}
BY_TOKEN = {"provider": "sunshine", "unsigned": True, "path_token": ["x" * 20]}


@pytest.mark.parametrize(
    ("path", "other"),
    [
        ("/hooks/b", B),
        ("/hooks/b/", B),
        ("/hooks/b/anything", BY_TOKEN),
    ],
)
def test_path_that_is_the_url_of_another_endpoint_is_refused(hooks, path, other):
    declared = {"support": ENDPOINTS["support"] | {"path": path}, "b": other}

    with pytest.raises(ConfigurationError, match="is the URL of endpoint 'b' already"):
        make_app(hooks, HOOKKIT_ENDPOINTS=declared)


@pytest.mark.parametrize(
    ("path", "other"),
    [
        ("/hooks/b", B | {"path": "/elsewhere"}),
        ("/hooks/b/below", B),
        ("/hooks/support", B),
    ],
)
def test_path_that_is_no_url_of_another_endpoint_is_served(hooks, path, other):
    declared = {"support": ENDPOINTS["support"] | {"path": path}, "b": other}
    client = make_app(hooks, HOOKKIT_ENDPOINTS=declared).test_client()

    assert post(client, message(), url=path).status_code == 200
    assert post(client, message(), url=other.get("path", "/hooks/b")).status_code in (400, 401)


def test_endpoint_whose_url_a_view_answers_already_is_refused(hooks):
    app = Flask("shop")
    app.config.update(TESTING=True, HOOKKIT_ENDPOINTS=ENDPOINTS)
    app.add_url_rule("/hooks/support", "old_hook", lambda: "old", methods=["POST"])

    with pytest.raises(ConfigurationError, match="'old_hook' answers POST /hooks/support already"):
        hooks.init_app(app)


@pytest.mark.parametrize("path", ["/hooks//b", "/hooks/%62", "/p?x=1", "/p#x", "/<x>", "/a b"])
def test_path_that_no_request_has_is_refused(hooks, path):
    declared = {"support": ENDPOINTS["support"] | {"path": path}}

    with pytest.raises(ConfigurationError, match="must be a path as it is once decoded"):
        make_app(hooks, HOOKKIT_ENDPOINTS=declared)


def test_paths_that_a_slash_at_the_end_tells_apart_are_refused(hooks):
    declared = {"a": B | {"path": "/p"}, "b": B | {"path": "/p/"}}

    with pytest.raises(ConfigurationError, match="two endpoints have the path '/p'"):
        make_app(hooks, HOOKKIT_ENDPOINTS=declared)


SCRIPT = """
from flask import Flask
from hookkit import HookKit
hooks = HookKit()

@hooks.on("*")
def greet(event): ...

print([*hooks._registry.handlers], flush=True)
"""


def test_handler_has_one_name_however_its_file_is_started(tmp_path):
    (tmp_path / "shop.py").write_text(SCRIPT)
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "__init__.py").touch()
    for name in ("shop.py", "__main__.py"):
        (tmp_path / "pack" / name).write_text(SCRIPT)
    imported = ["shop.greet", "pack.__main__.greet", "pack.shop.greet"]
    for arguments, *names in (
        (["-c", "import shop, pack.__main__, pack.shop"], *imported),
        (["shop.py"], "shop.greet"),
        (["-m", "pack.shop"], "pack.shop.greet"),
        (["pack/shop.py"], "pack.shop.greet"),
        (["-m", "pack"], "pack.__main__.greet"),
        (["-c", SCRIPT], "__main__.greet"),
    ):
        done = subprocess.run(  # this interpreter
            [sys.executable, *arguments], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        assert done.stdout.splitlines() == [str([name]) for name in names]


SPAWNING = (
    SCRIPT
    + """
if __name__ == "__main__":
    from multiprocessing import get_context

    process = get_context("spawn").Process(target=print)
    process.start()
    process.join()
"""
)


def test_handler_has_the_same_name_in_a_spawned_process(tmp_path):
    (tmp_path / "shop.py").write_text(SPAWNING)

    done = subprocess.run(  # this interpreter
        [sys.executable, "shop.py"], cwd=tmp_path, capture_output=True, text=True, check=True
    )

    assert done.stdout.split("\n")[:2] == ["['shop.greet']"] * 2


# Where the inbox is


def test_relative_path_is_in_the_instance_folder(hooks, tmp_path):
    app = make_app(hooks, HOOKKIT_DATABASE="sqlite:///rel.db")
    app.instance_path = str(tmp_path)

    post(app.test_client(), message())

    assert (tmp_path / "rel.db").exists()
    told = [each.text for each in state_of(app).checkup.findings()]
    assert any(str(tmp_path / "rel.db") in each for each in told)


@pytest.mark.parametrize(
    ("database", "file"),
    [
        ("sqlite:///rel.db", "/folder/rel.db"),
        ("sqlite:////abs/x.db", "/abs/x.db"),
        ("sqlite:///~/x.db", str(Path("~/x.db").expanduser())),
        ("sqlite:///file:x.db?uri=true", "file:x.db"),
    ],
)
def test_path_of_a_file_is_told(database, file):
    found = in_instance_folder(database, "/folder")

    assert str(found).partition("///")[2].partition("?")[0] == file


def test_what_is_no_file_stays_what_it_is():
    engine = create_engine("sqlite://")

    assert in_instance_folder(engine, "/folder") is engine
    for url in ("memory://", "postgresql://host/x"):
        assert in_instance_folder(url, "/folder") == url


def test_check_says_that_a_folder_cannot_be_made(hooks, tmp_path):
    (tmp_path / "file").touch()
    for path, told in (
        ("missing/deeper/inbox.db", "cannot be made"),
        ("file/inbox.db", "is a file, and no folder"),
    ):
        app = make_app(HookKit(), HOOKKIT_DATABASE=f"sqlite:///{tmp_path}/{path}")
        findings = [each for each in state_of(app).checkup.findings() if told in each.text]
        assert [each.level.value for each in findings] == ["failure"]


# A handler beside its own transaction


def test_transactional_handler_that_would_wait_for_itself_fails_at_once(hooks, tmp_path):
    url = f"sqlite:///{tmp_path}/shop.db"
    engine = create_engine(url, connect_args={"timeout": 60})
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE orders (id INTEGER)"))

    @hooks.on("*", name="order", transactional=True, retry=RetryPolicy(max_attempts=1))
    def order(event, run):
        with engine.connect() as own:
            assert own.execute(text("SELECT count(*) FROM orders")).scalar() == 0
        with Session(engine) as session:
            session.execute(text("INSERT INTO orders VALUES (1)"))

    app = make_app(hooks, HOOKKIT_DATABASE=url)
    post(app.test_client(), message())

    (entry,) = state_of(app).opening.inbox().find()
    assert "would wait for itself: write through run.connection" in entry.attempts[0].error
    engine.dispose()


def test_transactional_handler_may_write_through_its_connection_and_elsewhere(hooks, tmp_path):
    url = f"sqlite:///{tmp_path}/shop.db"
    shop, other = create_engine(url), create_engine(f"sqlite:///{tmp_path}/other.db")
    for engine in (shop, other):
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE orders (id INTEGER)"))

    @hooks.on("*", name="order", transactional=True)
    def order(event, run):
        with Session(bind=run.connection) as session:
            session.execute(text("INSERT INTO orders VALUES (1)"))
        with other.begin() as own:
            own.execute(text("INSERT INTO orders VALUES (1)"))

    app = make_app(hooks, HOOKKIT_DATABASE=url)
    assert post(app.test_client(), message()).status_code == 200

    for engine in (shop, other):
        with engine.begin() as connection:
            assert connection.execute(text("SELECT count(*) FROM orders")).scalar() == 1
            connection.execute(text("INSERT INTO orders VALUES (2)"))
        # From Python 3.13 on, a connection that is left open is a warning.
        engine.dispose()
