"""Filters as they are stored: JSON in ASCII, of the fields that are set."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields
from datetime import datetime

from hookkit.core.attempts import Outcome
from hookkit.core.entry import Filter, State

#: The fields of a filter that are neither text nor numbers, and how they are read.
_KINDS: dict[str, Callable[[str], object]] = {
    "state": State,
    "outcome": Outcome,
    "since": datetime.fromisoformat,
    "until": datetime.fromisoformat,
}


def spelt_filter(wanted: Filter) -> str:
    """Return the fields of *wanted* that are set, as JSON."""
    chosen = {each.name: getattr(wanted, each.name) for each in fields(wanted)}
    chosen = {name: value for name, value in chosen.items() if value is not None}
    if wanted.entry_ids is not None:
        chosen["entry_ids"] = sorted(wanted.entry_ids)
    return json.dumps(chosen, default=datetime.isoformat)


def read_filter(spelt: str) -> Filter:
    """Return the filter that ``spelt_filter`` has made *spelt* of."""
    chosen = json.loads(spelt)
    for name, kind in _KINDS.items():
        if name in chosen:
            chosen[name] = kind(chosen[name])
    return Filter(**chosen)
