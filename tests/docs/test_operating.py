"""The example files for systemd and Docker Compose name what is there."""

import configparser
import re
import shlex

import click
import pytest

from hookkit import HookKit
from hookkit.runners.thread import GRACE_S
from hookkit.settings.load import _SettingsSchema
from tests.docs.pages import ROOT

UNIT = ROOT / "examples" / "hookkit-worker@.service"
COMPOSE = ROOT / "examples" / "compose.yaml"
KEYS = {field.data_key for field in _SettingsSchema().fields.values()}


def hookkit_commands(text):
    """Yield the words behind ``flask hookkit`` of each command in *text*."""
    for line in re.findall(r"flask(?: --app \w+)? hookkit (.+)$", text, flags=re.MULTILINE):
        yield shlex.split(line.partition("`")[0])


@pytest.mark.parametrize("file", [UNIT, COMPOSE], ids=lambda each: each.name)
def test_commands_are_taken_as_they_stand(file):
    group = HookKit().blueprint.cli
    found = [words for words in hookkit_commands(file.read_text()) if words != ["worker"]]

    for name, *arguments in found:
        command = group.commands[name]
        with click.Context(command, info_name=name) as context:
            command.parse_args(context, list(arguments))

    assert ["worker", "--concurrency", "8"] in found


@pytest.mark.parametrize("file", [UNIT, COMPOSE], ids=lambda each: each.name)
def test_settings_are_those_of_the_code(file):
    named = set(re.findall(r"FLASK_(HOOKKIT_\w+)", file.read_text()))

    assert {"HOOKKIT_DATABASE", "HOOKKIT_RUNNER"} <= named <= KEYS


def test_systemd_waits_longer_than_handlers_may_take():
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str
    unit.read_string(UNIT.read_text())

    assert float(unit["Service"]["TimeoutStopSec"]) > GRACE_S
    assert unit["Service"]["Restart"] == "on-failure"


def test_compose_waits_longer_than_handlers_may_take():
    (period_s,) = re.findall(r"stop_grace_period: (\d+)s", COMPOSE.read_text())

    assert float(period_s) > GRACE_S
