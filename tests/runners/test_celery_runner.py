"""The queue of wake-ups at a real broker, and what stops the start."""

import base64
import json
import socket
import sys
import time

import pytest
import redis
from celery import Celery

from hookkit import ConfigurationError, HookKit, Unavailable
from hookkit.core.entry import Admitted, Receipt, State
from hookkit.runners.celery import wake_ups
from hookkit.runners.celery import wake_ups as celery_queue
from hookkit.runners.celery.wake_ups import ENOUGH
from tests.applications import admit, make_app, message
from tests.waiting import DEADLINE_S, wait_until


@pytest.fixture
def app(tmp_path, redis_server):
    made = make_celery_app(redis_server.url, tmp_path)
    yield made
    made.extensions["hookkit"].stop()


@pytest.fixture
def broker(redis_server):
    with redis.Redis.from_url(redis_server.url) as client:
        yield client


def make_celery_app(broker_url, folder, hooks=None):
    return make_app(
        hooks or HookKit(),
        extensions={"celery": Celery("tests", broker=broker_url)},
        HOOKKIT_RUNNER="celery",
        HOOKKIT_DATABASE=f"sqlite:///{folder}/inbox.db",
    )


def runner_of(app):
    return app.extensions["hookkit"].runner


def new_entries(*entry_ids):
    admitted = [Admitted(entry_id=each, event_id="e", is_new=True) for each in entry_ids]
    return Receipt(admitted=tuple(admitted))


def test_wake_up_carries_the_id_of_an_entry_and_nothing_else(app, broker):
    runner_of(app).answer(new_entries(41, 42))

    wait_until(lambda: broker.llen("hookkit") == 2)
    wake_up = json.loads(broker.lindex("hookkit", 0))
    arguments, keywords, _ = json.loads(base64.b64decode(wake_up["body"]))
    assert (wake_up["headers"]["task"], wake_up["content-type"]) == (
        "hookkit.wake",
        "application/json",
    )
    assert (arguments, keywords) == ([42], {})


def test_delivery_without_a_new_event_wakes_nobody(app, broker):
    receipt = Receipt(admitted=(Admitted(entry_id=1, event_id="e", is_new=False),))

    assert runner_of(app).answer(receipt) is receipt
    assert runner_of(app)._wake_ups._thread is None


def test_queue_holds_a_few_wake_ups_however_many_are_wanted(app, broker):
    queue = runner_of(app)._queue

    published = [queue.put(number) for number in range(ENOUGH + 2)]

    assert published == [True] * ENOUGH + [False] * 2  # those that wait see all that is due now
    assert broker.llen("hookkit") == ENOUGH
    broker.rpop("hookkit")
    assert queue.put(7)


def test_wake_ups_come_back_with_an_emptied_or_restarted_broker(app, broker, redis_server):
    queue = runner_of(app)._queue
    queue.put(1)

    redis_server.flush()
    queue.put(2)
    assert broker.llen("hookkit") == 1

    redis_server.stop()
    began = time.monotonic()
    with pytest.raises(Exception, match="Connection"):
        queue.put(3)
    assert time.monotonic() - began < DEADLINE_S  # the client by itself tries for ever
    redis_server.start()
    queue.put(4)
    assert broker.llen("hookkit") == 1


def test_broker_that_accepts_and_never_answers_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setitem(
        celery_queue._TIMEOUTS, "redis", {"socket_connect_timeout": 0.05, "socket_timeout": 0.05}
    )
    with socket.create_server(("127.0.0.1", 0)) as silent:
        app = make_celery_app(f"redis://127.0.0.1:{silent.getsockname()[1]}/0", tmp_path)
        queue = runner_of(app)._queue

        with pytest.raises(Exception, match="Timeout"):
            queue.put(1)
    app.extensions["hookkit"].stop()


def test_sweep_wakes_workers_for_what_is_overdue_and_for_nothing_else(app, broker, monkeypatch):
    monkeypatch.setattr(wake_ups, "PAUSE_S", 0.0)
    state = app.extensions["hookkit"]
    runner = runner_of(app)

    assert not runner.sweep()
    admit(state.opening.inbox(), message(), state.worker.assignment.clock())
    assert not runner.sweep()  # those that were woken for it have not had their time
    monkeypatch.setattr("hookkit.runners.celery.runner.OVERDUE_S", 0.0)
    assert runner.sweep()

    wait_until(lambda: broker.llen("hookkit") == ENOUGH)


def test_replay_in_a_shell_wakes_the_workers(tmp_path, redis_server, broker):
    hooks = HookKit()
    app = make_celery_app(redis_server.url, tmp_path, hooks)
    state = app.extensions["hookkit"]
    receipt = admit(state.opening.inbox(), message(), state.worker.assignment.clock())
    state.worker.work()

    hooks.replay(app, receipt.admitted[0].entry_id)

    wait_until(lambda: broker.llen("hookkit") == 1)
    state.stop()


def test_task_drains_what_is_due_whichever_entry_it_names(tmp_path, redis_server):
    hooks, seen = HookKit(), []
    hooks.on("*", name="see")(lambda event: seen.append(event.id))
    app = make_celery_app(redis_server.url, tmp_path, hooks)
    state = app.extensions["hookkit"]
    for number in range(100):
        admit(state.opening.inbox(), message(f"event-{number}"), state.worker.assignment.clock())

    app.extensions["celery"].tasks["hookkit.wake"](99)

    assert sorted(seen) == sorted(f"event-{number}" for number in range(100))
    assert state.opening.inbox().counts()[State.DONE] == 100
    state.stop()


