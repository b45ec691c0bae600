"""Every provider turns each of its samples into the events it promises.

A new vendor needs no line here: put ``<name>.json`` and ``<name>.expected.json`` next to each
other under its ``samples/``. A name that starts with ``_`` is of what is not understood.
"""

import json
from datetime import timedelta

from hookkit.core.delivery import Delivery, VerifiedDelivery
from hookkit.core.event import EVENT_CLASSES, EventType
from hookkit.core.provider import normalize, parse, split
from tests.folding import in_one
from tests.model_types import assert_well_typed
from tests.providers.reading import (
    NOW,
    SAMPLES,
    SCHEMA,
    expected_path,
    headers_of,
    promise,
    provider_of,
    read_sample,
    sample_id,
    split_body,
)

every_sample = in_one("sample", SAMPLES, ids=sample_id)


def test_every_provider_has_samples_of_every_version():
    providers = {provider_of(sample).name: provider_of(sample) for sample in SAMPLES}

    for name, provider in providers.items():
        covered = {sample.parent.name for sample in SAMPLES if provider_of(sample).name == name}

        assert covered == set(provider.versions)


@every_sample
def test_sample_becomes_the_expected_events(sample):
    expected = json.loads(expected_path(sample).read_text(encoding="utf-8"))

    assert promise(read_sample(sample)) == expected


@every_sample
def test_sample_is_understood_without_problems(sample):
    events = read_sample(sample)

    is_odd = sample.name.startswith("_")
    assert all((event.type is EventType.UNKNOWN) == is_odd for event in events)
    assert all(bool(event.problems) == is_odd for event in events)


@every_sample
def test_sample_has_the_class_of_its_type(sample):
    for event in read_sample(sample):
        assert type(event) is EVENT_CLASSES[event.type]
        assert_well_typed(event)


@every_sample
def test_event_of_a_sample_survives_json(sample):
    for event in read_sample(sample):
        text = json.dumps(SCHEMA.dump(event), allow_nan=False)

        assert SCHEMA.load(json.loads(text)) == event


@every_sample
def test_event_of_a_sample_keeps_the_vendors_own_item(sample):
    for event in read_sample(sample):
        # Where it stands depends on the vendor: type, trigger, action, ...
        assert event.vendor_type in event.raw.values()


@every_sample
def test_nothing_that_is_kept_of_a_sample_holds_its_secret(sample):
    provider, body = provider_of(sample), sample.read_bytes()
    document = json.loads(body)
    secrets = [document[key] for key in provider.blanked if key in document]
    delivery = Delivery(endpoint="support", body=body, headers={}, received_at=NOW)

    envelope = parse(
        provider, VerifiedDelivery(delivery=delivery, secret_index=0, body_authenticated=False)
    )

    kept = repr([envelope.body, envelope.items, [item.raw for item in envelope.items]])
    kept += json.dumps([SCHEMA.dump(normalize(provider, each)) for each in envelope.items])
    assert [secret for secret in secrets if secret in kept] == []
    again = split(provider, endpoint="support", body=envelope.body, headers={}, received_at=NOW)
    assert again == envelope.items


@every_sample
def test_redelivered_sample_has_the_same_event_ids(sample):
    body, provider, headers = sample.read_bytes(), provider_of(sample), headers_of(sample)

    first = split_body(provider, body, headers=headers)
    again = split_body(provider, body, headers=headers, received_at=NOW + timedelta(minutes=1))

    assert [item.event_id for item in again] == [item.event_id for item in first]
    assert [item.content_hash for item in again] == [item.content_hash for item in first]


def test_no_expected_file_is_left_without_its_sample():
    expected = {path for sample in SAMPLES for path in sample.parent.glob("*.expected.json")}

    assert expected == {expected_path(sample) for sample in SAMPLES}
