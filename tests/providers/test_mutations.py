"""No body makes a provider raise or put a wrong type into the unified event.

``make soak`` tries every single change to every sample, ``make test`` one of four at each place;
both try many random ones together. The safety net of ``core.provider`` would hide a mistake here,
so what it says is looked for as well.

What is read by the code that is written from the shapes is also compared here with what the fields
read, so that nothing that was changed is read for that alone; ``test_compiled`` has more of it.
"""

import copy
import json
import math
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from datetime import timedelta
from functools import cache
from itertools import islice

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hookkit import HookKit
from hookkit.core.delivery import Payload
from hookkit.core.event import EVENT_CLASSES, EventType, unknown_event
from hookkit.core.ids import MAX_ID_CHARS
from hookkit.core.provider import normalize
from hookkit.core.scheme import KeyScheme
from hookkit.schemas.shape import Shape
from hookkit.testing import sign
from tests.applications import SECRET, make_app
from tests.key_server import pem_of, public_pem_of, shared_key
from tests.model_types import wrong_types
from tests.providers.reading import (
    NOW,
    SAMPLES,
    SCHEMA,
    headers_of,
    provider_of,
    read,
    sample_id,
    split_body,
)
from tests.scale import SCALE

KEY = shared_key()

#: What a value is replaced by: every JSON type, and values that are easy to stumble over.
REPLACEMENTS = [
    None,
    True,
    0,
    1.5,
    10**400,
    1e300,
    math.inf,
    "",
    "v2",
    "unknown-word",
    "deleted\x00",
    "\ud800",
    "x" * 5000,
    "9999-12-31T23:59:59.9999Z",
    "0001-01-01T00:00:00+23:59",
    [],
    [None, 1, "x", {}, []],
    {},
    {"type": []},
    {"id": {}, "_id": [], "type": "text", "version": 2},
    [[[[[[[[[]]]]]]]]],
]

#: Of the changes, one of so many is tried: each place meets some, and ``make soak`` tries all.
STEP = 4 if SCALE == 1 else 1


def is_json(document):
    """Tell what a vendor's encoder could have written: a secret in the body must be found."""
    try:
        return bool(json.dumps(document, allow_nan=False))
    except ValueError:
        return False


JSON_REPLACEMENTS = [value for value in REPLACEMENTS if is_json(value)]


def read_without_net(provider, document, headers, received_at=NOW):
    """Return the items and the events of *document*, by the payload version alone."""
    name = provider.detect_version(document, headers)
    version = provider.versions.get(name) if name is not None else None
    if version is None:
        return (), ()
    payload = Payload(
        provider=provider.name,
        endpoint="support",
        version=name,
        received_at=received_at,
        headers=headers,
        document=document,
        event_id=provider.event_id_of(headers) if provider.event_id_of else None,
    )
    items = list(version.split(payload))
    events = [
        version.normalize(item) if item.problem is None else unknown_event(item) for item in items
    ]
    return items, events


@contextmanager
def by_fields_alone():
    """Have every object read field by field, and none by the code."""
    read = Shape.read
    Shape.read = Shape.read_by_fields
    try:
        yield
    finally:
        Shape.read = read


