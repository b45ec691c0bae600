"""Which deliveries are one event: different signed facts never share an id, and one signature
never makes two events.
"""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import count, pairwise
from urllib.parse import quote_plus

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hookkit import HookKit, signals
from hookkit.core.delivery import Delivery
from hookkit.core.errors import Rejected
from hookkit.core.provider import parse
from hookkit.core.scheme import lifetime_of
from hookkit.inbox.opening import open_inbox
from hookkit.providers import load_providers
from hookkit.receiving.verification import verify
from hookkit.senders import SENDERS
from hookkit.senders.sender import DELAY_S
from hookkit.settings.load import load_settings
from hookkit.signatures.keyed_hash import KeyedHash
from hookkit.signatures.standard_webhooks import StandardWebhooks
from hookkit.testing import find_sample, sign
from tests.applications import make_app
from tests.folding import in_one
from tests.scale import SCALE
from tests.senders.test_senders import (
    SECRET,
    URL,
    adyen_body,
    delivery_of,
    endpoint_of,
    mistakes_of,
    pair_of,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
every_sender = pytest.mark.parametrize("name", SENDERS)
some = settings(max_examples=40 * SCALE, deadline=None)
#: For each of forty senders, which share the code that is tried.
few = settings(max_examples=8 * SCALE, deadline=None)

#: Senders that put an id or a type into a header that is not signed.
LABELLED = {
    "github": ("x-github-delivery", "x-github-event"),
    "shopify": ("x-shopify-event-id", "x-shopify-topic"),
    "bitbucket": ("x-request-uuid", "x-event-key"),
}
#: Senders that sign no time; of those that sign nothing, see ``SENT_ALONG``.
UNTIMED = tuple(name for name, each in SENDERS.items() if not lifetime_of([each.scheme]))
SENT_ALONG = tuple(name for name, each in SENDERS.items() if lifetime_of([each.scheme]) == 0)
SPAN_S = {name: SENDERS[name].retry_span_s + DELAY_S for name in SENDERS}


class Door:
    """An endpoint with an empty inbox, at which deliveries arrive at times of our choosing."""

    inbox = open_inbox("memory://")
    numbers = count()

    def __init__(self, **declared):
        name = f"shop-{next(self.numbers)}"
        config = {"HOOKKIT_ENDPOINTS": {name: declared}}
        self.endpoint = load_settings(config, load_providers()).endpoints[name]

    def items(self, body, headers, query="", at=NOW):
        """Return the items of a delivery; None if it is refused."""
        return getattr(self._envelope(body, headers, query, at), "items", None)

    def deliver(self, body, headers, query="", at=NOW):
        """Return how many new events a delivery makes."""
        envelope = self._envelope(body, headers, query, at)
        return 0 if envelope is None else self.inbox.admit(envelope).new_count

    def _envelope(self, body, headers, query, at):
        delivery = Delivery(
            endpoint=self.endpoint.name, body=body, headers=headers, query=query, received_at=at
        )
        try:
            verified, secret = verify(self.endpoint, delivery)
        except Rejected:
            return None
        fingerprint = None if secret is None else self.endpoint.fingerprint(secret)
        return parse(self.endpoint.provider, verified, None, fingerprint)


def door_of(name, **more):
    return Door(**endpoint_of(name, **more))


def signed(name, body, headers=(), at=NOW):
    """Return a delivery of *body*, and the headers of the sender's sample beside *headers*."""
    provider = load_providers()[name]
    more = {**find_sample(provider).headers, **dict(headers)}
    return sign(provider, body, secret=pair_of(name)[0], headers=more, public_url=URL, now=at)


# One signature never makes two events: other spellings of what is signed

BODY = b'{"id":"7","a":["1","2?"],"t":"x.y|z"}'

#: template -> names of the headers that it needs
TEMPLATES = {
    "{body}": (),
    "{timestamp}{body}": ("timestamp",),
    "{body}{timestamp}": ("timestamp",),
    "{timestamp}.{body}": ("timestamp",),
    "{id}.{timestamp}.{body}": ("id", "timestamp"),
    "{body}.{id}": ("id",),
    "{url}{body}": (),
    "{url}.{body}": (),
    "{url}|{timestamp}|{body}": ("timestamp",),
    "{url}{timestamp}{body}": ("timestamp",),
    "{body}{url}": (),
    "{body}.{url}": (),
    "{url}{body_hash}": (),
    "{timestamp}{url}{body}": ("timestamp",),
}


def door_of_template(template, **more):
    names = TEMPLATES.get(template, ())
    scheme = {"header": "x-signature", "signed": template}
    scheme |= {f"{name}_header": f"x-{name}" for name in names}
    url = {"public_url": URL} if "{url}" in template else {}
    id_place = {"event_id": "header:x-id"} if "id" in names else {}
    return Door(
        **{"provider": "generic", "secrets": [SECRET], "scheme": scheme} | url | id_place | more
    )


def cuts(template, parts):
    """Yield every other way to cut the signed text into the parts of *template*."""
    pieces = KeyedHash(header="x").signed.__class__(template=template).parsed.pieces
    for first, second in pairwise(range(1, len(pieces), 2)):
        one, constant, other = pieces[first], pieces[second - 1], pieces[second]
        text = parts[one] + constant + parts[other]
        for at in range(len(text) - len(constant) + 1):
            if text[at : at + len(constant)] == constant:
                yield parts | {one: text[:at], other: text[at + len(constant) :]}


@pytest.mark.parametrize("template", TEMPLATES)
@in_one("query", ["", "a=1", "a=1.5|2", f"back={URL}?x"])
@in_one("body", [BODY, b"5" + BODY, b"?" + BODY, b"a=1&b=2", b"." + BODY])
def test_text_that_is_cut_otherwise_makes_no_second_event(template, query, body):
    door = door_of_template(template)
    scheme = door.endpoint.provider.scheme
    at_url = {"query": query} if scheme.signs_url else {}
    headers = scheme.sign(body, SECRET.encode(), NOW, "msg_1", **at_url)
    parts = {
        "id": headers.get("x-id", ""),
        "timestamp": headers.get("x-timestamp", ""),
        "body": body.decode(),
        "body_hash": "",
        "url": f"?{query}" if query else "",
    }
    spellings = [parts, *cuts(template, parts)]

    made = 0
    for each in spellings:
        again = headers | {f"x-{name}": each[name] for name in TEMPLATES[template]}
        if each["url"] and not each["url"].startswith("?"):
            continue  # no URL has such an end
        made += door.deliver(each["body"].encode(), again, each["url"][1:])

    assert made <= 1


@pytest.mark.parametrize("template", ["{id}{body}", "{body}{id}", "{timestamp}{id}.{body}"])
def test_id_with_nothing_beside_it_to_tell_where_it_ends_is_refused(template):
    told = mistakes_of(
        provider="generic",
        secrets=[SECRET],
        scheme={
            "header": "x",
            "signed": template,
            "id_header": "i",
            **({"timestamp_header": "t"} if "timestamp" in template else {}),
        },
    )

    assert told == ["scheme: signed: {id} needs a constant between it and the next part"]


def test_tolerance_never_reaches_ten_times_the_time():
    told = mistakes_of(provider="stripe", secrets=[SECRET], tolerance_s=10**10)

    assert told == ["tolerance_s: must be at most 1000000000"]


# Forms


def form_of(pairs):
    return "&".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in pairs).encode()


