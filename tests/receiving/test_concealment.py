"""What is kept of a refused delivery proves it later, and tells nobody a secret."""

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from hookkit.core.delivery import Delivery
from hookkit.core.errors import Rejected, SignatureMismatch
from hookkit.providers import load_providers
from hookkit.receiving.concealment import MAX_HEADERS, concealed
from hookkit.receiving.verification import verify
from hookkit.settings.endpoint import read_endpoint
from hookkit.standalone import sign

NOW = datetime(2026, 3, 1, tzinfo=UTC)
OURS, THEIRS = "the-secret-of-our-settings", "the-secret-of-the-vendor"
LIMITS = {"max_body": 1 << 20, "max_unproven_bytes": 8 << 10, "max_items": 1000}
LARGE = "x" * (9 << 10)


def endpoint_of(secret, **declared):
    found, mistakes = read_endpoint(
        "shop", {"provider": "generic", "secrets": [secret]} | declared, load_providers(), LIMITS
    )
    assert found is not None, mistakes
    return found


def delivery_of(body=b'{"a":1}', headers=None, **more):
    return Delivery(endpoint="shop", body=body, headers=headers or {}, received_at=NOW, **more)


def basic(secret):
    return "Basic " + base64.b64encode(f"vendor:{secret}".encode()).decode()


def endpoint_by(name, secret):
    """Return an endpoint whose sender proves itself in that way, by *secret*."""
    given = {
        "header": {"secrets": [secret], "scheme": {"type": "header", "header": "x-token"}},
        "query": {"secrets": [secret], "scheme": {"type": "query", "parameter": "token"}},
        "field": {"secrets": [secret], "scheme": {"type": "field", "field": "token"}},
        "basic": {"secrets": [f"vendor:{secret}"], "scheme": {"type": "basic"}},
        "path_token": {"unsigned": True, "path_token": [secret]},
    }[name]
    found, mistakes = read_endpoint(
        "shop", {"provider": "generic"} | given, load_providers(), LIMITS
    )
    assert found is not None, mistakes
    return found


SENT = {
    "header": delivery_of(headers={"x-token": THEIRS}),
    "query": delivery_of(query=f"a=1&token={THEIRS}"),
    "field": delivery_of(json.dumps({"token": THEIRS, "a": 1}).encode()),
    "large field": delivery_of(json.dumps({"a": LARGE, "token": THEIRS}).encode()),
    "basic": delivery_of(headers={"authorization": basic(THEIRS)}),
    "path_token": delivery_of(path_token=THEIRS),
}


@pytest.mark.parametrize("name", SENT)
def test_secret_that_was_sent_along_is_kept_nowhere_and_proves_the_delivery_later(name):
    sent, kind = SENT[name], name.removeprefix("large ")
    with pytest.raises(SignatureMismatch):
        verify(endpoint_by(kind, OURS), sent)

    kept = concealed(endpoint_by(kind, OURS), sent)

    everything = repr([kept.body, kept.headers, kept.query, kept.path_token, kept.address])
    assert THEIRS not in everything
    assert base64.b64encode(f"vendor:{THEIRS}".encode()).decode() not in everything
    _, proving = verify(endpoint_by(kind, THEIRS), kept)
    assert proving.decode().endswith(THEIRS)
    with pytest.raises(Rejected):
        verify(endpoint_by(kind, OURS), kept)


@pytest.mark.parametrize("name", SENT)
def test_hash_differs_each_time(name):
    endpoint = endpoint_by(name.removeprefix("large "), OURS)

    first, second = concealed(endpoint, SENT[name]), concealed(endpoint, SENT[name])

    assert first.salt != second.salt
    assert (first.body, first.headers, first.query, first.path_token) != (
        second.body,
        second.headers,
        second.query,
        second.path_token,
    )


def test_hash_that_is_kept_proves_nothing_when_it_is_sent():
    kept = concealed(endpoint_by("header", OURS), SENT["header"])
    sent = delivery_of(headers=dict(kept.headers))

    with pytest.raises(SignatureMismatch):
        verify(endpoint_by("header", THEIRS), sent)


def test_secret_in_a_header_that_the_settings_do_not_name_is_hashed_and_found_when_they_do():
    sent = delivery_of(headers={"x-other": THEIRS})

    kept = concealed(endpoint_by("header", OURS), sent)

    assert THEIRS not in repr(kept.headers)
    mended = endpoint_of(THEIRS, scheme={"type": "header", "header": "x-other"})
    assert verify(mended, kept)[1] == THEIRS.encode()


