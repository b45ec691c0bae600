"""A signature for each preset: published, or made by OpenSSL 3 or Node's crypto and not by hookkit.

Those of older presets are in tests/signatures/test_vectors.py.
"""

from datetime import UTC, datetime

import pytest

import hookkit
from hookkit import Rejected
from hookkit.senders import SENDERS

AT = datetime.fromtimestamp(1772359200, UTC)  # 2026-03-01 10:00

JAAS_BODY = (
    b'{"eventType":"PARTICIPANT_JOINED","sessionId":"9a441d60-ceaf-4eba-b0a8-a7d940a76e1b",'
    b'"timestamp":1632490058278,"fqn":"vpaas-magic-cookie-96f0941768964ab380ed0fbada7a502f/'
    b'sampleappromanticshiftsstripas","idempotencyKey":"9e9e7420-562d-4659-8e22-44b9b22aaa49",'
    b'"customerId":"96f0941768964ab380ed0fbada7a502f",'
    b'"appId":"vpaas-magic-cookie-96f0941768964ab380ed0fbada7a502f","data":{"avatar":"",'
    b'"name":"Test User","id":"auth0|5f903d7a77f3b4006eb8e67d",'
    b'"participantJid":"fc1ea14a-9bca-4218-a563-8c627e803d56@8x8.vc","moderator":true,'
    b'"email":"test.user@company.com"}}'
)
MESSAGEBIRD_KEY = "36efdd1aace2e26cd490f0d951138253bef2f7c6d34d18981da781555cc4cebb"
MESSAGEBIRD_TOKEN = (
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJNZXNzYWdlQmlyZCIsIm5iZiI6MTYyNTQ3OTIwMCwi"
    "ZXhwIjoxNjI1NDc5MjYwLCJqdGkiOiI5M2U1NTAwNi1hMGU4LTQ1MjYtYTE5MC1mYTVmZjAwZWExMTYiLCJ1cmxfaGFz"
    "aCI6IjQxZjA1ZjBkZGQwYTIyYWIyMDlhYzQ2ZjQ3YzQ1NzJkOWNlZmEyNTdlZDc0YjI0MDA0YmFlNzUzZWNlNmMyNjAi"
    "LCJwYXlsb2FkX2hhc2giOiJkZmZkNjAyMWJiMmJkNWIwYWY2NzYyOTA4MDllYzNhNTMxOTFkZDgxYzdmNzBhNGIyODY4"
    "OGEzNjIxODI5ODZmIn0._H--TOuYFLpeEH39-rg5E3IHVkjHozBcaKVWPRC5m9I"
)
MESSAGEBIRD_EMPTY = (
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJNZXNzYWdlQmlyZCIsIm5iZiI6MTYyNTQ3OTIwMCwi"
    "ZXhwIjoxNjI1NDc5MjYwLCJqdGkiOiI1OWEyNDRkYy1lOWFkLTRlMjMtOTc3OC0zNzFmYWEyMzhmNzIiLCJ1cmxfaGFz"
    "aCI6IjBmMTE1ZGIwNjJiN2MwZGQwMzBiMTY4NzhjOTlkZWE1YzM1NGI0OWRjMzdiMzhlYjg4NDYxNzljNzc4M2U5ZDci"
    "fQ.6Fp0rVOsRr1fj9S2GidXAfkmPVofKr8_RTffC6G6r2E"
)
VONAGE_TOKEN = (
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpYXQiOjE1ODc0OTQ5NjIsImp0aSI6ImM1YmE4ZjI0LTFhMTQt"
    "NGMxMC1iZmRmLTNmYmU4Y2U1MTFiNSIsImlzcyI6IlZvbmFnZSIsInBheWxvYWRfaGFzaCI6ImVkOTNiMTliY2RjODk4"
    "MGNmMzcwZWQzOGEyNzM2NDNhYzlmZmM1ZTQwNTc4MDVjZjkyMmFlZTlmMWI4ZTk5YzgiLCJhcGlfa2V5IjoiYTFiMmMz"
    "ZCJ9.IGQuPy0xX5b7pbVnM5DRcOYwRCasWAqYnAqB8aHSD7w"
)
AT_MESSAGEBIRD = {
    "now": datetime.fromtimestamp(1625479200, UTC),
    "public_url": "https://example.com/path",
    "query": "bar=1&foo=2",
}
STANDARD = {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}
STANDARD_BODY = b'{"test": 2432232314}'
AT_STANDARD = {"now": datetime.fromtimestamp(1614265330, UTC)}
SVIX = {
    "svix-id": "msg_loFOjxBNrRLzqYUf",
    "svix-timestamp": "1731705121",
    "svix-signature": "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0=",
}
SVIX_BODY = b'{"event_type":"ping","data":{"success":true}}'
AT_SVIX = {"now": datetime.fromtimestamp(1731705121, UTC)}

