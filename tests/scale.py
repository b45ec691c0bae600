"""How long the tests of faults and races go on."""

import os

#: 1 in ``make test``; ``make soak`` sets a larger one.
SCALE = int(os.environ.get("HOOKKIT_TEST_SCALE", "1"))
