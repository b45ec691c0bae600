"""How long the tests of faults and races go on."""

import os

#: 1 in ``make test``; ``make soak`` sets a larger one.
SCALE = int(os.environ.get("HOOKKIT_TEST_SCALE", "1"))


def times(few: int, many: int) -> int:
    """Return *few* in ``make test``, and *many* for each unit of a larger scale."""
    return few if SCALE == 1 else many * SCALE
