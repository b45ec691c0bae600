"""Signatures that others have published, verified here and made again."""

from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256

import pytest

from hookkit.core.delivery import Delivery
from hookkit.core.errors import Rejected, SignatureMismatch
from hookkit.signatures.keyed_hash import KeyedHash
from hookkit.signatures.public_key import KeyedSignature
from hookkit.signatures.signed_text import SignedText
from hookkit.signatures.standard_webhooks import StandardWebhooks

SVIX_PRIVATE = (
    "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg=="
)
SVIX_PUBLIC = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="

STANDARD = [
    # https://github.com/standard-webhooks/standard-webhooks (tests of the libraries)
    pytest.param(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        None,
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        id="SW-1",
    ),
    # https://docs.svix.com/receiving/verifying-payloads/how-manual
    pytest.param(
        "whsec_plJ3nmyCDGBKInavdOK15jsl",
        None,
        "msg_loFOjxBNrRLzqYUf",
        1731705121,
        b'{"event_type":"ping","data":{"success":true}}',
        "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0=",
        id="SW-2",
    ),
    pytest.param(
        SVIX_PUBLIC,
        SVIX_PRIVATE,
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
        "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==",
        id="SW-7",
    ),
]

GITHUB = KeyedHash(header="x-hub-signature-256", prefix="sha256=")
SLACK = KeyedHash(
    header="x-slack-signature",
    prefix="v0=",
    signed=SignedText(
        template="v0:{timestamp}:{body}", timestamp_header="x-slack-request-timestamp"
    ),
)
STRIPE = KeyedHash(
    header="stripe-signature",
    prefix="v1=",
    separator=",",
    signed=SignedText(template="{timestamp}.{body}", timestamp_prefix="t="),
)
BASE64 = KeyedHash(header="x-signature", encoding="base64")
ZENDESK = replace(
    BASE64,
    signed=SignedText(
        template="{timestamp}{body}", timestamp_header="x-timestamp", timestamp_unit="iso"
    ),
)
BOX = replace(ZENDESK, signed=replace(ZENDESK.signed, template="{body}{timestamp}"))
TWILIO = KeyedHash(
    header="x-twilio-signature",
    algorithm="sha1",
    encoding="base64",
    signed=SignedText(template="{url}{form}", any_port=True, hash_in_query="bodySHA256"),
)
SQUARE = replace(BASE64, signed=SignedText(template="{url}{body}"))
HEX_KEY = replace(BASE64, secret_encoding="hex")
DISCORD = KeyedSignature(header="x-signature-ed25519", algorithm="ed25519", encoding="hex")

SECRET_OF_GITHUB = b"It's a Secret to Everybody"
SLACK_BODY = (
    b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow"
    b"&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner"
    b"&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands"
    b"%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
    b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
)
SQUARE_BODY = (
    b'{"merchant_id":"MLEFBHHSJGVHD","type":"webhooks.test_notification",'
    b'"event_id":"ac3ac95b-f97d-458c-a6e6-18981597e05f",'
    b'"created_at":"2022-07-13T20:30:59.037339943Z","data":{"type":"webhooks",'
    b'"id":"bc368e64-01aa-407e-b46e-3231809b1129"}}'
)

