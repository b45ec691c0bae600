"""What is refused for its proof is kept, and released when the secret is mended."""

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.fernet import Fernet

from hookkit import HookKit, signals
from hookkit.core.errors import Unavailable
from hookkit.operating.refusals import Outcome
from hookkit.testing import find_provider, find_sample, sign
from tests.applications import MESSAGE_V2, make_app, message, post

pytestmark = pytest.mark.usefixtures("each_door")

OURS, THEIRS = "the-secret-in-our-settings", "the-secret-of-the-vendor"


class Shop:
    """One application after the other, on one database, each with its secret."""

    def __init__(self, folder, **config):
        self.config = {"HOOKKIT_DATABASE": f"sqlite:///{folder}/inbox.db"} | config
        self.folder = folder
        self.handled = []
        self.states = []

    def app(self, secret=OURS, provider="sunshine", **config):
        hooks = HookKit()
        hooks.on("*", name="note")(lambda event: self.handled.append(event))
        endpoint = {"provider": provider, "secrets": [secret]}
        settings = {"HOOKKIT_ENDPOINTS": {"support": endpoint}} | self.config | config
        app = make_app(hooks, SECRET_KEY="one-key-for-all-of-them", **settings)
        self.states.append(app.extensions["hookkit"])
        return app

    def state(self, secret=OURS, **config):
        return self.app(secret, **config).extensions["hookkit"]

    def release(self, secret=THEIRS, ids=None, **config):
        """Release what is kept by an application with the mended secret."""
        refusals = self.state(secret, **config).refusals
        wanted = ids or sorted(each.id for each in refusals.find(limit=None))
        return list(refusals.release(wanted))

    def bytes_at_rest(self):
        return b"".join(path.read_bytes() for path in self.folder.glob("inbox.db*"))


@pytest.fixture
def shop(tmp_path):
    made = Shop(tmp_path)
    yield made
    for state in made.states:
        state.stop()


def test_refused_delivery_is_admitted_once_its_secret_is_mended(shop):
    answer = post(shop.app().test_client(), message(), secret=THEIRS)
    assert (answer.status_code, answer.json) == (401, {"code": "signature_mismatch"})

    (release,) = shop.release()

    assert release.outcome is Outcome.RELEASED
    assert [event.id for event in shop.handled] == ["event-1"]
    record = shop.state(THEIRS).opening.inbox().find()[0]
    assert release.entry_ids == [record.id]


def test_released_event_keeps_its_time_of_arrival(shop):
    post(shop.app().test_client(), message(), secret=THEIRS)
    (refused,) = shop.state().refusals.find()

    shop.release()

    record = shop.state(THEIRS).opening.inbox().find()[0]
    assert record.received_at == refused.received_at


def test_second_release_says_that_it_was_released(shop):
    post(shop.app().test_client(), message(), secret=THEIRS)
    shop.release()

    (again,) = shop.release()

    assert again.outcome is Outcome.ALREADY_RELEASED
    assert len(shop.handled) == 1


def test_what_the_vendor_has_sent_again_meanwhile_is_a_duplicate(shop):
    post(shop.app().test_client(), message(), secret=THEIRS)
    post(shop.app(THEIRS).test_client(), message(), secret=THEIRS)

    (release,) = shop.release()

    assert release.outcome is Outcome.DUPLICATE
    assert len(shop.handled) == 1


def test_what_was_refused_several_times_is_admitted_once(shop):
    client = shop.app().test_client()
    for _ in range(3):
        post(client, message(), secret=THEIRS)

    outcomes = [each.outcome for each in shop.release()]

    assert outcomes == [Outcome.RELEASED, Outcome.DUPLICATE, Outcome.DUPLICATE]
    assert len(shop.handled) == 1


def test_what_is_still_not_proven_is_told_with_its_cause(shop):
    post(shop.app().test_client(), message(), secret=THEIRS)

    (release,) = shop.release(f"{THEIRS}-but-another")

    assert release.outcome is Outcome.REFUSED
    assert release.cause == "unknown"
    assert THEIRS not in release.text
    assert shop.release()[0].outcome is Outcome.RELEASED


def test_diagnosis_of_a_concealed_secret_finds_how_it_was_written(shop):
    post(shop.app().test_client(), message(), secret=f"Bearer {OURS}")

    found = shop.state().refusals.diagnose(1)

    assert (found.outcome, found.cause) == (Outcome.REFUSED, "secret_form")
    assert OURS not in found.text


def test_diagnosis_of_another_endpoints_secret_says_so(shop):
    endpoints = {
        "support": {"provider": "sunshine", "secrets": [OURS]},
        "sales": {"provider": "sunshine", "secrets": [THEIRS]},
    }
    post(shop.app().test_client(), message(), secret=THEIRS)

    found = shop.state(HOOKKIT_ENDPOINTS=endpoints).refusals.diagnose(1)

    assert "sales" in found.text


