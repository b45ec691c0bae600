"""``flask hookkit list``, ``show``, ``stats`` and ``tail``."""

import json
import signal
import subprocess
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from queue import Empty, Queue
from threading import Thread

import pytest

from hookkit import HookKit, RetryPolicy
from hookkit.cli.flask_commands import tailing
from hookkit.inbox.opening import open_inbox
from hookkit.inbox.records import STEP
from tests.acceptance.forking import ForkedPython
from tests.applications import ENDPOINTS, SECRET, admit, make_app, message, post
from tests.cli.test_inbox_commands import Shop
from tests.inbox.test_reading import entry_row, store

OTHER = {"provider": "sunshine", "secrets": ["the-secret-of-another-endpoint"]}
SAID = "My number is +49 170 1234567"


@pytest.fixture
def shop():
    return Shop()


def test_list_shows_entries_newest_first_with_their_last_error(shop):
    shop.receive("event-1")
    shop.is_broken = False
    shop.receive("event-2")

    first, newest, oldest, *_ = shop.printed("list").splitlines()

    assert first.split()[:4] == ["id", "received", "state", "type"]
    assert newest.startswith("2   ")
    assert "\N{HEAVY CHECK MARK} done" in newest
    assert "\N{HEAVY MULTIPLICATION X} dead" in oldest
    assert "forward: RuntimeError" in oldest


def test_list_names_the_next_commands(shop):
    shop.receive("event-1", "event-2", "event-3")

    *_, shown, show, replay, further = shop.printed(
        "list", "--state", "dead", "--limit", "2"
    ).splitlines()

    assert shown == "2 shown; next:"
    assert show == "  flask hookkit show 3"
    assert replay == "  flask hookkit replay --state dead --dry-run"
    assert further == "  flask hookkit list --state dead --before 2"
    assert shop.printed(*further.split()[2:]).splitlines()[1].startswith("1 ")
    assert shop.run(*replay.split()[2:]).exit_code == 0


def test_list_chooses_by_what_a_handler_did_and_replay_takes_the_same_options(shop):
    shop.receive("event-1")
    shop.is_broken = False
    shop.receive("event-2")
    options = ["--version", "v2", "--error", "RuntimeError", "--tried-by", "forward"]
    options += ["--no-conflict", "--not-replayed"]

    printed = shop.printed("list", *options).splitlines()
    replay = next(each for each in printed if "replay" in each)

    assert [line.split()[0] for line in printed[1:3]] == ["1", "1"]  # and "1 shown"
    assert replay.split()[2:] == ["replay", *options, "--dry-run"]
    assert "would run 1 entry" in shop.printed(*replay.split()[2:])
    assert shop.printed("list", *options[:-1], "--replayed").startswith("no entry fits")


def test_list_finds_an_event_by_its_id(shop):
    shop.receive("event-1", "event-2")

    found = json.loads(shop.printed("list", "--event-id", "event-2", "--json"))

    assert [each["id"] for each in found["entries"]] == [2]
    assert (found["next_id"], found["looked_back_to"]) == (None, None)


def test_ids_made_of_telephone_numbers_are_masked_in_json():
    shop = Shop()
    number = "+491701234567"
    store(
        shop.inbox, [entry_row(1, event_id=f"{number}:7", fact=f"sms:{number}") | {"lane": number}]
    )

    for command in ("list", "show 1"):
        printed = shop.printed(*command.split(), "--json")
        assert '"#:7"' in printed, command
        assert number not in printed, command
    assert number in shop.printed("show", "1", "--json", "--reveal")


def test_empty_list_says_that_nothing_was_received(shop):
    assert shop.printed("list") == "nothing was received yet; to try it: hookkit send URL"


def test_empty_list_says_that_nothing_fits(shop):
    shop.receive("event-1")

    printed = shop.printed("list", "--type", "typo", "--state", "dead")

    assert printed == "no entry fits --state dead --type typo; leave an option out to see more"


