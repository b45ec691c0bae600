"""Every event is sent many times at once, and handled once."""

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from random import Random
from threading import Barrier, Lock

from hookkit import HookKit
from hookkit.core.entry import State
from hookkit.inbox.opening import open_inbox
from tests.acceptance.servers import gunicorn
from tests.acceptance.test_gunicorn import APPLICATION
from tests.applications import make_app, message, post
from tests.scale import SCALE
from tests.waiting import wait_until

COPIES = 100
#: Two cores send about 400 deliveries a second to themselves.
IDS = 8 if SCALE == 1 else 100
SENDERS = 16


def copies_of(count):
    """Return the numbers of *count* events: of each all copies at once, a few events amid."""
    numbers = []
    for start in range(0, count, 4):
        some = list(range(start, min(start + 4, count))) * COPIES
        Random(start).shuffle(some)  # noqa: S311  # no secret depends on it
        numbers += some
    return numbers


def send_at_once(send, numbers, senders):
    """Send each number by whichever sender is free; return what was answered."""
    begin = Barrier(senders)
    left, lock = iter(numbers), Lock()

    def send_on(_):
        answers = []
        begin.wait()
        while True:
            with lock:
                number = next(left, None)
            if number is None:
                return answers
            answers.append((number, *send(number)))

    with ThreadPoolExecutor(senders) as pool:
        return [answer for answers in pool.map(send_on, range(senders)) for answer in answers]


def assert_one_was_new(answers, count):
    assert Counter(status for _, status, _ in answers) == {200: count * COPIES}
    assert Counter(number for number, _, answer in answers if answer["new"]) == dict.fromkeys(
        range(count), 1
    )


def test_event_sent_100_times_at_once_is_handled_once_by_4_processes(tmp_path, database_url):
    application = APPLICATION.replace("f\"sqlite:///{HERE / 'inbox.db'}\"", repr(database_url))
    assert database_url in application
    bodies = [json.dumps(message(f"event-{number}")).encode() for number in range(IDS)]

    with gunicorn(tmp_path, application, "--workers", "4") as server:
        answers = send_at_once(lambda number: server.post(bodies[number]), copies_of(IDS), SENDERS)
        inbox = open_inbox(database_url)
        wait_until(lambda: inbox.counts()[State.DONE] == IDS)
        records = inbox.find(limit=IDS + 1)
        inbox.close()

    handled = Counter(line.split()[0] for line in server.lines("handled"))
    assert_one_was_new(answers, IDS)
    assert handled == {f"event-{number}": 1 for number in range(IDS)}
    assert {(each.claim_count, len(each.attempts)) for each in records} == {(1, 1)}
    assert len(set(server.lines("imported"))) == 4


def test_event_sent_100_times_at_once_is_handled_once_by_threads_on_memory():
    handled = []
    hooks = HookKit()
    hooks.on("*", name="handle")(lambda event: handled.append(event.id))
    app = make_app(hooks, HOOKKIT_DATABASE="memory://", HOOKKIT_RUNNER="thread")
    state = app.extensions["hookkit"]

    def send(number):
        response = post(app.test_client(), message(f"event-{number}"))
        return response.status_code, response.json

    answers = send_at_once(send, copies_of(IDS), SENDERS)
    wait_until(lambda: state.opening.inbox().counts()[State.DONE] == IDS)
    state.stop()

    assert_one_was_new(answers, IDS)
    assert Counter(handled) == {f"event-{number}": 1 for number in range(IDS)}