def test_diagnosis_stores_nothing(shop):
    post(shop.app().test_client(), message(), secret=THEIRS)

    found = shop.state(THEIRS).refusals.diagnose(1)

    assert found.outcome is Outcome.RELEASED
    assert shop.handled == []
    assert shop.release()[0].outcome is Outcome.RELEASED


def test_secret_that_was_sent_is_in_no_file(shop):
    post(shop.app().test_client(), message(), secret=THEIRS)

    assert b"signature_mismatch" in shop.bytes_at_rest()
    assert THEIRS.encode() not in shop.bytes_at_rest()


def test_secret_in_the_body_is_in_no_file_and_proves_it_later(shop):
    sample = find_sample(find_provider("livechat"), "3.6", "incoming_chat")
    body = json.dumps({**json.loads(sample.body), "secret_key": THEIRS}).encode()
    answer = post(shop.app(provider="livechat").test_client(), body, secret=None)
    assert answer.status_code == 401

    assert THEIRS.encode() not in shop.bytes_at_rest()
    assert shop.release(provider="livechat")[0].outcome is Outcome.RELEASED
    assert shop.release(provider="livechat")[0].outcome is Outcome.ALREADY_RELEASED
    answer = post(shop.app(THEIRS, "livechat").test_client(), body, secret=None)
    assert answer.json["duplicates"] >= 1
    assert THEIRS.encode() not in shop.bytes_at_rest()


def test_secret_in_credentials_and_in_the_path_is_in_no_file_and_proves_it_later(shop):
    def endpoint(secret):
        return {
            "support": {
                "provider": "sunshine",
                "secrets": [secret],
                "basic": [f"vendor:{secret}"],
                "path_token": [secret],
            }
        }

    credentials = base64.b64encode(f"vendor:{THEIRS}".encode()).decode()
    client = shop.app(HOOKKIT_ENDPOINTS=endpoint(OURS)).test_client()
    answer = client.post(
        f"/hooks/support/{THEIRS}",
        json=MESSAGE_V2,
        headers={"X-API-Key": THEIRS, "Authorization": f"Basic {credentials}"},
    )
    assert answer.status_code == 401

    assert THEIRS.encode() not in shop.bytes_at_rest()
    assert credentials.encode() not in shop.bytes_at_rest()
    (release,) = shop.release(HOOKKIT_ENDPOINTS=endpoint(THEIRS))
    assert release.outcome is Outcome.RELEASED


def test_signature_is_compared_with_the_time_of_arrival(shop):
    old = datetime.now(UTC) - timedelta(days=3)
    provider = find_provider("stripe")
    body = b'{"id": "evt_1", "type": "charge.succeeded", "created": 1}'
    headers = sign(provider, body, secret=THEIRS, now=old).headers
    client = shop.app(provider="stripe").test_client()
    client.post("/hooks/support", data=body, headers=headers)
    fresh = sign(provider, body, secret=THEIRS).headers
    client.post("/hooks/support", data=body, headers=fresh)
    inbox = shop.state(provider="stripe").opening.inbox()
    codes = {each.id: each.code for each in inbox.quarantine.find()}
    with inbox._transactions.write() as connection:  # two hours later
        connection.exec_driver_sql(
            "UPDATE hookkit_quarantine SET received_at_ms = received_at_ms - 7200000"
        )

    late = shop.release(provider="stripe")

    assert codes == {1: "timestamp_expired", 2: "signature_mismatch"}
    assert [each.outcome for each in late] == [Outcome.REFUSED, Outcome.REFUSED]


def test_fresh_signature_is_released_long_after(shop, monkeypatch):
    provider = find_provider("stripe")
    body = b'{"id": "evt_1", "type": "charge.succeeded", "created": 1}'
    client = shop.app(provider="stripe").test_client()
    headers = sign(provider, body, secret=THEIRS).headers
    client.post("/hooks/support", data=body, headers=headers)
    later = datetime.now(UTC) + timedelta(days=6)
    monkeypatch.setattr("hookkit.application.app_state.utc_now", lambda: later)

    (release,) = shop.release(provider="stripe")

    assert release.outcome is Outcome.RELEASED


@pytest.mark.parametrize("body", [b"not json", b"{", b"\xff" * 100, b"[]", b""])
def test_body_that_cannot_be_read_is_kept_and_released_like_any_other(shop, body):
    answer = post(shop.app().test_client(), body, secret=THEIRS)
    assert answer.status_code == 401

    (release,) = shop.release()

    assert release.outcome is Outcome.RELEASED


def test_body_above_the_limit_is_not_kept(shop):
    client = shop.app(HOOKKIT_MAX_BODY=100).test_client()

    assert post(client, message(), secret=THEIRS).status_code == 413
    assert shop.state().refusals.find() == []


