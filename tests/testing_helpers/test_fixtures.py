"""The fixtures, used as a user's tests use them."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from hookkit import HookKit, HookkitError, Outcome, RetryPolicy, State, sign
from hookkit.providers import load_providers
from hookkit.runners.inline import InlineRunner
from hookkit.senders import SENDERS
from hookkit.testing import DeliveryClient, PayloadMaker, Stage, set_path
from tests.applications import make_app
from tests.key_server import pem_of, public_pem_of, shared_key
from tests.senders.test_senders import PAIRS, endpoint_of

SECRET = "the-secret-of-every-test"
STANDARD = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
KEY = shared_key()
ENDPOINTS = {
    "support": {"provider": "sunshine", "secrets": [SECRET]},
    "chat": {"provider": "livechat", "secrets": [SECRET]},
    "contact-center": {"provider": "8x8", "keys": public_pem_of(KEY)},
    "orders": {"provider": "standard", "secrets": [STANDARD]},
    "guarded": {
        "provider": "sunshine",
        "secrets": [SECRET],
        "basic": ["user:password"],
        "path_token": ["a-token-of-the-path"],
    },
    "dotted.name": {"provider": "sunshine", "secrets": lambda: [SECRET]},
    "sealed": {"provider": "sunshine", "secrets": lambda: 1 / 0},
    "by-webhook": {"provider": "livechat", "secrets": {"nobody": [SECRET]}},
    "elsewhere": {"provider": "sunshine", "secrets": [SECRET], "path": "/old/url"},
    "one-version": {"provider": "sunshine", "versions": {"v2": {"secrets": [SECRET]}}},
    **{f"of-{name}": endpoint_of(name) for name in SENDERS if name != "generic"},
}


class Effects:
    """What the handlers have seen, and how often they are to fail."""

    def __init__(self):
        self.seen, self.failing = [], 0

    def handle(self, event):
        if self.failing:
            self.failing -= 1
            raise ValueError("not today")
        self.seen.append(event)


@pytest.fixture
def effects():
    return Effects()


@pytest.fixture
def app(effects, recwarn):
    hooks = HookKit()
    hooks.on("*", name="see")(effects.handle)
    config = {"HOOKKIT_RETRY": RetryPolicy(max_attempts=3, first_delay_s=10.0)}
    return make_app(hooks, HOOKKIT_ENDPOINTS=ENDPOINTS, **config)


@pytest.fixture
def hookkit_secrets():
    keys = {f"of-{name}": pair[0] for name, pair in PAIRS.items()}
    return {**keys, "contact-center": pem_of(KEY).decode()}


@pytest.mark.parametrize(
    "endpoint", [name for name in ENDPOINTS if name not in ("sealed", "by-webhook")]
)
def test_delivery_to_every_kind_of_endpoint_is_handled_before_it_returns(
    hookkit_client, effects, endpoint
):
    delivered = hookkit_client.deliver(endpoint)

    assert (delivered.status, delivered.new, delivered.failures) == (200, 1, [])
    assert [event.endpoint for event in effects.seen] == [endpoint]


@pytest.mark.parametrize("name", load_providers())
def test_every_sample_is_a_new_event(hookkit_client, hookkit_sample, name):
    endpoints = {"sunshine": "support", "livechat": "chat", "8x8": "contact-center"}
    if name == "generic":
        return
    endpoint = endpoints.get(name, f"of-{name}")

    new = [hookkit_client.deliver(endpoint, hookkit_sample(name)).new for _ in range(2)]

    # What has neither an id nor a time in it is told apart by its bytes.
    assert new == [1, 1] or not load_providers()[name].versions["any"].fresh_ids


def test_same_request_again_is_a_duplicate(hookkit_client, effects):
    first = hookkit_client.deliver("orders", {"type": "order.created"})
    hookkit_client.deliver("support")

    again = hookkit_client.redeliver(first)

    assert (again.new, again.duplicates, again.entry_ids) == (0, 1, first.entry_ids)
    assert again.sent == first.sent
    assert len(effects.seen) == 2
    assert hookkit_client.redeliver().sent == first.sent


def test_nothing_can_be_repeated_before_the_first_delivery(hookkit_client):
    with pytest.raises(HookkitError, match=r"call deliver\(\) before it"):
        hookkit_client.redeliver()


def test_reordered_payloads_arrive_the_last_one_first(hookkit_client, hookkit_sample, effects):
    texts = ["one", "two", "three"]
    samples = [hookkit_sample("sunshine", {"content.text": each}) for each in texts]

    delivered = hookkit_client.deliver_reordered("support", *samples)

    assert [event.message.text for event in effects.seen] == texts[::-1]
    assert [each.entry_ids for each in delivered] == [(3,), (2,), (1,)]


@pytest.mark.parametrize("endpoint", ["support", "chat", "contact-center", "orders", "guarded"])
def test_delivery_without_a_proof_is_refused(hookkit_client, effects, endpoint):
    refused = hookkit_client.deliver_unsigned(endpoint)

    assert (refused.status, refused.code, refused.entries) == (401, "signature_missing", [])
    assert effects.seen == []


@pytest.mark.parametrize("endpoint", ["support", "chat", "orders", "guarded", "dotted.name"])
def test_delivery_by_another_secret_is_refused(hookkit_client, endpoint):
    assert hookkit_client.deliver_forged(endpoint).code == "signature_mismatch"


@pytest.mark.parametrize("endpoint", ["contact-center", "orders", "of-github"])
def test_body_that_was_changed_after_it_was_signed_is_refused(hookkit_client, endpoint):
    assert hookkit_client.deliver_tampered(endpoint).code == "signature_mismatch"


def test_request_that_was_held_up_is_refused(hookkit_client):
    minutes = [4, 6]

    codes = [
        hookkit_client.deliver("orders", late_by=timedelta(minutes=each)).code for each in minutes
    ]

    assert codes == ["accepted", "timestamp_expired"]


def test_version_is_that_of_the_sample(hookkit_client, hookkit_sample, effects):
    for version in ("v1", "v1.1", "v2"):
        hookkit_client.deliver("support", hookkit_sample("sunshine", version=version))

    assert [event.version for event in effects.seen] == ["v1", "v1.1", "v2"]


def test_bytes_are_sent_as_they_are(hookkit_client, effects):
    delivered = hookkit_client.deliver("orders", b'{"type":  "x"}')

    assert delivered.sent.body == b'{"type":  "x"}'
    assert effects.seen[0].raw == {"type": "x"}


def test_failing_handler_is_told_and_tried_again_when_its_time_comes(
    hookkit_client, hookkit_inbox, hookkit_clock, effects
):
    effects.failing = 2
    delivered = hookkit_client.deliver("support")
    assert (delivered.status, delivered.failures) == (200, ["see: ValueError: not today"])

    hookkit_clock.move(seconds=9.999)
    assert hookkit_inbox.states == [State.WAITING]
    hookkit_clock.move(seconds=0.001)
    assert [each.outcome for each in hookkit_inbox.attempts("see")] == [Outcome.FAILED] * 2
    hookkit_clock.move(days=1)

    assert hookkit_inbox.entry.state is State.DONE
    first, second, third = hookkit_inbox.attempts()
    assert second.started_at - first.started_at == timedelta(seconds=10)
    assert timedelta(seconds=10) < third.started_at - second.started_at < timedelta(hours=1)
    assert len(effects.seen) == 1


def test_event_that_fails_for_good_is_dead(hookkit_client, hookkit_inbox, hookkit_clock, effects):
    effects.failing = 9
    hookkit_client.deliver("support")
    hookkit_clock.move(hours=1)

    assert [each.state for each in hookkit_inbox.entries(state="dead")] == [State.DEAD]
    assert hookkit_inbox.entries(endpoint="chat") == []
    assert len(hookkit_inbox.attempts("see")) == 3


def test_inbox_of_a_test_is_empty_and_has_no_one_entry(hookkit_client, hookkit_inbox):
    assert hookkit_inbox.states == []
    with pytest.raises(HookkitError, match="the inbox has 0 entries, and not one"):
        _ = hookkit_inbox.entry


def test_time_stands_until_it_is_moved(hookkit_clock, hookkit_client, effects):
    before = hookkit_clock.now
    hookkit_client.deliver("support")
    hookkit_clock.move_to(datetime(2100, 1, 1, tzinfo=UTC))
    hookkit_client.deliver("support")

    assert [event.received_at for event in effects.seen] == [before, hookkit_clock.now]
    assert hookkit_clock.now == datetime(2100, 1, 1, tzinfo=UTC)


def test_time_does_not_go_back_and_has_a_zone(hookkit_clock):
    with pytest.raises(HookkitError, match=r"it is .* already"):
        hookkit_clock.move(seconds=-1)
    with pytest.raises(HookkitError, match="needs a zone"):
        hookkit_clock.move_to(datetime(2100, 1, 1))  # noqa: DTZ001


def test_sample_is_of_the_clock_s_time(hookkit_clock, hookkit_sample):
    hookkit_clock.move_to(datetime(2100, 1, 1, tzinfo=UTC))

    (event,) = hookkit_sample("sunshine").document["events"]

    assert event["createdAt"] == "2100-01-01T00:00:00.000Z"


def test_application_is_given_back_as_it_was(app):
    state = app.extensions["hookkit"]
    before = state.clock, state.worker, state.opening.inbox()

    with Stage(app).taking("memory://") as stage:
        DeliveryClient(stage, PayloadMaker(lambda: stage.moment), {}).deliver("support")
        assert state.opening.inbox() is not before[2]

    assert (state.clock, state.worker, state.opening.inbox()) == before
    assert state.opening.inbox().find() == []
    assert type(state.runner) is InlineRunner


def test_deliveries_of_a_test_are_not_counted_in_the_inbox_of_the_settings(tmp_path):
    app = make_app(HookKit(), HOOKKIT_DATABASE=f"sqlite:///{tmp_path}/hookkit.db")
    state = app.extensions["hookkit"]

    with Stage(app).taking("memory://") as stage:
        maker = PayloadMaker(lambda: stage.moment)
        payload = maker("sunshine")
        set_path(payload.document, "events.0.payload.news", "a field that is not read")
        client = DeliveryClient(stage, maker, {})
        client.deliver("support", payload)
        client.deliver_forged("support")
    state.stop()

    assert list(tmp_path.iterdir()) == []


MISTAKES = [
    (("supprt",), "endpoint 'supprt' is not known; known are support, chat"),
    (("sealed",), "ZeroDivisionError from the callable in HOOKKIT_ENDPOINTS; pass a secret"),
    (("by-webhook",), "secrets by registration, and none for '"),
]


@pytest.mark.parametrize(("arguments", "message"), MISTAKES)
def test_mistake_says_what_to_do(hookkit_client, arguments, message):
    with pytest.raises(HookkitError) as raised:
        hookkit_client.deliver(*arguments)

    assert message in str(raised.value)


def test_payload_of_another_vendor_is_refused(hookkit_client, hookkit_sample):
    with pytest.raises(HookkitError, match="is of livechat, and the payload of sunshine"):
        hookkit_client.deliver("chat", hookkit_sample("sunshine"))


def test_version_that_the_endpoint_refuses_is_told(hookkit_client, hookkit_sample):
    with pytest.raises(HookkitError, match="its settings say how v2 is proven"):
        hookkit_client.deliver("one-version", hookkit_sample("sunshine", version="v1"))


@pytest.mark.parametrize("endpoint", ["support", "chat"])
def test_change_that_nobody_can_notice_is_told(hookkit_client, endpoint):
    with pytest.raises(HookkitError, match="covers the body there"):
        hookkit_client.deliver_tampered(endpoint)


def test_key_of_the_vendor_has_to_be_given(hookkit_client, monkeypatch):
    monkeypatch.setattr(hookkit_client, "_secrets", {})

    with pytest.raises(HookkitError, match="by the fixture hookkit_secrets"):
        hookkit_client.deliver("contact-center")


def test_secret_that_cannot_sign_is_told(hookkit_client):
    with pytest.raises(HookkitError, match="endpoint 'contact-center': cannot sign"):
        hookkit_client.deliver("contact-center", secret="no key")


def test_field_is_added_to_the_document(hookkit_client, hookkit_sample, effects):
    payload = hookkit_sample("sunshine")
    set_path(payload.document, "events.0.payload.message.metadata", {"vip": True})

    hookkit_client.deliver("support", payload)

    assert effects.seen[0].message.metadata == {"vip": True}


class TestWithADatabase:
    @pytest.fixture
    def hookkit_database(self, sqlite_url):
        return sqlite_url

    @pytest.fixture
    def app(self):
        hooks = HookKit()

        @hooks.on("*", name="book", transactional=True)
        def book(event, run):
            run.connection.execute(text("CREATE TABLE IF NOT EXISTS booked (id TEXT)"))
            run.connection.execute(text("INSERT INTO booked VALUES (:id)"), {"id": event.id})

        return make_app(hooks, HOOKKIT_ENDPOINTS={"support": ENDPOINTS["support"]})

    def test_inbox_is_in_the_database_that_the_fixture_names(
        self, hookkit_client, hookkit_inbox, tmp_path
    ):
        assert hookkit_client.deliver("support").failures == []
        assert hookkit_inbox.states == [State.DONE]
        assert (tmp_path / "inbox.db").exists()


class TestInline:
    @pytest.fixture
    def app(self, effects):
        hooks = HookKit()
        hooks.on("*", name="see")(effects.handle)
        return make_app(hooks, HOOKKIT_RUNNER="inline")

    def test_failure_is_answered_503_and_the_redelivery_is_the_retry(
        self, hookkit_client, hookkit_inbox, effects
    ):
        effects.failing = 1

        failed, again = hookkit_client.deliver("support"), hookkit_client.redeliver()

        assert (failed.status, failed.code) == (503, "handler_failed")
        assert again.status == 200
        assert hookkit_inbox.states == [State.DONE]


class TestInFrontOfFlask:
    @pytest.fixture
    def app(self, effects):
        hooks = HookKit()
        hooks.on("*", name="see")(effects.handle)
        app = make_app(hooks, TESTING=False, HOOKKIT_RUNNER="thread")
        app.wsgi_app = hooks.wsgi(app)
        return app

    def test_front_takes_the_deliveries_and_no_thread_runs_them(self, hookkit_client, effects):
        assert hookkit_client.deliver("support").new == 1
        assert len(effects.seen) == 1


def test_standard_signature_by_hand_is_accepted_too(hookkit_stage, app):
    body = b'{"type": "by.hand"}'
    headers = sign("standard", body, STANDARD, now=hookkit_stage.moment)

    answer = app.test_client().post("/hooks/orders", data=body, headers=headers)

    assert answer.get_json()["new"] == 1