def reshaped(pairs, query):
    """Yield forms and queries with the same signature as the form of *pairs* at *query*."""
    text = "".join(f"{name}{value}" for name, value in sorted(set(pairs)))
    yield form_of(pairs), query
    yield form_of([*pairs, *pairs]), query
    yield form_of(reversed(pairs)), query
    for at in range(1, len(text) + 1):
        yield form_of([(text[:at], text[at:])]), query
        for middle in range(1, at):
            two = sorted({(text[:middle], text[middle:at]), (text[at:], "")})
            if "".join(f"{name}{value}" for name, value in two) == text:
                yield form_of(two), query
    if query:
        for at in range(len(text) + 1):
            yield form_of([(text[at:], "")] if text[at:] else []), query + text[:at]
        for at in range(len(query)):
            yield form_of([(query[at:] + text, "")]), query[:at]


a_field = st.tuples(st.text("ABab1=&?", min_size=1, max_size=4), st.text("PayB&=?1", max_size=5))


@pytest.mark.parametrize("template", ["{url}{form}", "{form}", "{timestamp}{url}{form}"])
@few
@given(pairs=st.lists(a_field, min_size=1, max_size=3), query=st.sampled_from(["", "a=1", "b"]))
def test_form_that_is_reshaped_makes_no_second_event(template, pairs, query):
    scheme = {"header": "x-signature", "signed": template}
    if "timestamp" in template:
        scheme["timestamp_header"] = "x-timestamp"
    url = {"public_url": URL} if "{url}" in template else {}
    door = Door(provider="twilio", secrets=[SECRET], scheme=scheme, **url)
    scheme = door.endpoint.provider.scheme
    headers = scheme.sign(form_of(pairs), SECRET.encode(), NOW, query=query)

    made = [door.deliver(form, headers, query) for form, query in reshaped(pairs, query)]

    assert made[0] == 1
    assert sum(made) == 1


