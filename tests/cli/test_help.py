"""The help of both commands, and what both say to wrong input."""

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from hookkit import HookKit
from hookkit.cli.main import main
from hookkit.cli.times import Time

GROUPS = {"hookkit": main, "flask hookkit": HookKit().blueprint.cli}


def commands_below(name, group):
    for below, command in group.commands.items():
        yield f"{name} {below}", command
        if isinstance(command, click.Group):
            yield from commands_below(f"{name} {below}", command)


COMMANDS = [each for name, group in GROUPS.items() for each in commands_below(name, group)]


@pytest.mark.parametrize("command", [pytest.param(each, id=name) for name, each in COMMANDS])
def test_list_of_commands_shows_a_whole_sentence(command):
    line = command.get_short_help_str(limit=45)

    assert line[0].isupper()
    assert line.endswith(".")
    assert not line.endswith("...")


@pytest.mark.parametrize("command", [pytest.param(each, id=name) for name, each in COMMANDS])
def test_every_option_has_a_help_text(command):
    options = [each for each in command.params if isinstance(each, click.Option)]

    assert [each.name for each in options if not (each.help or "").endswith(".")] == []


def _way_to(name):
    """Return the group that the command of this *name* is below, and the words after its name."""
    of_group = next(each for each in GROUPS if name.startswith(each))
    return GROUPS[of_group], name.removeprefix(of_group).split()


@pytest.mark.parametrize("name", [*GROUPS, *(name for name, _ in COMMANDS)])
def test_help_fits_the_screen(name):
    group, path = _way_to(name)
    result = CliRunner().invoke(group, [*path, "--help"], terminal_width=100)

    assert result.exit_code == 0
    assert max(map(len, result.stdout.splitlines())) <= 100


def _wrong(parameter):
    """Yield values that *parameter* cannot have, as far as its type says."""
    kind = parameter.type
    if parameter.callback is not None or isinstance(kind, click.types.StringParamType):
        return
    if isinstance(
        kind, click.Choice | Time | click.types.IntParamType | click.types.FloatParamType
    ):
        yield "nonsense"
        yield ""
    if isinstance(kind, click.IntRange | click.FloatRange):
        if kind.min is not None:
            yield str(kind.min - 1)
        if kind.max is not None:
            yield str(kind.max + 1)
    if isinstance(kind, click.Path) and kind.exists:
        yield "/no/such/file"


def _calls():
    for name, command in COMMANDS:
        if isinstance(command, click.Group):
            continue
        yield name, ["--no-such-option"]
        arguments = [each for each in command.params if isinstance(each, click.Argument)]
        if any(each.required for each in arguments):
            yield name, []
        if not any(each.nargs == -1 for each in arguments):
            yield name, ["one"] * (len(arguments) + 1)
        for each in command.params:
            for value in _wrong(each):
                option = [each.opts[0]] if isinstance(each, click.Option) else []
                # An equals sign, since a value may begin with a hyphen.
                yield name, [f"{option[0]}={value}"] if option else ["--", value]


@pytest.mark.parametrize(
    ("name", "arguments"),
    [pytest.param(*call, id=f"{call[0]} {' '.join(call[1])}") for call in _calls()],
)
def test_wrong_input_is_one_line_and_status_2(name, arguments):
    group, path = _way_to(name)

    result = CliRunner().invoke(group, [*path, *arguments])

    usage, *_, message = result.stderr.splitlines()
    assert (result.exit_code, result.stdout) == (2, "")
    assert usage.startswith("Usage: ")
    assert message.startswith("Error: ")
    assert len(message) > len("Error: ")


def test_commands_that_need_no_application_load_no_flask_and_no_database():
    told = (
        "import sys; import hookkit.cli.main;"
        " print([m for m in ('flask', 'sqlalchemy') if m in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"
