"""What type checkers know of the installed wheel, in the application in the folder ``shop``."""

import json
import shutil
import sys
from pathlib import Path

import pytest

from tests.package.conftest import call

SHOP = Path(__file__).parent / "shop"
#: As strict as pyright can be; it knows its own comments alone, and names those not needed.
STRICT = {
    "typeCheckingMode": "strict",
    "enableTypeIgnoreComments": False,
    "reportUnnecessaryTypeIgnoreComment": True,
}


@pytest.fixture
def shop(tmp_path):
    for path in SHOP.glob("*.py"):
        shutil.copy(path, tmp_path)
    (tmp_path / "checks.py").rename(tmp_path / "test_shop.py")
    return tmp_path


def test_mypy_is_content_with_an_application(shop, python_with_pytest):
    options = ["--strict", "--warn-unused-ignores", "--config-file=", "--no-error-summary"]
    read = ["--python-executable", python_with_pytest, "."]

    assert call(sys.executable, "-m", "mypy", *options, *read, cwd=shop) == ""


def test_pyright_is_content_with_an_application(shop, python_with_pytest):
    (shop / "pyrightconfig.json").write_text(json.dumps(STRICT))

    read = call(
        sys.executable, "-m", "basedpyright", "--pythonpath", python_with_pytest, ".", cwd=shop
    )

    assert read == "0 errors, 0 warnings, 0 notes\n"


def test_application_does_what_its_tests_say(shop, python_with_pytest):
    printed = call(python_with_pytest, "-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=shop)

    assert " passed in " in printed