def test_reshaped_forms_of_twilio_run_the_handler_once_and_are_told_as_conflicts(caplog):
    hooks, ran = HookKit(), []
    hooks.on("*", name="pay")(ran.append)
    app = make_app(hooks, HOOKKIT_ENDPOINTS={"shop": endpoint_of("twilio")})
    genuine = delivery_of("twilio", b"Body=Pay&MessageSid=SM1")
    bodies = [
        b"Body=Pay&Body=Pay&MessageSid=SM1",
        b"BodyPay=MessageSidSM1",
        b"B=odyPayMessageSidSM1",
    ]

    with caplog.at_level("WARNING"):
        answers = [
            app.test_client().post("/hooks/shop", data=body, headers=genuine.headers)
            for body in (genuine.body, *bodies)
        ]

    assert [(each.status_code, each.get_json()["new"]) for each in answers] == [
        (200, 1),
        (200, 0),
        (200, 0),
        (200, 0),
    ]
    assert [event.raw for event in ran] == [{"Body": "Pay", "MessageSid": "SM1"}]
    (entry,) = app.extensions["hookkit"].opening.inbox().find()
    assert entry.conflicts == 3
    assert {each.action for each in caplog.records} == {"event_conflict"}


def test_body_of_twilio_whose_hash_is_smuggled_into_the_query_is_a_conflict():
    """A text that somebody may choose, such as an SMS, holds the hash of another body."""
    door = door_of("twilio")
    evil = b'{"EventType":"paid"}'
    text = f"&bodySHA256={sha256(evil).hexdigest()}"
    form = form_of([("Body", text)])
    headers = door.endpoint.provider.scheme.sign(form, SECRET.encode(), NOW, query="a=1")

    assert door.deliver(form, headers, "a=1") == 1
    assert door.items(evil, headers, f"a=1Body{text}")[0].vendor_type == "paid"
    assert door.deliver(evil, headers, f"a=1Body{text}") == 0


# One signature never makes two events: other headers, ids, topics, times


@every_sender
@few
@given(
    labels=st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xyz")), max_size=4),
    late_s=st.floats(0, 400 * 86400),
    more=st.dictionaries(
        st.sampled_from(["webhook-id", "svix-id", "x-github-delivery", "x-shopify-webhook-id"]),
        st.sampled_from(["a", "b", ""]),
    ),
)
def test_delivery_that_is_sent_again_makes_no_second_event(name, labels, late_s, more):
    door, delivery = door_of(name), signed(name, SENDERS[name].sample.body)
    is_shared = not hasattr(SENDERS[name].scheme, "signed_headers")
    late = NOW + timedelta(seconds=SPAN_S[name] + late_s)

    assert door.deliver(delivery.body, delivery.headers) == 1
    for event_id, topic in labels:
        id_header, type_header = LABELLED.get(name, ("x-id", "x-topic"))
        at = late if name in LABELLED else NOW + timedelta(seconds=late_s)
        again = {**more, **delivery.headers, id_header: event_id, type_header: topic}
        assert door.deliver(delivery.body, again, at=at) == 0 or is_shared


