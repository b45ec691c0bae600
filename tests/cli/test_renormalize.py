"""``flask hookkit renormalize``: it finds a planted change of a mapping, and nothing else."""

import json
import re
import stat
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

import pytest

from hookkit import EventType, HookKit
from hookkit.core.delivery import Delivery, VerifiedDelivery
from hookkit.core.provider import parse
from hookkit.inbox.sql.tables import entries
from hookkit.operating import renormalizing
from hookkit.providers import load_providers
from hookkit.testing import list_samples
from tests.applications import make_app

SECRET = "the-secret-of-every-test"
ENDPOINTS = {
    "sunshine": {"provider": "sunshine", "secrets": [SECRET]},
    "livechat": {"provider": "livechat", "secrets": [f"another-{SECRET}"]},
    "8x8": {"provider": "8x8", "region": "us"},
}


class Shop:
    """An application that has handled every sample of three vendors."""

    def __init__(self):
        hooks = HookKit()
        hooks.on("*", name="see")(lambda event: None)
        self.app = make_app(
            hooks,
            HOOKKIT_ENDPOINTS=ENDPOINTS,
            HOOKKIT_DATABASE="memory://",
            HOOKKIT_RUNNER="none",
        )
        self.state = self.app.extensions["hookkit"]
        for name in ENDPOINTS:
            for sample in list_samples(load_providers()[name]):
                self.receive(name, sample)
        while self.state.worker.work():
            pass

    def receive(self, name, sample):
        delivery = Delivery(
            endpoint=name, body=sample.body, headers=sample.headers, received_at=datetime.now(UTC)
        )
        proven = VerifiedDelivery(delivery=delivery, secret_index=0, body_authenticated=False)
        self.state.opening.inbox().admit(parse(load_providers()[name], proven))

    def run(self, *arguments):
        return self.app.test_cli_runner().invoke(args=["hookkit", "renormalize", *arguments])

    def stored(self):
        with self.state.opening.inbox()._transactions.read() as connection:
            return connection.execute(entries.select().order_by(entries.c.id)).all()


@contextmanager
def opened():
    shop = Shop()
    yield shop
    shop.state.stop()


@pytest.fixture(scope="module")
def shop():
    """Return a shop that no test changes: to fill one takes longer than to read it again."""
    with opened() as made:
        before = made.stored()
        yield made
        assert made.stored() == before


@pytest.fixture
def own_shop():
    """Return a shop that a test may change."""
    with opened() as made:
        yield made


@pytest.fixture
def plant(monkeypatch):
    """Return a function that has one vendor's events read otherwise until the end of the test."""

    def change(shop, name, alter):
        def altered(normalize):
            return lambda item: alter(normalize(item))

        provider = shop.state.settings.endpoints[name].provider
        versions = {
            word: replace(each, normalize=altered(each.normalize))
            for word, each in provider.versions.items()
        }
        changed = replace(provider, versions=MappingProxyType(versions))
        usual = shop.state.renormalizing
        providers = {**usual.providers, name: changed}
        monkeypatch.setattr(shop.state, "renormalizing", replace(usual, providers=providers))

    return change


def test_nothing_differs_while_the_code_is_the_same(shop, tmp_path):
    saved = shop.run("--save", str(tmp_path / "before.jsonl"))
    compared = shop.run()
    with_file = shop.run("--diff", str(tmp_path / "before.jsonl"))

    count = len(shop.stored())
    assert count > 200
    assert saved.stdout == f"saved what {count} entries are read as\n"
    assert (compared.stdout, compared.exit_code) == (f"{count} entries read again, 0 differ\n", 0)
    assert (with_file.stdout, with_file.exit_code) == (compared.stdout, 0)


def test_planted_change_of_a_mapping_is_found_and_nothing_else(shop, plant, tmp_path):
    file = str(tmp_path / "before.jsonl")
    shop.run("--save", file)

    def alter(event):
        is_meant = event.type is EventType.MESSAGE and event.version == "v2"
        return replace(event, reason="planted") if is_meant else event

    plant(shop, "sunshine", alter)
    meant = [
        each
        for each in shop.stored()
        if (each.endpoint, each.version, each.event_type)
        == ("sunshine", "v2", "conversation:message")
    ]
    before = shop.stored()

    compared = shop.run("--diff", file, "--json")
    shown = shop.run("--diff", file)

    found = json.loads(compared.stdout)
    assert (compared.exit_code, found["differing"], found["is_whole"]) == (1, len(meant), True)
    assert {(each["path"], each["old"], each["new"]) for each in found["changed"]} == {
        ("reason", None, "planted")
    }
    assert sum(each["entries"] for each in found["changed"]) == len(meant) > 5
    assert f"{len(meant)} differ" in shown.stdout
    assert "v2 conversation:message at sunshine: reason: nothing -> planted (entry" in shown.stdout
    assert max(map(len, shown.stdout.splitlines())) <= 100
    # Nothing of it is stored, and nothing is written.
    assert shop.run().exit_code == 0
    assert shop.stored() == before


