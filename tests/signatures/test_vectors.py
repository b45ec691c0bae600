"""Signatures that others have published, verified here and made again."""

import base64
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hookkit.core.delivery import Delivery
from hookkit.core.errors import Rejected, SignatureMismatch
from hookkit.senders import SENDERS
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
    # https://docs.stripe.com/webhooks#verify-manually: the payload of stripe-python's tests
    pytest.param(
        STRIPE,
        b"whsec_test_secret",
        1492774577,
        b'{\n  "id": "evt_test_webhook",\n  "object": "event",\n'
        b'  "data": { "object": { "id": "rdr_123", "object": "terminal.reader" } }\n}',
        "t=1492774577,v1=d21d91b425674689e03346536b8fec6384a8721d43ebe269a1689a3ad22cba9c",
        id="ST-1",
    ),
    # https://www.rfc-editor.org/rfc/rfc9421#appendix-B.2.5; the base is given, not made here
    pytest.param(
        replace(BASE64, secret_encoding="base64"),
        b"uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==",
        None,
        b'"date": Tue, 20 Apr 2021 02:07:55 GMT\n"@authority": example.com\n'
        b'"content-type": application/json\n'
        b'"@signature-params": ("date" "@authority" "content-type")'
        b';created=1618884473;keyid="test-shared-secret"',
        "pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=",
        id="M-1",
    ),
]

