"""LiveChat: every leaf is in the event, or in a list that says why it is not.

Of the samples, and of the bodies with all that the vendor documents.
"""

import pytest

from hookkit.providers.livechat import PROVIDER
from tests.folding import in_one
from tests.providers.completeness import body_of, dropped, unused
from tests.providers.documented_livechat import BODIES as DOCUMENTED
from tests.providers.livechat_leaves import CUSTOMER, EVENT, LEAVES
from tests.providers.reading import SAMPLES, provider_of, read, sample_id

BODIES = {
    **{sample_id(each): body_of(each) for each in SAMPLES if provider_of(each) is PROVIDER},
    **DOCUMENTED,
}

#: 3.1 renamed it.
RENAMES = {"data": "payload"}


@in_one("name", BODIES)
def test_every_leaf_is_where_the_table_says(name):
    assert dropped(BODIES[name], LEAVES, renames=RENAMES) == []


@pytest.mark.parametrize("name", DOCUMENTED)
def test_documented_body_is_read_without_a_problem(name):
    body = BODIES[name]

    assert {event.problems for event in read(body.provider, body.document)} == {()}


def test_every_line_of_the_table_is_needed():
    left = unused(BODIES.values(), LEAVES, renames=RENAMES)
    used = set(LEAVES) - left

    # What events and customers have is needed wherever one of them may be.
    shared = [f".{path}" for path in (*EVENT, *CUSTOMER)]
    needed = tuple(path for path in shared if any(each.endswith(path) for each in used))
    assert {each for each in left if not each.endswith(needed)} == set()
