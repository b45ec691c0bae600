"""Sunshine and 8x8: every leaf is in the event, or in a list that says why not.

Of the samples, of bodies from elsewhere, and of those with all that the vendors document.
"""

import pytest

from tests.folding import in_one
from tests.providers import documented, eight_by_eight_leaves, sunshine_leaves
from tests.providers.completeness import body_of, dropped, unused
from tests.providers.reading import SAMPLES, provider_of, read, sample_id

TABLES = {"sunshine": sunshine_leaves.LEAVES, "8x8": eight_by_eight_leaves.LEAVES}

#: Those that begin with an underscore are not understood as a whole.
OURS = {
    sample_id(each): body_of(each)
    for each in SAMPLES
    if provider_of(each).name in TABLES and not each.name.startswith("_")
}
BODIES = {**OURS, **documented.BODIES}


@in_one("name", BODIES)
def test_every_leaf_is_where_the_table_says(name):
    assert dropped(BODIES[name], TABLES[BODIES[name].provider.name]) == []


@pytest.mark.parametrize("name", TABLES)
def test_every_line_of_the_table_is_needed(name):
    left = unused([each for each in BODIES.values() if each.provider.name == name], TABLES[name])
    used = TABLES[name].keys() - left

    # What an object has is needed wherever one of its kind may be.
    needed = {row for row in sunshine_leaves.SHARED if any(is_row(each, row) for each in used)}
    assert {each for each in left if not any(is_row(each, row) for row in needed)} == set()


def is_row(path, row):
    return f".{path}".endswith(f".{row}")


@pytest.mark.parametrize("name", documented.BODIES)
def test_documented_body_is_read_without_a_problem(name):
    body = BODIES[name]
    assert [event.problems for event in read(body.provider, body.document)] == [()]
