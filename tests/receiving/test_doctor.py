"""The doctor names the fault that was planted, or says that it does not know: never another."""

import base64
import gzip
import json
import zlib
from dataclasses import replace
from datetime import timedelta
from itertools import islice

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import unproven
from hookkit.core.errors import SignatureMismatch
from hookkit.core.ids import fingerprint_of
from hookkit.providers import load_providers
from hookkit.receiving import doctor
from hookkit.receiving.doctor import UNKNOWN, diagnose
from hookkit.receiving.trials import trial
from hookkit.senders import SENDERS
from tests.folding import in_one
from tests.receiving.refused import (
    NOW,
    RECEIVING,
    SECRET,
    URL,
    VENDORS,
    cause_of,
    delivery_of,
    diagnosis_of,
    endpoint_of,
    pair_of,
    with_body,
    with_headers,
)

ALL = (*VENDORS, *SENDERS)
every_provider = pytest.mark.parametrize("name", ALL)

#: Those whose proof says nothing about the bytes of the body.
BESIDE_BODY = {
    "sunshine",
    "telegram",
    "gitlab",
    "8x8-connect",
    "postmark",
    "mailgun",
    "adyen",
    "livechat",
}
SIGNING = [name for name in ALL if name not in BESIDE_BODY]
every_signer = pytest.mark.parametrize("name", SIGNING)

#: Those whose secret is a text that nothing constrains.
OF_ANY_SECRET = [
    name
    for name in ALL
    if name not in ("8x8", "discord", "sendgrid", "adyen")
    and type(load_providers()[name].scheme).__name__ != "StandardWebhooks"
]
JSON_SIGNERS = [name for name in SIGNING if name != "twilio"]
LIST_SENDERS = {"sendgrid", "hubspot"}


def text_of(name, document):
    """Return the body that *name* would send of *document*, as most languages write JSON."""
    document = [document] if name in LIST_SENDERS else document
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def rewritten(**how):
    return lambda body: json.dumps(json.loads(body), **how).encode()


DOCUMENT = {
    "type": "order.paid",
    "id": "ä/<1>",
    "text": "Grüße, €5 & mehr",
    "data": {"b": 1, "a": []},
}

