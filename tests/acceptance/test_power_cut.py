"""What was acknowledged is there after a power cut, which leaves only what was synced."""

from random import Random

import pytest

from hookkit.inbox.sqlite import file as sqlite_file
from hookkit.inbox.sqlite import transactions
from tests.acceptance.power.cuts import Promises, damages, power_cuts
from tests.acceptance.power.deliveries import make_deliveries, twice
from tests.acceptance.power.traffic import run_traffic
from tests.scale import SCALE

RUNS = 4
CUTS_PER_RUN = 25
DELIVERIES = 30


class Inbox:
    """An inbox that is used, cut, and used again as one of the cuts has left it.

    Attributes:
        sent: All that was ever sent, by key.
        files: What that cut has left.
        promises: What was promised before it.
    """

    def __init__(self, seed, *, is_own=True):
        self.random = Random(seed)  # noqa: S311  # no secret depends on it
        self.is_own = is_own
        self.sent = {}
        self.files = {}
        self.promises = Promises()

    def run_and_cut(self, name):
        """Return what is wrong after each cut to one run."""
        new = make_deliveries(name, DELIVERIES, self.random)
        self.sent |= {each.key: each for each in new}
        record = run_traffic(
            self.files,
            twice(self.unheard(), self.random),
            is_own=self.is_own,
            checkpoint_pages=self.random.choice([20, 100, 1000]),
        )
        cuts = list(power_cuts(record, CUTS_PER_RUN, self.random, self.promises))
        kept = self.random.choice(cuts)
        self.files, self.promises = kept.files, kept.promises
        return [damages(cut, self.sent) for cut in cuts]

    def unheard(self):
        """Return what was sent without an answer: vendors send that again."""
        heard = self.promises.acknowledged
        return [each for key, each in self.sent.items() if key not in heard]


@pytest.mark.parametrize("is_own", [True, False], ids=["own engine", "user's engine"])
@pytest.mark.parametrize("seed", range(SCALE))
def test_power_cut_breaks_no_promise(seed, is_own):
    inbox = Inbox(seed, is_own=is_own)

    found = [damage for number in range(RUNS) for damage in inbox.run_and_cut(f"run{number}")]

    assert [damage for damage in found if damage] == []
    assert len(found) == RUNS * CUTS_PER_RUN
    assert inbox.promises.acknowledged


def test_power_cut_loses_events_when_the_log_is_not_synced_at_each_commit(monkeypatch):
    weaken(monkeypatch, "NORMAL")

    kinds = kinds_of_damage({"lost"})

    # So much for the proof that a loss is noticed; the file itself stays whole.
    assert "lost" in kinds
    assert kinds <= {"lost", "unsettled"}


def test_power_cut_ruins_a_file_that_is_never_synced(monkeypatch):
    weaken(monkeypatch, "OFF")

    assert kinds_of_damage({"damaged", "unusable"}) & {"damaged", "unusable"}


def test_power_cut_brings_an_old_journal_back_when_its_folder_is_not_synced(monkeypatch):
    monkeypatch.setattr(transactions, "_EXTRA", 2)

    assert "lost" in kinds_of_damage({"lost"}, is_own=False)


def weaken(monkeypatch, level):
    def set_up(driver, _):
        driver.execute(f"PRAGMA synchronous = {level}")

    monkeypatch.setattr(sqlite_file, "set_up", set_up)


def kinds_of_damage(expected, *, is_own=True):
    """Return what cuts do, of as many inboxes as it takes until one of *expected* is among it.

    What is in a commit is decided by which threads meet, and not by the seed alone.
    """
    kinds = set()
    for seed in range(1, 11):
        for damage in Inbox(seed, is_own=is_own).run_and_cut("run"):
            kinds |= {each.partition(":")[0] for each in damage}
        if kinds & expected:
            break
    return kinds
