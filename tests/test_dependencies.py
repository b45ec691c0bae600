"""setup.cfg asks for what the code imports, and for nothing else; deptry compares the two."""

import re
import subprocess
import sys

import pytest

from tests.test_project import ROOT, extras, lines, setup_cfg

pytest.importorskip("deptry")

#: What an application may add, and modules of hookkit import.
EXTRAS = ("celery", "otel", "postgres", "prometheus")
#: They import the module of hookkit that imports them.
THERE_ALREADY = "gunicorn|pytest"
#: Written by a test for itself.
OF_A_TEST = "far_away"
#: SQLAlchemy imports it, when the URL of an inbox names it.
BY_NAME = "psycopg"
#: Started as programs, or named to one.
PROGRAMS = (
    "basedpyright|build|check-wheel-contents|cheroot|coverage|deptry|docutils|flask-migrate|"
    "furo|gevent|granian|gunicorn|mypy|myst-parser|pytest-xdist|pyuwsgi|ruff|setuptools|"
    "sphinx|twine|waitress|wheel"
)
#: Asked for by the package itself.
ONLY_OF_HOOKKIT = "itsdangerous"

__all__ = ["setup_cfg"]


def test_package_asks_for_what_it_imports(setup_cfg, tmp_path):
    groups = [setup_cfg["options"]["install_requires"], *(extras(setup_cfg)[e] for e in EXTRAS)]

    ignored = f"DEP002={BY_NAME},DEP003={THERE_ALREADY}"

    assert mistakes(groups, ["hookkit"], ignored, tmp_path) == set()


def test_extras_ask_for_what_tests_benchmarks_and_sample_import(setup_cfg, tmp_path):
    groups = [setup_cfg["options"]["install_requires"], *extras(setup_cfg).values()]

    ignored = f"DEP001={OF_A_TEST},DEP002={PROGRAMS}|{ONLY_OF_HOOKKIT}"

    assert mistakes(groups, ["tests", "bench", "sample_app"], ignored, tmp_path) == set()


def mistakes(groups, folders, ignored, tmp_path):
    required = tmp_path / "required.txt"
    required.write_text("\n".join(line for group in groups for line in lines(group)))
    ours = ("hookkit", "tests", "bench", "sample_app")
    checked = subprocess.run(
        [
            *(sys.executable, "-m", "deptry", "--no-ansi"),
            # Instead of the default, which leaves out tests; the folder is another application.
            "--exclude=tests/package/shop",
            f"--requirements-files={required}",
            f"--per-rule-ignores={ignored}",
            *(f"--known-first-party={name}" for name in ours),
            *folders,
        ],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    found = set(re.findall(r"DEP\d+ '.+", checked.stderr))
    assert found or checked.returncode == 0, checked.stderr
    return found