#: What is done to a body on the way -> what it does, and the cause that is to be named.
ALTERED = {
    "spaces": (rewritten(ensure_ascii=False), "body_reencoded"),
    "escapes": (rewritten(separators=(",", ":")), "body_reencoded"),
    "spaces and escapes": (rewritten(), "body_reencoded"),
    "indented": (rewritten(indent=2), "body_reencoded"),
    # Which order the keys had is lost.
    "sorted": (rewritten(sort_keys=True), UNKNOWN),
    "line break added": (lambda body: body + b"\n", "body_newline"),
    "CRLF added": (lambda body: body + b"\r\n", "body_newline"),
    "byte order mark": (lambda body: b"\xef\xbb\xbf" + body, "body_bom"),
    "another charset": (lambda body: body.decode().encode("cp1252"), "body_charset"),
    "read as latin-1": (lambda body: body.decode("latin-1").encode(), "body_charset"),
    "gzip": (gzip.compress, "body_compressed"),
    "deflate": (zlib.compress, "body_compressed"),
    "cut": (lambda body: body[: len(body) // 2], "body_truncated"),
    "lost": (lambda _: b"", "body_empty"),
    "a letter changed": (lambda body: body.replace(b"order", b"Order"), UNKNOWN),
    "a digit changed": (lambda body: body.replace(b"1", b"2"), UNKNOWN),
}


@every_provider
def test_genuine_delivery_is_verified(name):
    assert cause_of(endpoint_of(name), delivery_of(name)) is None


@in_one("fault", ALTERED)
@pytest.mark.parametrize("name", JSON_SIGNERS)
def test_body_that_was_changed_on_the_way(name, fault):
    change, cause = ALTERED[fault]
    delivery = delivery_of(name, text_of(name, DOCUMENT))

    found = cause_of(endpoint_of(name), with_body(delivery, change(delivery.body)))

    assert found == cause


@pytest.mark.parametrize("name", ["stripe", "github", "slack", "8x8", "standard"])
def test_line_breaks_within_a_body(name):
    delivery = delivery_of(name, b'{\n  "type": "a",\n  "id": "1"\n}\n')

    changed = with_body(delivery, delivery.body.replace(b"\n", b"\r\n"))

    assert cause_of(endpoint_of(name), changed) == "body_newline"
    assert cause_of(endpoint_of(name), with_body(delivery, delivery.body[:-1])) == "body_newline"


@pytest.mark.parametrize("name", ["slack", "github"])
def test_form_that_was_written_anew(name):
    delivery = delivery_of(name, b"command=%2Fweather&text=New%20York&user=a*b")

    changed = with_body(delivery, b"command=%2Fweather&text=New+York&user=a%2Ab")

    assert cause_of(endpoint_of(name), changed) == "body_form"


def test_form_that_became_json():
    delivery = delivery_of("slack", b"command=%2Fweather&text=94070")

    changed = with_body(delivery, b'{"command": "/weather", "text": "94070"}')

    assert cause_of(endpoint_of("slack"), changed) == "body_form"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(
    name=st.sampled_from(JSON_SIGNERS),
    document=st.dictionaries(st.text(max_size=8), json_values, min_size=1, max_size=4),
    how=st.sampled_from([{}, {"ensure_ascii": False}, {"indent": 4}, {"separators": (",", ":")}]),
)
def test_body_that_was_parsed_and_written_is_always_named_so(name, document, how):
    delivery = delivery_of(name, text_of(name, document))

    found = cause_of(endpoint_of(name), with_body(delivery, rewritten(**how)(delivery.body)))

    assert found in (None, "body_reencoded")


@settings(max_examples=200, deadline=None)
@given(
    name=st.sampled_from(SIGNING),
    place=st.integers(0, 10**6),
    byte=st.integers(0, 255),
)
def test_byte_that_was_changed_is_never_blamed_on_the_settings(name, place, byte):
    delivery = delivery_of(name)
    place %= len(delivery.body)
    body = delivery.body[:place] + bytes([byte]) + delivery.body[place + 1 :]

    found = cause_of(endpoint_of(name), with_body(delivery, body))

    assert found in (None, UNKNOWN) or found.startswith("body_")


# The secret


@pytest.mark.parametrize(
    "name", [each for each in ALL if each not in ("8x8", "discord", "sendgrid")]
)
def test_secret_of_another_endpoint(name):
    other = "f0" * 32 if name == "adyen" else "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    delivery = delivery_of(name, secret=other)

    alone = cause_of(endpoint_of(name), delivery)
    found = diagnosis_of(endpoint_of(name), delivery, endpoint_of(name, other, "second"))

    assert alone == UNKNOWN
    assert found.cause == "secret_of_other_endpoint"
    assert "'second'" in found.text


def test_public_key_of_another_endpoint():
    other = Ed25519PrivateKey.generate().public_key().public_bytes_raw().hex()
    endpoint = endpoint_of("discord", other)

    found = cause_of(endpoint, delivery_of("discord"), endpoint_of("discord", endpoint="second"))

    assert found == "secret_of_other_endpoint"


#: What the settings hold -> what the vendor has.
MISSPELT = {
    '"a-secret-of-mine"': "a-secret-of-mine",
    "'a-secret-of-mine'": "a-secret-of-mine",
    "STRIPE_SECRET=a-secret-of-mine": "a-secret-of-mine",
    "export SECRET='a-secret-of-mine'": "a-secret-of-mine",
    "whsec_a-secret-of-mine": "a-secret-of-mine",
    "sha256=a-secret-of-mine": "a-secret-of-mine",
    "Bearer a-secret-of-mine": "a-secret-of-mine",
    "a-secret-of-mine": "whsec_a-secret-of-mine",
    "a%2Fsecret%2Bof": "a/secret+of",
    "a secret": "a secret\n",
    "the secret": "the secret ",
    "A-SECRET-OF-MINE": "a-secret-of-mine",
    "YS1zZWNyZXQtb2YtbWluZQ==": "a-secret-of-mine",
    "612d7365637265742d6f662d6d696e65": "a-secret-of-mine",
    "of-mine": "b2YtbWluZQ==",
    "a-secreta-secret": "a-secret",
}


@in_one("settings", MISSPELT)
@pytest.mark.parametrize("name", ["stripe", "github", "slack", "shopify", "twilio", "vonage"])
def test_secret_that_is_written_wrongly(name, settings):
    delivery = delivery_of(name, secret=MISSPELT[settings])

    assert cause_of(endpoint_of(name, settings), delivery) == "secret_form"


@pytest.mark.parametrize("name", ["sunshine", "livechat", "telegram", "gitlab"])
@pytest.mark.parametrize("sent", ["Bearer {}", '"{}"', "sha256={}", "{}, {}"])
def test_secret_that_is_sent_along_wrongly(name, sent):
    delivery = delivery_of(name, secret=sent.format("a-secret-of-mine", "a-secret-of-mine"))

    expected = "secret_form" if name == "livechat" else "header_form"
    assert cause_of(endpoint_of(name, "a-secret-of-mine"), delivery) == expected


@pytest.mark.parametrize("encoding", ["base64", "hex"])
def test_secret_that_the_vendor_decodes(encoding):
    secret = "00ff" * 16
    scheme = {"header": "x-signature", "secret_encoding": encoding}
    delivery = delivery_of(
        "generic", secret=secret, provider=endpoint_of("generic", secret, scheme=scheme).provider
    )

    found = diagnosis_of(endpoint_of("generic", secret), delivery)

    assert found.cause == "secret_form"
    assert f'"secret_encoding": "{encoding}"' in found.text


@pytest.mark.parametrize(
    "written", ["$STRIPE_SECRET", "${SECRET}", "STRIPE_WEBHOOK_SECRET", "%SECRET%"]
)
def test_name_of_a_variable_in_the_place_of_its_value(written):
    found = diagnosis_of(
        endpoint_of("stripe", written), delivery_of("stripe", secret="another-one")
    )

    assert found.cause == "secret_form"
    assert "name of a variable" in found.text


def test_secret_of_another_payload_version():
    versions = {"v1": {"secrets": ["secret-of-v1"]}, "v2": {"secrets": ["secret-of-v2"]}}
    endpoint = endpoint_of("sunshine", versions=versions)

    assert (
        cause_of(endpoint, delivery_of("sunshine", secret="secret-of-v1"))
        == "secret_of_other_version"
    )


@pytest.mark.parametrize("name", ["sunshine", "livechat", "gitlab"])
def test_old_secret_is_known_by_the_fingerprint_that_was_kept(name):
    endpoint = replace(endpoint_of(name), fingerprint=lambda secret: fingerprint_of(b"key", secret))
    old = {fingerprint_of(b"key", b"the-old-secret")}
    delivery = delivery_of(name, secret="the-old-secret")

    assert cause_of(endpoint, delivery) == UNKNOWN
    assert cause_of(endpoint, delivery, old_fingerprints=lambda: old) == "secret_old"
    assert (
        cause_of(endpoint, delivery_of(name, secret="none"), old_fingerprints=lambda: old)
        == UNKNOWN
    )


@pytest.mark.parametrize("setting", ["path_token", "basic"])
def test_what_is_asked_for_beside_the_signature(setting):
    more = {setting: ["user:word" if setting == "basic" else "a-token"]}
    endpoint, delivery = endpoint_of("stripe", **more), delivery_of("stripe")

    assert cause_of(endpoint, delivery) == setting
    assert cause_of(endpoint, with_body(delivery, b"{}")) == "proof_missing"


# Headers


@pytest.mark.parametrize("name", [each for each in ALL if each not in BESIDE_BODY | {"8x8"}])
def test_header_that_is_lost(name):
    found = diagnosis_of(endpoint_of(name), replace(delivery_of(name), headers={}))

    assert found.cause == "header_missing"


@pytest.mark.parametrize(
    "header", ["x-8x8-signature", "x-8x8-tenant-id", "x-8x8-transmission-time"]
)
def test_header_of_8x8_that_is_lost(header):
    found = diagnosis_of(endpoint_of("8x8"), with_headers(delivery_of("8x8"), **{header: None}))

    assert found.cause == "header_missing"
    assert header in found.text


@pytest.mark.parametrize("prefix", ["x-forwarded-", "x-original-", "http-"])
@pytest.mark.parametrize("name", ["stripe", "sunshine", "github", "twilio", "slack", "gitlab"])
def test_header_that_is_renamed(name, prefix):
    endpoint, delivery = endpoint_of(name), delivery_of(name)
    header = endpoint.provider.scheme.header
    renamed = {prefix + header: delivery.headers[header], header: None}

    found = diagnosis_of(endpoint, with_headers(delivery, **renamed))

    assert found.cause == "header_renamed"
    assert prefix + header in found.text


def test_secret_in_the_header_of_tokens():
    delivery = with_headers(
        delivery_of("sunshine"), x_api_key=None, authorization=f"Bearer {SECRET}"
    )

    assert cause_of(endpoint_of("sunshine"), delivery) == "header_renamed"


#: How a header arrives.
HEADER_FORMS = {
    "twice": lambda value: f"{value}, {value}",
    "twice without a space": lambda value: f"{value},{value}",
    "quoted": lambda value: f'"{value}"',
    "escaped": lambda value: value.replace("=", "%3D"),
}


@pytest.mark.parametrize("form", HEADER_FORMS)
@pytest.mark.parametrize("name", ["stripe", "github", "slack", "twilio", "shopify", "standard"])
def test_header_that_is_changed(name, form):
    endpoint, delivery = endpoint_of(name), delivery_of(name)
    header = "webhook-signature" if name == "standard" else endpoint.provider.scheme.header
    changed = HEADER_FORMS[form](delivery.headers[header])

    found = cause_of(endpoint, with_headers(delivery, **{header: changed}))

    assert found in (None, "header_form")


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("github", lambda value: value.removeprefix("sha256=")),
        ("github", lambda value: "sha256=" + value[7:].upper()),
        ("slack", lambda value: value.removeprefix("v0=")),
        ("shopify", lambda value: f"sha256={value}"),
        ("shopify", lambda value: value.rstrip("=")),
        ("shopify", lambda value: value.replace("/", "_").replace("+", "-").rstrip("=")),
        ("shopify", lambda value: base64.b64decode(value).hex()),
    ],
)
def test_signature_that_is_written_otherwise(name, change):
    endpoint, delivery = endpoint_of(name), delivery_of(name)
    header = endpoint.provider.scheme.header
    changed = change(delivery.headers[header])

    assert cause_of(endpoint, with_headers(delivery, **{header: changed})) in (
        "header_form",
        "wrong_scheme",
    )


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("stripe", "github"),
        ("github", "slack"),
        ("slack", "8x8"),
        ("livechat", "sunshine"),
        ("sunshine", "stripe"),
    ],
)
def test_delivery_of_another_sender(name, other):
    found = diagnosis_of(
        endpoint_of(name), delivery_of(other, secret=None if other == "8x8" else "x" * 20)
    )

    assert found.cause == "other_sender"
    assert other in found.text


