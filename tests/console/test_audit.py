"""The page of the audit."""

import pytest

from hookkit.core.entry import Filter, State
from hookkit.inbox.records import Act


def write(ops, count, **values):
    for number in range(count):
        act = Act(who=f"user-{number}", right="operate", action="replay", **values)
        ops.inbox.audit.settle(ops.inbox.audit.begin(act, now=ops.now()), "done")


def test_acts_are_listed_newest_first_with_who_why_and_what_came_of_it(ops):
    assert "Nobody has replayed" in ops.get("/audit").text
    write(ops, 2, target="entry 1", reason="the shop is back", wanted=Filter(state=State.DEAD))

    text = ops.get("/audit").text

    assert text.index("user-1") < text.index("user-0")
    for part in ("replay", "entry 1", "--state dead", "the shop is back", "done", "this machine"):
        assert part in text


def test_act_without_a_result_says_so(ops):
    ops.inbox.audit.begin(Act(who="ada", right="switch", action="switch"), now=ops.now())

    assert "not ended, or its end was not recorded" in ops.get("/audit").text


def test_page_leads_to_older_acts(ops, monkeypatch):
    monkeypatch.setattr("hookkit.web.console.audit.LIMIT", 2)
    write(ops, 3)

    assert 'href="/ops/audit?below=2"' in ops.get("/audit").text
    older = ops.get("/audit?below=2").text
    assert "user-0" in older
    assert "user-1" not in older
    assert ">Older</a>" not in older


@pytest.mark.parametrize("below", ["x", "0", "-1", "²", "9" * 30])
def test_number_that_is_none_is_refused(ops, below):
    assert ops.get(f"/audit?below={below}").status_code == 400
