"""What an endpoint asks for before it takes a delivery, and what it never lets a body decide."""

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from hookkit.core.body import dig_text
from hookkit.core.delivery import Delivery, Options
from hookkit.core.errors import (
    BodyTooLarge,
    MalformedBody,
    SignatureMismatch,
    SignatureMissing,
    Unavailable,
)
from hookkit.core.event import EventType, build_event
from hookkit.core.provider import PayloadVersion, Provider, parse
from hookkit.receiving.endpoint import Endpoint, Protection
from hookkit.receiving.verification import verify as prove
from hookkit.signatures.keyed_hash import KeyedHash
from hookkit.signatures.shared_secret import SharedSecretField, SharedSecretHeader

NOW = datetime(2024, 3, 1, 10, 0, 5, tzinfo=UTC)
SECRET, OLD_SECRET = "the-secret-of-every-test", "the-secret-before-that-one"
BASIC = "vendor:a-password-nobody-guesses"
TOKEN = "x9-a.token_nobody~guesses"

VERSION = PayloadVersion(
    split=lambda payload: [
        payload.item(raw=payload.document, vendor_type="x", event_id=payload.version)
    ],
    normalize=lambda item: build_event(item, EventType.OTHER, {}),
)
IN_BODY = Provider(
    name="acme",
    scheme=SharedSecretField("secret"),
    detect_version=lambda document, headers: dig_text(document, "version"),
    versions={"old": VERSION, "1": VERSION, "2": VERSION},
    triggers={},
    parallel=True,
    blanked=("secret", "token"),
    pinnable=("1", "2"),
    registration_of=lambda document: dig_text(document, "webhook"),
)
IN_HEADER = replace(
    IN_BODY, scheme=SharedSecretHeader("x-key"), blanked=(), registration_of=None, kept_headers=()
)


def endpoint(provider=IN_BODY, versions=None, **protection):
    return Endpoint(
        name="support",
        provider=provider,
        protection=Protection(**protection) if protection else None,
        version_protections={name: Protection(**each) for name, each in (versions or {}).items()},
        max_body_bytes=1000,
        max_unproven_bytes=1000,
        max_items=1000,
    )


def delivery(document=None, *, body=None, basic=None, path_token=None, **headers):
    if basic is not None:
        headers["authorization"] = f"Basic {base64.b64encode(basic.encode()).decode()}"
    return Delivery(
        endpoint="support",
        body=json.dumps(document or {}).encode() if body is None else body,
        headers={name.replace("_", "-"): value for name, value in headers.items()},
        received_at=NOW,
        path_token=path_token,
    )


def verify(at, sent):
    verified, _ = prove(at, sent)
    return verified


def test_secret_in_the_body_proves_the_sender_and_is_read_once():
    verified = verify(endpoint(secrets=[SECRET, OLD_SECRET]), delivery({"secret": OLD_SECRET}))

    assert verified.secret_index == 1
    assert verified.body_authenticated is False
    assert verified.delivery.document == {"secret": OLD_SECRET}


@pytest.mark.parametrize(
    ("document", "error"),
    [
        pytest.param({}, SignatureMissing, id="none"),
        pytest.param({"secret": "wrong"}, SignatureMismatch, id="wrong"),
        pytest.param({"secret": SECRET, "version": "old"}, SignatureMissing, id="other version"),
    ],
)
def test_body_without_the_right_secret_is_refused(document, error):
    at = endpoint(secrets=[SECRET], versions={"old": {"basic": [BASIC]}})

    with pytest.raises(error):
        verify(at, delivery(document))


@pytest.mark.parametrize("body", [b"", b"oops", b"[]", b"\xff", b'{"a":' * 200 + b"1" + b"}" * 200])
@pytest.mark.parametrize("versions", [{}, {"old": {"basic": [BASIC]}}], ids=["plain", "versions"])
def test_body_that_cannot_hold_the_secret_is_malformed(body, versions):
    with pytest.raises(MalformedBody) as raised:
        verify(endpoint(secrets=[SECRET], versions=versions), delivery(body=body))

    assert raised.value.status == 400


def test_secrets_may_differ_by_registration():
    at = endpoint(secrets={"a": [SECRET, OLD_SECRET], "b": ["another-secret-of-a-test"]})

    assert verify(at, delivery({"webhook": "a", "secret": OLD_SECRET})).secret_index == 1
    for wrong in ({"webhook": "b", "secret": SECRET}, {"webhook": "c", "secret": SECRET}):
        with pytest.raises(SignatureMismatch):
            verify(at, delivery(wrong))
    with pytest.raises(SignatureMismatch):
        verify(at, delivery({"secret": SECRET}))
    with pytest.raises(MalformedBody):
        verify(at, delivery(body=b"oops"))


