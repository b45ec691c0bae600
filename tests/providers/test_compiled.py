"""Whatever a body holds: the code that is written from the shapes reads what the fields read.

Bodies with one change are compared in ``test_mutations``, which reads them anyway.
"""

import copy
import json
from functools import cache

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hookkit.schemas.shape import Shape
from tests.folding import in_one
from tests.providers.documented import BODIES
from tests.providers.reading import SAMPLES, headers_of, provider_of, sample_id
from tests.providers.test_mutations import (
    REPLACEMENTS,
    assert_read_alike,
    inside,
    json_values,
    places,
    read_without_net,
)

#: name -> provider, document and headers of every sample, and of every documented body
CORPUS = {
    **{
        sample_id(sample): (
            provider_of(sample),
            json.loads(sample.read_bytes()),
            headers_of(sample),
        )
        for sample in SAMPLES
    },
    **{name: (body.provider, body.document, {}) for name, body in BODIES.items()},
}

#: So many tests share the corpus.
PARTS = 11


class ByFieldsError(BaseException):
    """Raised instead of reading field by field; no provider catches it."""


def assert_both_read_alike(provider, document, headers):
    by_code = read_without_net(provider, document, headers)[1]

    assert_read_alike(by_code, provider, document, headers)


@cache
def places_of(name):
    return sorted(places(CORPUS[name][1]), key=str)


@in_one("name", CORPUS)
def test_body_is_read_alike(name):
    assert_both_read_alike(*CORPUS[name])


@pytest.mark.parametrize("part", range(PARTS))
@given(data=st.data())
@settings(
    max_examples=300,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
def test_body_with_several_changes_is_read_alike(part, data):
    name = data.draw(st.sampled_from(sorted(CORPUS)[part::PARTS]))
    provider, document, headers = CORPUS[name]
    document = copy.deepcopy(document)
    for path in data.draw(st.lists(st.sampled_from(places_of(name)), max_size=4, unique=True)):
        change(document, path, data)

    assert_both_read_alike(provider, document, headers)


def change(document, path, data):
    """Replace what is at *path*, drop it, or add a key to it, if an earlier change left it."""
    *above, key = path
    try:
        around = inside(document, above)
        before = around[key]
    except (KeyError, IndexError, TypeError):
        return
    if not isinstance(around, dict | list):
        return
    what = data.draw(st.sampled_from(["replace", "replace", "null", "drop", "add"]))
    if what == "drop":
        del around[key]
    elif what == "add" and isinstance(before, dict):
        before[data.draw(st.sampled_from(["id", "_id", "type", "text", "user", "new"]))] = (
            data.draw(json_values)
        )
    else:
        new = st.sampled_from(REPLACEMENTS) | json_values
        around[key] = None if what == "null" else copy.deepcopy(data.draw(new))


@pytest.fixture
def _no_fields(monkeypatch):
    """Raise wherever an object is read field by field."""

    def read_by_fields(shape, data):
        raise ByFieldsError(type(shape).__name__)

    monkeypatch.setattr(Shape, "read_by_fields", read_by_fields)


@pytest.mark.usefixtures("_no_fields")
@in_one("name", CORPUS)
def test_faultless_body_is_read_by_the_code_alone(name):
    items, events = read_without_net(*CORPUS[name])

    assert len(events) == len(items)


@pytest.mark.usefixtures("_no_fields")
def test_body_with_a_fault_is_read_by_the_fields():
    provider, document, headers = CORPUS["sunshine/v2/conversation-message"]
    document = copy.deepcopy(document)
    document["events"][0]["payload"]["message"]["content"]["text"] = 5

    with pytest.raises(ByFieldsError):
        read_without_net(provider, document, headers)
