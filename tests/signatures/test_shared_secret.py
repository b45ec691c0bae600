import base64
import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hookkit.core.delivery import Delivery
from hookkit.core.errors import BodyUnreadable, MalformedBody, SignatureMismatch, SignatureMissing
from hookkit.signatures.shared_secret import (
    BasicCredentials,
    PathToken,
    SharedSecretField,
    SharedSecretHeader,
)

SCHEME = SharedSecretHeader("x-api-key")
NOW = datetime(2024, 3, 1, tzinfo=UTC)


def delivery(body=b"{}", **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Delivery(endpoint="support", body=body, headers=named, received_at=NOW)


@pytest.mark.parametrize(
    ("secrets", "index"),
    [
        pytest.param([b"new"], 0, id="the only one"),
        pytest.param([b"new", b"old"], 0, id="the newest"),
        pytest.param([b"newer", b"new"], 1, id="an older one"),
        pytest.param([b"a", b"b", b"new", b"c"], 2, id="one in the middle"),
        pytest.param([b"new", b"new"], 0, id="given twice"),
    ],
)
def test_secret_that_fits_is_named(secrets, index):
    sent = delivery(x_api_key="new")

    verified = SCHEME.verify(sent, secrets)

    assert verified.delivery is sent
    assert verified.secret_index == index


def test_secret_says_nothing_about_the_body():
    assert SCHEME.verify(delivery(x_api_key="new"), [b"new"]).body_authenticated is False


@pytest.mark.parametrize("headers", [{}, {"x_api_key": ""}, {"authorization": "new"}], ids=repr)
def test_nothing_sent_is_missing(headers):
    with pytest.raises(SignatureMissing) as caught:
        SCHEME.verify(delivery(**headers), [b"new"])

    assert caught.value.status == 401
    assert "new" not in str(caught.value)


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param("wrong", id="another"),
        pytest.param("secre", id="prefix"),
        pytest.param("secret1", id="longer"),
        pytest.param("ecret", id="suffix"),
        pytest.param("Secret", id="another case"),
        pytest.param(" secret", id="a space before"),
        pytest.param("secret ", id="a space behind"),
        pytest.param("secret,secret", id="sent twice"),
        pytest.param("secret, secret", id="sent twice, with a space"),
        pytest.param("secret,other", id="with another"),
        pytest.param("secret\x00", id="NUL"),
        pytest.param("sécret", id="not ASCII"),
        pytest.param("\ud800", id="lone surrogate"),
        pytest.param("秘密", id="not latin-1"),
        pytest.param("x" * 100_000, id="very long"),
    ],
)
def test_what_does_not_fit_is_refused(sent):
    with pytest.raises(SignatureMismatch) as caught:
        SCHEME.verify(delivery(x_api_key=sent), [b"secret", b"older"])

    assert caught.value.status == 401
    assert "secret" not in str(caught.value).replace("configured secret", "")


def test_without_secrets_nothing_fits():
    with pytest.raises(SignatureMismatch):
        SCHEME.verify(delivery(x_api_key="secret"), [])


def test_what_cannot_be_a_header_does_not_fit_a_question_mark():
    # Encoded with replacement, both would be the same byte.
    with pytest.raises(SignatureMismatch):
        SCHEME.verify(delivery(x_api_key="秘"), [b"?"])


@pytest.mark.parametrize("secret", ["geheimnis-äöü", "秘密", "\U0001f511"])
def test_secret_of_any_letters_arrives_as_latin_1(secret):
    wire = secret.encode()

    verified = SCHEME.verify(delivery(x_api_key=wire.decode("latin-1")), [wire])

    assert verified.secret_index == 0


def test_header_is_looked_up_by_its_own_name():
    scheme = SharedSecretHeader("x-gateway-secret")

    assert scheme.verify(delivery(x_gateway_secret="a", x_api_key="b"), [b"b", b"a"])
    with pytest.raises(SignatureMissing, match="x-gateway-secret"):
        scheme.verify(delivery(x_api_key="a"), [b"a"])


@given(secret=st.binary(min_size=1, max_size=60), body=st.binary(max_size=20))
@settings(derandomize=True, deadline=None, database=None)
def test_sign_is_the_inverse_of_verify(secret, body):
    headers = SCHEME.sign(body, secret)

    sent = Delivery(endpoint="support", body=body, headers=headers, received_at=NOW)
    assert SCHEME.verify(sent, [b"\x00another\x00", secret]).secret_index == 1


@given(secret=st.binary(min_size=1, max_size=8), other=st.binary(min_size=1, max_size=8))
@settings(derandomize=True, deadline=None, database=None)
def test_signature_of_another_secret_is_refused(secret, other):
    sent = Delivery(endpoint="support", body=b"", headers=SCHEME.sign(b"", other), received_at=NOW)

    if secret == other:
        assert SCHEME.verify(sent, [secret])
    else:
        with pytest.raises(SignatureMismatch):
            SCHEME.verify(sent, [secret])


# In a field of the body

FIELD = SharedSecretField("secret_key")


def spelt(**document):
    return delivery(json.dumps(document).encode())


def test_field_that_fits_is_named_and_the_document_handed_on():
    verified = FIELD.verify(spelt(secret_key="new", a=1), [b"newer", b"new"])

    assert verified.secret_index == 1
    assert verified.body_authenticated is False
    assert verified.delivery.document == {"secret_key": "new", "a": 1}


def test_document_that_was_read_before_is_not_read_again():
    sent = replace(delivery(b"not read"), document={"secret_key": "new"})

    assert FIELD.verify(sent, [b"new"]).delivery.document is sent.document