@pytest.mark.parametrize("name", LABELLED)
@some
@given(ids=st.lists(st.text("abc", min_size=1), min_size=1, max_size=5), late_s=st.floats(0, 10**7))
def test_delivery_under_other_ids_makes_no_second_event_however_late(name, ids, late_s):
    door, delivery = door_of(name), signed(name, b'{"a":1}')
    at = NOW + timedelta(seconds=late_s)

    assert door.deliver(delivery.body, delivery.headers) == 1
    for each in ids:
        again = {**delivery.headers, LABELLED[name][0]: each}
        assert door.deliver(delivery.body, again, at=at) == 0


@every_sender
@few
@given(late_s=st.floats(0, 2 * 86400 + 600))
def test_signature_makes_no_second_event_as_long_as_it_is_accepted(name, late_s):
    """With equal content without an id, whose repeats are told by time where time is signed."""
    tolerance = {"tolerance_s": 86400} if name not in UNTIMED else {}
    door = door_of(name, **tolerance)
    body = b"A=1" if name == "twilio" else body_of(name, {"a": 1})
    delivery = signed(name, body, at=NOW)
    early, late = NOW - timedelta(hours=12), NOW + timedelta(seconds=late_s)

    made = door.deliver(delivery.body, delivery.headers, at=early)

    assert made + door.deliver(delivery.body, delivery.headers, at=late) <= 1 or name in SENT_ALONG


# Different signed facts never share an id

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3) | st.just(0.5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab@:", max_size=3), inner),
    max_leaves=4,
)
documents = st.dictionaries(st.text("abz", max_size=2), json_values, max_size=3)


def body_of(name, document):
    if name == "twilio":
        return form_of([(key, json.dumps(value)) for key, value in document.items()])
    if name == "adyen":
        return adyen_body(json.dumps(document))
    return json.dumps([document] if SENDERS[name].body == "list" else document).encode()


@every_sender
@few
@given(documents, documents)
def test_different_contents_have_different_ids(name, one, other):
    assume(json.dumps(one, sort_keys=True) != json.dumps(other, sort_keys=True))
    door = door_of(name)
    made = [signed(name, body_of(name, each)) for each in (one, other)]

    first, second = (door.items(each.body, each.headers) for each in made)

    assert not {each.event_id for each in first} & {each.event_id for each in second}


@some
@given(st.sampled_from(["a=1", "a=2", "", "a=1&b=2"]), st.sampled_from(["a=1", "a=2", "", "a"]))
def test_different_signed_queries_have_different_ids(one, other):
    assume(one != other)
    door = door_of("twilio")
    scheme = door.endpoint.provider.scheme
    body = b"Body=Hi"
    items = [
        door.items(body, scheme.sign(body, SECRET.encode(), NOW, query=each), each)
        for each in (one, other)
    ]

    assert items[0][0].event_id != items[1][0].event_id


@pytest.mark.parametrize("name", [name for name in SENDERS if name not in UNTIMED])
def test_equal_content_is_a_new_event_once_no_redelivery_can_arrive_if_the_time_is_signed(name):
    door = door_of(name)
    body = body_of(name, {"a": 1})
    span_s = SPAN_S[name]
    times = [NOW + timedelta(seconds=each) for each in (0, span_s / 2, span_s * 2.1)]
    # They have a new id at each time, which is signed.
    has_id = name == "mailgun" or isinstance(SENDERS[name].scheme, StandardWebhooks)

    made = [
        door.deliver(each.body, each.headers, at=at)
        for at in times
        for each in [signed(name, body, at=at)]
    ]

    assert made == ([1, 1, 1] if has_id else [1, 0, 1])


# Topics of Shopify, deliveries of GitHub

TOPICS = ("orders/create", "orders/paid", "orders/fulfilled")


def topic(name, word, **more):
    return {LABELLED[name][1]: word, LABELLED[name][0]: "1", **more}


