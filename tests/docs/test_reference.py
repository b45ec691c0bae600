"""The reference names everything that is there, and nothing that is not."""

import ast
import dataclasses
import re

import click
import pytest
from blinker import NamedSignal

import hookkit
import hookkit.console
import hookkit.testing
from hookkit import EventType, signals
from hookkit.cli.main import main
from hookkit.core.attempts import RetryPolicy
from hookkit.core.content import Content
from hookkit.core.entry import SETTLED
from hookkit.core.errors import Rejected
from hookkit.core.event import EVENT_CLASSES, Event
from hookkit.core.provider import KEPT_HEADERS
from hookkit.inbox.sql.tables import metadata, schema
from hookkit.providers import load_providers
from hookkit.providers.livechat import app, legacy, v3
from hookkit.providers.sunshine import v1, v2
from hookkit.senders import SENDERS
from hookkit.settings.fields import EndpointSchema, VersionSchema
from hookkit.settings.load import _SettingsSchema
from tests.docs import write_presets, write_vendors
from tests.docs.pages import PAGES, ROOT, blocks, prose, read, tables, words
from tests.docs.written import with_tables

#: Those that are not told by data alone.
VENDORS = [name for name in load_providers() if name not in SENDERS]
REFERENCE = ROOT / "docs" / "reference"
SETTINGS = REFERENCE / "settings.md"
ANSWERS = REFERENCE / "answers.md"
EVENTS = REFERENCE / "events.md"
SIGNALS = REFERENCE / "signals-and-logs.md"
CLI = REFERENCE / "cli.md"
API = REFERENCE / "api"
HANDLERS = ROOT / "docs" / "how-to" / "handlers.md"
SOURCES = sorted((ROOT / "hookkit").rglob("*.py"))
MODELS = [
    name
    for name in hookkit.__all__
    if dataclasses.is_dataclass(getattr(hookkit, name))
    and name not in ("Filter", "Run", "RetryPolicy", "SecretUse", "Stats")
]


def test_settings_are_those_of_the_code():
    documented = first_words(tables(SETTINGS, "# Settings"))
    keys = {key for key in documented if key.startswith("HOOKKIT_")}

    assert keys == {field.data_key for field in _SettingsSchema().fields.values()}


def test_endpoint_settings_are_those_of_the_code():
    documented = first_words(tables(SETTINGS, "## Endpoints"))

    assert documented == set(EndpointSchema().fields)


def test_settings_of_a_version_are_those_of_the_code():
    documented = first_words(tables(SETTINGS, "## Versions of an endpoint"))

    assert documented == set(VersionSchema().fields)


@pytest.mark.parametrize("name", ["workers", "lease_s", "max_body", "quarantine"])
def test_defaults_are_those_of_the_code(name):
    field = _SettingsSchema().fields[name]
    (row,) = (row for row in tables(SETTINGS) if field.data_key in words(row[0]))

    assert float(row[1]) == field.load_default


def test_tables_are_those_of_the_code():
    documented = first_words(tables(SETTINGS, "### The tables"))

    assert documented == {*metadata.tables, schema.name}


def test_retry_policy_is_that_of_the_code():
    documented = {words(row[0])[0]: row[1] for row in tables(HANDLERS, "## Retries")[1:]}

    assert {name: ast.literal_eval(default.strip("`")) for name, default in documented.items()} == {
        each.name: each.default for each in dataclasses.fields(RetryPolicy)
    }


def test_answers_are_those_of_the_code():
    documented = {(words(row[2])[0], int(row[1])) for row in tables(ANSWERS)[1:] if words(row[2])}

    assert documented == receipts() | {(each.code, each.status) for each in leaves(Rejected)}


def test_signals_are_those_of_the_code():
    documented = first_words(tables(SIGNALS, "## Signals"))

    assert documented == {
        name for name, value in vars(signals).items() if isinstance(value, NamedSignal)
    }


def test_arguments_of_signals_are_those_that_are_sent():
    documented = {words(row[0])[0]: set(words(row[1])) for row in tables(SIGNALS, "## Signals")[1:]}

    sent = sent_arguments()

    assert {name: documented[name] for name in sent} == sent
    # One call sends either of these two.
    assert documented["event_duplicate"] == documented["event_conflict"]
    assert set(documented) - set(sent) == {"event_duplicate", "event_conflict"}


def test_log_actions_are_those_of_the_code():
    documented = first_words(tables(SIGNALS, "## Logs"))

    assert documented == {action for path in SOURCES for action in actions(path)}


@pytest.mark.parametrize("kind", EventType)
def test_every_type_has_its_row(kind):
    (row,) = (row for row in tables(EVENTS, "## Types") if words(row[0]) == [kind.value])
    documented = {column: set(words(row[column])) for column in (2, 3, 4)}

    assert words(row[1]) == [EVENT_CLASSES[kind].__name__]
    for column, version in ((2, v1), (3, v2), (4, v3), (4, legacy), (4, app)):
        spoken = {word for word, to in version.TYPES.items() if to is kind}
        assert spoken - documented[column] == set()
    of_8x8 = {
        word
        for word, meanings in load_providers()["8x8"].triggers.items()
        if kind in {meaning.type for meaning in meanings}
    }
    assert of_8x8 - set(words(row[5])) == set()


