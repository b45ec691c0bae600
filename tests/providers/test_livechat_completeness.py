"""LiveChat: every leaf of every sample is in the event, or in a list that says why it is not."""

import pytest

from hookkit.providers.livechat import PROVIDER
from tests.providers.completeness import dropped, unused
from tests.providers.livechat_leaves import CUSTOMER, EVENT, LEAVES
from tests.providers.reading import SAMPLES, provider_of, sample_id

LIVECHAT_SAMPLES = [sample for sample in SAMPLES if provider_of(sample) is PROVIDER]

#: 3.1 renamed it.
RENAMES = {"data": "payload"}


@pytest.mark.parametrize("sample", LIVECHAT_SAMPLES, ids=sample_id)
def test_every_leaf_of_a_sample_is_where_the_table_says(sample):
    assert dropped(sample, LEAVES, renames=RENAMES) == []


def test_every_line_of_the_table_is_needed():
    left = unused(LIVECHAT_SAMPLES, LEAVES, renames=RENAMES)
    used = set(LEAVES) - left

    # What events and customers have is needed wherever one of them may be.
    shared = [f".{path}" for path in (*EVENT, *CUSTOMER)]
    needed = tuple(path for path in shared if any(each.endswith(path) for each in used))
    assert {each for each in left if not each.endswith(needed)} == set()