#: sender, secret, headers, body, and when and where it arrives
VECTORS = [
    # OpenSSL, as all without a source
    (
        "linear",
        "shop-secret",
        {"linear-signature": "a655bc546aaad270cc204843a9a34d5bdf5ab1d502cbb108a8b655710c2d019d"},
        b'{"id":1}',
        {},
    ),
    # https://support.atlassian.com/bitbucket-cloud/docs/manage-webhooks/
    *(
        (
            name,
            "It's a Secret to Everybody",
            {
                "x-hub-signature": "sha256="
                "a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9"
            },
            b"Hello World!",
            {},
        )
        for name in ("bitbucket", "jira")
    ),
    # https://github.com/HubSpot/hubspot-api-python/blob/master/tests/spec/utils/test_signature.py
    (
        "hubspot",
        "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy",
        {
            "x-hubspot-signature-v3": "HPW73RUtKmcYoEDADG0s6MmGFWUzWJKAW07r8RDgcQw=",
            "x-hubspot-request-timestamp": "15000000",
        },
        b"{'example_field':'example_value'}",
        {
            "now": datetime.fromtimestamp(15000, UTC),
            "public_url": "https://www.example.com/webhook_uri",
        },
    ),
    (
        "zoom",
        "zoom-secret-token",
        {
            "x-zm-signature": "v0=a0117804d95815578ef281f030a70f90f8a6cc8231b756c4ea039a1eafe7ab1f",
            "x-zm-request-timestamp": "1772359200",
        },
        b'{"event":"meeting.started","payload":{"account_id":"A"}}',
        {},
    ),
    (
        "typeform",
        "typeform-secret",
        {"typeform-signature": "sha256=wt/gZqnJOimL/em4hYkrTnNW7+Ui8JC5yG6DpbKRqA8="},
        b'{"event_id":"1","event_type":"form_response"}',
        {},
    ),
    (
        "calendly",
        "calendly-signing-key",
        {
            "calendly-webhook-signature": "t=1772359200,v1="
            "529d6292a3e59014b5433958d37a14da2a4ced57a9b8d359f1503e3ae45be101"
        },
        b'{"event":"invitee.created"}',
        {},
    ),
    (
        "xero",
        "xero-webhook-key",
        {"x-xero-signature": "Jk5oeRqkvxspr6ZqkjgzOcJkUe7yZPsZrwBHTeueGFc="},
        b'{"events":[],"firstEventSequence":0,"lastEventSequence":0,"entropy":"S0m3r4Nd0mt3xt"}',
        {},
    ),
    # https://docs.svix.com/receiving/verifying-payloads/how-manual
    ("clerk", "whsec_plJ3nmyCDGBKInavdOK15jsl", SVIX, SVIX_BODY, AT_SVIX),
    ("resend", "whsec_plJ3nmyCDGBKInavdOK15jsl", SVIX, SVIX_BODY, AT_SVIX),
    # https://github.com/standard-webhooks/standard-webhooks (tests of the libraries)
    ("openai", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", STANDARD, STANDARD_BODY, AT_STANDARD),
    (
        "front",
        "front-signing-key",
        {
            "x-front-signature": "nDYVwkqU6AKWBsgVHqX9EbfAr3g/EnCilVdjUNGiL0c=",
            "x-front-request-timestamp": "1772359200000",
        },
        b'{"type":"inbound_received","payload":{"id":"evt_1"}}',
        {},
    ),
    (
        "crisp",
        "crisp-signing-secret",
        {
            "x-crisp-signature": "42ae4abd7763dbbc9b5998a9bb78d16e14fcb68c7e91d1d6605039da7a0882c8",
            "x-crisp-request-timestamp": "1772359200000",
        },
        b'{"event":"message:send"}',
        {},
    ),
    (
        "viber",
        "445da6az1s345z78-dazcczb2542zv51a-e0vc5fva17480im9",
        {
            "x-viber-content-signature": "cd90e927af36b5bb18749e1e1ee541bb"
            "ead3f86ede4714e71edcb75713919428"
        },
        b'{"event":"message","message_token":4912661846655238145}',
        {},
    ),
    # Node
    (
        "vonage",
        "vonage-signature-secret",
        {"authorization": f"Bearer {VONAGE_TOKEN}"},
        b'{"message_uuid":"aaaaaaaa-bbbb-4ccc-8ddd-0123456789ab"}',
        {"now": datetime.fromtimestamp(1587494962, UTC)},
    ),
    # https://github.com/messagebird/python-rest-api/tree/master/tests/test_request_validator
    (
        "messagebird",
        MESSAGEBIRD_KEY,
        {"messagebird-signature-jwt": MESSAGEBIRD_TOKEN},
        b"Hello, World!",
        AT_MESSAGEBIRD,
    ),
    (
        "messagebird",
        MESSAGEBIRD_KEY,
        {"messagebird-signature-jwt": MESSAGEBIRD_EMPTY},
        b"",
        {**AT_MESSAGEBIRD, "public_url": "https://example.com/", "query": ""},
    ),
    # https://developer.8x8.com/jaas/docs/webhooks-signatures
    (
        "jaas",
        "whsec_9635df66714a4cf088ee9d0979dd3bf6",
        {"x-jaas-signature": "t=1632490060,v1=xlzqEojlh4qb21sQpXYsWgyK8x9HVpz+RQldsv18rV0="},
        JAAS_BODY,
        {"now": datetime.fromtimestamp(1632490060, UTC)},
    ),
]


@pytest.mark.parametrize(("name", "secret", "headers", "body", "where"), VECTORS)
def test_signature_by_somebody_else_is_verified(name, secret, headers, body, where):
    arrived = {"now": AT, **where}

    assert hookkit.verify(name, headers, body, [secret], **arrived).body_authenticated
    for odd in (body + b" ", b" " + body):
        with pytest.raises(Rejected):
            hookkit.verify(name, headers, odd, [secret], **arrived)
    with pytest.raises(Rejected):
        hookkit.verify(name, headers, body, ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSx"], **arrived)


def test_every_preset_that_signs_has_a_vector_or_says_that_there_is_none():
    assert {name for name, *_ in VECTORS} <= {each.name for each in SENDERS.values() if each.vector}


@pytest.mark.parametrize("name", ["clerk", "resend", "openai"])
def test_sender_by_the_standard_is_named_by_its_signed_id(name):
    assert SENDERS[name].event_id == SENDERS["standard"].event_id
