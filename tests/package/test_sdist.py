"""The source distribution is the repository: it builds without a network, and its tests run."""

import sys
import sysconfig
import tarfile
from pathlib import Path

import pytest

from tests.package.building import build, git
from tests.package.conftest import DIST, PIP_INSTALL, call, new_environment

#: Of the repository's own machinery.
LEFT_OUT = {".ci/run", ".gitignore"}
#: Written by the build.
ADDED = {"PKG-INFO", "hookkit.egg-info"}
#: A topic with files of every kind: pages, samples, settings of the project.
TESTS = [
    "tests/schemas",
    "tests/docs/test_links.py",
    "tests/test_architecture.py",
    "tests/test_project.py",
]


@pytest.fixture(scope="module")
def unpacked(sdist, tmp_path_factory):
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    (source,) = folder.iterdir()
    return source


@pytest.fixture(scope="module")
def python_beside(tmp_path_factory):
    """Return the Python of an environment that borrows what the tests' own has."""
    python = new_environment(tmp_path_factory.mktemp("beside"))
    where = call(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))")
    Path(where.strip(), "beside.pth").write_text(sysconfig.get_path("purelib"))
    return python


def test_source_distribution_holds_the_repository(unpacked):
    packed = {str(path.relative_to(unpacked)) for path in unpacked.rglob("*") if path.is_file()}
    kept = set(git("ls-files", "-z").decode().split("\0")) - LEFT_OUT - {""}

    assert {name for name in packed if name.split("/")[0] not in ADDED} == kept


def test_two_builds_of_one_commit_are_the_same_bytes(sdist, wheel, tmp_path):
    build(tmp_path)

    again = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert again.keys() == {sdist.name, wheel.name}
    assert [name for name in again if again[name] != (DIST / name).read_bytes()] == []


def test_source_distribution_is_installed_without_a_network(python_beside, sdist, tmp_path):
    options = ["--no-index", "--no-build-isolation", "--no-deps", "--ignore-installed"]
    call(python_beside, *PIP_INSTALL, *options, sdist, cwd=tmp_path)

    printed = call(python_beside, "-c", "import hookkit; print(hookkit.__file__)", cwd=tmp_path)

    assert Path(printed.strip()).is_relative_to(Path(python_beside).parent.parent)


def test_tests_of_the_source_distribution_pass_in_its_folder(unpacked):
    printed = call(
        sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *TESTS, cwd=unpacked
    )

    assert " passed in " in printed