KEYED = [
    # https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
    pytest.param(
        GITHUB,
        SECRET_OF_GITHUB,
        None,
        b"Hello, World!",
        "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
        id="GH-1",
    ),
    pytest.param(
        GITHUB,
        SECRET_OF_GITHUB,
        None,
        b"Hello World!",
        "sha256=a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9",
        id="BB-1",
    ),
    # https://docs.slack.dev/authentication/verifying-requests-from-slack
    pytest.param(
        SLACK,
        b"8f742231b10e8888abcd99yyyzzz85a5",
        1531420618,
        SLACK_BODY,
        "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
        id="SL-1",
    ),
    # line-bot-sdk-python's tests
    pytest.param(
        BASE64,
        b"channel_secret",
        None,
        b"bodybodybodybody",
        "/gg9a+LvFevTH1sd7XCQycD7tsWclCsInj7MhBHxN7k=",
        id="LN-1",
    ),
    # Square's SDK's tests
    pytest.param(
        SQUARE.at_url("https://webhook.site/679a4f3a-dcfa-49ee-bac5-9d0edad886b9"),
        b"Ibxx_5AKakO-3qeNVR61Dw",
        None,
        SQUARE_BODY,
        "GF4YkrJgGBDZ9NIYbNXBnMzqb2HoL4RW/S6vkZ9/2N4=",
        id="SQ-1",
    ),
    # adyen-python's tests; what it signs is taken out of the body by the item
    pytest.param(
        HEX_KEY,
        b"44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056",
        None,
        b"7914073381342284::TestMerchant:TestPayment-1407325143704:1130:EUR:AUTHORISATION:true",
        "coqCmt/IZ4E3CzPvMY8zTjQVL5hYJUiBRg8UU+iCWo0=",
        id="AD-1",
    ),
    # Zendesk's fixed secret of tests; the whole vector is a third party's
    pytest.param(
        ZENDESK,
        b"dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ==",
        int(datetime(2021, 3, 25, 5, 9, 27, tzinfo=UTC).timestamp()),
        b'{"event":"ticket.updated","id":123}',
        "S/RDdU2ERmj7LHDDoWJ2onPYH+t7/f2+LTM4dL7UiLM=",
        id="ZD-1",
    ),
    pytest.param(
        BASE64,
        b"shop-secret",
        None,
        b'{"id":1}',
        "plW8VGqq0nDMIEhDqaNNW99asdUCy7EIqLZVcQwtAZ0=",
        id="SH-1",
    ),
    pytest.param(
        replace(BASE64, encoding="hex"),
        b"shop-secret",
        None,
        b'{"id":1}',
        "a655bc546aaad270cc204843a9a34d5bdf5ab1d502cbb108a8b655710c2d019d",
        id="LI-1",
    ),
    # https://www.rfc-editor.org/rfc/rfc4231#section-4.3 and rfc2202
    pytest.param(
        replace(BASE64, encoding="hex"),
        b"Jefe",
        None,
        b"what do ya want for nothing?",
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        id="RFC 4231 case 2",
    ),
    pytest.param(
        replace(BASE64, encoding="hex", algorithm="sha512"),
        b"Jefe",
        None,
        b"what do ya want for nothing?",
        "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
        "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
        id="RFC 4231 case 2, SHA-512",
    ),
    pytest.param(
        replace(BASE64, encoding="hex", algorithm="sha1"),
        b"Jefe",
        None,
        b"what do ya want for nothing?",
        "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79",
        id="RFC 2202 case 2",
    ),
]

CALL = (
    b"CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234"
    b"&From=%2B14158675309&To=%2B18005551212"
)
JSON_OF_TWILIO = b'{"property": "value", "boolean": true}'

#: twilio-python's tests
TWILIO_VECTORS = [
    pytest.param("https://mycompany.com", "", CALL, "RSOYDt4T1cUTdK1PDd93/VVr8B8=", id="TW-a"),
    pytest.param("http://mycompany.com:1234", "", CALL, "Zmvh+3yNM1Phv2jhDCwEM3q5ebU=", id="TW-b"),
    pytest.param("https://mycompany.com:443", "", CALL, "kvajT1Ptam85bY51eRf/AJRuM3w=", id="TW-c"),
    pytest.param("http://mycompany.com:80", "", CALL, "0ZXoZLH/DfblKGATFgpif+LLRf4=", id="TW-d"),
    pytest.param(
        "https://mycompany.com",
        "",
        b"Sid=CA123&SidAccount=AC123&Digits=5678&Digits=1234",
        "IK+Dwps556ElfBT0I3Rgjkr1wJU=",
        id="TW-e, a value twice over",
    ),
    pytest.param(
        "https://mycompany.com",
        "&bodySHA256=0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620",
        JSON_OF_TWILIO,
        "a9nBmqA0ju/hNViExpshrM61xv4=",
        id="TW-g, JSON",
    ),
]


def received(scheme, body, headers, at, query=""):
    return Delivery(endpoint="e", body=body, headers=headers, received_at=at, query=query)


@pytest.mark.parametrize(("secret", "private", "event_id", "at", "body", "signature"), STANDARD)
def test_standard_webhooks_vector_is_verified_and_made_again(
    secret, private, event_id, at, body, signature
):
    scheme, at = StandardWebhooks(), datetime.fromtimestamp(at, UTC)
    for name in ("webhook", "svix"):
        headers = {
            f"{name}-id": event_id,
            f"{name}-timestamp": str(int(at.timestamp())),
            f"{name}-signature": signature,
        }
        verified = scheme.verify(received(scheme, body, headers, at), [secret.encode()])

        assert verified.secret_index == 0
        assert verified.body_authenticated
    made = scheme.sign(body, (private or secret).encode(), at, event_id)
    assert made["webhook-signature"] == signature


