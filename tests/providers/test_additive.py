"""Vendors add keys without a new version: one more key changes nothing but ``raw``."""

import copy

import pytest

from tests.providers import documented, documented_livechat
from tests.providers.completeness import body_of
from tests.providers.reading import SAMPLES, SCHEMA, read, sample_id

#: What hangs on the whole content, where the vendor gives no id.
LEFT_OUT = {"raw", "id", "received_at"}


def objects(node):
    """Yield every object in *node*."""
    if isinstance(node, dict):
        yield node
    for each in node.values() if isinstance(node, dict) else node:
        if isinstance(each, dict | list):
            yield from objects(each)


def said(body, document):
    events = read(body.provider, document, headers=body.headers)
    dumps = SCHEMA.dump(events, many=True)
    return [{key: value for key, value in each.items() if key not in LEFT_OUT} for each in dumps]


BODIES = {
    **{sample_id(each): body_of(each) for each in SAMPLES},
    **documented.BODIES,
    **documented_livechat.BODIES,
}


@pytest.mark.parametrize("name", BODIES)
def test_one_more_key_in_any_object_changes_nothing_else(name):
    body = BODIES[name]
    before = strip(said(body, body.document))

    for number, each in enumerate(objects(body.document)):
        # So LiveChat 3.0 wraps a property, and the access of a thread counts where it is not the
        # chat's: there the key is a part of what is said.
        if each.keys() in ({"value"}, {"group_ids"}):
            continue
        changed = copy.deepcopy(body.document)
        list(objects(changed))[number]["aKeyOfTomorrow"] = {"x": ["y"]}
        assert strip(said(body, changed)) == before, f"object {number}"


def strip(node):
    """Return *node* without the new key, which objects kept as sent have, and empty ones."""
    if isinstance(node, dict):
        stripped = {key: strip(value) for key, value in node.items() if key != "aKeyOfTomorrow"}
        return {key: value for key, value in stripped.items() if value not in ({}, None)}
    return [strip(each) for each in node] if isinstance(node, list) else node