def test_empty_list_says_how_far_it_looked(shop):
    store(shop.inbox, [entry_row(1, vendor_type="rare"), entry_row(STEP + 1)])

    how_far, further = shop.printed("list", "--type", "rare").splitlines()
    command = further.partition(": ")[2]

    assert how_far.startswith("none among the 20,000 entries that were looked at, back to 2024-")
    assert shop.printed(*command.split()[2:]).splitlines()[1].startswith("1 ")


def test_list_of_an_unknown_endpoint_is_refused(shop):
    refused = shop.run("list", "--endpoint", "suport")

    assert refused.exit_code == 1
    assert "endpoint 'suport' is not known" in refused.stderr


@pytest.mark.parametrize("command", [["list"], ["show", "1"], ["stats"], ["tail"]], ids=" ".join)
def test_inbox_that_is_away_is_told_in_one_line(command):
    app = make_app(HookKit(), HOOKKIT_DATABASE="postgresql://me:hunter2@127.0.0.1:1/inbox")

    refused = app.test_cli_runner().invoke(args=["hookkit", *command])

    assert refused.exit_code == 1
    assert refused.stderr.startswith("Error: ")
    assert (refused.stderr.count("\n"), "hunter2" in refused.output) == (1, False)


@pytest.mark.parametrize(
    "arguments",
    [
        ["list", "--limit", "0"],
        ["list", "--limit", "x"],
        ["list", "--before", "0"],
        ["list", "--since", "then"],
        ["list", "--state", "deed"],
        ["show"],
        ["show", "0"],
        ["show", "x"],
        ["tail", "--state", "deed"],
    ],
    ids=" ".join,
)
def test_wrong_input_ends_with_status_2(shop, arguments):
    assert shop.run(*arguments).exit_code == 2


@pytest.fixture
def private_shop():
    """Return a shop with an entry whose text and whose error hold personal data."""
    hooks = HookKit()

    @hooks.on("conversation:message", name="forward", retry=RetryPolicy(max_attempts=1))
    def forward(event):
        raise ValueError(f"cannot read {event.message.content.text!r} of jane@example.org")

    app = make_app(hooks)
    post(app.test_client(), message(text=SAID))
    return app


def printed_by(app, *arguments):
    done = app.test_cli_runner().invoke(args=["hookkit", *arguments])
    assert done.exit_code == 0, done.output
    return done.stdout


ALL_PARTS = ("--raw", "--event", "--headers")


@pytest.mark.parametrize(
    "arguments",
    [
        ["list"],
        ["list", "--json"],
        ["show", "1", *ALL_PARTS],
        ["show", "1", *ALL_PARTS, "--json"],
        ["stats"],
        ["stats", "--json"],
    ],
    ids=" ".join,
)
def test_personal_data_is_not_shown(private_shop, arguments):
    printed = printed_by(private_shop, *arguments)

    assert "ValueError" in printed or "ValueE" in printed
    assert ("1234567" in printed, "jane" in printed) == (False, False)


@pytest.mark.parametrize("more", [[], ["--json"]], ids=str)
def test_personal_data_is_revealed_on_demand(private_shop, more):
    printed = printed_by(private_shop, "show", "1", *ALL_PARTS, "--reveal", *more)

    assert SAID in printed
    assert "jane@example.org" in printed


def test_show_tells_what_each_handler_did_and_where_it_raised(shop):
    shop.receive("event-1")
    shop.run("replay", "1")
    shop.is_broken = False
    shop.run("replay", "1")

    lines = shop.printed("show", "1").splitlines()

    at = lines.index("forward")
    first, again, good = lines[at + 1 : at + 4]
    assert first.split()[1:4] == ["attempt", "1", "failed"]
    assert "tests/cli/test_inbox_commands.py:" in first
    assert again.strip().startswith("\N{HEAVY MULTIPLICATION X}  replay 1, attempt 1  failed")
    assert good.strip().startswith("\N{HEAVY CHECK MARK}  replay 2, attempt 1  succeeded")
    assert lines[0] == "entry      1, \N{HEAVY CHECK MARK} done, replayed 2 times"
    assert lines[-1] == "next: flask hookkit replay 1 (runs every handler again)"