@pytest.mark.parametrize("value", [None, "", 5, True, [], {}, ["new"], {"new": "new"}], ids=repr)
def test_field_that_is_no_text_is_missing(value):
    with pytest.raises(SignatureMissing):
        FIELD.verify(spelt(secret_key=value), [b"new"])


@pytest.mark.parametrize("value", ["x", "ne", "newe", "NEW", " new", "new\x00", "\ud800", "néw"])
def test_field_that_fits_no_secret_is_refused(value):
    with pytest.raises(SignatureMismatch) as caught:
        FIELD.verify(spelt(secret_key=value), [b"new", b"\xed\xa0"])

    assert "new" not in str(caught.value)


@pytest.mark.parametrize("nested", [{"payload": {"secret_key": "new"}}, {"Secret_Key": "new"}])
def test_field_is_looked_for_at_the_top_alone(nested):
    with pytest.raises(SignatureMissing):
        FIELD.verify(spelt(**nested), [b"new"])


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"secret_key=new", id="a form"),
        pytest.param(b'["secret_key", "new"]', id="a list"),
        pytest.param(b'{"secret_key": "new"', id="cut"),
        pytest.param(b'{"secret_key": "new", "a": NaN}', id="NaN"),
        pytest.param(b'{"secret_key": "new", "a": "\xff"}', id="not UTF-8"),
        pytest.param(b'{"secret_key": "new", "a": ' + b"[" * 101 + b"]" * 101 + b"}", id="deep"),
        pytest.param(b'{"secret_key": "new", "a": ' + b"[" * 100_000, id="very deep"),
        pytest.param(b'{"secret_key": "new", "a": ' + b"9" * 5000 + b"}", id="long number"),
    ],
)
def test_body_in_which_no_field_can_be_looked_for_is_malformed(body):
    with pytest.raises(MalformedBody) as caught:
        FIELD.verify(delivery(body), [b"new"])

    assert caught.value.status == 400
    assert "new" not in str(caught.value)


@given(
    secret=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30),
    document=st.dictionaries(
        st.sampled_from(["a", "secret_key", "é"]),
        st.none() | st.integers() | st.text(st.characters()) | st.lists(st.booleans()),
    ),
)
@settings(derandomize=True, deadline=None, database=None)
def test_enclosing_is_the_inverse_of_verifying(secret, document):
    body = FIELD.enclose(json.dumps(document).encode(), secret.encode())

    verified = FIELD.verify(delivery(body), [b"\x00other\x00", secret.encode()])
    assert verified.secret_index == 1
    assert verified.delivery.document == {**document, "secret_key": secret}
    with pytest.raises(TypeError, match="the proof lies in the body"):
        FIELD.sign(body, secret.encode())


@pytest.mark.parametrize("body", [b"", b"oops", b"[]", b"\xff"])
def test_body_without_room_for_a_secret_is_refused(body):
    with pytest.raises(BodyUnreadable):
        FIELD.enclose(body, b"new")


# HTTP Basic credentials

BASIC = BasicCredentials()


def encoded(text, method="Basic"):
    return delivery(authorization=f"{method} {base64.b64encode(text.encode()).decode()}")


@pytest.mark.parametrize("method", ["Basic", "basic", "BASIC", "Basic "])
def test_credentials_that_fit_are_named(method):
    verified = BASIC.verify(encoded("me:sécret:x", method), [b"a:b", "me:sécret:x".encode()])

    assert verified.secret_index == 1


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": ""},
        {"authorization": "Bearer bWU6eA=="},
        {"authorization": "bWU6eA=="},
    ],
    ids=repr,
)
def test_request_without_credentials_misses_them(headers):
    with pytest.raises(SignatureMissing):
        BASIC.verify(delivery(**headers), [b"me:x"])


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param("", id="empty"),
        pytest.param("bWU6eA", id="no padding"),
        pytest.param("bWU6eA=", id="half the padding"),
        pytest.param("bWU6eA==!", id="junk behind"),
        pytest.param("bWU6\neA==", id="junk between"),
        pytest.param("bWU6eA==, bWU6eA==", id="twice"),
        pytest.param("bWU6eB==", id="other"),
        pytest.param("\ud800", id="lone surrogate"),
        pytest.param("bWU6eA==é", id="not ASCII"),
        pytest.param("%", id="no base64"),
    ],
)
def test_credentials_that_do_not_fit_are_refused(sent):
    with pytest.raises(SignatureMismatch):
        BASIC.verify(delivery(authorization=f"Basic {sent}"), [b"me:y"])
    if sent != "bWU6eB==":
        with pytest.raises(SignatureMismatch):
            BASIC.verify(delivery(authorization=f"Basic {sent}"), [b"me:x"])


@given(credentials=st.binary(min_size=1, max_size=40))
@settings(derandomize=True, deadline=None, database=None)
def test_signing_is_the_inverse_of_verifying_credentials(credentials):
    headers = BASIC.sign(b"{}", credentials)

    assert BASIC.verify(delivery(**headers), [b"\x00\x00", credentials]).secret_index == 1


# A token in the URL


def test_token_that_fits_is_named():
    sent = replace(delivery(), path_token="old")

    assert PathToken().verify(sent, [b"new", b"old"]).secret_index == 1


@pytest.mark.parametrize("path_token", [None, ""])
def test_url_without_a_token_misses_it(path_token):
    with pytest.raises(SignatureMissing):
        PathToken().verify(replace(delivery(), path_token=path_token), [b"new"])


@pytest.mark.parametrize("path_token", ["x", "ne", "newx", "new/", "NEW", "\ud800", "né"])
def test_token_that_does_not_fit_is_refused(path_token):
    with pytest.raises(SignatureMismatch):
        PathToken().verify(replace(delivery(), path_token=path_token), [b"new"])
