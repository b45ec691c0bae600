"""What an event carries, value by value."""

from datetime import UTC, datetime
from types import MappingProxyType

import pytest

from hookkit.core.leaves import leaves, spelling
from hookkit.core.parts import AuthorType
from tests.providers.reading import SAMPLES, read_sample

NOW = datetime(2026, 3, 1, 10, 0, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (NOW, '"2026-03-01T10:00:05+00:00"'),
        (AuthorType.USER, '"user"'),
        ({"b": 1, "a": NOW}, '{"a": "2026-03-01T10:00:05+00:00", "b": 1}'),
        (MappingProxyType({"b": 1}), '{"b": 1}'),
        (("a", 1), '["a", 1]'),
        (b"ab", "\"b'ab'\""),
    ],
)
def test_value_is_spelt_as_json(value, text):
    assert spelling(value) == text


def test_leaf_is_named_by_its_path_and_nothing_empty_is_one():
    found = {}
    for sample in SAMPLES:
        for event in read_sample(sample):
            found |= leaves(event)

    assert found["actor.type"] in set(AuthorType)
    assert {path for path in found if path.startswith("conversation.participants[0].")}
    assert not {path for path in found if path.split(".")[0] in ("raw", "received_at", "endpoint")}
    assert not [path for path, value in found.items() if value in (None, "", (), {})]
