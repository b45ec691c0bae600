"""Old and new code on one inbox: what old code leaves alone, and how the rest is caught up."""

import pytest
from flask import Flask

from hookkit import Filter, HookKit, State
from hookkit.inbox.opening import open_inbox
from tests.applications import ENDPOINTS, message, post

SALES = {"sales": {"provider": "sunshine", "secrets": ["the-secret-of-the-new-endpoint"]}}


class Release:
    """One release of an application: its handlers, by name and trigger, and its endpoints."""

    def __init__(self, url, handlers, endpoints=ENDPOINTS):
        self.handled = []
        self.is_broken = False
        hooks = HookKit()
        for name, trigger in handlers.items():
            hooks.on(trigger, name=name)(self.handling(name))
        app = Flask("deployed")
        app.config.update(HOOKKIT_ENDPOINTS=endpoints, HOOKKIT_DATABASE=url, HOOKKIT_RUNNER="none")
        hooks.init_app(app)
        self.client = app.test_client()
        self.commands = app.test_cli_runner()
        self.state = app.extensions["hookkit"]

    def handling(self, name):
        def handle(event):
            if self.is_broken and name == "archive":
                raise RuntimeError("the archive is away")
            self.handled.append((name, event.id))

        return handle

    def replay(self, *options):
        done = self.commands.invoke(args=["hookkit", "replay", *options])
        assert done.exit_code == 0, done.output
        return done.stdout.split()[0]

    def work(self):
        while self.state.worker.work():
            pass


@pytest.fixture
def releases(sqlite_url):
    made = []

    def release(handlers, endpoints=ENDPOINTS):
        made.append(Release(sqlite_url, handlers, endpoints))
        return made[-1]

    yield release
    for each in made:
        each.state.stop()


@pytest.fixture
def states(sqlite_url):
    def read():
        inbox = open_inbox(sqlite_url)
        found = {each.event_id: each.state for each in inbox.find()}
        inbox.close()
        return found

    return read


def test_old_code_leaves_a_new_endpoint_to_new_code(releases, states):
    old = releases({"greet": "*"})
    new = releases({"greet": "*"}, ENDPOINTS | SALES)
    secret = SALES["sales"]["secrets"][0]
    post(new.client, message("event-1"), url="/hooks/sales", secret=secret)

    old.work()
    left = states()
    new.work()

    assert left == {"event-1": State.PENDING}
    assert (old.handled, new.handled) == ([], [("greet", "event-1")])


def test_what_old_code_had_no_handler_for_is_caught_up_once(releases, states):
    old = releases({"count": "conversation:read"})
    new = releases({"count": "conversation:read", "greet": "conversation:message"})
    post(new.client, message("event-1"))
    old.work()
    post(new.client, message("event-2"))
    new.work()

    replayed = [new.replay("--outcome", "unhandled") for _ in range(2)]
    new.work()
    again = new.replay("--outcome", "unhandled")

    assert (replayed, again) == (["1", "0"], "0")
    assert new.handled == [("greet", "event-2"), ("greet", "event-1")]
    assert set(states().values()) == {State.DONE}


def test_handler_that_is_added_to_others_is_caught_up_once(releases, states):
    old = releases({"greet": "*"})
    new = releases({"greet": "*", "archive": "conversation:message"})
    post(new.client, message("event-1"))
    old.work()
    post(new.client, message("event-2"))
    new.work()
    options = ["--untried-by", "archive", "--handler", "archive"]

    replayed = new.replay(*options)
    new.work()
    again = new.replay(*options)

    assert (replayed, again) == ("1", "0")
    assert old.handled == [("greet", "event-1")]
    assert new.handled == [("greet", "event-2"), ("archive", "event-2"), ("archive", "event-1")]
    assert set(states().values()) == {State.DONE}


def try_again(release):
    """Have *release* try again what waits, whatever its time."""
    return release.state.worker.work(
        only=[each.id for each in release.state.opening.inbox().find(Filter(state=State.WAITING))]
    )


@pytest.mark.parametrize("others", [{"greet": "*"}, {"count": "conversation:read"}], ids=str)
def test_old_code_does_not_settle_what_a_new_handler_has_failed_on(releases, states, others):
    old = releases(others)
    new = releases(others | {"archive": "conversation:message"})
    new.is_broken = True
    post(new.client, message("event-1"))
    new.work()
    handled_before = list(new.handled)

    try_again(old)
    left = states()
    new.is_broken = False
    try_again(new)

    assert left == {"event-1": State.WAITING}
    assert states() == {"event-1": State.DONE}
    assert old.handled == []
    assert new.handled == [*handled_before, ("archive", "event-1")]


def test_handler_that_nobody_knows_any_more_ends_as_a_dead_letter(releases, states):
    old = releases({"archive": "conversation:message"})
    old.is_broken = True
    post(old.client, message("event-1"))
    old.work()
    new = releases({"store": "conversation:message"})

    seen = []
    while State.WAITING in states().values():
        try_again(new)
        seen.append(states()["event-1"])
    again = new.replay("--state", "dead")
    new.work()

    assert seen[-1] == State.DEAD
    assert again == "1"
    # A replay starts over, by the handlers that there are.
    assert states() == {"event-1": State.DONE}
    assert new.handled == [("store", "event-1")]
