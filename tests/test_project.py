"""What the files at the top of the project promise about each other."""

import configparser
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
#: The first version of each package without the holes that setup.cfg names.
FIRST_SOUND = {
    "cryptography": (44, 0, 1),
    "flask": (3, 1, 1),
    "marshmallow": (4, 1, 2),
    "werkzeug": (3, 1, 6),
}
SECTIONS = ["Security", "Removed", "Deprecated", "Added", "Changed", "Fixed"]


@pytest.fixture(scope="module")
def setup_cfg():
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(read("setup.cfg"))
    return parser


def test_every_requirement_has_a_lower_bound_and_nothing_else(setup_cfg):
    groups = [setup_cfg["options"]["install_requires"], *extras(setup_cfg).values()]
    requirements = [line for group in groups for line in lines(group)]

    odd = [
        line
        for line in requirements
        if not re.fullmatch(r"[\w.-]+(\[\w+\])?>=\d+(\.\d+)*(; python_version .+)?", line)
    ]

    assert odd == []


def test_lowest_versions_are_the_lower_bounds(setup_cfg):
    bounds = lines(setup_cfg["options"]["install_requires"])
    for extra in ("celery", "otel", "prometheus"):
        bounds += lines(extras(setup_cfg)[extra])

    assert sorted(lines(read("constraints-lowest.txt"))) == sorted(
        line.replace(">=", "==") for line in bounds
    )


def test_lower_bounds_leave_out_versions_with_known_holes(setup_cfg):
    required = lines(setup_cfg["options"]["install_requires"])
    bounds = dict(line.split(">=") for line in required)

    assert {
        name: bounds.get(name)
        for name, first in FIRST_SOUND.items()
        if tuple(map(int, bounds.get(name, "0").split("."))) < first
    } == {}


def test_every_dependency_is_pinned(setup_cfg):
    pins = lines(read("constraints.txt"))
    groups = [setup_cfg["options"]["install_requires"], *extras(setup_cfg).values()]
    wanted = {re.split(r"[\[>]", line)[0] for group in groups for line in lines(group)}

    assert [pin for pin in pins if not re.fullmatch(r"[\w.-]+==[\w.]+", pin)] == []
    assert wanted - {pin.split("==")[0].lower().replace("_", "-") for pin in pins} == set()


def test_pyproject_holds_the_build_system_only():
    assert list(tomllib.loads(read("pyproject.toml"))) == ["build-system"]


def test_every_ignored_rule_has_its_reason():
    entries = re.findall(r'^    "[A-Z]+\d*",.*$', read("ruff.toml"), flags=re.MULTILINE)
    lint = tomllib.loads(read("ruff.toml"))["lint"]
    ignored = [
        *lint["ignore"],
        *(rule for rules in lint["per-file-ignores"].values() for rule in rules),
    ]

    assert len(entries) == len(ignored)
    assert [entry for entry in entries if not re.search(r"# \w.{10,}", entry)] == []


def test_changelog_tells_about_this_version(setup_cfg):
    version = re.escape(setup_cfg["metadata"]["version"])

    assert re.search(
        rf"^## \[{version}\] - (unreleased|\d{{4}}-\d\d-\d\d)$", read("CHANGELOG.md"), re.MULTILINE
    )


def test_changelog_keeps_its_order():
    for release in read("CHANGELOG.md").split("\n## ")[1:]:
        sections = re.findall(r"^### (.+)$", release, flags=re.MULTILINE)

        assert sections == sorted(set(sections), key=SECTIONS.index)


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def lines(text):
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def extras(setup_cfg):
    return setup_cfg["options.extras_require"]