def test_callable_may_return_secrets_by_registration():
    at = endpoint(secrets=lambda: {"a": [SECRET]})

    assert verify(at, delivery({"webhook": "a", "secret": SECRET})).secret_index == 0
    with pytest.raises(SignatureMismatch):
        verify(at, delivery({"webhook": "b", "secret": SECRET}))


@pytest.mark.parametrize("name", ["secrets", "basic", "path_token"])
def test_callable_that_fails_is_our_fault_and_not_the_senders(name):
    def fail():
        raise RuntimeError(SECRET)

    at = endpoint(**{name: fail})

    with pytest.raises(Unavailable, match=f"the {name} of endpoint 'support'") as raised:
        verify(at, delivery({"secret": "x"}, basic=BASIC, path_token=TOKEN))
    assert SECRET not in str(raised.value)


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        pytest.param({}, SignatureMissing, id="nothing"),
        pytest.param({"basic": BASIC}, SignatureMissing, id="no token"),
        pytest.param({"path_token": TOKEN}, SignatureMissing, id="no credentials"),
        pytest.param({"basic": BASIC, "path_token": "x"}, SignatureMismatch, id="wrong token"),
        pytest.param({"basic": "a:b", "path_token": TOKEN}, SignatureMismatch, id="wrong basic"),
        pytest.param({"basic": BASIC, "path_token": TOKEN}, None, id="both"),
    ],
)
def test_everything_that_is_named_must_fit(sent, error):
    at = endpoint(unsigned=True, basic=[BASIC], path_token=["older-token-of-the-test", TOKEN])

    if error is None:
        assert verify(at, delivery(**sent)).secret_index == 0  # of the credentials
    else:
        with pytest.raises(error):
            verify(at, delivery(**sent))


def test_protection_beside_secrets_does_not_replace_them():
    at = endpoint(secrets=[SECRET], path_token=[TOKEN])

    assert verify(at, delivery({"secret": SECRET}, path_token=TOKEN)).secret_index == 0
    with pytest.raises(SignatureMissing):
        verify(at, delivery({"secret": SECRET}))
    with pytest.raises(SignatureMissing):
        verify(at, delivery({}, path_token=TOKEN))


def test_unsigned_endpoint_asks_for_nothing():
    verified = verify(endpoint(unsigned=True), delivery(body=b"oops"))

    assert verified.secret_index is None


# Versions with a protection of their own

MIXED = {"secrets": [SECRET], "versions": {"old": {"unsigned": True, "basic": [BASIC]}}}


@pytest.mark.parametrize("provider", [IN_BODY, IN_HEADER], ids=["in body", "in header"])
@pytest.mark.parametrize("version", ["1", "2", "9", None, 5, ["old"], "old ", "OLD"])
def test_no_version_that_a_body_claims_opens_the_door_without_the_secret(provider, version):
    sent = delivery({"version": version}, basic=BASIC, path_token=TOKEN)

    with pytest.raises(SignatureMissing):
        verify(endpoint(provider, **MIXED), sent)


@pytest.mark.parametrize("provider", [IN_BODY, IN_HEADER], ids=["in body", "in header"])
def test_version_with_a_protection_of_its_own_needs_that_and_no_other(provider):
    at = endpoint(provider, **MIXED)
    document = {"version": "old", "secret": SECRET}

    assert verify(at, delivery(document, basic=BASIC)).secret_index == 0
    with pytest.raises(SignatureMissing):
        verify(at, delivery(document, x_key=SECRET))


def test_other_versions_go_on_needing_the_secret():
    at = endpoint(**MIXED)

    assert verify(at, delivery({"version": "1", "secret": SECRET})).secret_index == 0


def test_version_may_have_secrets_of_its_own():
    at = endpoint(secrets=[SECRET], versions={"2": {"secrets": [OLD_SECRET]}})

    assert verify(at, delivery({"version": "2", "secret": OLD_SECRET})).secret_index == 0
    for version, secret in (("2", SECRET), ("1", OLD_SECRET)):
        with pytest.raises(SignatureMismatch):
            verify(at, delivery({"version": version, "secret": secret}))


def test_without_a_protection_of_the_endpoint_only_the_listed_versions_are_taken():
    at = endpoint(versions={"old": {"basic": [BASIC]}})

    assert verify(at, delivery({"version": "old"}, basic=BASIC))
    assert at.protection is None
    for document in ({"version": "1", "secret": SECRET}, {}):
        with pytest.raises(SignatureMissing):
            verify(at, delivery(document, basic=BASIC))
    with pytest.raises(SignatureMissing):
        verify(at, delivery(body=b"oops", basic=BASIC))


# Schemes of versions