def test_challenge_and_other_methods_are_not_kept(shop):
    client = shop.app().test_client()
    client.get("/hooks/support?hub.mode=subscribe")
    client.put("/hooks/support", data=b"{}")
    client.post("/hooks/nobody", data=b"{}")

    assert shop.state().refusals.find() == []


def test_quarantine_can_be_switched_off(shop):
    answer = post(shop.app(HOOKKIT_QUARANTINE=0).test_client(), message(), secret=THEIRS)

    assert answer.status_code == 401
    assert shop.state().refusals.find() == []


def test_no_more_is_kept_than_the_settings_say(shop):
    client = shop.app(HOOKKIT_QUARANTINE=5).test_client()
    for number in range(20):
        post(client, message(f"event-{number}"), secret=THEIRS)

    assert len(shop.state().refusals.find()) == 5


def test_encrypted_delivery_is_released_with_its_key(shop):
    key = Fernet.generate_key().decode()
    shop.config["HOOKKIT_ENCRYPTION_KEYS"] = [key]
    post(shop.app().test_client(), message(text="nobody reads this"), secret=THEIRS)

    assert b"nobody reads this" not in shop.bytes_at_rest()
    other = Fernet.generate_key().decode()
    assert shop.release(HOOKKIT_ENCRYPTION_KEYS=[other])[0].outcome is Outcome.GONE
    assert shop.release()[0].outcome is Outcome.RELEASED


@pytest.mark.parametrize("error", [Unavailable("locked"), RuntimeError("a mistake"), OSError()])
def test_quarantine_that_fails_changes_no_answer(shop, monkeypatch, caplog, error):
    def away(*_):
        raise error

    app = shop.app()
    inbox = app.extensions["hookkit"].opening.inbox()
    monkeypatch.setattr(inbox.quarantine, "keep", away)

    answers = [post(app.test_client(), message(), secret=THEIRS) for _ in range(5)]

    assert {each.status_code for each in answers} == {401}
    assert {each.get_data() for each in answers} == {b'{"code": "signature_mismatch"}\n'}
    failed = [each for each in caplog.records if getattr(each, "action", "") == "quarantine_failed"]
    assert len(failed) == 1


def test_refusal_is_signalled_once_and_its_release_as_a_delivery(shop):
    seen = []
    app = shop.app()
    mended = shop.app(THEIRS)
    for signal, name in (
        (signals.delivery_rejected, "rejected"),
        (signals.delivery_accepted, "accepted"),
    ):
        for sender in (app, mended):
            signal.connect(
                lambda _, name=name, **what: seen.append((name, what.get("code"))),
                sender,
                weak=False,
            )

    post(app.test_client(), message(), secret=THEIRS)
    list(mended.extensions["hookkit"].refusals.release([1]))

    assert seen == [("rejected", "signature_mismatch"), ("accepted", None)]


def test_events_and_refusals_are_counted_by_minutes(shop):
    app = shop.app()
    client = app.test_client()
    post(client, message("event-1"), secret=OURS)
    post(client, message("event-1"), secret=OURS)
    post(client, message("event-1", text="another"), secret=OURS)
    post(client, message("event-2"), secret=THEIRS)
    post(client, message("event-2"), secret=None)
    client.post("/hooks/support", data=b"x", environ_overrides={"CONTENT_LENGTH": "a"})
    app.extensions["hookkit"].stop()

    now = datetime.now(UTC)
    sums = shop.state().opening.inbox().minutes.sums(now - timedelta(hours=1), now)

    assert sums == {
        ("support", "new"): 1,
        ("support", "duplicate"): 1,
        ("support", "conflict"): 1,
        ("support", "signature_mismatch"): 1,
        ("support", "signature_missing"): 1,
        ("support", "malformed_header"): 1,
    }


def test_release_is_counted_as_new(shop):
    post(shop.app().test_client(), message(), secret=THEIRS)
    shop.release()

    now = datetime.now(UTC)
    sums = shop.state().opening.inbox().minutes.sums(now - timedelta(hours=1), now)

    assert sums[("support", "new")] == 1


def test_old_refusals_and_counts_are_pruned(shop, monkeypatch):
    app = shop.app()
    post(app.test_client(), message(), secret=THEIRS)
    state = app.extensions["hookkit"]
    state.receiver.report.minutes.write()
    now = datetime.now(UTC)
    inbox = state.opening.inbox()

    def counted_and_kept(days):
        monkeypatch.setattr("hookkit.application.app_state.utc_now", lambda: now)
        upkeep = shop.state().upkeep
        object.__setattr__(upkeep, "clock", lambda: now + timedelta(days=days))
        upkeep.prune(lambda _: False)
        sums = inbox.minutes.sums(now - timedelta(hours=1), now + timedelta(hours=1))
        return bool(sums), bool(inbox.quarantine.find())

    assert counted_and_kept(6.9) == (True, True)
    assert counted_and_kept(7.1) == (True, False)
    assert counted_and_kept(91) == (False, False)
