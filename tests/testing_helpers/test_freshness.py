import copy
import re
from datetime import UTC, datetime

import pytest

from hookkit import HookkitError
from hookkit.core.provider import PayloadVersion
from hookkit.testing import freshen, set_path

NOW = datetime(2024, 3, 1, 10, 0, 5, 123456, tzinfo=UTC)


def version(*, ids=(), times=()):
    return PayloadVersion(split=list, normalize=None, fresh_ids=ids, fresh_times=times)


@pytest.mark.parametrize(
    ("old", "look"),
    [
        pytest.param("64e5f60718293a4b5c6d7e01", r"[0-9a-f]{24}", id="hexadecimal"),
        pytest.param(
            "9d633118-27d3-437d-9d81-621b07903e06",
            r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
            id="UUID",
        ),
        pytest.param(
            "5A7F8343-DF41-46A8-96EC-8583FCB422FB",
            r"[0-9A-F]{8}-[0-9A-F]{4}-4[0-9A-F]{3}-[89AB][0-9A-F]{3}-[0-9A-F]{12}",
            id="UUID in capitals",
        ),
        pytest.param("9d63311827d3437d9d81621b07903e06", r"[0-9a-f]{32}", id="long hexadecimal"),
        pytest.param("300450422916", r"[0-9]{12}", id="digits"),
        pytest.param(
            "ch_19dPrCH7U", r"[a-z]{2}_[0-9]{2}[a-z][A-Z][a-z][A-Z]{2}[0-9][A-Z]", id="mixed"
        ),
    ],
)
def test_new_id_looks_like_the_old_one(old, look):
    fresh = freshen({"id": old}, version(ids=("id",)))

    assert fresh["id"] != old
    assert re.fullmatch(look, fresh["id"])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(1692796967.555, 1709287205.123, id="unix seconds"),
        pytest.param(1692796967, 1709287205.123, id="whole seconds"),
        pytest.param("2023-08-23T13:22:47.555Z", "2024-03-01T10:00:05.123Z", id="ISO"),
        pytest.param(None, None, id="null"),
        pytest.param(True, True, id="no time"),
    ],
)
def test_new_time_is_in_the_form_of_the_old_one(old, new):
    fresh = freshen({"at": old}, version(times=("at",)), now=NOW)

    assert fresh["at"] == new


def test_star_stands_for_every_element():
    document = {"events": [{"id": "aaaa1111"}, {"id": "bbbb2222"}, {"no": "id"}, "no object"]}

    fresh = freshen(document, version(ids=("events.*.id",)))

    assert {"aaaa1111", "bbbb2222"}.isdisjoint(each["id"] for each in fresh["events"][:2])
    assert fresh["events"][2:] == document["events"][2:]


def test_equal_ids_stay_equal():
    document = {"event": "aaaa1111", "message": {"id": "aaaa1111"}}

    fresh = freshen(document, version(ids=("event", "message.id")))

    assert fresh["event"] == fresh["message"]["id"] != "aaaa1111"


def test_number_becomes_another_number():
    document = {"id": 42, "group": {"id": 42}}

    fresh = freshen(document, version(ids=("id", "group.id")))

    assert fresh["id"] == fresh["group"]["id"] != 42
    assert 0 <= fresh["id"] < 1 << 53


@pytest.mark.parametrize("value", [None, True, 7.5, "", ["a"], {}], ids=repr)
def test_what_is_no_id_is_left_alone(value):
    fresh = freshen({"id": value}, version(ids=("id", "id.deeper", "*.id", "absent")))

    assert fresh == {"id": value}


def test_original_is_left_alone():
    document = {"messages": [{"_id": "aaaa1111"}]}
    before = copy.deepcopy(document)

    freshen(document, version(ids=("messages.*._id",)))

    assert document == before


@pytest.mark.parametrize(
    ("path", "after"),
    [
        pytest.param("a.0.b", {"a": [{"b": "new"}]}, id="existing"),
        pytest.param("a.0", {"a": ["new"]}, id="element"),
        pytest.param("c.d.e", {"a": [{"b": "old"}], "c": {"d": {"e": "new"}}}, id="missing"),
    ],
)
def test_value_is_put_at_its_path(path, after):
    document = {"a": [{"b": "old"}]}

    set_path(document, path, "new")

    assert document == after


@pytest.mark.parametrize(
    ("path", "message"),
    [
        pytest.param("a.1.b", "path 'a.1': the array has elements 0 to 0", id="beyond"),
        pytest.param("a.-1.b", "path 'a.-1': the array has elements 0 to 0", id="negative"),
        pytest.param("a.x", "path 'a.x': the array has elements 0 to 0", id="no number"),
        pytest.param("a.0.b.c", "path 'a.0.b.c': nothing can be put at 'a.0.b.c'", id="text"),
        pytest.param("none.0", "path 'none.0': the array has no elements", id="empty array"),
    ],
)
def test_path_that_leads_nowhere_is_refused(path, message):
    document = {"a": [{"b": "old"}], "none": []}

    with pytest.raises(HookkitError) as refused:
        set_path(document, path, "new")

    assert str(refused.value) == message
