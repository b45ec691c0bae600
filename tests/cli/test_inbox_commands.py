"""``flask hookkit replay``, ``prune`` and ``tables``."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import create_engine, inspect, text

from hookkit import Filter, HookKit, RetryPolicy, State
from hookkit.inbox.opening import open_inbox
from hookkit.inbox.sql.tables import SCHEMA_VERSION, metadata
from tests.applications import ENDPOINTS, admit, make_app, message, post


class Shop:
    """An application whose handler is broken until it is mended."""

    def __init__(self, **config):
        self.is_broken = True
        self.handled = []
        hooks = HookKit()

        @hooks.on("conversation:message", name="forward", retry=RetryPolicy(max_attempts=1))
        def forward(event, run):
            if self.is_broken:
                raise RuntimeError("the CRM is away")
            self.handled.append((event.id, run.is_replay))

        hooks.on("*", name="count")(lambda event: self.handled.append("count"))
        self.app = make_app(hooks, **config)
        self.inbox = self.app.extensions["hookkit"].opening.inbox()

    def receive(self, *event_ids):
        for event_id in event_ids:
            post(self.app.test_client(), message(event_id))

    def states(self):
        return {one.event_id: one.state.value for one in self.inbox.find()}

    def run(self, *arguments):
        return self.app.test_cli_runner().invoke(args=["hookkit", *arguments])

    def printed(self, *arguments):
        done = self.run(*arguments)
        assert done.exit_code == 0, done.output
        return done.stdout.strip()


@pytest.fixture
def shop():
    return Shop()


def test_one_entry_is_replayed_by_its_id(shop):
    shop.receive("event-1", "event-2")
    shop.is_broken = False

    printed = shop.printed("replay", "1")

    assert printed == "1 entry runs again"
    assert shop.states() == {"event-1": "done", "event-2": "dead"}
    assert shop.handled[-1] == ("event-1", True)


def test_dead_letters_are_replayed_together(shop):
    shop.receive("event-1", "event-2")
    shop.is_broken = False
    shop.receive("event-3")
    shop.handled.clear()

    done = shop.run("replay", "--state", "dead")

    assert done.stdout == "2 entries run again\n"
    assert done.stderr == "2 so far\n"
    # What has succeeded is not run again.
    assert shop.handled == [("event-1", True), ("event-2", True)]


@pytest.mark.parametrize(
    ("options", "replayed"),
    [
        pytest.param(["--endpoint", "support"], 2, id="endpoint"),
        pytest.param(["--outcome", "failed"], 2, id="outcome"),
        pytest.param(["--outcome", "discarded"], 0, id="another outcome"),
        pytest.param(["--type", "conversation:message"], 2, id="type"),
        pytest.param(["--since", "2020-01-01"], 2, id="since"),
        pytest.param(["--since", "2100-01-01T00:00"], 0, id="since in the future"),
        pytest.param(["--until", "2100-01-01T00:00:00"], 2, id="until"),
        pytest.param(["--until", "2020-01-01"], 0, id="until long ago"),
        pytest.param(["--state", "done"], 0, id="another state"),
        pytest.param(["--type", "conversation:message", "--state", "done"], 0, id="both"),
        pytest.param(["--all"], 2, id="all"),
        pytest.param(["2", "--state", "dead"], 1, id="id and filter"),
    ],
)
def test_filter_says_what_is_replayed(shop, options, replayed):
    shop.receive("event-1", "event-2")

    printed = shop.printed("replay", *options)

    assert printed.startswith(f"{replayed} ")
    assert sum(one.replays for one in shop.inbox.find()) == replayed


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--endpoint", "suport"], "endpoint 'suport' is not known"),
        (["--type", "typo"], "no entry has the type 'typo'"),
        (["7"], "there is no entry 7 that fits"),
        (["1", "--state", "done"], "there is no entry 1 that fits"),
    ],
)
def test_replay_of_nothing_says_why(shop, options, why):
    shop.receive("event-1")

    result = shop.run("replay", *options)

    assert result.exit_code == 1
    assert why in result.output


def test_entries_that_cannot_run_again_are_told_beside_those_that_do(shop):
    shop.receive("event-1")
    shop.is_broken = False

    result = shop.run("replay", "1", "7", "8")

    assert result.exit_code == 1
    assert result.stdout == "1 entry runs again\n"
    assert "there is no entry 7 that fits\nthere is no entry 8 that fits\n" in result.stderr


def test_entry_in_shadow_is_told():
    versions = {"v1.1": "live", "v2": "shadow"}
    shop = Shop(HOOKKIT_ENDPOINTS={"support": ENDPOINTS["support"] | {"versions": versions}})
    shop.receive("event-1")

    for options in (["1"], ["--all"]):
        result = shop.run("replay", *options)

        assert (result.exit_code, result.stdout) == (1, "")
        assert "entry 1 is in shadow, as is its payload version" in result.stderr


def test_entry_whose_bytes_are_gone_is_told(shop):
    shop.receive("event-1")
    shop.inbox.prune(
        bodies_before=datetime.now(UTC) + timedelta(days=1),
        ids_before=datetime(2000, 1, 1, tzinfo=UTC),
    )

    result = shop.run("replay", "1")

    assert (result.exit_code, result.stdout) == (1, "")
    assert "the bytes of entry 1 are gone" in result.stderr


def test_untried_by_a_mistyped_handler_is_refused_where_every_entry_would_fit(shop):
    shop.receive("event-1")

    refused = shop.run("replay", "--untried-by", "cuont")

    assert refused.exit_code == 1
    assert "no handler has the name 'cuont'" in refused.stderr
    assert [one.replays for one in shop.inbox.find()] == [0]


def test_times_that_no_entry_fits_are_refused(shop):
    refused = shop.run("replay", "--since", "2026-03-02", "--until", "2026-03-01")

    assert (refused.exit_code, "--since is not before" in refused.stderr) == (2, True)


def test_times_are_in_utc(shop):
    moment = datetime(2026, 3, 1, 10, 30, tzinfo=UTC)
    for number in range(2):
        admit(shop.inbox, message(f"event-{number}"), moment + timedelta(minutes=number))
    shop.app.extensions["hookkit"].worker.work(limit=2)

    printed = shop.printed("replay", "--since", "2026-03-01T10:30", "--until", "2026-03-01T10:31")

    assert printed == "1 entry runs again"


def test_chosen_handlers_alone_run(shop):
    shop.receive("event-1")
    shop.is_broken = False
    shop.handled.clear()

    printed = shop.printed("replay", "1", "--handler", "count")

    assert (printed, shop.handled) == ("1 entry runs again", ["count"])
    assert shop.states() == {"event-1": "dead"}  # the other one has not succeeded


def test_handler_that_nobody_knows_is_refused(shop):
    shop.receive("event-1")

    refused = shop.run("replay", "--all", "--handler", "forwad")

    assert refused.exit_code == 1
    assert refused.stderr == ("Error: no handler has the name 'forwad'; known are forward, count\n")
    assert shop.states() == {"event-1": "dead"}


def test_replay_of_everything_must_be_said(shop):
    shop.receive("event-1")

    refused = shop.run("replay")

    assert refused.exit_code == 2
    assert "name entries or a filter, or say --all" in refused.stderr
    assert [one.replays for one in shop.inbox.find()] == [0]


@pytest.mark.parametrize(
    "option", [["--state", "pending"], ["--outcome", "x"], ["--since", "tomorrow"]], ids=" ".join
)
def test_value_that_means_nothing_is_refused(shop, option):
    assert shop.run("replay", *option).exit_code == 2


def test_inbox_that_is_away_is_reported_in_a_sentence():
    hooks = HookKit()
    app = make_app(hooks, HOOKKIT_DATABASE="postgresql://me:hunter2@127.0.0.1:1/inbox")

    for arguments in (["replay", "--all"], ["prune"], ["tables", "upgrade"]):
        refused = app.test_cli_runner().invoke(args=["hookkit", *arguments])

        assert refused.exit_code == 1
        assert refused.stderr.startswith("Error: ")
        assert "Traceback" not in refused.output
        assert "hunter2" not in refused.output


def test_prune_deletes_by_the_lifetimes_of_the_settings():
    shop = Shop(HOOKKIT_KEEP_BODIES_DAYS=1, HOOKKIT_KEEP_IDS_DAYS=3)
    now = datetime.now(UTC)
    for days in (0, 2, 4):
        admit(shop.inbox, message(f"event-{days}"), now - timedelta(days=days))
    shop.app.extensions["hookkit"].worker.work(limit=3)

    printed = shop.printed("prune")
    again = shop.printed("prune")

    assert printed == "deleted the bodies of 2 deliveries and 1 entry"
    assert again == "deleted the bodies of 0 deliveries and 0 entries"
    assert {one.event_id: one.has_body for one in shop.inbox.find()} == {
        "event-0": True,
        "event-2": False,
    }


def test_prune_goes_on_until_nothing_is_old_enough(tmp_path, monkeypatch):
    monkeypatch.setattr("hookkit.operating.housekeeping.PAUSE_S", 0.0)
    shop = Shop(HOOKKIT_DATABASE=f"sqlite:///{tmp_path}/inbox.db", HOOKKIT_KEEP_BODIES_DAYS=1)
    long_ago = datetime.now(UTC) - timedelta(days=2)
    for number in range(405):
        admit(shop.inbox, message(f"event-{number}"), long_ago)
    shop.app.extensions["hookkit"].worker.work(limit=500)

    printed = shop.printed("prune")

    shop.app.extensions["hookkit"].stop()
    assert printed == "deleted the bodies of 405 deliveries and 0 entries"


def test_upgrade_makes_the_tables_that_check_misses(tmp_path):
    url = f"sqlite:///{tmp_path}/inbox.db"
    hooks = HookKit()
    app = make_app(hooks, HOOKKIT_DATABASE=url, HOOKKIT_TABLES="check")
    before = post(app.test_client(), message()).status_code

    done = app.test_cli_runner().invoke(args=["hookkit", "tables", "upgrade"])

    engine = create_engine(url)
    assert (done.stdout, done.exit_code) == ("the tables are up to date\n", 0)
    assert set(inspect(engine).get_table_names()) >= set(metadata.tables)
    with engine.connect() as connection:
        version = connection.execute(text("SELECT version FROM hookkit_schema")).scalar_one()
    engine.dispose()
    open_inbox(url, migrates=False).close()
    assert (before, version) == (503, SCHEMA_VERSION)


def test_commands_begin_no_thread_of_their_own(tmp_path):
    shop = Shop(HOOKKIT_DATABASE=f"sqlite:///{tmp_path}/inbox.db", HOOKKIT_RUNNER="thread")
    state = shop.app.extensions["hookkit"]
    admit(shop.inbox, message(), datetime.now(UTC))
    state.worker.work()

    shop.printed("replay", "--all")

    assert state._runner is None
    assert [one.id for one in shop.inbox.find(Filter(state=State.PENDING))] == [1]
    state.stop()