@pytest.mark.parametrize("database", ["sqlite_url", "postgres_url"])
def test_one_body_under_three_topics_is_three_events(database, request):
    hooks, ran = HookKit(), []
    for each in TOPICS:
        hooks.on(f"shopify/{each}", name=each)(lambda event: ran.append(event.vendor_type))
    app = make_app(
        hooks,
        HOOKKIT_ENDPOINTS={"shop": endpoint_of("shopify")},
        HOOKKIT_DATABASE=request.getfixturevalue(database),
    )
    delivery = delivery_of("shopify")

    answers = [
        app.test_client().post(
            "/hooks/shop",
            data=delivery.body,
            headers={**delivery.headers, **topic("shopify", each)},
        )
        for each in (*TOPICS, *TOPICS)
    ]

    assert [each.get_json()["new"] for each in answers] == [1, 1, 1, 0, 0, 0]
    assert ran == [*TOPICS]
    entries = app.extensions["hookkit"].opening.inbox().find()
    assert [each.vendor_type for each in entries] == [*reversed(TOPICS)]
    assert len({each.event_id for each in entries}) == 3
    app.extensions["hookkit"].stop()


def test_topic_after_the_retries_are_over_is_a_duplicate():
    door, delivery = door_of("shopify"), signed("shopify", b'{"a":1}', topic("shopify", "create"))
    span_s = SPAN_S["shopify"]

    def again(word, seconds):
        headers = {**delivery.headers, **topic("shopify", word)}
        return door.deliver(delivery.body, headers, at=NOW + timedelta(seconds=seconds))

    assert [again("create", 0), again("paid", span_s - 1), again("fulfilled", span_s)] == [1, 1, 0]
    # What was told apart in time stays so.
    assert [again("create", span_s * 9), again("paid", span_s * 9)] == [0, 0]


def test_topic_tells_events_apart_for_ever_where_nothing_is_signed():
    door = Door(
        provider="generic",
        secrets=[SECRET],
        scheme={"type": "header", "header": "x-token"},
        event_type="header:x-topic",
    )
    words = ["create", "paid", "create"]

    made = [door.deliver(b"{}", {"x-token": SECRET, "x-topic": each}) for each in words]

    assert made == [1, 1, 0]


def test_other_id_that_is_not_signed_is_told_by_signal_and_log(caplog):
    app = make_app(HookKit(), HOOKKIT_ENDPOINTS={"shop": endpoint_of("github")})
    delivery, told = delivery_of("github"), []

    def post(**headers):
        return app.test_client().post(
            "/hooks/shop", data=delivery.body, headers={**delivery.headers, **headers}
        )

    def note(sender, *, unsigned_id, unsigned_type, entry_id, **_):
        told.append((unsigned_id, unsigned_type, entry_id))

    with signals.event_duplicate.connected_to(note, app), caplog.at_level("WARNING"):
        answers = [post().get_json()["new"], post().get_json()["new"]]
        assert not [each for each in caplog.records if each.action == "duplicate_relabelled"]
        answers.append(post(**{"x-github-delivery": "another"}).get_json()["new"])

    assert answers == [1, 0, 0]
    assert told == [(None, None, 1), ("another", None, 1)]
    (line,) = [each for each in caplog.records if each.action == "duplicate_relabelled"]
    assert (line.endpoint, line.entry_id) == ("shop", 1)


def test_late_topic_is_told_by_the_signal(monkeypatch):
    app = make_app(HookKit(), HOOKKIT_ENDPOINTS={"shop": endpoint_of("shopify")})
    state, told = app.extensions["hookkit"], []
    endpoint = state.settings.endpoints["shop"]
    delivery = signed("shopify", b"{}", topic("shopify", "create"))

    def note(sender, *, unsigned_id, unsigned_type, **_):
        told.append((unsigned_id, unsigned_type))

    with signals.event_duplicate.connected_to(note, app):
        for word, seconds in (("create", 0), ("paid", 10**6)):
            state.receiver.receive(
                endpoint,
                Delivery(
                    endpoint="shop",
                    body=delivery.body,
                    headers={**delivery.headers, **topic("shopify", word)},
                    received_at=NOW + timedelta(seconds=seconds),
                ),
            )

    assert told == [(None, "paid")]


# Ids that are not signed, in the settings