@pytest.mark.parametrize("name", MODELS)
def test_every_attribute_of_the_model_is_documented(name):
    model = getattr(hookkit, name)
    rows = [
        row
        for heading in ("## Event classes", "## Parts", "## Contents")
        for row in tables(EVENTS, heading)
    ]
    (row,) = (row for row in rows if words(row[0]) == [name])

    assert own_attributes(model) - set(words(row[1])) == set()


@pytest.mark.parametrize("package", [hookkit, hookkit.testing], ids=lambda each: each.__name__)
def test_every_public_name_is_documented(package):
    documented = {word.partition("(")[0] for page in PAGES for word in words(prose(page))}

    assert set(package.__all__) - documented == set()


def test_every_content_is_in_the_table_of_contents():
    documented = first_words(tables(EVENTS, "## Contents"))

    assert {kind.__name__ for kind in Content.__args__} - documented == set()


@pytest.mark.parametrize("name", VENDORS)
def test_every_word_of_a_provider_is_documented(name):
    page = ROOT / "docs" / "providers" / f"{name}.md"
    documented = {word for row in tables(page, "## Versions") for word in words(row[0])}

    assert documented == set(load_providers()[name].triggers)


def test_every_provider_has_a_page_with_the_house_headings():
    for name in [*VENDORS, "presets"]:
        page = prose(ROOT / "docs" / "providers" / f"{name}.md")
        headings = [line for line in page.splitlines() if line.startswith("## ")]

        assert headings == [
            "## What it sends",
            "## How it proves itself",
            "## Versions",
            "## Ids",
            "## Retries",
            "## Oddities",
            "## Sample",
            "## What lies outside",
        ]


def test_versions_in_the_readme_are_those_of_the_code():
    _, *rows = tables(ROOT / "README.md", "## Vendors and versions")
    documented = [versions.split(", ") for _, versions in rows]

    # The first is named first, whatever its name.
    assert sorted(documented) == sorted(list(load_providers()[name].versions) for name in VENDORS)


def test_headers_that_are_said_to_be_kept_are_those_of_the_code():
    text = prose(ROOT / "docs" / "explanation" / "what-is-stored.md")
    further = {name for vendor in VENDORS for name in load_providers()[vendor].kept_headers}

    assert [name for name in {*KEPT_HEADERS, *further} if f"`{name}`" not in text] == []


def commands_below(group, name):
    for each in group.commands.values():
        if isinstance(each, click.Group):
            yield from commands_below(each, f"{name} {each.name}")
        else:
            yield pytest.param(f"{name} {each.name}", each, id=each.name)


@pytest.mark.parametrize(("name", "command"), [*commands_below(main, "hookkit")])
def test_options_of_a_command_are_those_of_the_code(name, command):
    documented = {
        option.split()[0] for row in tables(CLI, f"## {name}")[1:] for option in words(row[0])
    }
    with click.Context(main, info_name="hookkit", **main.context_settings) as parent:
        context = click.Context(command, parent=parent, info_name=command.name)
        options = {
            name
            for parameter in command.get_params(context)
            if isinstance(parameter, click.Option)
            for name in parameter.opts
        }

    assert documented == options


@pytest.mark.parametrize("writer", [write_presets, write_vendors], ids=["presets", "vendors"])
def test_tables_of_a_page_are_written_from_the_data(writer):
    page = read(writer.PAGE)

    assert with_tables(page, writer.TABLES) == page


def test_python_reference_has_every_public_name():
    directives = "\n".join(
        block.text for page in PAGES if page.parent == API for block in blocks(page)
    )
    documented = set(re.findall(r"auto\w+:: hookkit\.((?:\w+\.)*\w+)", directives))
    public = {
        f"{module.__name__}.{name}".removeprefix("hookkit.")
        for module in (hookkit, hookkit.testing, hookkit.console)
        for name in module.__all__
    }

    assert public - documented == set()


def first_words(rows):
    return {words(row[0])[0] for row in rows if words(row[0])}


def leaves(error):
    below = error.__subclasses__()
    return {leaf for each in below for leaf in leaves(each)} if below else {error}


def own_attributes(model):
    names = {each.name for each in dataclasses.fields(model)}
    if issubclass(model, Event) and model is not Event:
        return {name for name in names if name in model.__annotations__}
    return names


def calls(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def receipts():
    """Return the codes and statuses of every receipt that the code makes itself."""
    made = {("accepted", 200)}
    for path in SOURCES:
        for call in calls(path):
            given = {word.arg: word.value for word in call.keywords}
            if ast.unparse(call.func) == "Receipt" and isinstance(given.get("code"), ast.Constant):
                made.add((given["code"].value, given["status"].value))
    return made


def sent_arguments():
    return {
        call.args[0].attr: {word.arg for word in call.keywords}
        for path in SOURCES
        for call in calls(path)
        if ast.unparse(call.func) == "signals.emit" and isinstance(call.args[0], ast.Attribute)
    }


def actions(path):
    """Yield each ``"action": ...`` of the log lines in a file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Dict):
            continue
        for key, value in zip(node.keys, node.values, strict=True):
            if not (isinstance(key, ast.Constant) and key.value == "action"):
                continue
            if isinstance(value, ast.Constant):
                yield value.value
            else:
                assert ast.unparse(value) == "f'event_{state.value}'"
                yield from (f"event_{state.value}" for state in SETTLED)
