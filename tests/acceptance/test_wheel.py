"""The built wheel, installed alone into an empty environment, has and does what the README says."""

import shutil
import subprocess
import sys
import venv
from zipfile import ZipFile

import pytest

from tests.docs.pages import ROOT, blocks
from tests.docs.serving import environment, run, served

README = ROOT / "README.md"
SOURCES = ["LICENSE", "README.md", "pyproject.toml", "setup.cfg"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    # Building leaves files beside the sources, so it is done on a copy.
    source = tmp_path_factory.mktemp("source")
    for name in SOURCES:
        shutil.copy(ROOT / name, source)
    shutil.copytree(
        ROOT / "hookkit", source / "hookkit", ignore=shutil.ignore_patterns("__pycache__")
    )
    dist = tmp_path_factory.mktemp("dist")
    call(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", dist, source)
    (built,) = dist.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def python(wheel, tmp_path_factory):
    folder = tmp_path_factory.mktemp("empty") / "venv"
    venv.create(folder, with_pip=True, symlinks=True)
    python = folder / "bin" / "python"
    constraints = ROOT / "constraints.txt"
    pip = [python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    call(*pip, "--constraint", constraints, wheel)
    return str(python)


def test_wheel_holds_the_package_and_nothing_else(wheel):
    with ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}

    assert names == {
        str(path.relative_to(ROOT))
        for path in (ROOT / "hookkit").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_installed_package_is_typed_and_has_its_samples(python, tmp_path):
    program = """if True:
        from importlib.resources import files

        from hookkit.testing import find_provider, list_samples

        assert files("hookkit").joinpath("py.typed").is_file()
        print(len(list_samples(find_provider("sunshine"))))
    """

    printed = call(python, "-c", program, cwd=tmp_path)

    samples = ROOT.glob("hookkit/providers/sunshine/samples/*/*.json")
    assert int(printed) == sum(".expected" not in path.name for path in samples)


def test_installed_commands_are_there(python, tmp_path):
    folder = python.removesuffix("python")

    printed = call(f"{folder}hookkit", "--version", cwd=tmp_path)

    assert printed.startswith("hookkit, version ")


def test_example_of_the_readme_runs_from_the_wheel(python, tmp_path):
    (example,) = blocks(README, use="file")
    (serve,), (send,), (printed,) = (
        blocks(README, use=use) for use in ("serve", "send", "printed")
    )
    (tmp_path / example.name).write_text(example.text)

    with served(*serve.commands, tmp_path, python=python) as server:
        sent = run(*send.commands, tmp_path, port=server.port, python=python)
        server.wait_for(*printed.text.splitlines())

    assert '{"code": "accepted", "new": 1, "duplicates": 0}' in sent


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
