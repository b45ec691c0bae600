"""300 events are dead by two errors; one is mended, and its group runs again while others die."""

import shutil
from collections import Counter

import pytest
from selenium.webdriver.common.keys import Keys

from hookkit.core.entry import State
from hookkit.inbox.replay_records import Ending
from tests.applications import message, post
from tests.console.browser import BROWSER_TESTS
from tests.console.ops import Ops
from tests.serving import serving
from tests.waiting import wait_until

pytestmark = BROWSER_TESTS

COUNT = 150
GROUP = [f"order-{number}" for number in range(COUNT)]


class Night(Ops):
    """The shop is away until it ``is_mended``, and some events fail whatever is mended.

    Those that come later fail by the same error as the group that runs again.
    """

    is_mended = False

    def fails(self, event):
        return not (event.id in GROUP and self.is_mended)

    def error_of(self, event):
        return "no such tariff" if event.id.startswith("odd") else "the shop is away"

    def receive_many(self, *event_ids):
        """Receive them by few deliveries."""
        for start in range(0, len(event_ids), 50):
            bodies = [message(each) for each in event_ids[start : start + 50]]
            post(
                self.client,
                bodies[0] | {"events": [event for each in bodies for event in each["events"]]},
            )

    def ends(self):
        """Wait until the replay has ended and what it made due has run."""
        wait_until(lambda: self.inbox.replays.read(1).ended_at)
        wait_until(lambda: not self.inbox.replays.results(1).unrun)


@pytest.fixture(scope="module")
def evening(tmp_path_factory):
    """Return a folder with an inbox of 300 dead events."""
    folder = tmp_path_factory.mktemp("evening")
    night = Night(HOOKKIT_DATABASE=f"sqlite:///{folder}/inbox.db", HOOKKIT_RUNNER="thread")
    night.receive_many(*GROUP, *(f"odd-{number}" for number in range(COUNT)))
    wait_until(lambda: night.inbox.reading.counts()[State.DEAD] == 2 * COUNT)
    night.close()
    return folder


@pytest.fixture
def night(evening, tmp_path):
    shutil.copytree(evening, tmp_path, dirs_exist_ok=True)
    # Threads of this process keep house, as they do where an application serves.
    found = Night(HOOKKIT_DATABASE=f"sqlite:///{tmp_path}/inbox.db", HOOKKIT_RUNNER="thread")
    found.as_user("operate")
    with serving(found.app) as url:
        found.url = f"{url}/ops"
        yield found
    found.close()


@pytest.mark.parametrize("has_scripts", [True, False])
def test_exactly_the_group_of_the_preview_runs_once(night, window, has_scripts):
    window.scripts(are_on=has_scripts)
    night.is_mended = True
    window.look(f"{night.url}/dead")
    window.follow("RuntimeError: the shop is away")
    assert window.find("//dl[@class='facts']//strong").text == str(COUNT)
    night.receive_many(*(f"late-{number}" for number in range(25)))

    window.find("//input[@name='reason']").send_keys("the shop is back")
    window.find("//input[@name='per_second']").clear()
    window.find("//input[@name='per_second']").send_keys("1000")
    window.find("//input[@name='typed']").send_keys(str(COUNT))
    window.press(f"Replay {COUNT} events")
    night.receive_many(*(f"later-{number}" for number in range(25)))
    night.ends()
    window.follow("Look again")

    assert window.find("//h1").text == "Replay 1 done"
    assert window.find("//dt[.='Succeeded']/../dd").text == str(COUNT)
    ran = Counter(night.ran)
    assert {event_id: ran[event_id] for event_id in GROUP} == dict.fromkeys(GROUP, 1)
    wait_until(lambda: len(night.ran) == COUNT + 50)
    assert max(Counter(night.ran).values()) == 1  # the night before is another process
    window.look(f"{night.url}/dead")
    assert [each.text for each in window.driver.find_elements("xpath", "//tbody/tr/td[1]")] == [
        str(COUNT),
        "50",
    ]


def test_keyboard_alone_replays_a_group_and_cancels_in_the_middle(night, window):
    night.is_mended = True
    window.look(f"{night.url}/dead")

    window.tab_to(f"Replay {COUNT}… of forward, RuntimeError: the shop is away")
    window.enter()
    window.tab_to("Reason, for the record")
    window.type("the shop is back")
    window.tab_to(f"Type {COUNT} to confirm")
    window.type("15")
    window.tab_to(f"Replay {COUNT} events")
    window.enter()
    mistaken = window.focus()
    window.type(Keys.CONTROL, "a")
    window.type(str(COUNT))
    window.tab_to(f"Replay {COUNT} events")
    window.enter()
    started = window.focus()
    window.tab_to("Cancel")
    window.enter()

    assert mistaken["name"].startswith(f"Type {COUNT} to confirm")
    assert mistaken["is_seen"]
    assert (started["role"], started["is_seen"]) == ("status", True)
    assert "cancelled" in window.find("//h1").text
    record = night.inbox.replays.read(1)
    assert record.ending is Ending.CANCELLED
    wait_until(lambda: not night.inbox.replays.results(1).unrun)
    assert len(night.ran) == record.count < COUNT
    assert max(Counter(night.ran).values(), default=1) == 1