# Time


TIMED = [
    name
    for name in SIGNING
    if getattr(load_providers()[name].scheme, "lifetime_s", None) or name == "8x8"
]


@in_one("hours", [-3, 3, 30])
@pytest.mark.parametrize("name", TIMED)
def test_clock_that_is_wrong(name, hours):
    endpoint, delivery = endpoint_of(name), delivery_of(name)
    late = replace(delivery, received_at=NOW + timedelta(hours=hours, seconds=400))

    found = diagnosis_of(endpoint, late)

    assert found.cause == "clock"
    assert ("before" if hours > 0 else "after") in found.text


@pytest.mark.parametrize("unit", ["ms", "iso"])
@pytest.mark.parametrize("name", ["slack", "zoom"])
def test_time_in_another_unit(name, unit):
    provider = load_providers()[name]
    signed = replace(provider.scheme.signed, timestamp_unit=unit)
    vendor = replace(provider, scheme=replace(provider.scheme, signed=signed))

    found = diagnosis_of(endpoint_of(name), delivery_of(name, provider=vendor))

    assert found.cause == "time_unit"
    assert f'"timestamp_unit": "{unit}"' in found.text


def test_wrong_secret_is_named_beside_a_wrong_clock():
    late = replace(
        delivery_of("stripe", secret="a-secret-of-mine"), received_at=NOW + timedelta(hours=3)
    )

    found = diagnosis_of(endpoint_of("stripe", "whsec_a-secret-of-mine"), late)

    assert found.cause == "secret_form"
    assert "signed 3 h before it arrived" in found.text
    assert cause_of(endpoint_of("stripe", "another-secret"), late) == "clock"


