"""``flask hookkit quarantine``."""

import json

import pytest

from hookkit import HookKit
from tests.applications import make_app, message, post

OURS, THEIRS = "the-secret-in-our-settings", "the-secret-of-the-vendor"


class Shop:
    """Applications on one database: with the wrong secret, and with the mended one."""

    def __init__(self, folder):
        self.database = f"sqlite:///{folder}/inbox.db"
        self.states = []
        self.wrong, self.mended = self.app(OURS), self.app(THEIRS)

    def app(self, *secrets):
        hooks = HookKit()
        hooks.on("*", name="note")(lambda event: None)
        app = make_app(
            hooks,
            SECRET_KEY="one-key-for-all-of-them",
            HOOKKIT_DATABASE=self.database,
            HOOKKIT_ENDPOINTS={
                "support": {"provider": "sunshine", "secrets": list(secrets)},
                "sales": {"provider": "sunshine", "secrets": ["the-secret-of-the-sales-endpoint"]},
            },
        )
        self.states.append(app.extensions["hookkit"])
        return app

    def refuse(self, *event_ids, secret=THEIRS, url="/hooks/support"):
        for event_id in event_ids:
            answer = post(self.wrong.test_client(), message(event_id), secret=secret, url=url)
            assert answer.status_code == 401

    def run(self, *arguments, app=None):
        runner = (app or self.mended).test_cli_runner()
        return runner.invoke(args=["hookkit", "quarantine", *arguments])

    def events(self):
        return sorted(one.event_id for one in self.states[0].opening.inbox().find())


@pytest.fixture
def shop(tmp_path):
    made = Shop(tmp_path)
    yield made
    for state in made.states:
        state.stop()


def test_list_shows_what_is_kept_and_nothing_of_its_content(shop):
    shop.refuse("event-1", "event-2")

    done = shop.run("list")

    lines = done.stdout.splitlines()
    assert done.exit_code == 0
    assert lines[0].split() == [
        *("id", "received", "(UTC)", "endpoint", "code", "bytes", "from", "released", "(UTC)")
    ]
    assert [line.split()[0] for line in lines[1:]] == ["2", "1"]
    assert all("support" in line and "signature_mismatch" in line for line in lines[1:])
    assert "event-1" not in done.output
    assert "Where is my order?" not in done.output
    assert max(map(len, lines)) <= 100


def test_list_takes_an_endpoint_a_time_and_a_limit(shop):
    shop.refuse("event-1", "event-2")
    shop.refuse("event-3", url="/hooks/sales")

    def listed(*options):
        return [each["id"] for each in json.loads(shop.run("list", "--json", *options).stdout)]

    assert listed() == [3, 2, 1]
    assert listed("--endpoint", "sales") == [3]
    assert listed("--limit", "1") == [3]
    assert listed("--since", "1h") == [3, 2, 1]
    assert listed("--since", "2100-01-01") == []


def test_list_of_nothing_says_so(shop):
    assert shop.run("list").stdout == "no refused delivery is kept\n"


def test_diagnose_says_what_is_wrong_and_ends_with_1(shop):
    shop.refuse("event-1", secret="the-secret-of-the-sales-endpoint")

    done = shop.run("diagnose", "1")

    assert done.exit_code == 1
    assert "sales" in done.stdout
    assert len(done.stdout.splitlines()) == 1
    assert "the-secret-of-the-sales-endpoint" not in done.output


def test_diagnose_says_that_it_can_be_released(shop):
    shop.refuse("event-1")

    done = shop.run("diagnose", "1")

    assert (done.exit_code, shop.events()) == (0, [])
    assert "flask hookkit quarantine release 1" in done.stdout
    assert json.loads(shop.run("diagnose", "1", "--json").stdout)["outcome"] == "released"


def test_release_admits_by_ids_once(shop):
    shop.refuse("event-1", "event-2")

    first, second = shop.run("release", "2"), shop.run("release", "2")

    assert (first.exit_code, second.exit_code) == (0, 0)
    assert first.stdout == "2: it is admitted, as entry 1\n1 of 1 delivery released\n"
    assert second.stdout.startswith("2: it was released at ")
    assert second.stdout.endswith("0 of 1 delivery released\n")
    assert shop.events() == ["event-2"]


@pytest.mark.parametrize(
    ("options", "released"),
    [
        (["--all"], ["event-1", "event-2"]),
        (["--endpoint", "support"], ["event-1", "event-2"]),
        (["--since", "1h"], ["event-1", "event-2"]),
        (["--endpoint", "sales"], []),
        (["--endpoint", "support", "--since", "2100-01-01"], []),
    ],
)
def test_release_admits_what_the_options_choose(shop, options, released):
    shop.refuse("event-1", "event-2")

    done = shop.run("release", *options)

    assert (done.exit_code, shop.events()) == (0, released)


def test_release_of_all_takes_no_delivery_twice(shop):
    shop.refuse("event-1")
    shop.run("release", "--all")

    done = shop.run("release", "--all")

    assert (done.exit_code, done.stdout) == (0, "0 of 0 deliveries released\n")


def test_what_is_still_refused_is_printed_with_its_cause_and_ends_with_1(shop):
    shop.refuse("event-1")
    shop.refuse("event-2", secret="the-secret-of-somebody-else")

    done = shop.run("release", "--all")

    assert done.exit_code == 1
    assert "2: signature_mismatch: " in done.stderr
    assert done.stdout.endswith("1 of 2 deliveries released\n")
    assert shop.events() == ["event-1"]
    assert json.loads(shop.run("release", "2", "--json").stdout)[0]["cause"] == "unknown"


def test_delivery_that_is_not_there_is_one_line_and_status_1(shop):
    for command in ("diagnose", "release"):
        done = shop.run(command, "7")
        assert done.exit_code == 1
        assert "there is no refused delivery 7" in done.output


@pytest.mark.parametrize(
    "arguments",
    [
        ["release"],
        ["release", "1", "--all"],
        ["release", "one"],
        ["release", "--since", "soon"],
        ["list", "--limit", "0"],
        ["list", "--since", "soon"],
        ["diagnose"],
    ],
    ids=" ".join,
)
def test_wrong_input_is_one_sentence_and_status_2(shop, arguments):
    done = shop.run(*arguments)

    assert done.exit_code == 2
    assert "Traceback" not in done.output
    assert len([line for line in done.stderr.splitlines() if line.startswith("Error")]) == 1


@pytest.mark.parametrize("command", [["list"], ["release"]])
def test_endpoint_that_is_not_known_is_refused(shop, command):
    done = shop.run(*command, "--endpoint", "suport")

    assert done.exit_code == 1
    assert "'suport' is not known; known are support, sales" in done.stderr


def test_names_and_networks_are_shown_without_what_steers_a_terminal(shop):
    client = shop.wrong.test_client()
    client.post(
        "/hooks/support",
        json=message(),
        headers={"X-API-Key": THEIRS},
        environ_overrides={"REMOTE_ADDR": "\x1b[31mred\n9 forged"},
    )

    done = shop.run("list")

    assert "\x1b" not in done.output
    assert len(done.stdout.splitlines()) == 2
