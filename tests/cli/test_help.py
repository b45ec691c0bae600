"""The help of both commands: every line says what its command does, in full."""

import click
import pytest

from hookkit import HookKit
from hookkit.cli.main import main

GROUPS = {"hookkit": main, "flask hookkit": HookKit().blueprint.cli}


def commands_below(name, group):
    for below, command in group.commands.items():
        yield f"{name} {below}", command
        if isinstance(command, click.Group):
            yield from commands_below(f"{name} {below}", command)


COMMANDS = [each for name, group in GROUPS.items() for each in commands_below(name, group)]


@pytest.mark.parametrize("command", [pytest.param(each, id=name) for name, each in COMMANDS])
def test_list_of_commands_shows_a_whole_sentence(command):
    # The list of 80 columns leaves this much beside the longest name.
    line = command.get_short_help_str(limit=80 - 6 - len("rehearse"))

    assert line[0].isupper()
    assert line.endswith(".")
    assert not line.endswith("...")


@pytest.mark.parametrize("command", [pytest.param(each, id=name) for name, each in COMMANDS])
def test_every_option_has_a_help_text(command):
    options = [each for each in command.params if isinstance(each, click.Option)]

    assert [each.name for each in options if not (each.help or "").endswith(".")] == []