# The URL


#: What the vendor posts to -> the part that differs from ``public_url``.
URLS = {
    "http://example.com/hooks/shop": "url_scheme",
    "https://example.com:8443/hooks/shop": "url_port",
    "https://example.com/hooks/shop/": "url_path",
    "http://example.com/hooks/shop/": "url_path",
    "https://www.example.com/hooks/shop": "url_host",
    "https://backend.internal/hooks/shop": "url_host",
    "https://example.com/api/hooks/shop": "url_path",
    "https://elsewhere.example/hooks": UNKNOWN,
}


@pytest.mark.parametrize("url", URLS)
@pytest.mark.parametrize("name", ["twilio", "square", "hubspot", "messagebird"])
def test_other_url_is_signed(name, url):
    delivery = with_headers(
        delivery_of(name, url=url),
        host="backend.internal",
        x_forwarded_port="8443",
        x_original_uri="/api/hooks/shop",
    )

    assert cause_of(endpoint_of(name), delivery) == URLS[url]


def test_query_that_is_lost_on_the_way():
    sent = (
        SENDERS["square"]
        .scheme.at_url("https://example.com/hooks/shop")
        .sign(b"{}", SECRET.encode(), NOW, query="a=1")
    )
    delivery = with_headers(
        with_body(delivery_of("square"), b"{}"), **sent, x_original_uri="/hooks/shop?a=1"
    )

    assert cause_of(endpoint_of("square"), delivery) == "url_query"


