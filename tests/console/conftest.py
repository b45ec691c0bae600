"""What the tests of the console look at."""

import pytest

from tests.console.browser import browser
from tests.console.ops import Ops


@pytest.fixture
def make_ops():
    """Make applications with a console, which are closed after the test."""
    made = []

    def make(**config):
        made.append(Ops(**config))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def ops(make_ops):
    return make_ops()


@pytest.fixture(scope="session")
def chromium(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("browser")) as found:
        yield found


@pytest.fixture
def window(chromium):
    """Return the browser, as it is after its start."""
    yield chromium
    chromium.scripts(are_on=True)
    chromium.media()
    chromium.resize(1280)
    chromium.driver.delete_all_cookies()
    chromium.driver.get_log("browser")
