"""What housekeeping does when a step fails: it logs the failure, and goes on at the next turn."""

import pytest

from hookkit import Unavailable
from hookkit.operating.housekeeping import promote, prune


@pytest.mark.parametrize(
    ("error", "level"), [(Unavailable("locked"), "WARNING"), (ValueError("a bug"), "ERROR")]
)
def test_failure_is_logged_and_not_raised(caplog, error, level):
    def fail(*_):
        raise error

    promote(fail)
    prune(fail, lambda seconds: False)

    assert [(each.action, each.levelname) for each in caplog.records] == [
        ("promote_failed", level),
        ("prune_failed", level),
    ]


def test_result_of_pruning_is_logged_if_something_was_deleted(caplog):
    caplog.set_level("INFO", "hookkit")

    prune(lambda wait: (0, 0), lambda seconds: False)
    prune(lambda wait: (2, 1), lambda seconds: False)

    assert [each.getMessage() for each in caplog.records] == [
        "deleted the bodies of 2 deliveries and 1 entry"
    ]