# The scheme


@pytest.mark.parametrize(
    ("signed", "said"),
    [
        ({"algorithm": "sha512"}, '"algorithm": "sha512"'),
        ({"algorithm": "sha1"}, '"algorithm": "sha1"'),
        ({"encoding": "base64"}, None),
        ({"prefix": "sha256="}, None),
        ({"signed": "{url}{body}"}, '"signed": "{url}{body}"'),
    ],
)
def test_scheme_that_is_not_the_senders(signed, said):
    vendor = endpoint_of("generic", scheme={"header": "x-signature", **signed}).provider
    endpoint = endpoint_of("generic", scheme={"header": "x-signature"})
    if "signed" in signed:
        endpoint = replace(
            endpoint,
            provider=replace(endpoint.provider, scheme=endpoint.provider.scheme.at_url(URL)),
        )

    found = diagnosis_of(endpoint, delivery_of("generic", provider=vendor))

    assert found.cause == ("wrong_scheme" if said else "header_form")
    assert said is None or said in found.text


def test_old_header_of_github():
    vendor = endpoint_of(
        "generic", scheme={"header": "x-hub-signature", "algorithm": "sha1", "prefix": "sha1="}
    ).provider

    found = cause_of(endpoint_of("github"), delivery_of("generic", provider=vendor))

    assert found == "wrong_scheme"


