"""The page about tests: its files are a project of its own, and its tests pass as printed."""

import subprocess
import sys

from hookkit import testing
from hookkit.testing import plugin
from tests.docs.pages import ROOT, blocks, prose, tables, words
from tests.docs.serving import environment

HOW_TO = ROOT / "docs" / "how-to" / "test-your-handlers.md"
REFERENCE = ROOT / "docs" / "reference" / "testing.md"


def test_tests_of_the_page_pass(tmp_path):
    for block in blocks(HOW_TO, use="file"):
        (tmp_path / block.name).write_text(block.text)

    done = subprocess.run(
        # Not with the plugins of whoever runs this.
        [sys.executable, "-m", "pytest", "-q", "-p", "hookkit.testing.plugin", "."],
        cwd=tmp_path,
        env=environment() | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_fixtures_are_those_of_the_plugin():
    documented = [words(row[0])[0] for row in tables(REFERENCE, "## Fixtures")[1:]]

    assert sorted(documented) == sorted(
        name for name in vars(plugin) if name.startswith("hookkit_")
    )


def test_ways_to_deliver_are_those_of_the_client():
    rows = tables(REFERENCE, "## `hookkit_client`")[1:]
    methods = {name for name, each in vars(testing.DeliveryClient).items() if callable(each)}

    assert {words(row[0])[0].partition("(")[0] for row in rows} == {
        name for name in methods if not name.startswith("_")
    }


def test_public_names_are_named():
    text = prose(REFERENCE)
    results = {"Sample", "SignedDelivery"}  # what the functions return

    assert [name for name in testing.__all__ if name not in text and name not in results] == []
