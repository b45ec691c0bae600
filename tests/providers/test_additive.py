"""Vendors add keys without a new version: one more key changes nothing but ``raw``."""

import copy
import json

import pytest

from hookkit.schemas import EventSchema
from tests.providers.reading import SAMPLES, headers_of, provider_of, read, sample_id

#: What hangs on the whole content, where the vendor gives no id.
LEFT_OUT = {"raw", "id", "received_at"}


def objects(node):
    """Yield every object in *node*."""
    if isinstance(node, dict):
        yield node
    for each in node.values() if isinstance(node, dict) else node:
        if isinstance(each, dict | list):
            yield from objects(each)


def said(sample, document):
    events = read(provider_of(sample), document, headers=headers_of(sample))
    dumps = EventSchema(many=True).dump(events)
    return [{key: value for key, value in each.items() if key not in LEFT_OUT} for each in dumps]


@pytest.mark.parametrize("sample", SAMPLES, ids=sample_id)
def test_one_more_key_in_any_object_changes_nothing_else(sample):
    document = json.loads(sample.read_bytes())
    before = strip(said(sample, document))

    for number, each in enumerate(objects(document)):
        # So LiveChat 3.0 wraps a property, and the access of a thread counts where it is not the
        # chat's: there the key is a part of what is said.
        if each.keys() in ({"value"}, {"group_ids"}):
            continue
        changed = copy.deepcopy(document)
        list(objects(changed))[number]["aKeyOfTomorrow"] = {"x": ["y"]}
        assert strip(said(sample, changed)) == before, f"object {number}"


def strip(node):
    """Return *node* without the new key, which objects kept as sent have, and empty ones."""
    if isinstance(node, dict):
        stripped = {key: strip(value) for key, value in node.items() if key != "aKeyOfTomorrow"}
        return {key: value for key, value in stripped.items() if value not in ({}, None)}
    return [strip(each) for each in node] if isinstance(node, list) else node