LONG_TEXT = (
    b"This is a test using a larger than block-size key and a larger than block-size data. The key"
    b" needs to be hashed before being used by the HMAC algorithm."
)
#: https://www.rfc-editor.org/rfc/rfc4231#section-4 and rfc2202#section-3, H-1 to H-5 among them:
#: the key in hexadecimal, the text, and what each algorithm makes of them.
RFC = {
    "case 1": (
        "0b" * 20,
        b"Hi There",
        {
            "sha1": "b617318655057264e28bc0b6fb378c8ef146be00",
            "sha256": "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
            "sha512": "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde"
            "daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854",
        },
    ),
    "case 2": (
        b"Jefe".hex(),
        b"what do ya want for nothing?",
        {
            "sha1": "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79",
            "sha256": "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            "sha512": "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
            "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
        },
    ),
    "case 3": (
        "aa" * 20,
        b"\xdd" * 50,
        {
            "sha1": "125d7342b9ac11cd91a39af48aa17b4f63f175d3",
            "sha256": "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
            "sha512": "fa73b0089d56a284efb0f0756c890be9b1b5dbdd8ee81a3655f83e33b2279d39"
            "bf3e848279a722c806b485a47e67c807b946a337bee8942674278859e13292fb",
        },
    ),
    "case 4": (
        bytes(range(1, 26)).hex(),
        b"\xcd" * 50,
        {
            "sha1": "4c9007f4026250c6bc8414f9bf50c86c2d7235da",
            "sha256": "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
            "sha512": "b0ba465637458c6990e5a8c5f61d4af7e576d97ff94b872de76f8050361ee3db"
            "a91ca5c11aa25eb4d679275cc5788063a5f19741120c4f2de2adebeb10a298dd",
        },
    ),
    "case 6": (
        "aa" * 131,
        b"Test Using Larger Than Block-Size Key - Hash Key First",
        {
            "sha256": "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            "sha512": "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f352"
            "6b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598",
        },
    ),
    "case 7": (
        "aa" * 131,
        LONG_TEXT,
        {
            "sha256": "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
            "sha512": "e37b6a775dc87dbaa4dfa9f96e5e3ffddebd71f8867289865df5a32d20cdc944"
            "b6022cac3c4982b10d5eeb55c3e4de15134676fb6de0446065c97440fa8c6a58",
        },
    ),
}
KEYED += [
    pytest.param(
        replace(HEX_KEY, encoding="hex", algorithm=algorithm),
        key.encode(),
        None,
        text,
        digest,
        id=f"{case}, {algorithm}",
    )
    for case, (key, text, digests) in RFC.items()
    for algorithm, digest in digests.items()
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


def test_vector_in_twilios_documentation_is_verified_and_made_again():
    """TW-1."""
    scheme, at = TWILIO.at_url("https://example.com/myapp.php"), datetime.fromtimestamp(0, UTC)
    body, query = CALL.replace(b"58675309", b"58675310"), "foo=1&bar=2"
    headers = {"x-twilio-signature": "L/OH5YylLD5NRKLltdqwSvS0BnU="}

    assert scheme.sign(body, b"12345", at, query=query) == headers
    assert scheme.verify(received(scheme, body, headers, at, query), [b"12345"]).secret_index == 0


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


def test_vector_of_box_is_verified():
    """BX-1; Box's own zone is part of what is signed, and is not made here."""
    at = datetime(2020, 1, 1, 7, tzinfo=UTC)
    body = (
        b'{"type":"webhook_event","webhook":{"id":"1234567890"},"trigger":"FILE.UPLOADED",'
        b'"source":{"id":"1234567890","type":"file","name":"Test.txt"}}'
    )
    headers = {
        "x-signature": "6TfeAW3A1PASkgboxxA5yqHNKOwFyMWuEXny/FPD5hI=",
        "x-timestamp": "2020-01-01T00:00:00-07:00",
    }

    assert BOX.verify(received(BOX, body, headers, at), [b"SamplePrimaryKey"]).body_authenticated
    in_utc = headers | {"x-timestamp": "2020-01-01T07:00:00Z"}
    with pytest.raises(SignatureMismatch):
        BOX.verify(received(BOX, body, in_utc, at), [b"SamplePrimaryKey"])


SENDGRID_KEY = (
    b"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+"
    b"2fNNRaINXvVpiglSI8eNEc6wEA3F+g=="
)
SENDGRID_BODY = (
    b'[{"email":"hello@world.com","event":"dropped","reason":"Bounced Address",'
    b'"sg_event_id":"ZHJvcC0xMDk5NDkxOS1MUnpYbF9OSFN0T0doUTRrb2ZTbV9BLTA",'
    b'"sg_message_id":"LRzXl_NHStOGhQ4kofSm_A.filterdrecv-p3mdw1-756b745b58-kmzbl-18-5F5FC76C-9.0",'
    b'"smtp-id":"<LRzXl_NHStOGhQ4kofSm_A@ismtpd0039p1iad1.sendgrid.net>",'
    b'"timestamp":1600112492}]\r\n'
)


def test_vector_of_sendgrid_is_verified_with_its_last_two_bytes():
    """SG-1, of sendgrid-python's tests: the line's end is signed."""
    scheme, at = SENDERS["sendgrid"].scheme, datetime.fromtimestamp(1600112502, UTC)
    headers = {
        scheme.header: "MEUCIGHQVtGj+Y3LkG9fLcxf3qfI10QysgDWmMOVmxG0u6ZUAiEAyBiXDWzM+uOe5W0Ju"
        "G+luQAbPIqHh89M15TluLtEZtM=",
        scheme.signed.timestamp_header: "1600112502",
    }

    sent = received(scheme, SENDGRID_BODY, headers, at)
    assert scheme.verify(sent, [SENDGRID_KEY]).body_authenticated
    for body in (SENDGRID_BODY.rstrip(), SENDGRID_BODY[:-1], SENDGRID_BODY.replace(b"\r", b"")):
        with pytest.raises(SignatureMismatch):
            scheme.verify(received(scheme, body, headers, at), [SENDGRID_KEY])


def test_vector_of_message_signatures_is_verified():
    """M-2: https://www.rfc-editor.org/rfc/rfc9421#appendix-B.2.6, the base given."""
    scheme = KeyedSignature(header="x-signature", algorithm="ed25519")
    base = (
        b'"date": Tue, 20 Apr 2021 02:07:55 GMT\n"@method": POST\n"@path": /foo\n'
        b'"@authority": example.com\n"content-type": application/json\n"content-length": 18\n'
        b'"@signature-params": ("date" "@method" "@path" "@authority" "content-type"'
        b' "content-length");created=1618884473;keyid="test-key-ed25519"'
    )
    signature = (
        "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw=="
    )
    key = b"MCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs="
    at = datetime.fromtimestamp(0, UTC)

    sent = received(scheme, base, {"x-signature": signature}, at)
    assert scheme.verify(sent, [key]).secret_index == 0
    with pytest.raises(SignatureMismatch):
        scheme.verify(received(scheme, base + b" ", {"x-signature": signature}, at), [key])


def test_halves_of_a_key_of_svix_belong_together():
    """SW-6: the seed and the public half, side by side."""
    halves = base64.b64decode(SVIX_PRIVATE.removeprefix("whsk_"))
    public = Ed25519PrivateKey.from_private_bytes(halves[:32]).public_key().public_bytes_raw()

    assert halves[32:] == public == base64.b64decode(SVIX_PUBLIC.removeprefix("whpk_"))


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
