"""The health view, asked over HTTP, by strangers and by those who may see more."""

import json
import threading

import pytest

from hookkit import HookKit, RetryPolicy
from hookkit.core.errors import Unavailable
from hookkit.inbox.opening import open_inbox
from hookkit.operating import watch
from tests.applications import make_app, message
from tests.serving import deliver, fetch, serving


def healthy(hooks, details=None, **config):
    app = make_app(hooks, **config)
    app.register_blueprint(hooks.health(details=details), url_prefix="/health")
    return app


def ask(base, path):
    status, body = fetch(f"{base}/health/{path}")
    return status, json.loads(body) if status != 404 else None


def test_process_is_live_and_ready():
    with serving(healthy(HookKit())) as base:
        assert ask(base, "live") == (200, {"status": "live"})
        assert ask(base, "ready") == (200, {"status": "ready"})


def test_nothing_is_mounted_by_default():
    with serving(make_app(HookKit())) as base:
        assert fetch(f"{base}/health/live")[0] == 404


@pytest.mark.parametrize("details", [None, lambda _: False, lambda _: None, lambda _: "yes"])
def test_details_are_closed_to_whoever_may_not_see_them(details):
    with serving(healthy(HookKit(), details)) as base:
        assert ask(base, "")[0] == 404


def test_check_that_raises_opens_nothing():
    def broken(request):
        raise LookupError("no user")

    app = healthy(HookKit(), broken, PROPAGATE_EXCEPTIONS=False)
    with serving(app) as base:
        status, body = fetch(f"{base}/health/")

    assert status == 500
    assert b"entries" not in body


def test_details_tell_what_needs_a_person():
    hooks = HookKit()

    @hooks.on("*", name="greet", retry=RetryPolicy(max_attempts=1))
    def greet(event):
        raise ValueError("no")

    with serving(healthy(hooks, lambda request: request.headers["X-Who"] == "ann")) as base:
        deliver(base, message())
        status, body = fetch(f"{base}/health/", **{"X-Who": "ann"})
    found = json.loads(body)

    assert (status, found["status"]) == (200, "degraded")
    assert found["concerns"] == ["inbox: 1 event is dead"]
    assert found["entries"]["dead"] == 1


def test_details_of_a_sound_application_are_ok():
    with serving(healthy(HookKit(), lambda _: True)) as base:
        status, found = ask(base, "")

    assert (status, found["status"], found["concerns"]) == (200, "ok", [])


def test_application_without_its_database_is_live_and_not_ready():
    def away():
        raise OSError("password=secret")

    with serving(healthy(HookKit(), lambda _: True, HOOKKIT_DATABASE=away)) as base:
        assert ask(base, "live")[0] == 200
        assert ask(base, "ready") == (503, {"status": "unavailable"})
        status, found = ask(base, "")

    assert (status, found["status"]) == (503, "unavailable")
    assert "secret" not in json.dumps(found)


def test_tables_that_are_missing_are_not_ready(tmp_path):
    url = f"sqlite:///{tmp_path}/inbox.db"
    with serving(healthy(HookKit(), HOOKKIT_DATABASE=url, HOOKKIT_TABLES="check")) as base:
        assert ask(base, "ready")[0] == 503

    open_inbox(url).close()
    with serving(healthy(HookKit(), HOOKKIT_DATABASE=url, HOOKKIT_TABLES="check")) as base:
        assert ask(base, "ready")[0] == 200


def test_many_requests_look_into_the_inbox_once_a_second(monkeypatch):
    monkeypatch.setattr(watch, "READY_S", 60.0)
    app = healthy(HookKit())
    state = app.extensions["hookkit"]
    state.watch.after_fork()
    looks = []
    inbox = state.watch._inbox
    monkeypatch.setattr(state.watch, "_inbox", lambda: looks.append(1) or inbox())
    with serving(app) as base:
        for _ in range(20):
            ask(base, "ready")

    assert len(looks) == 1


def test_inbox_that_hangs_holds_up_one_request_at_a_time(monkeypatch):
    monkeypatch.setattr(watch, "READY_S", 0.0)
    go_on, began = threading.Event(), threading.Event()
    answers = []

    def find():
        if answers:
            began.set()
            go_on.wait(20)
        answers.append(1)
        return f"answer {len(answers)}"

    remembered = watch._Remembered(find, 0.0, otherwise="late")
    assert remembered.get() == "answer 1"
    thread = threading.Thread(target=remembered.get)
    thread.start()
    began.wait(20)
    try:
        assert remembered.get() == "answer 1"
        monkeypatch.setattr(watch, "STALE_S", 0.0)
        assert remembered.get() == "late"
    finally:
        go_on.set()
        thread.join()


def test_watch_begins_anew_after_a_fork_that_held_its_lock():
    app = healthy(HookKit())
    state = app.extensions["hookkit"]
    state.watch._ready._lock.acquire()
    state.watch.after_fork()

    assert state.watch.problem() is None


def test_outage_is_logged_once(caplog, monkeypatch):
    app = healthy(HookKit())
    state = app.extensions["hookkit"]

    def away():
        raise Unavailable("the database is away")

    monkeypatch.setattr(state.watch, "_inbox", away)
    for _ in range(3):
        state.watch.after_fork()
        assert state.watch.problem() == "the database is away"

    assert [each.action for each in caplog.records].count("watch_unavailable") == 1
