"""What the pages tell a reader to write and to type works as it is printed."""

import ast
import json
import os
import re
import runpy
import sqlite3
from pathlib import Path

import pytest

import hookkit
import hookkit.testing
from hookkit.application.app_state import utc_now
from hookkit.core.delivery import Delivery, VerifiedDelivery
from hookkit.core.provider import parse
from hookkit.inbox.opening import open_inbox
from hookkit.providers import load_providers
from hookkit.testing import find_provider, find_sample, freshen, sign
from tests.docs.pages import ROOT, blocks
from tests.docs.serving import run, served
from tests.providers.reading import folder_of

README = ROOT / "README.md"
QUICKSTART = ROOT / "docs" / "quickstart.md"
CLI = ROOT / "docs" / "reference" / "cli.md"
SUNSHINE = ROOT / "docs" / "providers" / "sunshine.md"
PUBLIC = {"hookkit": hookkit, "hookkit.testing": hookkit.testing}
SECRET = "the-secret-of-your-webhook"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("FLASK_")]:
        monkeypatch.delenv(name)
    # What a block sets there must not outlive it.
    monkeypatch.setattr(os, "environ", os.environ.copy())
    return tmp_path


@pytest.mark.parametrize("block", blocks(language="python"), ids=str)
def test_every_python_block_compiles(block):
    ast.parse(block.text, filename=str(block))


@pytest.mark.parametrize("block", blocks(language="json"), ids=str)
def test_every_json_block_is_a_sample(block):
    provider = ROOT / "hookkit" / "providers" / folder_of(load_providers()[block.page.stem])
    shipped = provider / "samples" / f"{block.name}.json"

    assert json.loads(block.text) == json.loads(shipped.read_text())


def test_every_use_of_a_block_is_known():
    used = {block.use for block in blocks()} - {None}

    assert used == {
        *(
            "append",
            "cli",
            "enter",
            "file",
            "inspect",
            "inspected",
            "install",
            "night",
            "printed",
            "replace",
            "run",
            "sample",
            "seen",
            "send",
            "serve",
            "sql",
            "stop",
            "terminal",
        )
    }


@pytest.mark.parametrize("block", blocks(use="run"), ids=str)
def test_every_runnable_block_runs(block, folder):
    path = folder / "example.py"
    path.write_text(block.text)

    names = runpy.run_path(str(path))

    for name, test in names.items():
        if name.startswith("test_"):
            test()


@pytest.mark.parametrize("version", ["v1", "v1.1", "v2"])
def test_readme_example_handles_a_message_of_each_version(version, folder, capsys):
    names = runpy.run_path(str(write(folder, blocks(README, use="file"))))
    names["app"].testing = True
    delivery = message(version)

    answer = (
        names["app"]
        .test_client()
        .post("/hooks/support", data=delivery.body, headers=delivery.headers)
    )

    assert answer.get_json() == {"code": "accepted", "new": 1, "duplicates": 0}
    assert capsys.readouterr().out.endswith(": Hi! Do you have time to chat?\n")


def test_one_message_in_two_versions_is_two_events_as_the_page_says(folder, capsys):
    names = runpy.run_path(str(write(folder, blocks(README, use="file"))))
    names["app"].testing = True
    client = names["app"].test_client()
    pair = [block.text for block in blocks(SUNSHINE, use="sample")]

    answers = [
        client.post("/hooks/support", data=body, headers={"X-API-Key": SECRET}) for body in pair
    ]

    assert [answer.get_json()["new"] for answer in answers] == [1, 1]
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_second_tap_within_the_window_is_a_duplicate_as_the_page_says(folder):
    names = runpy.run_path(str(write(folder, blocks(README, use="file"))))
    names["app"].testing = True
    body = sample("v1.1", "postback").body

    answers = [
        names["app"].test_client().post("/hooks/support", data=body, headers={"X-API-Key": SECRET})
        for _ in range(2)
    ]

    assert [answer.get_json()["new"] for answer in answers] == [1, 0]


def test_readme_example_is_short():
    (example,) = blocks(README, use="file")

    assert len(example.text.splitlines()) <= 22


def test_readme_commands_do_what_they_say(folder):
    write(folder, blocks(README, use="file"))
    (serve,), (send,), (printed,) = (
        blocks(README, use=use) for use in ("serve", "send", "printed")
    )

    with served(*serve.commands, folder) as server:
        sent = run(*send.commands, folder, port=server.port)
        server.wait_for(*printed.text.splitlines())

    assert '{"code": "accepted", "new": 1, "duplicates": 0}' in sent


def test_quickstart_does_what_it_says(folder):
    write(folder, blocks(QUICKSTART, use="file"))
    (serve,) = blocks(QUICKSTART, use="serve")
    (inspect,), (inspected,) = (blocks(QUICKSTART, use=use) for use in ("inspect", "inspected"))
    steps = zip(blocks(QUICKSTART, use="send"), blocks(QUICKSTART, use="printed"), strict=True)

    with served(*serve.commands, folder) as server:
        for send, printed in steps:
            run(*send.commands, folder, port=server.port)
            server.wait_for(*printed.text.splitlines())

    assert without_times(run(*inspect.commands, folder)) == without_times(inspected.text)


def without_times(text):
    return re.sub(r"\d\d-\d\d \d\d:\d\d:\d\d", "TIME", text)


def test_cli_page_does_what_it_says(folder):
    write(folder, blocks(README, use="file"))
    (serve,) = blocks(README, use="serve")
    commands = [command for block in blocks(CLI, use="cli") for command in block.commands]

    with served(*serve.commands, folder) as server:
        printed = [run(command, folder, port=server.port) for command in commands]

    assert [text for text in printed if not text] == []


@pytest.mark.parametrize("block", blocks(use="sql"), ids=str)
def test_every_sql_block_runs_on_an_inbox(block, folder):
    inbox = open_inbox(f"sqlite:///{folder}/hookkit.db")
    inbox.admit(envelope())
    inbox.close()
    connection = sqlite3.connect(folder / "hookkit.db", isolation_level=None)

    connection.executescript(block.text)

    assert connection.execute("SELECT count(*) FROM hookkit_entries").fetchone() == (1,)
    connection.close()


def test_pages_import_public_names_only():
    imported = [
        (node.module, name.name)
        for block in blocks(language="python")
        for node in ast.walk(ast.parse(block.text))
        if isinstance(node, ast.ImportFrom) and node.module in PUBLIC
        for name in node.names
    ]

    assert [pair for pair in imported if pair[1] not in PUBLIC[pair[0]].__all__] == []


def write(folder, files):
    for block in files:
        (folder / block.name).write_text(block.text)
    return Path(folder / files[0].name)


def sample(version, trigger):
    return find_sample(find_provider("sunshine"), version=version, trigger=trigger)


def message(version):
    provider = find_provider("sunshine")
    said = sample(version, "conversation:message" if version == "v2" else "message:appUser")
    document = freshen(said.document(), provider.versions[version])
    return sign(provider, document, secret=SECRET)


def envelope():
    provider = find_provider("sunshine")
    delivery = Delivery(
        endpoint="support", body=message("v2").body, headers={}, received_at=utc_now()
    )
    verified = VerifiedDelivery(delivery=delivery, secret_index=0, body_authenticated=False)
    return parse(provider, verified)