GENERIC = {"provider": "generic", "secrets": [SECRET]}
NOT_SIGNED = "is not signed, so that somebody who has seen one"


@pytest.mark.parametrize(
    ("more", "mistake"),
    [
        pytest.param({"event_id": "header:x-id"}, f"event_id: header:x-id {NOT_SIGNED}", id="hmac"),
        pytest.param(
            {"provider": "github", "event_id": "header:x-github-delivery"},
            f"event_id: header:x-github-delivery {NOT_SIGNED}",
            id="github",
        ),
        pytest.param(
            {"provider": "mailgun", "event_id": "body:event-data.id"},
            f"event_id: body:event-data.id {NOT_SIGNED}",
            id="beside the signed fields",
        ),
        pytest.param(
            {"provider": "twilio", "event_id": "body:MessageSid", "public_url": URL},
            f"event_id: body:MessageSid {NOT_SIGNED}",
            id="in a form",
        ),
        pytest.param(
            {
                "provider": "standard",
                "event_id": "header:webhook-id",
                "versions": {"any": {"secrets": [SECRET], "scheme": "github"}},
            },
            f"event_id: header:webhook-id {NOT_SIGNED}",
            id="by the scheme of a version",
        ),
        pytest.param(
            {"event_id": "body:id", "unsigned_event_id": True},
            "unsigned_event_id: True, but every id is signed",
            id="all signed",
        ),
        pytest.param(
            {"provider": "sunshine", "unsigned_event_id": True},
            "unsigned_event_id: sunshine says itself",
            id="provider",
        ),
        pytest.param({"tolerance_s": 5}, "tolerance_s: generic signs no time", id="no time"),
        pytest.param(
            {"repeat_window_s": 5}, "repeat_window_s: generic signs no time", id="no repeats"
        ),
        pytest.param(
            {"provider": "sunshine", "scheme": {"header": "x"}, "repeat_window_s": 5},
            "repeat_window_s: sunshine signs no time",
            id="gateway",
        ),
        pytest.param(
            {"scheme": {"header": "x", "signed": "{form}"}},
            "scheme: {form} is for senders of forms, and generic sends none",
            id="no forms",
        ),
    ],
)
def test_setting_that_would_not_be_obeyed_is_a_mistake(more, mistake):
    told = mistakes_of(**{**GENERIC, **more})

    assert [each for each in told if each.startswith(mistake)], told


@pytest.mark.parametrize("value", [1, 1.0, 0, 0.0, "true", "True", "yes", None, [], [True]])
@pytest.mark.parametrize("name", ["unsigned", "unsigned_event_id"])
def test_nothing_but_true_weakens_a_protection(name, value):
    told = mistakes_of(**{"provider": "github", "secrets": [SECRET], name: value})

    mistake = "Field may not be null" if value is None else "must be True or False"
    assert [each for each in told if each.startswith(f"{name}: {mistake}")], told


@pytest.mark.parametrize("value", [1, 1.0, "true", None])
def test_nothing_but_true_leaves_the_port_of_a_signed_url_open(value):
    scheme = {"header": "x", "signed": "{url}{body}", "any_port": value}

    assert "scheme: any_port: must be a text" in mistakes_of(**GENERIC, scheme=scheme)


def test_id_that_is_believed_tells_equal_payloads_apart():
    door = door_of("github", unsigned_event_id=True)
    delivery = signed("github", b'{"action":"go"}')

    def again(event_id, kind):
        headers = {"x-github-delivery": event_id, "x-github-event": kind}
        return door.deliver(delivery.body, {**delivery.headers, **headers})

    assert [again("a", "dispatch"), again("b", "dispatch"), again("a", "dispatch")] == [1, 1, 0]
    # One action has one id at Shopify, whatever topics it is told under.
    assert again("a", "push") == 1
    # Without an id, the content names the event as before.
    assert [again("", "dispatch"), again("", "dispatch")] == [1, 0]


UNSIGNED = {"unsigned": True}