def test_two_applications_in_one_process_have_tasks_of_their_own(tmp_path, redis_server):
    states = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        app = make_celery_app(redis_server.url, tmp_path / name)
        states.append(app.extensions["hookkit"])
        admit(states[-1].opening.inbox(), message(), states[-1].worker.assignment.clock())

    states[1].app.extensions["celery"].tasks["hookkit.wake"]()

    done = [state.opening.inbox().counts()[State.DONE] for state in states]
    for state in states:
        state.stop()
    assert done == [0, 1]


def test_task_ends_after_a_while_and_has_another_published(
    tmp_path, redis_server, broker, monkeypatch
):
    monkeypatch.setattr("hookkit.runners.celery.runner.DRAIN_ENTRIES", 1)
    hooks, seen = HookKit(), []
    hooks.on("*", name="see")(lambda event: seen.append(event.id))
    app = make_celery_app(redis_server.url, tmp_path, hooks)
    state = app.extensions["hookkit"]
    for number in range(2):
        admit(state.opening.inbox(), message(f"event-{number}"), state.worker.assignment.clock())

    app.extensions["celery"].tasks["hookkit.wake"](1)

    wait_until(lambda: broker.llen("hookkit") == 1)
    assert seen == ["event-0"]
    state.stop()


def test_task_that_cannot_reach_the_inbox_wakes_nobody_and_tells_it_once(
    tmp_path, redis_server, broker, monkeypatch, caplog
):
    app = make_celery_app(redis_server.url, tmp_path)
    state = app.extensions["hookkit"]
    wake = app.extensions["celery"].tasks["hookkit.wake"]

    def away(**_):
        raise Unavailable("down")

    with monkeypatch.context() as patch:
        patch.setattr(state.worker, "work", away)
        wake(1)
        wake(2)
    wake(3)
    state.stop()

    assert [record.action for record in caplog.records if hasattr(record, "action")] == [
        "worker_unavailable",
        "worker_available",
    ]
    assert broker.llen("hookkit") == 0


def test_task_writes_what_it_has_finished_when_the_inbox_is_back(
    tmp_path, redis_server, monkeypatch
):
    hooks, seen = HookKit(), []
    app = make_celery_app(redis_server.url, tmp_path, hooks)
    state = app.extensions["hookkit"]
    inbox = state.opening.inbox()
    settle_and_claim, times_away = inbox.settle_and_claim, [1, 2]

    def away_at_first(finished, terms, **how):
        if finished and times_away:
            raise Unavailable(f"down {times_away.pop()}")
        return settle_and_claim(finished, terms, **how)

    monkeypatch.setattr(inbox, "settle_and_claim", away_at_first)
    monkeypatch.setattr("hookkit.handling.pipeline.WRITE_PAUSES_S", (0.0, 0.0))
    hooks.on("*", name="see")(lambda event: seen.append(event.id))
    admit(inbox, message(), state.worker.assignment.clock())

    app.extensions["celery"].tasks["hookkit.wake"](1)

    assert (seen, inbox.counts()[State.DONE]) == (["event-1"], 1)
    assert state.worker.leases.count == 0
    state.stop()


def test_sweep_is_a_task_that_drains_and_sees_to_versions_now_and_then(app, monkeypatch):
    promoted = []
    state = app.extensions["hookkit"]
    monkeypatch.setattr(runner_of(app), "_promote", lambda: promoted.append(1))
    admit(state.opening.inbox(), message(), state.worker.assignment.clock())
    sweep = app.extensions["celery"].tasks["hookkit.sweep"]

    sweep()
    sweep()

    assert state.opening.inbox().counts()[State.DONE] == 1
    assert promoted == [1]


def test_sweep_goes_on_with_replays_at_their_pace(app, monkeypatch):
    monkeypatch.setattr("hookkit.runners.celery.runner.SWEEP_S", 60.0)
    pauses_s = [0.01, 0.01, None]
    monkeypatch.setattr(runner_of(app), "_replay", lambda: pauses_s.pop(0))
    monkeypatch.setattr("hookkit.operating.housekeeping.REPLAY_S", 120.0)

    app.extensions["celery"].tasks["hookkit.sweep"]()

    assert pauses_s == []


def test_prune_is_a_task(app, monkeypatch):
    pruned = []
    monkeypatch.setattr(runner_of(app), "_prune", lambda wait: pruned.append(wait(0.0)) or (0, 0))

    app.extensions["celery"].tasks["hookkit.prune"]()

    assert pruned == [False]


@pytest.mark.parametrize("extensions", [{}, {"celery": "redis://"}], ids=repr)
def test_application_without_celery_is_told_so_at_the_start(tmp_path, extensions):
    with pytest.raises(ConfigurationError, match=r"app.extensions\['celery'\]"):
        make_app(
            HookKit(),
            extensions=extensions,
            HOOKKIT_RUNNER="celery",
            HOOKKIT_DATABASE=f"sqlite:///{tmp_path}/inbox.db",
        )


@pytest.mark.parametrize("database", [{}, {"HOOKKIT_DATABASE": "memory://"}], ids=repr)
def test_inbox_that_no_worker_could_see_is_refused(database):
    with pytest.raises(ConfigurationError, match="memory://"):
        make_app(HookKit(), HOOKKIT_RUNNER="celery", **database)


def test_celery_that_is_not_installed_is_told_with_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "celery", None)
    monkeypatch.delitem(sys.modules, "hookkit.runners.celery.runner")
    monkeypatch.delattr("hookkit.runners.celery.runner")

    with pytest.raises(ConfigurationError, match=r"pip install hookkit\[celery\]"):
        make_app(
            HookKit(), HOOKKIT_RUNNER="celery", HOOKKIT_DATABASE=f"sqlite:///{tmp_path}/inbox.db"
        )