def test_document_that_a_secret_is_taken_out_of_stays_the_event_that_it_was():
    body = b'{"token": "%s", "text": "caf\\u00e9", "n": 1.50}' % THEIRS.encode()

    kept = concealed(endpoint_by("field", OURS), delivery_of(body))

    document = json.loads(kept.body)
    assert {**document, "token": THEIRS} == json.loads(body)
    assert list(document) == ["token", "text", "n"]


@pytest.mark.parametrize("text", ['{"tok\\u0065n": "%s"}', '{"token": "%s', '{"token" : "%s"} }'])
def test_secret_in_a_body_that_is_written_strangely_is_kept_nowhere(text):
    kept = concealed(endpoint_by("field", OURS), delivery_of((text % THEIRS).encode()))

    assert kept is None or THEIRS.encode() not in kept.body


SIGNED = {
    "github": {"provider": "github"},
    "stripe": {"provider": "stripe"},
    "hmac": {"provider": "generic", "scheme": {"header": "x-strange-name"}},
    "token": {"provider": "generic", "scheme": {"type": "token"}},
}


@pytest.mark.parametrize("name", SIGNED)
def test_signature_is_kept_as_it_came_and_proves_the_delivery_later(name):
    ours = endpoint_of(OURS, **SIGNED[name])
    scheme = ours.provider.scheme
    headers = sign(scheme, b'{"a":1}', THEIRS, event_id="1", now=NOW)
    cookies = {"cookie": "a-session", "x-api-key": "a-key", "user-agent": "vendor/1"}
    sent = delivery_of(headers={**headers, **cookies})
    with pytest.raises(SignatureMismatch):
        verify(ours, sent)

    kept = concealed(ours, sent)

    assert headers.items() <= kept.headers.items()
    assert kept.body == sent.body
    assert kept.headers.keys() == sent.headers.keys()
    assert kept.headers["user-agent"] == "vendor/1"
    assert not {"a-session", "a-key"} & set(kept.headers.values())
    assert verify(endpoint_of(THEIRS, **SIGNED[name]), kept)[1] == THEIRS.encode()


def test_signature_of_a_delivery_that_came_too_late_is_kept():
    ours = endpoint_of(OURS, provider="stripe")
    headers = sign(ours.provider.scheme, b'{"a":1}', OURS, now=datetime(2025, 3, 1, tzinfo=UTC))

    kept = concealed(ours, delivery_of(headers=headers))

    assert headers.items() <= kept.headers.items()


def test_signature_beside_credentials_is_kept_and_the_credentials_are_not():
    given = {"scheme": {"header": "x-sum"}, "basic": [f"vendor:{OURS}"]}
    ours = endpoint_of(OURS, **given)
    headers = sign(ours.provider.scheme, b'{"a":1}', THEIRS, now=NOW)

    sent = delivery_of(headers={**headers, "authorization": basic(THEIRS)})
    kept = concealed(ours, sent)

    assert headers.items() <= kept.headers.items()
    assert kept.headers["authorization"] != sent.headers["authorization"]
    mended = endpoint_of(THEIRS, **given | {"basic": [f"vendor:{THEIRS}"]})
    assert verify(mended, kept)[1] == THEIRS.encode()


def test_query_is_kept_only_if_it_is_signed():
    signed = endpoint_of(
        OURS,
        scheme={"header": "x-sum", "signed": "{url}{body}"},
        public_url="https://example.com/hooks/shop",
    )
    sent = delivery_of(headers={"x-sum": "0" * 64}, query="token=a-token")

    assert concealed(signed, sent).query == "token=a-token"
    assert concealed(endpoint_of(OURS, scheme={"header": "x-sum"}), sent).query == ""
    assert concealed(endpoint_of(OURS, scheme={"header": "x-sum"}), sent).path_token is None


def test_delivery_with_many_or_long_headers_is_not_kept():
    endpoint = endpoint_by("header", OURS)

    many = {f"x-{number}": "a" for number in range(MAX_HEADERS + 1)}

    assert concealed(endpoint, delivery_of(headers=many)) is None
    assert concealed(endpoint, delivery_of(headers={"x-token": "a" * 20_000})) is None


def test_body_that_is_signed_and_may_hold_a_secret_is_not_kept():
    endpoint = endpoint_of(OURS, scheme={"header": "x-sum"})
    endpoint = replace(endpoint, provider=replace(endpoint.provider, blanked=("token",)))

    assert concealed(endpoint, delivery_of(b'{"token":"a-secret"}')) is None


def test_nothing_of_it_is_in_its_repr():
    kept = concealed(endpoint_by("header", OURS), SENT["header"])

    assert kept.salt.hex() not in repr(kept)
    assert kept.headers["x-token"] not in repr(kept)