@pytest.mark.parametrize(("scheme", "secret", "at", "body", "signature"), KEYED)
def test_vector_is_verified_and_made_again(scheme, secret, at, body, signature):
    at = datetime.fromtimestamp(at or 0, UTC)

    headers = scheme.sign(body, secret, at)

    assert headers[scheme.header] == signature
    assert scheme.verify(received(scheme, body, headers, at), [secret]).secret_index == 0


def test_secret_of_zendesk_is_not_decoded():
    at = datetime(2021, 3, 25, 5, 9, 27, tzinfo=UTC)
    body, secret = (
        b'{"event":"ticket.updated","id":123}',
        b"dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ==",
    )
    headers = ZENDESK.sign(body, secret, at)

    with pytest.raises(SignatureMismatch):
        replace(ZENDESK, secret_encoding="base64").verify(
            received(ZENDESK, body, headers, at), [secret]
        )


@pytest.mark.parametrize(("host", "hashed", "body", "signature"), TWILIO_VECTORS)
def test_vector_of_twilio_is_verified_and_made_again(host, hashed, body, signature):
    scheme, at = TWILIO.at_url(f"{host}/myapp.php"), datetime.fromtimestamp(0, UTC)
    query = f"foo=1&bar=2{hashed}"

    assert scheme.sign(body, b"12345", at, query=query) == {"x-twilio-signature": signature}
    headers = {"x-twilio-signature": signature}
    verified = scheme.verify(received(scheme, body, headers, at, query), [b"12345"])
    assert verified.body_authenticated == bool(hashed)


@pytest.mark.parametrize(
    ("signed_at", "configured"),
    [
        ("https://mycompany.com:443", "https://mycompany.com"),
        ("https://mycompany.com", "https://mycompany.com:443"),
        ("http://mycompany.com:80", "http://mycompany.com"),
    ],
)
def test_default_port_may_be_signed_or_not(signed_at, configured):
    at = datetime.fromtimestamp(0, UTC)
    headers = TWILIO.at_url(f"{signed_at}/a").sign(CALL, b"12345", at)

    scheme = TWILIO.at_url(f"{configured}/a")
    assert scheme.verify(received(scheme, CALL, headers, at), [b"12345"]).secret_index == 0


def test_other_port_is_another_url():
    at = datetime.fromtimestamp(0, UTC)
    headers = TWILIO.at_url("https://mycompany.com:8443/a").sign(CALL, b"12345", at)

    with pytest.raises(SignatureMismatch):
        TWILIO.at_url("https://mycompany.com/a").verify(
            received(TWILIO, CALL, headers, at), [b"12345"]
        )


def test_hash_in_the_url_is_that_of_the_body():
    scheme, at = TWILIO.at_url("https://mycompany.com/a"), datetime.fromtimestamp(0, UTC)
    query = f"bodySHA256={sha256(b'{}').hexdigest()}"
    headers = scheme.sign(b"{}", b"12345", at, query=query)

    for body, other_query in ((b"[]", query), (b"{}", f"{query}&{query}"), (b"{}", "")):
        with pytest.raises(Rejected):
            scheme.verify(received(scheme, body, headers, at, other_query), [b"12345"])


def test_vector_of_box_is_verified_and_made_again():
    # Box's own zone is part of what is signed, so the timestamp is given as it was sent.
    at = datetime(2020, 1, 1, 7, tzinfo=UTC)
    signed = BOX.signed.to_sign(b"x", "", "2020-01-01T00:00:00-07:00")

    assert signed == b"x2020-01-01T00:00:00-07:00"
    BOX.signed.check_time("2020-01-01T00:00:00-07:00", at)


# https://www.rfc-editor.org/rfc/rfc8032#section-7.1, tests 1 and 2
@pytest.mark.parametrize(
    ("private", "public", "body", "signature"),
    [
        pytest.param(
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            b"",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
            "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
            id="E-1",
        ),
        pytest.param(
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            b"r",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
            "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
            id="E-2",
        ),
    ],
)
def test_vector_of_ed25519_is_verified_and_made_again(private, public, body, signature):
    at = datetime.fromtimestamp(0, UTC)

    headers = DISCORD.sign(body, private.encode(), at)

    assert headers == {"x-signature-ed25519": signature}
    assert DISCORD.verify(received(DISCORD, body, headers, at), [public.encode()]).secret_index == 0