def test_changed_event_type_is_corrected_only_when_told(own_shop, plant):
    before = own_shop.stored()
    kind = "conversation:message"
    meant = {each.id for each in before if (each.endpoint, each.event_type) == ("livechat", kind)}
    plant(
        own_shop,
        "livechat",
        lambda event: replace(event, type=EventType.OTHER) if event.type.value == kind else event,
    )

    compared = own_shop.run("--diff", "--json")
    unchanged = own_shop.stored()
    corrected = own_shop.run("--write")
    again = own_shop.run()

    found = json.loads(compared.stdout)
    assert {each["path"] for each in found["changed"]} == {"stored event_type"}
    assert {(each["old"], each["new"]) for each in found["changed"]} == {(kind, "other")}
    assert (compared.exit_code, found["differing"]) == (1, len(meant))
    assert unchanged == before
    assert f"corrected {len(meant)} entries" in corrected.stdout
    assert (again.exit_code, "0 differ" in again.stdout) == (0, True)
    after = own_shop.stored()
    assert {each.id for each in after if each.event_type == "other"} >= meant
    assert [each for each in after if each.id not in meant] == [
        each for each in before if each.id not in meant
    ]


def test_saved_file_holds_no_values_and_is_for_its_owner_alone(shop, tmp_path):
    file = tmp_path / "before.jsonl"

    shop.run("--save", str(file), "--endpoint", "sunshine")

    saved = file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "text of" in saved
    for secret in ("Steve", "@example", "https://", "+1"):
        assert secret not in saved


def test_filters_choose_what_is_read(shop, tmp_path):
    file = str(tmp_path / "before.jsonl")
    count = sum(each.endpoint == "8x8" for each in shop.stored())

    shop.run("--save", file)

    assert shop.run("--endpoint", "8x8").stdout == f"{count} entries read again, 0 differ\n"
    assert shop.run("--endpoint", "8x8", "--diff", file).stdout.startswith(f"{count} entries")
    assert shop.run("--until", "2020-01-01").stdout == "0 entries read again, 0 differ\n"


def test_what_has_lost_its_bytes_is_counted(own_shop):
    now = datetime.now(UTC)
    own_shop.state.opening.inbox().prune(
        bodies_before=now + timedelta(days=1), ids_before=now - timedelta(days=9), limit=3
    )

    printed = own_shop.run().stdout.splitlines()

    assert re.fullmatch(r"\d+ entr(y|ies) not read: the bytes are gone or cannot .*", printed[1])


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"format": "hookkit renormalize 0"}', "\x00"], ids=repr
)
def test_file_that_is_no_snapshot_is_refused_in_a_sentence(shop, tmp_path, text):
    file = tmp_path / "before.jsonl"
    file.write_text(f"{text}\n")

    refused = shop.run("--diff", str(file))

    assert (refused.exit_code, refused.stdout) == (1, "")
    assert re.fullmatch("Error: the file was not made by --save.*\n", refused.stderr)


def test_damaged_line_is_refused_in_a_sentence(shop, tmp_path):
    file = tmp_path / "before.jsonl"
    shop.run("--save", str(file))
    file.write_text(file.read_text().replace('"leaves"', '"leafs"', 1))

    refused = shop.run("--diff", str(file))

    assert (refused.exit_code, refused.stderr) == (
        1,
        "Error: the file is damaged: a line is not of an entry\n",
    )


def test_file_that_is_no_text_is_refused_in_a_sentence(shop, tmp_path):
    file = tmp_path / "before.jsonl"
    file.write_bytes(b"\xff\xfe\n")

    refused = shop.run("--diff", str(file))

    assert (refused.exit_code, refused.stderr) == (
        1,
        "Error: the file was not made by --save, or is damaged\n",
    )


def test_file_that_cannot_be_opened_is_refused_in_a_sentence(shop, tmp_path):
    for option in ("--diff", "--save"):
        refused = shop.run(option, str(tmp_path / "no" / "such"))

        assert refused.exit_code == 2
        assert "cannot be used: No such file or directory" in refused.stderr


@pytest.mark.parametrize("more", [["--diff"], ["--write"]])
def test_save_goes_with_nothing_else(shop, tmp_path, more):
    assert shop.run("--save", str(tmp_path / "file"), *more).exit_code == 2


def test_report_of_endlessly_many_fields_ends(shop, plant, tmp_path, monkeypatch):
    monkeypatch.setattr(renormalizing, "MAX_ROWS", 2)
    shop.run("--save", str(tmp_path / "file"))
    plant(shop, "sunshine", lambda event: replace(event, reason="planted", tenant_id="planted"))

    printed = shop.run("--diff", str(tmp_path / "file")).stdout.splitlines()

    assert printed[-1] == "  and more"
