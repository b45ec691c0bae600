"""The public names promise types: ``typing_api.py`` uses them, and mypy reads it."""

import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent

# The runtime's own extras do not bring a type checker.
pytest.importorskip("mypy")


def test_public_names_have_the_types_that_users_rely_on():
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--config-file="]
    # As of an installed package: what its own modules import is not the user's affair.
    options = ["--warn-unused-ignores", "--follow-imports=silent"]
    checked = subprocess.run(
        [*command, *options, str(FOLDER / "typing_api.py")],
        check=False,
        capture_output=True,
        text=True,
        cwd=FOLDER.parent,
    )

    assert checked.stdout == ""
    assert checked.stderr == ""
    assert checked.returncode == 0