SIGNED = KeyedHash(header="x-signature")
HMAC_SECRET = "the-secret-that-signs-version-2"
TWO_SCHEMES = {
    "secrets": [SECRET],
    "versions": {"2": {"scheme": SIGNED, "secrets": [HMAC_SECRET]}},
}


def signed(document, secret=HMAC_SECRET, **more):
    body = json.dumps(document).encode()
    headers = SIGNED.sign(body, secret.encode(), NOW)
    return replace(delivery(body=body), headers={**headers, **more})


@pytest.mark.parametrize("provider", [IN_BODY, IN_HEADER], ids=["in body", "in header"])
def test_version_may_have_a_scheme_of_its_own(provider):
    at = endpoint(provider, **TWO_SCHEMES)

    verified = verify(at, signed({"version": "2"}))

    assert verified.body_authenticated
    assert parse(provider, verified).version == "2"
    old = {"version": "1", "secret": SECRET}
    assert verify(at, delivery(old, x_key=SECRET)).body_authenticated is False


@pytest.mark.parametrize("provider", [IN_BODY, IN_HEADER], ids=["in body", "in header"])
@pytest.mark.parametrize("version", ["1", "old", "9", None, 5, ["2"], "2 ", {"version": "2"}])
def test_signature_of_a_version_lets_no_other_in(provider, version):
    with pytest.raises((SignatureMissing, SignatureMismatch)):
        verify(endpoint(provider, **TWO_SCHEMES), signed({"version": version}))


@pytest.mark.parametrize(
    "secret", [SECRET, HMAC_SECRET, OLD_SECRET], ids=["the endpoint's", "its own", "another"]
)
def test_version_with_a_stronger_scheme_is_not_taken_by_a_weaker_one(secret):
    for provider in (IN_BODY, IN_HEADER):
        document = {"version": "2", "secret": secret}

        with pytest.raises(SignatureMissing):
            verify(endpoint(provider, **TWO_SCHEMES), delivery(document, x_key=secret))


def test_scheme_of_a_version_takes_its_own_secrets_alone():
    with pytest.raises(SignatureMismatch):
        verify(
            endpoint(IN_HEADER, **TWO_SCHEMES),
            signed({"version": "2"}, SECRET, **{"x-key": SECRET}),
        )


def test_version_cannot_be_changed_under_a_signature():
    at = endpoint(IN_HEADER, **TWO_SCHEMES)
    sent = signed({"version": "2", "text": "hello"})

    for forged in ({"version": "2", "text": "other"}, {"version": "1", "text": "hello"}):
        with pytest.raises((SignatureMissing, SignatureMismatch)):
            verify(at, replace(sent, body=json.dumps(forged).encode()))


@pytest.mark.parametrize(
    "body", [b'{"version": "1", "version": "2"}', b'{"version": "2", "version": "1"}']
)
def test_body_that_claims_two_versions_is_of_none(body):
    # Readers differ in which of two equal keys counts: it needs the proof of the endpoint.
    at = endpoint(IN_HEADER, **TWO_SCHEMES)
    by_key = replace(delivery(body=body), headers={"x-key": SECRET})

    envelope = parse(IN_HEADER, verify(at, by_key))

    assert envelope.version == ""
    assert [item.problem for item in envelope.items] == ["body: a key twice in one object"]
    with pytest.raises(SignatureMissing):
        verify(at, replace(by_key, headers={}))


def test_body_is_opened_as_it_will_be_read():
    provider = replace(IN_HEADER, decode=lambda body: {"version": "2"})

    with pytest.raises(SignatureMissing):
        verify(endpoint(provider, **TWO_SCHEMES), delivery({"version": "1"}, x_key=SECRET))


def test_unreadable_body_needs_the_proof_of_the_endpoint():
    at = endpoint(IN_HEADER, **MIXED)

    assert verify(at, delivery(body=b"oops", x_key=SECRET)).secret_index == 0
    with pytest.raises(SignatureMissing):
        verify(at, delivery(body=b"oops", basic=BASIC))


def test_version_that_is_verified_is_the_version_that_is_read():
    # The header that tells the version is not kept, so a replay would not see it.
    def by_header(document, headers):
        return "old" if "x-old" in headers else "1"

    provider = replace(IN_HEADER, detect_version=by_header)

    with pytest.raises(SignatureMissing):
        verify(endpoint(provider, **MIXED), delivery({}, basic=BASIC, x_old="yes"))
    kept = replace(provider, kept_headers=("x-old",))
    verified = verify(endpoint(kept, **MIXED), delivery({}, basic=BASIC, x_old="yes"))
    assert parse(kept, verified).version == "old"


