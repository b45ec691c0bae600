"""The built wheel, installed alone into an empty environment, has and does what the README says."""

from zipfile import ZipFile

from tests.docs.pages import ROOT, blocks
from tests.docs.serving import run, served
from tests.package.conftest import call

README = ROOT / "README.md"
HOW_TO = ROOT / "docs" / "how-to" / "test-your-handlers.md"


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


#: Each fixture that the page does not show is used here.
TEST_OF_THE_OTHER_FIXTURES = """
import pytest
import shop


@pytest.fixture
def hookkit_app():
    return shop.create_app()


@pytest.fixture
def hookkit_database(tmp_path):
    return f"sqlite:///{tmp_path}/inbox.db"


@pytest.fixture
def hookkit_secrets():
    return {"support": "the-secret-of-your-webhook"}


def test_stage(hookkit_client, hookkit_stage, tmp_path):
    (entry,) = hookkit_client.deliver("support").entries
    assert entry.received_at == hookkit_stage.moment
    assert (tmp_path / "inbox.db").exists()
"""


def test_project_with_pytest_alone_uses_every_fixture(python_with_pytest, tmp_path):
    for block in blocks(HOW_TO, use="file"):
        (tmp_path / block.name).write_text(block.text)
    (tmp_path / "test_others.py").write_text(TEST_OF_THE_OTHER_FIXTURES)

    printed = call(python_with_pytest, "-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=tmp_path)

    assert " passed in " in printed