def test_show_tells_what_is_around_an_entry():
    versions = {"v1.1": "live", "v2": "shadow"}
    shop = Shop(HOOKKIT_ENDPOINTS={"support": ENDPOINTS["support"] | {"versions": versions}})
    twins = [entry_row(n, version=version, fact="m1") for n, version in ((1, "v1.1"), (2, "v2"))]
    store(
        shop.inbox,
        [one | {"lane": "c-1", "delivery_id": 7, "position": n} for n, one in enumerate(twins)],
    )

    shown = json.loads(shop.printed("show", "2", "--json"))
    lines = shop.printed("show", "2").splitlines()

    assert (shown["twin"], shown["earlier"], shown["siblings"]) == (1, [1], [1])
    assert "twin      entry 1, \N{HEAVY CHECK MARK} done, v1.1, 1.0 s earlier" in lines
    assert "lane      c-1, after entry 1" in lines
    assert "delivery  7, item 2 of 2, beside entries 1" in lines


def test_show_tells_why_a_body_is_not_there(shop):
    shop.receive("event-1")
    shop.inbox.prune(
        bodies_before=datetime.now(UTC) + timedelta(days=1),
        ids_before=datetime(2000, 1, 1, tzinfo=UTC),
    )

    lines = shop.printed("show", "1", "--raw").splitlines()

    assert "body      its body was deleted: HOOKKIT_KEEP_BODIES_DAYS is 30" in lines
    assert lines[-1] == "next: the bytes of entry 1 are gone, so that it cannot run again"
    assert json.loads(shop.printed("show", "1", "--raw", "--json"))["raw"] is None


def test_show_of_no_entry_says_so(shop):
    refused = shop.run("show", "7")

    assert (refused.exit_code, refused.stderr) == (1, "Error: there is no entry 7\n")


def test_show_of_bytes_that_are_no_json(shop):
    body = json.dumps(message()).encode()[:-1]
    shop.app.test_client().post("/hooks/support", data=body, headers={"X-API-Key": SECRET})

    assert f'"no JSON, {len(body)} bytes"' in shop.printed("show", "1", "--raw")
    assert "Where is my order" in shop.printed("show", "1", "--raw", "--reveal")


def test_stats_count_by_state_and_group_what_is_dead(shop):
    shop.receive("event-1", "event-2")
    shop.is_broken = False
    shop.receive("event-3")

    lines = shop.printed("stats").splitlines()
    found = json.loads(shop.printed("stats", "--json"))

    assert lines[0] == "entries  due 0  running 0  waiting 0  done 1  dead 2"
    assert "2 entries by forward: RuntimeError: the CRM is away at tests/cli/" in lines[2]
    assert lines[-1] == "next: flask hookkit show 2"
    assert found["entries"] | {"done": 1, "dead": 2} == found["entries"]
    assert [group["count"] for group in found["dead"]] == [2]


def test_stats_say_many_instead_of_counting_all(shop):
    store(shop.inbox, [entry_row(n) for n in range(1, 1003)])

    assert "done more than 1000" in shop.printed("stats")


def test_check_of_stats_ends_with_1_while_something_is_dead(shop):
    well = shop.run("stats", "--check").exit_code
    shop.receive("event-1")

    assert (well, shop.run("stats", "--check").exit_code) == (0, 1)
    assert shop.run("stats").exit_code == 0


def test_check_of_stats_ends_with_1_while_something_is_overdue():
    shop = Shop(HOOKKIT_RUNNER="none")
    for seconds, status in ((50, 0), (70, 1)):
        admit(
            shop.inbox, message(f"event-{seconds}"), datetime.now(UTC) - timedelta(seconds=seconds)
        )

        assert shop.run("stats", "--check").exit_code == status


