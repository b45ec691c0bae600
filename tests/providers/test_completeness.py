"""Sunshine and 8x8: every leaf of every sample is in the event, or in a list that says why not."""

import pytest

from tests.providers import eight_by_eight_leaves, sunshine_leaves
from tests.providers.completeness import dropped, unused
from tests.providers.reading import SAMPLES, folder_of, provider_of, sample_id

TABLES = {"sunshine": sunshine_leaves.LEAVES, "eight_by_eight": eight_by_eight_leaves.LEAVES}


def table_of(sample):
    return TABLES.get(folder_of(provider_of(sample)))


#: Those that begin with an underscore are not understood as a whole.
OURS = [each for each in SAMPLES if table_of(each) and not each.name.startswith("_")]


@pytest.mark.parametrize("sample", OURS, ids=sample_id)
def test_every_leaf_of_a_sample_is_where_the_table_says(sample):
    assert dropped(sample, table_of(sample)) == []


@pytest.mark.parametrize("folder", TABLES)
def test_every_line_of_the_table_is_needed(folder):
    samples = [each for each in OURS if table_of(each) is TABLES[folder]]
    assert unused(samples, TABLES[folder]) == set()
