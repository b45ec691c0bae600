"""``flask hookkit replay`` as a person meets it: dry run, question, Ctrl-C, kill -9, --resume."""

import json
import os
import pty
import re
import signal
import subprocess
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime
from importlib import import_module

import pytest

from hookkit.inbox.opening import open_inbox
from tests.acceptance.forking import ForkedPython
from tests.applications import admit, message
from tests.cli.test_inbox_commands import Shop
from tests.inbox.making import dead, settled

# The package holds the command of the same name.
command = import_module("hookkit.cli.flask_commands.replay")

APP = """
from flask import Flask
from hookkit import HookKit, RetryPolicy

hooks = HookKit()

@hooks.on("*", name="forward", retry=RetryPolicy(max_attempts=1))
def forward(event):
    raise RuntimeError("the CRM is away")

app = Flask("shop")
app.config.update(
    HOOKKIT_RUNNER="none",
    HOOKKIT_DATABASE="sqlite:///inbox.db",
    HOOKKIT_ENDPOINTS={"support": {"provider": "sunshine", "secrets": ["a-secret-of-the-shop"]}},
)
hooks.init_app(app)
"""


@pytest.fixture
def shop():
    return Shop()


def test_dry_run_says_what_would_run_and_changes_nothing(shop):
    shop.receive("event-1", "event-2")

    printed = shop.printed("replay", "--state", "dead", "--dry-run").splitlines()

    at = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"
    assert re.fullmatch(rf"would run 2 entries, received {at} to {at}", printed[0])
    assert printed[1:] == ["  2 \u00d7 forward at support"]
    assert shop.states() == {"event-1": "dead", "event-2": "dead"}
    assert shop.printed("replays") == "nothing was replayed"


def test_dry_run_of_chosen_handlers_names_them(shop):
    shop.receive("event-1")

    printed = shop.printed("replay", "--all", "--handler", "count", "--dry-run").splitlines()

    assert printed[1:] == ["  1 \u00d7 count at support"]


def test_dry_run_of_an_entry_that_cannot_run_fails_like_the_run(shop):
    admit(shop.inbox, message("event-1"), datetime.now(UTC))

    done = shop.run("replay", "1", "--dry-run")

    assert (done.exit_code, done.stderr) == (1, "")
    assert done.stdout == (
        "would run 0 entries\n  1 cannot: entry 1 is pending: only entries at rest run again\n"
    )


def test_dry_run_and_replay_speak_json(shop):
    shop.receive("event-1")

    dry = json.loads(shop.printed("replay", "--all", "--dry-run", "--json"))
    run = json.loads(shop.printed("replay", "--all", "--json"))
    refused = shop.run("replay", "7", "--json")
    listed = json.loads(shop.printed("replays", "--json"))

    assert (dry["count"], dry["is_whole"], dry["refused"]) == (1, True, [])
    assert dry["handlers"] == [{"handler": "forward", "endpoint": "support", "count": 1}]
    assert run == {"replay": 1, "count": 1, "refused": []}
    assert (refused.exit_code, json.loads(refused.stdout)["refused"]) == (
        1,
        ["there is no entry 7 that fits"],
    )
    assert [(each["id"], each["wanted"]) for each in listed] == [(2, "7"), (1, "")]


def test_replays_are_listed_with_who_and_why(shop):
    shop.receive("event-1")

    since = ["--since", "2026-03-01T10:30+01:00"]
    shop.printed("replay", "--state", "dead", *since, "--reason", "mended", "--who", "ada")

    first, second, third = shop.printed("replays").splitlines()
    assert re.fullmatch(r"1  1 entry, ended .* UTC", first)
    assert re.fullmatch(r"  started .* UTC by ada: mended", second)
    assert third == "  --state dead --since 2026-03-01T09:30:00Z"


@pytest.mark.parametrize(
    "more", [["1"], ["--all"], ["--state", "dead"], ["--handler", "count"], ["--dry-run"]]
)
def test_resume_takes_no_other_choice(shop, more):
    refused = shop.run("replay", "--resume", "1", *more)

    assert refused.exit_code == 2
    assert "--resume goes on as the replay was started" in refused.stderr


