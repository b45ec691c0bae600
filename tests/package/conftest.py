"""What ``make package`` has built, and environments that it is installed into."""

import subprocess
import venv

import pytest

from tests.docs.pages import ROOT
from tests.docs.serving import environment

DIST = ROOT / "dist"
PIP_INSTALL = ["-m", "pip", "--disable-pip-version-check", "install", "--quiet"]


@pytest.fixture(scope="session")
def wheel():
    return built("*.whl")


@pytest.fixture(scope="session")
def sdist():
    return built("*.tar.gz")


@pytest.fixture(scope="session")
def python(wheel, tmp_path_factory):
    """Return the Python of an environment that has the wheel, and what it needs."""
    python = new_environment(tmp_path_factory.mktemp("empty"))
    call(python, *PIP_INSTALL, "--constraint", ROOT / "constraints.txt", wheel)
    return python


@pytest.fixture(scope="session")
def python_with_pytest(python):
    call(python, *PIP_INSTALL, "--constraint", ROOT / "constraints.txt", "pytest")
    return python


def built(pattern):
    found = list(DIST.glob(pattern))
    assert len(found) == 1, f"dist holds {len(found)} of {pattern}: run make package"
    return found[0]


def new_environment(folder):
    venv.create(folder / "venv", with_pip=True, symlinks=True)
    return str(folder / "venv" / "bin" / "python")


def call(python, *arguments, cwd=None):
    done = subprocess.run(
        [str(each) for each in (python, *arguments)],
        cwd=cwd,
        env=environment(python),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
