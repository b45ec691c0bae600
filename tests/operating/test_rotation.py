"""Which secret proved what, when an old one was last used, and when it can go."""

import hashlib
import json
import logging
from datetime import UTC, datetime, timedelta

import pytest

from hookkit import HookKit
from hookkit.core.ids import fingerprint_of
from hookkit.inbox.opening import MEMORY, open_inbox
from hookkit.inbox.records import IdSpan, Proofs
from hookkit.operating.secret_use import OVERLAP_IDS, Rotation
from hookkit.providers import load_providers
from hookkit.settings.load import load_settings
from tests.applications import make_app, message
from tests.inbox.test_contract_proofs import admit

NOW = datetime(2024, 3, 20, tzinfo=UTC)
KEY = "the-key-of-the-application"
NEW, OLD, ANCIENT = (f"the-{word}-secret-of-the-webhook" for word in ("new", "old", "ancient"))


def name_of(secret):
    return fingerprint_of(KEY.encode(), secret.encode())


def endpoints(**more):
    declared = {"provider": "sunshine", "secrets": [NEW, OLD], **more}
    config = {"HOOKKIT_ENDPOINTS": {"support": declared}, "SECRET_KEY": KEY}
    return load_settings(config, load_providers()).endpoints


class Clock:
    def __init__(self):
        self.now = NOW

    def __call__(self):
        return self.now


class Case:
    """A memory inbox with deliveries, and who looks at it."""

    def __init__(self, **more):
        self.inbox, self.clock, self.count = open_inbox(MEMORY), Clock(), 0
        self.rotation = Rotation(lambda: self.inbox, self.clock, endpoints(**more))

    def prove(self, secret, days_ago, name=None, **how):
        self.count += 1
        seconds = (NOW - timedelta(days=days_ago) - EPOCH).total_seconds()
        admit(
            self.inbox,
            f"m-{self.count}",
            name_of(secret) if name is None else name,
            seconds=seconds,
            **how,
        )

    def look(self):
        return {use.position: use for use in self.rotation.report()}


EPOCH = datetime(2024, 3, 1, 10, 0, 5, 123000, tzinfo=UTC)


def ago(days):
    return NOW - timedelta(days=days)


def is_near(moment, other):
    return abs(moment - other) < timedelta(milliseconds=1)


def test_each_secret_of_several_is_reported_with_its_last_use():
    case = Case()
    case.prove(OLD, 3)
    case.prove(OLD, 2)
    case.prove(NEW, 1)

    found = case.look()

    assert [(each.endpoint, each.setting) for each in found.values()] == 2 * [
        ("support", "secrets")
    ]
    assert {each.position: each.fingerprint for each in found.values()} == {
        0: name_of(NEW),
        1: name_of(OLD),
    }
    assert is_near(found[0].last_used_at, ago(1))
    assert is_near(found[1].last_used_at, ago(2))
    assert NEW not in repr(found)
    assert OLD not in repr(found)


def test_nothing_is_looked_up_where_each_list_has_one():
    def fail():
        raise AssertionError

    assert Rotation(fail, fail, endpoints(secrets=[NEW])).report() == ()


def test_old_secret_can_go_when_only_the_new_one_is_used(caplog):
    case = Case()
    case.prove(OLD, 9)
    case.prove(NEW, 8)
    case.prove(NEW, 1)

    assert [each.can_go for each in case.look().values()] == [False, True]
    case.look()

    (record,) = caplog.records
    assert (record.action, record.endpoint, record.secret_index, record.fingerprint) == (
        "secret_unused",
        "support",
        1,
        name_of(OLD),
    )
    assert record.levelno == logging.WARNING
    assert OLD not in caplog.text


@pytest.mark.parametrize(
    "proved",
    [
        pytest.param([], id="nothing came"),
        pytest.param([(NEW, 6), (NEW, 1)], id="the new one is young"),
        pytest.param([(NEW, 9), (NEW, 8)], id="nothing came of late"),
        pytest.param([(NEW, 9), (OLD, 6), (NEW, 1)], id="the old one is in use"),
        pytest.param([(OLD, 9), (OLD, 1)], id="the new one is not in use"),
        pytest.param([(NEW, 9), (ANCIENT, 6), (NEW, 1)], id="one that is no longer known"),
    ],
)
def test_old_secret_stays_while_it_may_be_in_use(proved, caplog):
    case = Case()
    for secret, days in proved:
        case.prove(secret, days)

    assert not any(each.can_go for each in case.look().values())
    assert caplog.records == []


def test_proofs_from_before_secrets_had_names_may_be_of_the_old_one():
    case = Case()
    case.prove(NEW, 9)
    case.prove(NEW, 6, name="")
    case.prove(NEW, 1)

    assert not case.look()[1].can_go


def test_what_no_secret_proved_is_of_no_matter():
    case = Case()
    case.prove(NEW, 9)
    case.prove(NEW, 6, name="", secret_index=None)
    case.prove(NEW, 5, name="", endpoint="sales")
    case.prove(NEW, 1)

    assert case.look()[1].can_go


def test_look_is_had_a_step_at_a_time(monkeypatch):
    """Nothing is said to be unused before everything was looked at that could say otherwise."""
    case = Case()
    case.prove(NEW, 12)
    case.prove(OLD, 6)
    for _ in range(10):
        case.prove(NEW, 1)
    everything = case.inbox.reading.proofs
    steps = []

    def three(*spans):
        found = everything(*spans, limit=3)
        steps.append([(each.first_id, each.last_id) for each in found])
        return found

    monkeypatch.setattr(case.inbox.reading, "proofs", three)

    looks = [case.look() for _ in range(4)]

    assert [each[1].last_used_at is None for each in looks] == [True, True, True, False]
    assert not any(each[1].can_go for each in looks)
    assert steps == [[(10, 12)], [(10, 12), (7, 9)], [(10, 12), (4, 6)], [(10, 12), (1, 3)]]