@pytest.mark.parametrize("arguments", [["replay", "--resume", "7"], ["replays", "--end", "7"]])
def test_replay_that_is_not_there_is_told(shop, arguments):
    refused = shop.run(*arguments)

    assert (refused.exit_code, refused.stdout) == (1, "")
    assert refused.stderr.startswith("Error: there is no replay 7")


@pytest.mark.parametrize(("answer", "replayed"), [("y\n", 3), ("n\n", 0), ("", 0)])
def test_person_is_asked_before_many_run(shop, monkeypatch, answer, replayed):
    monkeypatch.setattr(command, "is_terminal", lambda: True)
    monkeypatch.setattr(command, "ASKED_ABOVE", 2)
    shop.receive("event-1", "event-2", "event-3")

    arguments = ["hookkit", "replay", "--all"]
    done = shop.app.test_cli_runner().invoke(args=arguments, input=answer)

    assert "would run 3 entries" in done.stdout
    assert "Run them again? [y/N]" in done.stderr
    assert done.exit_code == (0 if replayed else 1)
    assert sum(one.replays for one in shop.inbox.find()) == replayed


@pytest.mark.parametrize(
    ("is_terminal", "above", "more"), [(False, 2, []), (True, 2, ["--yes"]), (True, 3, [])]
)
def test_nobody_is_asked_otherwise(shop, monkeypatch, is_terminal, above, more):
    monkeypatch.setattr(command, "is_terminal", lambda: is_terminal)
    monkeypatch.setattr(command, "ASKED_ABOVE", above)
    shop.receive("event-1", "event-2", "event-3")

    assert shop.printed("replay", "--all", *more) == "3 entries run again"


#: More than two steps.
MANY = 250


@pytest.fixture
def url(tmp_path):
    """Return the URL of the inbox of an application in *tmp_path*, with many dead entries."""
    (tmp_path / "shop.py").write_text(APP)
    (tmp_path / "instance").mkdir()
    url = f"sqlite:///{tmp_path}/instance/inbox.db"
    with closing(open_inbox(url)) as inbox:
        for number in range(MANY):
            settled(inbox, f"event-{number}", dead())
    return url


def begin(folder, *arguments, stdin=subprocess.DEVNULL, **environment):
    return ForkedPython(
        ["flask", "--app", "shop", "hookkit", *arguments],
        cwd=folder,
        env=os.environ | environment,
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def replays_of(url):
    """Return how many entries have been replayed so many times."""
    with closing(open_inbox(url)) as inbox:
        return Counter(one.replays for one in inbox.find(limit=MANY))


def test_replay_that_was_killed_goes_on_without_a_double_or_a_gap(url, tmp_path):
    killed = begin(
        tmp_path, "replay", "--all", "--per-second", "1000", HOOKKIT_CRASH_AT="replay_written:2"
    )
    killed.communicate(timeout=60)
    half = replays_of(url)
    listed, _ = begin(tmp_path, "replays").communicate(timeout=60)
    resumed = begin(tmp_path, "replay", "--resume", "1", "--per-second", "1000")
    printed, _ = resumed.communicate(timeout=60)
    again = begin(tmp_path, "replay", "--resume", "1")
    _, refused = again.communicate(timeout=60)

    assert (killed.returncode, half) == (-signal.SIGKILL, {1: 100, 0: MANY - 100})
    assert listed.startswith("1  100 entries, not ended; flask hookkit replay --resume 1\n")
    assert (resumed.returncode, printed) == (0, f"{MANY} entries run again\n")
    assert replays_of(url) == {1: MANY}
    assert (again.returncode, refused) == (1, "Error: nothing is left to do of replay 1\n")


def test_person_who_says_yes_and_then_interrupts_hears_how_to_go_on(url, tmp_path):
    terminal, stdin = pty.openpty()
    process = begin(tmp_path, "replay", "--state", "dead", "--per-second", "100", stdin=stdin)
    try:
        os.write(terminal, b"y\n")
        while "100 so far" not in (line := process.stderr.readline()):
            assert line, "it has ended"
        process.send_signal(signal.SIGINT)
        asked, told = process.communicate(timeout=60)
    finally:
        process.kill()
        os.close(terminal)
        os.close(stdin)

    assert f"would run {MANY} entries" in asked
    assert process.returncode == 1
    assert told == "Error: interrupted; go on with: flask hookkit replay --resume 1\n"
    assert replays_of(url)[0] > 0
