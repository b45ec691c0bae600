"""What ``hookkit.inbox.inbox`` promises, held over every inbox: versions side by side."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from hookkit.core.entry import Filter, State
from hookkit.core.errors import ReplayRefused
from hookkit.core.modes import Change, Mode, modes_after, switch_changes
from tests.inbox.making import NOW, after, attempt, claim, deliver, done, item, kept, payload

LIVE, SHADOW, IGNORE = Mode.LIVE, Mode.SHADOW, Mode.IGNORE
BOTH = {"v1.1": LIVE, "v2": LIVE}
BEHIND = {"v1.1": LIVE, "v2": SHADOW}
W = 100


def said(inbox, *events, modes=BOTH, at=0, endpoint="support"):
    """Deliver ``"v2 m-1"`` as an event of v2 with the fact m-1; return its states."""
    items = []
    for event in events:
        version, _, fact = event.partition(" ")
        items.append(
            item(
                event,
                of=payload(endpoint, after(at), version=version),
                **named_fact(fact.partition("#")[0]),
            )
        )
    receipt = inbox.admit(
        deliver(
            *items,
            endpoint=endpoint,
            received_at=after(at),
            version=items[0].payload.version,
            modes=modes,
        )
    )
    return [one.state.value for one in receipt.admitted]


def named_fact(name):
    return {"near": name[1:]} if name.startswith("~") else {"fact": name or None}


def switch(inbox, target, *, at=0, modes=BEHIND, endpoint="support"):
    """Switch, and return the event ids of what was promoted."""
    log = [Change(one.version, one.vendor_type, one.mode) for one in inbox.switches.log(endpoint)]
    changes = switch_changes(target, modes_after(modes, log), {})
    return named(
        inbox,
        inbox.switches.change(endpoint, changes, who="ada", now=after(at), window_s=W),
    )


def sweep(inbox, *, at):
    return named(inbox, inbox.switches.promote_orphans(now=after(at), window_s=W))


def named(inbox, entry_ids):
    return [one.event_id for one in reversed(inbox.find(Filter(entry_ids=entry_ids)))]


def run(inbox, **how):
    """Run all that is due, and return the event ids."""
    claimed = claim(inbox, limit=1000, **how)
    for entry in claimed:
        assert inbox.settle(entry, done(attempt()), now=NOW)
    return [entry.event_id for entry in claimed]


def test_first_of_two_live_twins_runs(inbox):
    assert said(inbox, "v1.1 m-1") == ["pending"]
    assert said(inbox, "v2 m-1") == ["twin"]

    assert run(inbox) == ["v1.1 m-1"]
    assert inbox.counts()[State.TWIN] == 1


def test_twin_of_what_has_run_long_ago_does_not_run(inbox):
    said(inbox, "v2 m-1")
    run(inbox)

    assert said(inbox, "v1.1 m-1", at=10**6) == ["twin"]


def test_twins_in_one_delivery_after_others(inbox):
    said(inbox, "v1.1 m-2")

    assert said(inbox, "v2 m-1", "v2 m-2", "v2 m-3") == ["pending", "twin", "pending"]


def test_within_a_version_event_ids_decide(inbox):
    assert said(inbox, "v2 m-1#a", "v2 m-1#b") == ["pending", "pending"]
    assert said(inbox, "v2 m-1#c") == ["pending"]


def test_what_has_no_fact_has_no_twin(inbox):
    assert said(inbox, "v1.1 ") == ["pending"]
    assert said(inbox, "v2 ") == ["pending"]


def test_facts_are_those_of_their_endpoint(inbox):
    said(inbox, "v1.1 m-1", endpoint="sales")

    assert said(inbox, "v2 m-1") == ["pending"]


def test_redelivery_finds_its_entry_as_it_stands(inbox):
    said(inbox, "v1.1 m-1")
    said(inbox, "v2 m-1")

    assert said(inbox, "v2 m-1") == ["twin"]
    assert said(inbox, "v1.1 m-1") == ["pending"]
    assert len(inbox.find()) == 2


def test_without_modes_nobody_looks_for_twins(inbox):
    assert said(inbox, "v1.1 m-1", modes=None) == ["pending"]
    assert said(inbox, "v2 m-1", modes=None) == ["pending"]


def test_shadow_is_kept_and_not_run(inbox):
    assert said(inbox, "v2 m-1", modes=BEHIND) == ["shadow"]
    assert said(inbox, "v1.1 m-1", modes=BEHIND) == ["pending"]

    assert run(inbox, at=10**6) == ["v1.1 m-1"]
    assert kept(inbox)[0] != (b"", False)
    assert inbox.next_due_at(["support"]) is None


def test_ignored_version_is_counted_without_its_bytes(inbox):
    modes = {"v2": LIVE}

    assert said(inbox, "v1.1 m-1", modes=modes) == ["ignored"]
    assert said(inbox, "v2 m-1", modes=modes) == ["pending"]
    assert said(inbox, "v1.1 m-1", modes=modes) == ["ignored"]

    assert run(inbox) == ["v2 m-1"]
    assert kept(inbox)[0] == (b"", False)
    assert len(inbox.find()) == 2


def test_what_cannot_be_told_the_version_of_runs(inbox):
    assert said(inbox, " m-1", modes=BEHIND) == ["pending"]


@pytest.mark.parametrize("version", ["v2", "v1"])
def test_what_never_runs_cannot_be_replayed(inbox, version):
    said(inbox, f"{version} m-1", modes=BEHIND)
    (entry,) = inbox.find()

    with pytest.raises(ReplayRefused):
        inbox.replay(entry.id, now=NOW)


def test_switch_holds_for_the_next_delivery(inbox):
    said(inbox, "v1.1 m-1", modes=BEHIND)

    assert switch(inbox, "v2") == []

    assert said(inbox, "v2 m-1", modes=BEHIND) == ["twin"]
    assert said(inbox, "v1.1 m-2", modes=BEHIND) == ["shadow"]
    assert said(inbox, "v2 m-2", modes=BEHIND) == ["pending"]


def test_switch_says_when_and_who(inbox):
    switch(inbox, "v2", at=5)

    assert [tuple(one) for one in inbox.switches.log("support")] == [
        ("v2", "", LIVE, after(5), "ada"),
        ("v1.1", "", SHADOW, after(5), "ada"),
    ]
    assert list(inbox.switches.log("sales")) == []


def test_switch_promotes_young_shadows_whose_facts_are_free(inbox):
    said(inbox, "v2 old", modes=BEHIND)
    said(inbox, "v2 m-1", "v2 m-2", modes=BEHIND, at=1)
    said(inbox, "v1.1 m-1", modes=BEHIND, at=2)

    assert switch(inbox, "v2", at=W) == ["v2 m-2"]

    assert sorted(run(inbox, at=W)) == ["v1.1 m-1", "v2 m-2"]
    assert said(inbox, "v1.1 m-2", modes=BEHIND, at=W) == ["shadow"]
    assert switch(inbox, "v1.1", at=W + 1) == []


def test_switch_promotes_one_of_several_with_a_fact(inbox):
    said(inbox, "v2 m-1#a", "v2 m-1#b", "v2 ", modes=BEHIND)

    assert switch(inbox, "v2") == ["v2 m-1#a"]


def test_switch_promotes_at_its_endpoint_alone(inbox):
    said(inbox, "v2 m-1", modes=BEHIND, endpoint="sales")

    assert switch(inbox, "v2") == []


def test_orphan_of_a_switch_runs_once_the_window_is_over(inbox):
    said(inbox, "v2 m-0", modes=BEHIND)
    switch(inbox, "v2", at=10)
    said(inbox, "v1.1 m-1", "v1.1 m-2", "v1.1 ", modes=BEHIND, at=20)
    said(inbox, "v2 m-2", modes=BEHIND, at=30)

    assert sweep(inbox, at=20 + W - 1) == []
    assert sweep(inbox, at=20 + W) == ["v1.1 m-1"]
    assert sweep(inbox, at=20 + W) == []
    assert said(inbox, "v2 m-1", modes=BEHIND, at=20 + W) == ["twin"]


def test_orphans_are_looked_for_as_long_as_there_may_be_some(inbox):
    switch(inbox, "v2", at=0)
    assert sweep(inbox, at=2 * W) == []
    said(inbox, "v1.1 m-1", modes=BEHIND, at=W)
    said(inbox, "v1.1 m-2", modes=BEHIND, at=W + 1)

    # Nobody looked in time: a sweep that comes late finds what it should have found.
    assert sweep(inbox, at=10 * W) == ["v1.1 m-1"]
    said(inbox, "v1.1 m-3", modes=BEHIND, at=W)
    assert sweep(inbox, at=11 * W) == []


def test_near_facts_have_no_owner(inbox):
    assert said(inbox, "v1.1 ~read") == ["pending"]
    assert said(inbox, "v2 ~read") == ["pending"]


def test_switch_runs_near_reports_whose_twins_have_not(inbox):
    said(inbox, "v2 ~old", modes=BEHIND)
    said(inbox, "v1.1 ~read", modes=BEHIND, at=1)
    said(inbox, "v2 ~read#1", "v2 ~read#2", "v2 ~press", "v2 ", modes=BEHIND, at=2)
    said(inbox, "v2 ~read", modes=BEHIND, at=2, endpoint="sales")

    assert sorted(switch(inbox, "v2", at=W)) == ["v2 ~press", "v2 ~read#2"]

    assert sorted(run(inbox, at=W)) == ["v1.1 ~read", "v2 ~press", "v2 ~read#2"]
    assert inbox.counts()[State.TWIN] == 1
    assert switch(inbox, "v1.1", at=W) == []
    assert switch(inbox, "v2", at=W) == []


def test_near_orphan_of_a_switch_runs_unless_its_twin_has(inbox):
    said(inbox, "v2 ~read", modes=BEHIND)
    assert switch(inbox, "v2", at=10) == ["v2 ~read"]
    said(inbox, "v1.1 ~read", "v1.1 ~press", "v1.1 ~again", modes=BEHIND, at=20)
    said(inbox, "v2 ~again", modes=BEHIND, at=30)

    assert sweep(inbox, at=20 + W) == ["v1.1 ~press"]
    assert sweep(inbox, at=20 + W) == []
    assert inbox.counts()[State.TWIN] == 2


def test_start_of_what_was_there_is_the_twin_of_a_near_report(inbox):
    said(inbox, "v1.1 start-1", "v1.1 start-2", modes=BEHIND)
    said(inbox, "v2 ~start-1", "v2 start-2", modes=BEHIND, at=1)

    assert switch(inbox, "v2", at=2) == []
    said(inbox, "v2 ~start-3", modes=BEHIND, at=3)
    said(inbox, "v1.1 start-3", modes=BEHIND, at=4)

    assert sweep(inbox, at=4 + W) == []
    assert sorted(run(inbox, at=W)) == ["v1.1 start-1", "v1.1 start-2", "v2 ~start-3"]


def test_near_report_is_found_among_many_entries(inbox):
    said(inbox, *(f"v1.1 a-{number}" for number in range(1500)), modes=BEHIND)
    said(inbox, "v1.1 ~read", modes=BEHIND, at=10 * W)
    said(inbox, *(f"v1.1 b-{number}" for number in range(1500)), modes=BEHIND, at=10 * W)
    said(inbox, "v2 ~read", "v2 ~press", modes=BEHIND, at=10 * W)

    assert switch(inbox, "v2", at=10 * W) == ["v2 ~press"]


def test_retired_version_has_no_orphans(inbox):
    changes = [Change("v1.1", "", IGNORE)]

    assert inbox.switches.change("support", changes, who="ada", now=NOW, window_s=W) == []

    assert said(inbox, "v1.1 m-1", modes=BOTH) == ["ignored"]
    assert said(inbox, "v2 m-1", modes=BOTH) == ["pending"]
    assert sweep(inbox, at=W) == []


def test_type_without_counterpart_stays_live(inbox):
    changes = [Change("v1.1", "", SHADOW), Change("v1.1", "conversation:message", LIVE)]
    inbox.switches.change("support", changes, who="ada", now=NOW, window_s=W)

    assert said(inbox, "v1.1 m-1", modes=BOTH) == ["pending"]


def test_fact_is_free_again_when_its_owner_is_pruned(inbox):
    said(inbox, "v1.1 m-1")
    said(inbox, "v2 m-1")
    run(inbox)

    inbox.prune(bodies_before=after(1), ids_before=after(1))

    assert inbox.counts() == dict.fromkeys(State, 0)
    assert said(inbox, "v2 m-1", at=2) == ["pending"]


def test_more_than_fits_into_a_statement(inbox):
    facts = [f"m-{number}" for number in range(1100)]
    said(inbox, *(f"v1.1 {fact}" for fact in facts[:500]), modes=BEHIND)
    said(inbox, *(f"v2 {fact}" for fact in facts), modes=BEHIND)

    assert len(switch_ids(inbox)) == 600
    assert len(run(inbox)) == 1000


def switch_ids(inbox):
    changes = switch_changes("v2", modes_after(BEHIND, ()), {})
    return inbox.switches.change("support", changes, who="ada", now=NOW, window_s=W)


def test_of_twins_that_race_one_runs(inbox):
    facts = [f"m-{number}" for number in range(30)]
    start = Barrier(4)

    def deliver_all(version):
        start.wait()
        order = facts if version == "v2" else facts[::-1]
        for first, second in zip(order[::2], order[1::2], strict=True):
            said(inbox, f"{version} {first}", f"{version} {second}")

    with ThreadPoolExecutor(4) as pool:
        for one in [pool.submit(deliver_all, each) for each in ("v1.1", "v2") * 2]:
            one.result()

    ran = [event.partition(" ")[2] for event in run(inbox)]
    assert sorted(ran) == sorted(facts)
    assert inbox.counts()[State.TWIN] == len(facts)


def test_switch_amid_deliveries_loses_and_doubles_nothing(inbox):
    facts = [f"m-{number}" for number in range(40)]
    start = Barrier(3)

    def deliver_all(version):
        start.wait()
        for fact in facts:
            said(inbox, f"{version} {fact}", modes=BEHIND)

    def switch_over():
        start.wait()
        for target in ("v2", "v1.1", "v2"):
            switch(inbox, target)

    with ThreadPoolExecutor(3) as pool:
        running = [pool.submit(deliver_all, "v1.1"), pool.submit(deliver_all, "v2")]
        running.append(pool.submit(switch_over))
        for one in running:
            one.result()
    sweep(inbox, at=W)

    ran = [event.partition(" ")[2] for event in run(inbox)]
    assert sorted(ran) == sorted(facts)


def test_entries_are_kept_with_their_bytes(inbox):
    said(inbox, "v2 m-1", "v2 ~read", modes=BEHIND)
    said(inbox, "v1.1 m-1", modes=BEHIND, at=1)
    said(inbox, "v1 m-1", modes=BEHIND, at=2)
    said(inbox, "v2 m-1", modes=BEHIND, endpoint="sales")

    found = inbox.kept("support")

    assert [(one.event_id, one.state.value, one.fact) for one in found] == [
        ("v1 m-1", "ignored", "m-1"),
        ("v1.1 m-1", "pending", "m-1"),
        ("v2 ~read", "shadow", "~read"),
        ("v2 m-1", "shadow", "m-1"),
    ]
    assert found[0].body is None
    assert found[3].body == found[2].body == b'[{"text": "hello"}, {"text": "hello"}]'
    assert (found[2].position, found[2].delivery_id) == (1, found[3].delivery_id)
    assert found[1].received_at == after(1)
    assert found[1].headers == {"content-type": "application/json"}
    assert inbox.kept("support", limit=2) == found[:2]
    assert inbox.kept("support", below_id=found[1].id) == found[2:]


def test_entries_whose_bytes_are_gone_are_kept_without(inbox):
    said(inbox, "v2 m-1", modes=BEHIND)

    inbox.prune(bodies_before=after(1), ids_before=NOW)

    (one,) = inbox.kept("support")
    assert (one.event_id, one.body) == ("v2 m-1", None)
