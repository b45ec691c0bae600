"""Reads bodies the way an endpoint does, for the tests of the providers."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

import hookkit.providers
from hookkit.core.delivery import Options
from hookkit.core.provider import normalize, split
from hookkit.providers import load_providers
from hookkit.schemas import EventSchema

ROOT = Path(hookkit.providers.__file__).parent
NOW = datetime(2024, 3, 1, 10, 0, 5, 123000, tzinfo=UTC)
SAMPLES = sorted(
    path
    for path in ROOT.glob("*/samples/**/*.json")
    if not path.name.endswith((".expected.json", ".headers.json"))
)

#: To make a schema takes ten times as long as to dump an event by it.
SCHEMA = EventSchema()

#: What an ``.expected.json`` leaves out: the sample itself, and when it arrived.
LEFT_OUT = ("raw", "received_at")


def folder_of(provider):
    """Return the name of the folder that *provider* lies in."""
    return (provider.package or provider.name).rpartition(".")[2]


def provider_of(sample):
    folder = sample.relative_to(ROOT).parts[0]
    return next(each for each in load_providers().values() if folder_of(each) == folder)


def headers_of(sample):
    """Return the headers that *sample* came with, where they say what its body does not."""
    path = sample.with_suffix(".headers.json")
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def sample_id(sample):
    return "/".join(sample.relative_to(ROOT).parts).replace("samples/", "").removesuffix(".json")


def expected_path(sample):
    return sample.with_suffix(".expected.json")


def split_body(provider, body, *, received_at=NOW, headers=MappingProxyType({}), **options):
    """Return the items of *body*, which is bytes or what they should spell."""
    provider = replace(provider, options=Options(**options))
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    return split(provider, endpoint="support", body=body, headers=headers, received_at=received_at)


def read(provider, body, **how):
    """Return the events of *body*."""
    return [normalize(provider, item) for item in split_body(provider, body, **how)]


def read_sample(sample, **how):
    return read(provider_of(sample), sample.read_bytes(), headers=headers_of(sample), **how)


def promise(events):
    """Return what an ``.expected.json`` says of *events*."""
    dumps = [SCHEMA.dump(event) for event in events]
    return [{name: value for name, value in dump.items() if name not in LEFT_OUT} for dump in dumps]