def test_pinned_version_is_the_one_whose_protection_is_asked_for():
    pinned = replace(IN_BODY, options=Options(version="2"))
    at = endpoint(pinned, secrets=[SECRET], versions={"2": {"secrets": [OLD_SECRET]}})

    verified = verify(at, delivery({"version": "1", "secret": OLD_SECRET}))

    assert parse(pinned, verified).version == "2"


# Nothing of it is shown


def test_no_repr_shows_what_proves_a_sender():
    at = endpoint(secrets={"a": [SECRET]}, versions={"old": {"basic": [BASIC]}}, path_token=[TOKEN])
    sent = delivery({"webhook": "a", "secret": SECRET}, basic=BASIC, path_token=TOKEN)
    shown = repr(at) + repr(sent) + repr(verify(at, sent))

    assert not any(each in shown for each in (SECRET, BASIC, TOKEN))


# Large bodies, which are decoded for nobody

LARGE = {"room": "x" * 1000}


@pytest.fixture
def undecodable(monkeypatch):
    """A decoder that must not be called."""
    fail = replace(IN_HEADER, decode=lambda _: pytest.fail("was decoded"))
    monkeypatch.setattr("tests.receiving.test_verification.IN_HEADER", fail)


BY_VERSION = {"1": {"secrets": [SECRET]}, "2": {"secrets": [OLD_SECRET]}, "old": {"basic": [BASIC]}}


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        ({}, SignatureMissing),
        ({"x_key": "wrong"}, SignatureMismatch),
        ({"basic": "vendor:wrong"}, SignatureMismatch),
        ({"x_key": "wrong", "basic": "vendor:wrong"}, SignatureMismatch),
    ],
)
@pytest.mark.usefixtures("undecodable")
def test_large_body_is_not_decoded_for_who_fits_no_version(sent, error):
    with pytest.raises(error):
        verify(endpoint(IN_HEADER, versions=BY_VERSION), delivery(LARGE, **sent))


@pytest.mark.parametrize(
    ("version", "sent", "is_taken"),
    [
        ("1", {"x_key": SECRET}, True),
        ("2", {"x_key": OLD_SECRET}, True),
        ("old", {"basic": BASIC}, True),
        ("1", {"x_key": OLD_SECRET}, False),
        ("2", {"x_key": SECRET}, False),
        ("1", {"basic": BASIC}, False),
        ("old", {"x_key": SECRET}, False),
        ("new", {"x_key": SECRET}, False),
    ],
)
def test_proof_that_opens_a_large_body_must_be_that_of_its_version(version, sent, is_taken):
    at = endpoint(IN_HEADER, versions=BY_VERSION)
    large = delivery(LARGE | {"version": version}, **sent)

    if is_taken:
        assert verify(at, large).delivery.body == large.body
    else:
        with pytest.raises((SignatureMismatch, SignatureMissing)):
            verify(at, large)


def test_secret_of_another_registration_opens_a_large_body_and_proves_nothing():
    at = endpoint(secrets={"a": [SECRET], "b": [OLD_SECRET]})

    right = LARGE | {"webhook": "b", "secret": OLD_SECRET}
    assert verify(at, delivery(right)).delivery.document == right
    with pytest.raises(SignatureMismatch):
        verify(at, delivery(LARGE | {"webhook": "b", "secret": SECRET}))


def test_large_body_of_an_open_version_is_too_large():
    at = endpoint(IN_HEADER, secrets=[SECRET], versions={"old": {"unsigned": True}})
    large = LARGE | {"version": "old"}

    with pytest.raises(BodyTooLarge) as raised:
        verify(at, delivery(large))
    assert raised.value.status == 413
    assert verify(at, delivery({"version": "old"})).secret_index is None
    assert verify(replace(at, max_unproven_bytes=2000), delivery(large)).secret_index is None
    # Whoever proves something is not a stranger, whatever the version asks for.
    assert verify(at, delivery(large, x_key=SECRET)).secret_index is None
    assert verify(at, delivery(LARGE, x_key=SECRET)).secret_index == 0


def test_secrets_that_cannot_be_had_are_our_fault_unless_others_fit():
    def fail():
        raise RuntimeError(SECRET)

    at = endpoint(IN_HEADER, versions={"1": {"secrets": fail}, "2": {"secrets": [SECRET]}})

    assert verify(at, delivery(LARGE | {"version": "2"}, x_key=SECRET)).secret_index == 0
    for sent in ({"x_key": "wrong"}, {}):
        with pytest.raises(Unavailable):
            verify(at, delivery(LARGE | {"version": "2"}, **sent))


def test_large_body_that_cannot_be_decoded_has_no_version():
    at = endpoint(IN_HEADER, secrets=[SECRET], versions={"1": {"secrets": [OLD_SECRET]}})
    large = delivery(body=b"x" * 1001, x_key=OLD_SECRET)

    with pytest.raises(SignatureMismatch):
        verify(at, large)