@pytest.mark.parametrize(
    "more", [UNSIGNED, UNSIGNED | {"basic": ["user:password-of-the-user"]}], ids=["alone", "basic"]
)
@pytest.mark.parametrize("name", LABELLED)
def test_unsigned_endpoint_believes_the_id_and_the_type(name, more):
    door = Door(provider=name, **more)
    id_header, type_header = LABELLED[name]
    proof = {"authorization": "Basic dXNlcjpwYXNzd29yZC1vZi10aGUtdXNlcg=="}

    def send(event_id, kind):
        return door.deliver(b'{"a":1}', {**proof, id_header: event_id, type_header: kind})

    assert [send("a", "go"), send("b", "go"), send("a", "go"), send("a", "stop")] == [1, 1, 0, 1]


@pytest.mark.parametrize("name", ["github", "shopify", "generic", "meta", "intercom"])
def test_equal_content_without_an_id_is_new_after_the_span_where_nothing_is_signed(name):
    door = Door(provider=name, **UNSIGNED)
    times = [NOW, NOW + timedelta(minutes=1), NOW + timedelta(seconds=2 * SPAN_S[name] + 1)]

    assert [door.deliver(b'{"a":1}', {}, at=each) for each in times] == [1, 0, 1]


def test_unsigned_endpoint_takes_any_place_for_the_id_and_any_span():
    door = Door(provider="generic", event_id="header:x-id", repeat_window_s=60, **UNSIGNED)

    assert [door.deliver(b"{}", {"x-id": each}) for each in "aba"] == [1, 1, 0]


def test_unsigned_endpoint_believes_no_id_where_a_version_is_signed():
    scheme = {"secrets": [SECRET], "scheme": {"header": "x-signature"}}
    door = Door(provider="github", versions={"any": scheme}, **UNSIGNED)
    headers = KeyedHash(header="x-signature").sign(b"{}", SECRET.encode(), NOW)

    made = [door.deliver(b"{}", {**headers, "x-github-delivery": each}) for each in "ab"]

    assert made == [1, 0]


def test_id_of_a_sender_is_not_trusted_where_a_version_has_another_scheme():
    scheme = {"secrets": [SECRET], "scheme": {"header": "x-signature"}}
    door = Door(provider="standard", secrets=[SECRET], versions={"any": scheme})
    headers = KeyedHash(header="x-signature").sign(b"{}", SECRET.encode(), NOW)

    made = [door.deliver(b"{}", {**headers, "webhook-id": each}) for each in "ab"]

    assert made == [1, 0]


@pytest.mark.parametrize("name", ["sunshine", "livechat"])
def test_gateway_that_signs_no_time_leaves_no_room_for_a_repeat(name):
    """Without it, an equal event is a new one after some minutes: the secret is sent along."""
    body = {
        "sunshine": b'{"trigger":"typing:appUser","appUser":{"_id":"u"},"activity":{"type":"x"}}',
        "livechat": b'{"action":"chat_tagged","payload":{"tag":"bug"},"webhook_id":"w"}',
    }[name]
    scheme = {"header": "x-signature"}
    door = Door(provider=name, secrets=[SECRET], scheme=scheme)
    headers = KeyedHash(**scheme).sign(body, SECRET.encode(), NOW)

    made = [door.deliver(body, headers, at=NOW + timedelta(days=each)) for each in (0, 1, 60)]

    assert made == [1, 0, 0]


def test_token_of_mailgun_is_one_event_whatever_is_put_around_it():
    door, delivery = door_of("mailgun"), signed("mailgun", b'{"event-data":{"id":"1"}}')
    document = json.loads(delivery.body)
    bodies = [
        document,
        {**document, "event-data": {"id": "2"}},
        {**document, "event-data": [], "more": 1},
        {"signature": {**document["signature"], "more": 1}},
    ]

    made = [door.deliver(json.dumps(each).encode(), {}) for each in bodies]

    assert made == [1, 0, 0, 0]


def test_signature_is_kept_beside_the_form_that_it_names():
    """A replay and a rehearsal read what was kept, and find the id that was given then."""
    door = door_of("twilio")
    delivery = signed("twilio", b"Body=Hi")
    (item,) = door.items(delivery.body, delivery.headers)

    assert item.event_id == f"signed:{item.payload.headers['hookkit-signed']}"
    assert replace(item.payload).event_id == item.event_id
