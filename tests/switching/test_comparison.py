import pytest

from hookkit.switching.comparison import Row, Sighting, compare, obstacles

W = 1000


def rows(*sightings, now_ms=10_000):
    told = [
        Sighting(number, version, kind, fact, at)
        for number, (version, kind, fact, at) in enumerate(sightings)
    ]
    return compare(told, old="v1.1", new="v2", now_ms=now_ms, window_ms=W)


def row(**counts):
    usual = dict.fromkeys(("seen_old", "seen_new", "paired", "missing_old", "missing_new"), 0)
    counts["longest_delay_s"] = counts.get("delay_s")
    return Row(**({"kind": "m", "delay_s": None} | usual | counts))


def test_twins_are_paired_by_their_fact():
    found = rows(("v2", "m", "1", 500), ("v1.1", "m", "1", 0), ("v2", "m", None, 600))

    assert found == [row(seen_old=1, seen_new=2, paired=1, delay_s=0.5)]
    assert obstacles(found, old="v1.1", new="v2") == []


def test_fact_that_one_version_alone_reports_is_missing_in_the_other():
    found = rows(
        ("v1.1", "m", "1", 0), ("v2", "m", "1", 0), ("v1.1", "m", "2", 5), ("v2", "m", "3", 6)
    )

    assert found == [
        row(
            seen_old=2,
            seen_new=2,
            paired=1,
            missing_old=1,
            missing_new=1,
            lost_new=1,
            due_new=2,
            delay_s=0.0,
        )
    ]
    assert obstacles(found, old="v1.1", new="v2") == ["m: 1 reported by v1.1 and not by v2"]


@pytest.mark.parametrize(
    "at", [pytest.param(9001, id="too young"), pytest.param(99, id="before both were there")]
)
def test_fact_is_not_missing_yet(at):
    found = rows(("v1.1", "m", "1", 0), ("v2", "m", "1", 100), ("v1.1", "m", "2", at))

    assert [one.missing_new for one in found] == [0]


def test_version_that_was_not_seen_is_an_obstacle():
    found = rows(("v1.1", "m", "1", 0))

    assert found == [row(seen_old=1)]
    (reason,) = obstacles(found, old="v1.1", new="v2")
    assert reason.startswith("v2 has not been seen: create its webhook")


def test_nothing_in_common_is_no_reason_to_switch():
    found = rows(("v1.1", "a", None, 0), ("v2", "b", None, 0), ("v1", "c", "1", 0))

    assert [one.kind for one in found] == ["a", "b"]
    assert obstacles(found, old="v1.1", new="v2") == [
        "nothing has been reported by both v1.1 and v2: wait for more events"
    ]


def test_near_facts_pair_by_time_and_are_in_nobodys_way():
    found = rows(
        ("v1.1", "m", "~1", 0),
        ("v2", "m", "~1", 0),
        ("v1.1", "m", "~1", 1000),
        ("v1.1", "m", "~1", 3000),
        ("v2", "m", "~1", 1990),
        ("v2", "n", "~1", 6000),
    )

    assert [(one.kind, one.paired, one.missing_old, one.missing_new) for one in found] == [
        ("m", 2, 0, 1),
        ("n", 0, 1, 0),
    ]
    assert found[0].longest_delay_s == 0.99
    assert obstacles(found, old="v1.1", new="v2", wanted=["m"]) == []


def test_pair_of_two_types_is_the_old_ones():
    found = rows(("v1.1", "create", "c", 0), ("v2", "referral", "~c", 0))

    assert [(one.kind, one.paired, one.missing_old, one.missing_new) for one in found] == [
        ("create", 1, 0, 0),
        ("referral", 0, 0, 0),
    ]


def test_type_that_the_new_version_never_reports_is_in_the_way_if_it_is_wanted():
    found = rows(("v1.1", "m", "1", 0), ("v2", "m", "1", 0), ("v1.1", "typing", None, 1))

    assert obstacles(found, old="v1.1", new="v2") == []
    assert obstacles(found, old="v1.1", new="v2", wanted=["m", "typing"]) == [
        "typing: 1 reported by v1.1 and none by v2: tick its trigger there"
    ]
