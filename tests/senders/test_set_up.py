"""What people set up slightly wrong: it works, or somebody is told."""

import base64
import hmac
from datetime import UTC, datetime, timedelta

import pytest
from flask import request

import hookkit
from hookkit import HookKit, Rejected
from hookkit.senders import SENDERS
from tests.applications import make_app
from tests.senders.test_senders import GENERIC, SECRET, app_of, deliver, delivery_of

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


# The URL of Twilio


def signed_by_twilio(url, form=b"Body=Hi", secret=SECRET, algorithm="sha1"):
    text = url.encode() + form.replace(b"=", b"")
    return base64.b64encode(hmac.digest(secret.encode(), text, algorithm)).decode()


def test_url_of_twilio_without_its_credentials_is_another_one():
    headers = {"x-twilio-signature": signed_by_twilio("https://h/x")}
    app = app_of("twilio", public_url="https://user:word@h/x")

    answer = app.test_client().post("/hooks/shop", data=b"Body=Hi", headers=headers)

    assert answer.get_json()["code"] == "signature_mismatch"


def test_sha256_of_twilio_is_a_scheme():
    """https://github.com/twilio/twilio-node/blob/main/examples/WebhookSignatureValidation.md"""
    scheme = {
        "header": "X-Twilio-Signature",
        "algorithm": "sha256",
        "encoding": "base64",
        "signed": "{url}{form}",
        "any_port": True,
        "hash_in_query": "bodySHA256",
    }
    app = app_of("twilio", public_url="https://h/x", scheme=scheme)
    headers = {"x-twilio-signature": signed_by_twilio("https://h/x", algorithm="sha256")}

    def post(**more):
        return app.test_client().post("/hooks/shop", data=b"Body=Hi", headers={**headers, **more})

    assert post().get_json()["new"] == 1
    # What is sent along chooses no algorithm.
    weak = {"x-twilio-signature": signed_by_twilio("https://h/x")}
    assert post(**weak).get_json()["code"] == "signature_mismatch"


# Times in another unit


@pytest.mark.parametrize(
    ("unit", "sent", "told"),
    [
        ("s", NOW.timestamp() * 1000, "is later than now; it is now in the unit ms"),
        ("ms", NOW.timestamp(), "is too long ago; it is now in the unit s"),
        ("s", NOW.timestamp() - 3600, "timestamp_expired: the timestamp is too long ago"),
        ("s", NOW.timestamp() * 999, "timestamp_in_future: the timestamp is later than now"),
    ],
)  # fmt: skip
def test_time_in_another_unit_is_told_as_such(unit, sent, told, caplog, monkeypatch):
    monkeypatch.setattr("hookkit.application.app_state.utc_now", lambda: NOW)
    scheme = {
        "header": "x-signature",
        "signed": "{timestamp}{body}",
        "timestamp_header": "x-time",
        "timestamp_unit": unit,
    }
    app = make_app(HookKit(), HOOKKIT_ENDPOINTS={"shop": {**GENERIC, "scheme": scheme}})
    headers = {"x-signature": "0", "x-time": str(int(sent))}

    with caplog.at_level("INFO", logger="hookkit"):
        app.test_client().post("/hooks/shop", data=b"{}", headers=headers)

    assert told in caplog.text


def test_instant_in_no_other_unit_is_told_plainly():
    scheme = SENDERS["zendesk"].scheme
    headers = scheme.sign(b"{}", b"secret", NOW)

    with pytest.raises(Rejected) as raised:
        hookkit.verify(scheme, headers, b"{}", ["secret"], now=NOW + timedelta(days=1))
    assert str(raised.value) == "the timestamp is too long ago"


# A form that the application has read


def test_code_that_takes_the_body_as_a_form_is_named(caplog):
    app = app_of("slack")

    @app.before_request
    def look_at_the_form():
        assert request.form is not None

    form = {"content-type": "application/x-www-form-urlencoded"}
    with caplog.at_level("INFO", logger="hookkit"):
        answer = deliver(app, delivery_of("slack", b"command=%2Fa&trigger_id=1"), **form)

    assert (answer.status_code, answer.get_json()["code"]) == (400, "malformed_body")
    assert "test_set_up.test_code_that_takes_the_body_as_a_form_is_named" in caplog.text
    assert "hookkit.web" not in caplog.text


def test_form_is_read_where_its_bytes_are_still_there():
    app = app_of("slack")

    @app.before_request
    def look_at_bytes_and_form():
        assert request.get_data() is not None
        assert request.form is not None

    form = {"content-type": "application/x-www-form-urlencoded"}

    answer = deliver(app, delivery_of("slack", b"command=%2Fa&trigger_id=1"), **form)

    assert answer.get_json()["new"] == 1


def test_form_that_ends_early_blames_nobody(caplog):
    client = app_of("slack").test_client()

    with caplog.at_level("INFO", logger="hookkit"):
        answer = client.post("/hooks/shop", data=b"a=1", environ_overrides={"CONTENT_LENGTH": "99"})

    assert answer.get_json()["code"] == "malformed_body"
    assert "ended before its declared length" in caplog.text