def test_more_than_a_look_can_take_is_begun_anew(monkeypatch):
    case = Case()
    case.prove(NEW, 9)
    case.look()
    steps = []

    def far(new, *older):
        steps.append((new, *older))
        return [Proofs(5000, 9000, []), *(Proofs(1, each.before_id - 1, []) for each in older)]

    monkeypatch.setattr(case.inbox.reading, "proofs", far)

    assert case.look()[0].last_used_at is None
    case.look()
    assert steps == [
        (IdSpan(),),
        (IdSpan(after_id=9000 - OVERLAP_IDS), IdSpan(before_id=5000)),
    ]


def test_other_database_is_begun_anew():
    case = Case()
    case.prove(OLD, 2)
    case.prove(NEW, 1)
    case.look()

    case.inbox = open_inbox(MEMORY)

    assert [each.last_used_at for each in case.look().values()] == [None, None]


def test_secrets_of_every_kind_are_reported():
    lists = {"a": [NEW, OLD], "b": [ANCIENT]}
    declared = {
        "a": {"provider": "livechat", "secrets": lists},
        "b": {"provider": "sunshine", "unsigned": True, "path_token": [NEW, OLD]},
        "c": {"provider": "sunshine", "secrets": lambda: [OLD, NEW]},
        "d": {"provider": "sunshine", "secrets": dict},
        "e": {"provider": "sunshine", "unsigned": True},
    }
    config = {"HOOKKIT_ENDPOINTS": declared, "SECRET_KEY": KEY.encode()}
    settings = load_settings(config, load_providers())

    found = Rotation(lambda: open_inbox(MEMORY), Clock(), settings.endpoints).report()

    assert [(each.endpoint, each.setting, each.fingerprint) for each in found] == [
        ("a", "secrets", name_of(NEW)),
        ("a", "secrets", name_of(OLD)),
        ("b", "path_token", name_of(NEW)),
        ("b", "path_token", name_of(OLD)),
        ("c", "secrets", name_of(OLD)),
        ("c", "secrets", name_of(NEW)),
    ]


# In an application


def app_on(path, *secrets, **config):
    declared = {"support": {"provider": "sunshine", "secrets": list(secrets)}}
    hooks = HookKit()
    database = f"sqlite:///{path}"
    return hooks, make_app(
        hooks, HOOKKIT_ENDPOINTS=declared, HOOKKIT_DATABASE=database, SECRET_KEY=KEY, **config
    )


def post(app, secret, event_id):
    body = json.dumps(message(event_id))
    answer = app.test_client().post("/hooks/support", data=body, headers={"X-API-Key": secret})
    return answer.status_code


def wait_for_another_millisecond():
    now_ms = datetime.now(UTC).timestamp() * 1000 // 1
    while datetime.now(UTC).timestamp() * 1000 // 1 == now_ms:
        pass


def test_use_is_known_after_a_restart_and_in_another_process(tmp_path, caplog):
    path = tmp_path / "inbox.db"
    _, before = app_on(path, OLD)
    assert post(before, OLD, "e-1") == 200
    hooks, one = app_on(path, NEW, OLD)
    others, other = app_on(path, NEW, OLD)
    caplog.set_level(logging.INFO, "hookkit")

    # The name is that of the secret, not of its place.
    first = {each.fingerprint: each.last_used_at for each in hooks.stats(one).secrets}
    wait_for_another_millisecond()
    assert post(one, OLD, "e-2") == 200
    second = {each.fingerprint: each.last_used_at for each in others.stats(other).secrets}
    wait_for_another_millisecond()
    assert post(other, NEW, "e-3") == 200
    third = {each.fingerprint: each.last_used_at for each in hooks.stats(one).secrets}

    assert first[name_of(NEW)] is None
    assert first[name_of(OLD)] < second[name_of(OLD)]
    assert third[name_of(NEW)] > second[name_of(OLD)]
    told = [
        (each.secret_index, each.fingerprint)
        for each in caplog.records
        if each.action == "delivery_accepted"
    ]
    assert told == [(1, name_of(OLD)), (0, name_of(NEW))]
    assert not any(secret in caplog.text for secret in (OLD, NEW))


def test_name_that_a_sender_gives_a_secret_is_not_kept(tmp_path):
    hooks, app = app_on(tmp_path / "inbox.db", NEW, OLD)
    headers = {"X-API-Key": NEW, "hookkit-fingerprint": name_of(OLD)}

    app.test_client().post("/hooks/support", data=json.dumps(message()), headers=headers)

    used = {each.fingerprint: each.last_used_at is not None for each in hooks.stats(app).secrets}
    assert used == {name_of(NEW): True, name_of(OLD): False}


# Fingerprints


def test_name_of_a_secret_hangs_on_the_key():
    names = {fingerprint_of(key, NEW.encode()) for key in (b"", b"a", b"b")}

    assert len(names) == 3
    assert {len(each) for each in names} == {8}
    assert fingerprint_of(b"a", NEW.encode()) != fingerprint_of(b"a", OLD.encode())


def test_name_without_a_key_is_slow_to_guess():
    """It is scrypt's, at the cost that the page tells of: 16 MiB for each guess."""
    cost = {"n": 1 << 14, "r": 8, "p": 1, "dklen": 4}

    slow = hashlib.scrypt(NEW.encode(), salt=b"hookkit.fingerprint\0", **cost).hex()

    assert fingerprint_of(b"", NEW.encode()) == slow
