"""docs/reference/cli.md and the commands: each has what the other has, and no page invents any."""

import re
import shlex

import click
import pytest

from hookkit import HookKit
from hookkit.cli.main import main
from tests.docs.pages import PAGES, ROOT, blocks, prose, read, tables, words

CLI = ROOT / "docs" / "reference" / "cli.md"
OF_APP = HookKit().blueprint.cli
GROUPS = {"flask hookkit": OF_APP, "hookkit": main}

_COMMAND = re.compile(r"((?:flask(?: --app \S+)? )?hookkit)(?: (.+))?$")


def options_of(command):
    """Return the options of *command*, and of the commands below it."""
    below = command.commands.values() if isinstance(command, click.Group) else ()
    own = {
        name
        for each in command.params
        if isinstance(each, click.Option)
        for name in (*each.opts, *each.secondary_opts)
    }
    return own.union(*map(options_of, below))


def first_column(heading):
    """Return the first word of each option and command in the tables of a section."""
    if f"\n{heading}\n" not in read(CLI):
        return set()
    cells = [row[0] for row in tables(CLI, heading)]
    return {each.split()[0] for cell in cells for each in words(cell)}


@pytest.mark.parametrize("command", OF_APP.commands.values(), ids=lambda each: each.name)
def test_section_of_a_command_has_its_options_and_no_others(command):
    documented = first_column(f"## flask hookkit {command.name}")

    options = {each for each in documented if each.startswith("-")}
    assert options == options_of(command)
    if isinstance(command, click.Group) and documented:
        assert documented - options == set(command.commands)


def test_every_command_is_in_the_list_and_every_one_in_the_list_is_there():
    assert first_column("## flask hookkit") == set(OF_APP.commands)


def test_every_section_is_of_a_command():
    headings = re.findall(r"^## ((?:flask )?hookkit) (.+)$", read(CLI), flags=re.MULTILINE)

    assert [name for group, name in headings if way(GROUPS[group], name.split()) is None] == []


def way(group, path):
    """Return the command at the end of *path*, None if there is none."""
    command = group
    for word in path:
        if not isinstance(command, click.Group) or word not in command.commands:
            return None
        command = command.commands[word]
    return command


def calls(page):
    """Yield the group and the words of every call of a command on a page."""
    lines = [line for block in blocks(page) for line in block.commands]
    for text in [*lines, *words(prose(page))]:
        found = _COMMAND.match(text)
        if found and found[2]:
            name = "flask hookkit" if found[1].startswith("flask") else "hookkit"
            yield name, shlex.split(found[2].partition(" #")[0].partition(" |")[0])


@pytest.mark.parametrize("page", PAGES, ids=lambda each: str(each.relative_to(ROOT)))
def test_commands_of_a_page_are_there_with_their_options(page):
    wrong = []
    for name, given in calls(page):
        command, rest = GROUPS[name], list(given)
        while rest and isinstance(command, click.Group) and rest[0] in command.commands:
            command = command.commands[rest.pop(0)]
        known = options_of(command) | {"--help", "-h", "--version"}
        options = {each.partition("=")[0] for each in rest if each.startswith("--")}
        is_word = rest and re.fullmatch("[a-z][a-z-]*", rest[0])
        if (isinstance(command, click.Group) and is_word) or not options <= known:
            wrong.append(f"{name} {shlex.join(given)}")

    assert wrong == []
