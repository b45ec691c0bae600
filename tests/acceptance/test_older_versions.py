"""Two versions of hookkit on one inbox, as during a deploy: nothing is lost, no effect is twice."""

import io
import subprocess
import tarfile
from contextlib import closing
from datetime import timedelta
from random import Random

import pytest
from sqlalchemy import text

from hookkit.core.entry import State
from tests.acceptance.faulty import Application
from tests.acceptance.fleet import (
    assert_no_more_is_run_again_than_promised,
    assert_nothing_is_lost_or_doubled,
    fleet,
    report,
)
from tests.acceptance.older_worker import OlderWorker
from tests.acceptance.servers import ROOT
from tests.acceptance.test_every_store_call import Store
from tests.applications import message
from tests.scale import times

#: The last commit of hookkit that claimed each entry by itself.
BEFORE_GROUPS = "456256412f59669f07e177249153f6db801229e2"
#: Fewer than the attempts that an event has: whatever dies, no event may be dead.
DEATHS = 4
STEPS = 40
LIVES = {"sqlite": times(4, 8), "postgresql": times(2, 3)}


class Fatal(list):
    """Where a handler notes what it begins: one of the notes is its process's last."""

    def __init__(self, left):
        super().__init__()
        self.left = left

    def append(self, event_id):
        super().append(event_id)
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt  # in the main thread it ends the process


class Deploy:
    """This version and the older one on one inbox, as long as the deploy takes."""

    def __init__(self, store, seed):
        self.random = Random(seed)  # noqa: S311  # no secret depends on it
        self.store = store
        self.store.begin()
        self.sent = self.deaths = 0
        self.held = []
        self.application = Application(store.url, has_effects=True)

    @property
    def now(self):
        return self.application.now

    @property
    def older(self):
        return OlderWorker(self.application.state.opening.inbox(), write_effect)

    def live(self):
        steps = [self.deliver, self.deliver, self.work, self.die]
        steps += [self.older_claims, self.older_settles, self.older_dies, self.wait]
        for _ in range(STEPS):
            self.random.choice(steps)()
        turns = 0
        while set(self.store.states()) - {State.DONE.value} and turns < STEPS:
            self.wait()
            self.random.choice([self.work, self.older_claims])()
            self.older_settles()
            turns += 1
        self.application.close()

    def deliver(self):
        body = message(f"event-{self.sent}")
        for number in range(1, self.random.choice([1, 3, 12])):
            body["events"] += message(f"event-{self.sent + number}")["events"]
        self.sent += len(body["events"])
        assert self.application.deliver_until_accepted(body) == [200]

    def wait(self):
        self.application.now += timedelta(seconds=self.random.choice([1, 100]))

    def work(self):
        self.application.worker.work(limit=self.random.choice([1, 5, 100]))

    def die(self):
        """Die over the first, or a later one of what was claimed together."""
        if self.deaths >= DEATHS:
            return
        self.application.attempts = Fatal(self.random.choice([1, 2, 6]))
        try:
            self.application.worker.work(limit=100)
        except KeyboardInterrupt:
            self.deaths += 1
        now = self.now
        self.application.close()
        self.application = Application(self.store.url, has_effects=True)
        self.application.now = now

    def older_claims(self):
        first, *behind = self.older.claim(self.now) or [None]
        self.held += [] if first is None else [(first, True)]
        self.held += [(each, False) for each in behind]

    def older_settles(self):
        """Begin and settle, early or late, what the older version holds."""
        for claimed, has_begun in self.held:
            if has_begun or self.older.begin(claimed, self.now):
                self.older.settle(claimed, self.now)
        self.held = []

    def older_dies(self):
        if self.deaths < DEATHS:
            self.deaths += bool(self.held)
            self.held = []


def write_effect(connection, event_id):
    connection.execute(text("INSERT INTO effects VALUES (:id)"), {"id": event_id})


def test_this_version_and_an_older_one_share_an_inbox(database_url):
    deaths = 0
    with closing(Store(database_url)) as store:
        for seed in range(LIVES[database_url.partition(":")[0]]):
            deploy = Deploy(store, seed)
            deploy.live()

            assert store.states() == [State.DONE.value] * deploy.sent, seed
            effects = sorted(event_id for (event_id,) in store.ask("SELECT * FROM effects"))
            assert effects == sorted(f"event-{number}" for number in range(deploy.sent)), seed
            finished = store.ask(
                "SELECT handler, count(*) FROM hookkit_attempts WHERE outcome = 'succeeded'"
                " GROUP BY handler ORDER BY handler"
            )
            assert finished == [("book", deploy.sent), ("handle", deploy.sent)], seed
            deaths += deploy.deaths
    assert deaths > 0


def older_hookkit(folder):
    """Put the older version into *folder*; False when git does not have it."""
    command = ["git", "-C", str(ROOT), "archive", BEFORE_GROUPS, "hookkit"]
    try:
        made = subprocess.run(command, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return False
    with tarfile.open(fileobj=io.BytesIO(made)) as archive:
        archive.extractall(folder, filter="data")
    return True


@pytest.mark.skipif(
    subprocess.run(
        ["git", "-C", str(ROOT), "cat-file", "-e", f"{BEFORE_GROUPS}^{{commit}}"],  # noqa: S607
        capture_output=True,
        check=False,
    ).returncode,
    reason="git does not have the older version; the test above emulates it",
)
@pytest.mark.parametrize("ordered", [False, True], ids=["any order", "lanes"])
def test_processes_of_two_versions_that_are_killed_lose_and_double_nothing(
    tmp_path, database_url, ordered
):
    assert older_hookkit(tmp_path / "older")
    random = Random(41)  # noqa: S311  # no secret depends on it
    poisons = ["poison-1", "poison-2"]

    with (
        fleet(
            tmp_path, database_url, "web", "handles", path=tmp_path / "older", ordered=ordered
        ) as older,
        fleet(tmp_path, database_url, "web", "handles", ordered=ordered, joins=True) as running,
    ):
        for _ in range(times(6, 12)):
            running.wait_for_progress(random.randint(1, 50))
            one = random.choice([older, running])
            one.kill(one.one_alive(random))
            if poisons and random.random() < 0.5:
                running.send(poisons.pop())
        running.settle()
        assert_nothing_is_lost_or_doubled(running)
        report("two versions", running, assert_no_more_is_run_again_than_promised(running))
    runs = [run.event_id for run in running.runs() if run.outcome == "killed"]
    # The older one counts the loss of a suspect once.
    assert max((runs.count(each) for each in runs), default=0) <= 6
