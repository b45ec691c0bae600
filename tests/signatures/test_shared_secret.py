from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hookkit.core.delivery import Delivery
from hookkit.core.errors import SignatureMismatch, SignatureMissing
from hookkit.signatures.shared_secret import SharedSecretHeader

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
