"""``assert_idempotent`` finds what is done twice, and says nothing of what is done once."""

import pytest

from hookkit import HookKit, HookkitError
from hookkit.testing import assert_idempotent
from tests.applications import make_app


class Doing:
    """What the handler does; a test puts in its own."""

    def __init__(self):
        self.by_id, self.listed, self.runs, self.do = {}, [], 0, None

    def handle(self, event):
        self.runs += 1
        self.by_id[event.id] = event.message.text
        if self.do is not None:
            self.do(event)


@pytest.fixture
def doing():
    return Doing()


@pytest.fixture
def app(doing):
    hooks = HookKit()
    hooks.on("conversation:message", name="do")(doing.handle)
    return make_app(hooks)


@pytest.fixture
def deliver(hookkit_client, hookkit_sample):
    def deliver():
        for text in ("one", "two"):
            hookkit_client.deliver("support", hookkit_sample("sunshine", {"content.text": text}))

    return deliver


def test_what_is_done_once_passes_and_has_run_in_every_way(hookkit_client, deliver, doing):
    assert_idempotent(hookkit_client, deliver, effects=doing.by_id)

    # Once, twice, in reverse order, and each of two by the worker that died and by the next.
    assert doing.runs == 2 + 2 + 2 + 3
    assert sorted(doing.by_id.values()) == ["one", "two"]


def test_what_is_done_again_after_a_death_is_found(hookkit_client, deliver, doing):
    doing.do = lambda event: doing.listed.append(event.message.text)

    with pytest.raises(AssertionError) as raised:
        assert_idempotent(
            hookkit_client, deliver, effects=lambda: sorted(doing.listed), reset=doing.listed.clear
        )

    assert str(raised.value) == (
        "delivered to a worker that died before it recorded what it did, the effects are others\n"
        "  once: ['one', 'two']\n"
        "  then: ['one', 'one', 'two']"
    )


def test_what_depends_on_the_order_is_found(hookkit_client, deliver, doing):
    def do(event):
        doing.listed[:] = [event.message.text]

    doing.do = do

    with pytest.raises(AssertionError, match="delivered in reverse order"):
        assert_idempotent(hookkit_client, deliver, effects=doing.listed)


def test_retries_are_passed_before_effects_are_compared(hookkit_client, deliver, doing):
    tried = set()

    def do(event):
        if event.id not in tried:
            tried.add(event.id)
            raise RuntimeError("not yet")
        doing.listed.append(event.id)

    doing.do = do

    with pytest.raises(AssertionError, match="a worker that died"):
        assert_idempotent(
            hookkit_client, deliver, effects=lambda: sorted(doing.listed), reset=doing.listed.clear
        )


def test_inbox_and_time_are_those_of_the_first_delivery_afterwards(
    hookkit_client, hookkit_inbox, hookkit_clock, deliver, doing
):
    before = hookkit_clock.now

    assert_idempotent(hookkit_client, deliver, effects=doing.by_id)

    assert hookkit_inbox.states == ["done", "done"]
    assert hookkit_clock.now == before


def test_mistakes_say_what_to_do(hookkit_client, deliver, doing):
    with pytest.raises(HookkitError, match="pass reset="):
        assert_idempotent(hookkit_client, deliver, effects=lambda: 1)
    with pytest.raises(HookkitError, match="call hookkit_client in it"):
        assert_idempotent(hookkit_client, lambda: None, effects=doing.by_id)
    with pytest.raises(HookkitError, match="has delivered no event: the last answer was Delivered"):
        assert_idempotent(
            hookkit_client,
            lambda: hookkit_client.deliver_unsigned("support"),
            effects=doing.by_id,
        )


class TestWithADatabase:
    @pytest.fixture
    def hookkit_database(self, sqlite_url):
        return sqlite_url

    def test_database_of_the_test_is_not_emptied(self, hookkit_client, deliver, doing):
        with pytest.raises(HookkitError, match="which hookkit does not empty"):
            assert_idempotent(hookkit_client, deliver, effects=doing.by_id)