def tailed(shop, monkeypatch, *arguments, steps):
    """Run ``tail`` with one of *steps* between two looks; Ctrl-C comes after the last."""
    remaining = iter([*steps, None])

    def sleep(_):
        step = next(remaining)
        if step is None:
            raise KeyboardInterrupt
        step()

    monkeypatch.setattr(tailing.time, "sleep", sleep)
    return shop.printed("tail", *arguments).splitlines()


def worked(shop):
    return lambda: shop.app.extensions["hookkit"].worker.work(limit=10)


def test_tail_shows_what_is_new_and_what_becomes_of_it(monkeypatch):
    shop = Shop(HOOKKIT_RUNNER="none")
    shop.receive("before")

    lines = tailed(
        shop, monkeypatch, steps=[lambda: shop.receive("event-1"), worked(shop), lambda: None]
    )

    new, *settled = [line[9:] for line in lines]
    assert new == "entry 2 \N{MIDDLE DOT} pending support v2 conversation:message"
    dead = "\N{HEAVY MULTIPLICATION X} dead support v2 conversation:message"
    assert [line.startswith(f"entry {n} {dead}") for n, line in enumerate(settled, 1)] == [True] * 2
    assert "\N{HEAVY MULTIPLICATION X} forward" in settled[0]


def test_tail_shows_replays(shop, monkeypatch):
    shop.receive("event-1")
    shop.is_broken = False

    (line,) = tailed(shop, monkeypatch, steps=[lambda: shop.run("replay", "1")])

    assert "entry 1 \N{HEAVY CHECK MARK} done" in line
    assert line.count("forward") == 1


def test_tail_shows_one_state_of_one_endpoint(monkeypatch):
    shop = Shop(HOOKKIT_ENDPOINTS=ENDPOINTS | {"shop": OTHER})

    def receive():
        for url in ("support", "shop"):
            post(
                shop.app.test_client(),
                message(f"of-{url}"),
                url=f"/hooks/{url}",
                secret=SECRET if url == "support" else OTHER["secrets"][0],
            )

    lines = tailed(
        shop, monkeypatch, "--endpoint", "shop", "--state", "dead", "--json", steps=[receive]
    )

    assert [json.loads(line)["event_id"] for line in lines] == ["of-shop"]


def test_tail_shows_refused_deliveries(shop, monkeypatch):
    def refuse():
        post(shop.app.test_client(), message(), secret="another-secret-of-some-length")

    (line,) = tailed(shop, monkeypatch, steps=[refuse])

    assert line[9:] == "refused support signature_mismatch (quarantine 1)"


def test_tail_ends_with_status_0_by_ctrl_c(tmp_path):
    url = f"sqlite:///{tmp_path}/inbox.db"
    (tmp_path / "app.py").write_text(
        "from flask import Flask\n"
        "from hookkit import HookKit\n"
        "app = Flask(__name__)\n"
        f"app.config.update(HOOKKIT_ENDPOINTS={ENDPOINTS}, HOOKKIT_DATABASE={url!r})\n"
        "hooks = HookKit()\n"
        "hooks.on('*', name='see')(print)\n"
        "hooks.init_app(app)\n"
    )
    command = ["flask", "--app", "app", "hookkit", "tail", "--json"]
    lines = Queue()
    with (
        closing(open_inbox(url)) as inbox,
        ForkedPython(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as running,
    ):
        reader = Thread(target=lambda: lines.put(running.stdout.readline()))
        reader.start()
        for number in range(60):  # until it has begun to look
            admit(inbox, message(f"event-{number}"), datetime.now(UTC))
            with suppress(Empty):
                line = lines.get(timeout=1)
                break
        running.send_signal(signal.SIGINT)
        status = running.wait(timeout=30)
        reader.join()

    assert (json.loads(line)["state"], status) == ("pending", 0)