def is_same(one, two):
    """Tell whether two values are equal, and of equal types at every place."""
    if one is two:
        return True
    kind = type(one)
    if kind is not type(two):
        return False
    if names := attributes_of(kind):
        return all(is_same(getattr(one, name), getattr(two, name)) for name in names)
    if isinstance(one, dict):
        return one.keys() == two.keys() and all(is_same(one[key], two[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(two) and all(map(is_same, one, two))
    return one == two


@cache
def attributes_of(kind):
    return [each.name for each in fields(kind)] if is_dataclass(kind) else []


def assert_read_alike(by_code, provider, document, headers):
    """Assert that the fields alone read what was read *by_code*."""
    with by_fields_alone():
        by_fields = read_without_net(provider, document, headers)[1]

    assert is_same(by_code, by_fields), document


def places(node, path=()):
    """Yield the path of every value in *node*, the outermost excepted."""
    children = node.items() if isinstance(node, dict) else enumerate(node)
    for key, child in children:
        yield (*path, key)
        if isinstance(child, dict | list):
            yield from places(child, (*path, key))


def inside(document, path):
    for key in path:
        document = document[key]
    return document


def kind_of_place(document, path):
    """Return what makes a place like another: its keys, and the types of what it lies in."""
    around = [inside(document, path[:depth]) for depth in range(len(path) + 1)]
    words = [node.get("type", node.get("trigger")) for node in around if isinstance(node, dict)]
    return tuple("*" if isinstance(key, int) else key for key in path), str(words)


def new_places():
    """Return for each sample the places whose like no earlier one of its version has."""
    seen, found = set(), {}
    for sample in SAMPLES:
        document = json.loads(sample.read_bytes())
        # Two versions may be one reader, as v1 and v1.1 of Sunshine are.
        version = provider_of(sample).versions[sample.parent.name]
        found[sample] = []
        for path in places(document):
            kind = (version.split, version.normalize, *kind_of_place(document, path))
            if kind not in seen:
                seen.add(kind)
                found[sample].append(path)
    return {sample: paths for sample, paths in found.items() if paths}


NEW_PLACES = new_places()


def single_mutations(document, paths, replacements=REPLACEMENTS):
    """Yield what *document* becomes by each change to the value at one of *paths*."""
    for path in paths:
        *above, key = path
        original = inside(document, path)
        for value in [*replacements, [original], {"type": original}, [original, original]]:
            changed = changed_copy(document, above)
            inside(changed, above)[key] = value
            yield changed
        dropped = changed_copy(document, above)
        del inside(dropped, above)[key]
        yield dropped
        if isinstance(original, dict):
            added = changed_copy(document, path)
            inside(added, path).update({"newKey": {"deep": [1, None]}, "": 1, "\ud800": "\x00"})
            yield added


def changed_copy(document, path):
    """Return a copy of *document* in which whatever lies on *path* may be changed."""
    copied = copy.copy(document)
    node = copied
    for key in path:
        node[key] = copy.copy(node[key])
        node = node[key]
    return copied


def assert_sound(items, events):
    for item in items:
        for text in (item.event_id, item.previous_event_id, item.lane, item.fact):
            assert text is None or is_storable(text)
        assert item.problem is None or "while it was" not in item.problem
    for event in events:
        assert type(event) is EVENT_CLASSES[event.type]
        assert wrong_types(event) == []
        assert not any("while it was" in problem for problem in event.problems)
        # Whatever is not understood says why.
        assert event.problems or event.type is not EventType.UNKNOWN


def is_storable(text):
    return 0 < len(text) <= MAX_ID_CHARS and "\x00" not in text and bool(text.encode())


def assert_survives_json(events):
    for event in events:
        text = json.dumps(SCHEMA.dump(event))

        assert SCHEMA.load(json.loads(text)) == event


@pytest.mark.parametrize("sample", NEW_PLACES, ids=sample_id)
def test_no_single_change_makes_a_provider_raise_or_read_otherwise(sample):
    provider, document = provider_of(sample), json.loads(sample.read_bytes())
    headers = headers_of(sample)

    every = single_mutations(document, NEW_PLACES[sample])

    for number, changed in enumerate(islice(every, 0, None, STEP)):
        items, events = read_without_net(provider, changed, headers)

        assert_sound(items, events)
        assert_read_alike(events, provider, changed, headers)
        if number % 7 == 0:
            assert_survives_json(events)


def test_changes_are_more_than_60_000():
    single = sum(
        1
        for sample, paths in NEW_PLACES.items()
        for _ in single_mutations(json.loads(sample.read_bytes()), paths)
    )

    assert single > 60_000


def proof_of(provider):
    """Return the settings of an endpoint that takes what ``deliver`` sends."""
    is_by_key = isinstance(provider.scheme, KeyScheme)
    return {"keys": public_pem_of(KEY)} if is_by_key else {"secrets": [SECRET]}


def deliver(client, provider, document):
    secret = pem_of(KEY).decode() if isinstance(provider.scheme, KeyScheme) else SECRET
    signed = sign(provider, document, secret=secret)
    return client.post("/hooks/support", data=signed.body, headers=signed.headers)


@pytest.mark.parametrize("sample", NEW_PLACES, ids=sample_id)
def test_changed_body_with_the_right_secret_always_hears_200(sample):
    hooks, seen = HookKit(), []
    hooks.on("*", name="see")(seen.append)
    provider = provider_of(sample)
    endpoints = {"support": {"provider": provider.name} | proof_of(provider)}
    client = make_app(hooks, HOOKKIT_ENDPOINTS=endpoints).test_client()
    document = json.loads(sample.read_bytes())
    every = single_mutations(document, NEW_PLACES[sample], JSON_REPLACEMENTS)
    some = list(islice(every, 0, None, 17))

    answers = [deliver(client, provider, changed) for changed in some]

    assert {answer.status_code for answer in answers} == {200}
    assert len(seen) == sum(answer.json["new"] for answer in answers) > 0


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([value for value in REPLACEMENTS if not isinstance(value, list | dict)])
    | st.text(st.characters(), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "_id", "type", "text", "user", "message", "content", "x"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=6,
)


@given(data=st.data())
@settings(
    max_examples=300,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
def test_no_several_changes_make_a_provider_raise(data):
    sample = data.draw(st.sampled_from(SAMPLES))
    provider, document = provider_of(sample), json.loads(sample.read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        *above, key = data.draw(st.sampled_from(sorted(places(document), key=str) or [("x",)]))
        inside(document, above)[key] = data.draw(json_values)
    body = json.dumps(document).replace("Infinity", "1e400").encode()

    headers = data.draw(st.sampled_from([{}, headers_of(sample)]))

    items = split_body(provider, body, headers=headers)
    events = [normalize(provider, item) for item in items]

    assert_sound(items, events)
    assert_survives_json(events)
    again = split_body(provider, body, headers=headers, received_at=NOW + timedelta(minutes=1))
    assert [item.event_id for item in again] == [item.event_id for item in items]


@given(document=st.dictionaries(st.text(max_size=5), json_values, max_size=5))
@settings(max_examples=100, derandomize=True, deadline=None, database=None)
def test_any_object_is_kept(document):
    body = json.dumps(document).replace("Infinity", "1e400").encode()
    for provider in {provider_of(sample).name: provider_of(sample) for sample in SAMPLES}.values():
        events = read(provider, body)

        assert events
        assert all(wrong_types(event) == [] for event in events)


@given(body=st.binary(max_size=200))
@settings(max_examples=100, derandomize=True, deadline=None, database=None)
def test_any_bytes_are_kept(body):
    for provider in {provider_of(sample).name: provider_of(sample) for sample in SAMPLES}.values():
        (event,) = read(provider, body)

        assert event.type is EventType.UNKNOWN
        assert event.problems