def test_preset_of_another_sender_with_the_secret_of_this_endpoint():
    found = diagnosis_of(endpoint_of("generic"), delivery_of("stripe"))

    assert found.cause == "wrong_scheme"
    assert "stripe" in found.text


# What it never does


@every_provider
def test_no_text_holds_a_secret_or_a_signature(name):
    texts = []
    endpoint, delivery = endpoint_of(name), delivery_of(name)
    for fault in (
        with_body(delivery, delivery.body + b" "),
        with_body(delivery, b"{}"),
        replace(delivery, headers={}),
        replace(delivery, received_at=NOW + timedelta(days=2)),
        delivery_of(
            name, secret=None if name in ("8x8", "discord", "sendgrid", "adyen") else SECRET.lower()
        ),
    ):
        found = diagnosis_of(endpoint, fault)
        texts += [] if found is None else [found.text]

    for held in (*pair_of(name), SECRET.removeprefix("whsec_"), *delivery.headers.values()):
        for text in texts:
            assert len(held) < 12 or held not in text


def test_header_that_a_stranger_has_named_is_not_named():
    delivery = with_headers(delivery_of("sunshine"), x_api_key=None, **{"x-key-\n\x1b[2K": SECRET})

    found = diagnosis_of(endpoint_of("sunshine"), delivery)

    assert found.cause == "header_missing"


def test_settings_are_asked_once_and_keys_are_not_noted():
    asked = []

    def secrets():
        asked.append(1)
        return ["the-secret-of-this"]

    endpoint = endpoint_of("stripe", secrets=secrets)
    refusal = SignatureMismatch("none fits")

    assert diagnose(endpoint, delivery_of("stripe"), refusal).cause == UNKNOWN
    assert len(asked) == 1


def test_callable_that_fails_leaves_the_cause_unknown():
    def secrets():
        raise RuntimeError("sealed")

    found = diagnose(
        endpoint_of("stripe", secrets=secrets), delivery_of("stripe"), SignatureMismatch("x")
    )

    assert found.cause == UNKNOWN


@every_signer
def test_number_of_trials_is_bounded(name, monkeypatch):
    runs = []
    verify = trial.verify
    monkeypatch.setattr(trial, "verify", lambda *given: runs.append(1) or verify(*given))
    document = {"text": "ä" * 9, **{f"k{number}": "v" for number in range(20)}}
    delivery = with_headers(
        with_body(delivery_of(name), text_of(name, document)),
        host="a.example:1",
        x_forwarded_host="b.example",
        x_forwarded_port="2",
        **{f"x-signature-{number}": "v1=a,t=1" for number in range(50)},
    )

    assert cause_of(endpoint_of(name), delivery) == UNKNOWN
    assert len(runs) <= doctor.MAX_TRIALS


@pytest.mark.parametrize("receiving", RECEIVING, ids=[each.name for each in RECEIVING])
def test_hostile_delivery_is_diagnosed_without_an_error(receiving):
    causes = set()
    for _, delivery in islice(unproven.deliveries(receiving), 0, None, 7):
        found = diagnosis_of(receiving.endpoint, delivery)
        if found is not None:
            causes.add(found.cause)
            assert found.text.isprintable()
            assert not any(secret in found.text for secret in unproven.SECRETS)

    # None of them was signed with a secret of the endpoint.
    assert not [each for each in causes if each.startswith(("secret_", "url_"))]
