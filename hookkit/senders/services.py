"""Senders of events about code, money and goods, and those that follow a standard."""

from __future__ import annotations

from dataclasses import replace

from hookkit.core.provider import InlineSample
from hookkit.senders.sender import DAY_S, HOUR_S, Sender
from hookkit.signatures.keyed_hash import KeyedHash, SignedFields
from hookkit.signatures.public_key import KeyedSignature
from hookkit.signatures.signed_items import SignedItems
from hookkit.signatures.signed_text import SignedText
from hookkit.signatures.standard_webhooks import StandardWebhooks

_STANDARD_IDS = ("header:webhook-id", "header:svix-id")
_STANDARD_SAMPLE = InlineSample(
    name="contact.created",
    body=b'{"type":"contact.created","timestamp":"2026-03-01T10:00:00Z","data":{"id":"1"}}',
)

_SIGNED_BY_ADYEN = (
    "pspReference",
    "originalReference?",
    "merchantAccountCode",
    "merchantReference?",
    "amount.value?",
    "amount.currency?",
    "eventCode",
    "success",
)

SERVICES = (
    Sender(
        name="standard",
        title="Standard Webhooks",
        docs="https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md",
        scheme=StandardWebhooks(),
        event_id=_STANDARD_IDS,
        event_type=("body:type",),
        retries="by the sender; the standard suggests some days, and that 410 ends the deliveries",
        retries_docs="https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md#deliverability-and-reliability",
        retry_span_s=5 * DAY_S,
        vector="the libraries' tests; v1 and v1a",
        sample=_STANDARD_SAMPLE,
    ),
    Sender(
        name="svix",
        title="Svix",
        docs="https://docs.svix.com/receiving/verifying-payloads/how-manual",
        scheme=StandardWebhooks(),
        event_id=_STANDARD_IDS,
        event_type=("body:type", "body:eventType", "body:event_type"),
        retries="8 times over 27.6 hours, until an answer is 2xx",
        retries_docs="https://docs.svix.com/retries",
        retry_span_s=27.6 * HOUR_S,
        vector="its documentation",
        sample=_STANDARD_SAMPLE,
    ),
    *(
        Sender(
            name=name,
            title=title,
            docs=docs,
            scheme=StandardWebhooks(),
            event_id=_STANDARD_IDS,
            event_type=("body:type",),
            retries=retries,
            retries_docs=retries_docs,
            retry_span_s=retry_span_s,
            vector="that of Svix: it signs in the same way",
            sample=replace(_STANDARD_SAMPLE, name=sample, body=body),
        )
        for name, title, docs, retries, retries_docs, retry_span_s, sample, body in (
            (
                "clerk",
                "Clerk",
                "https://clerk.com/docs/guides/development/webhooks/overview",
                "as Svix, which delivers for it",
                "https://docs.svix.com/retries",
                27.6 * HOUR_S,
                "user.created",
                b'{"type":"user.created","object":"event","data":{"id":"user_29w83sxmDNGwOuEthce5gg56FcC"}}',
            ),
            (
                "resend",
                "Resend",
                "https://resend.com/docs/dashboard/webhooks/verify-webhooks-requests",
                "as Svix, which delivers for it",
                "https://resend.com/docs/webhooks/retries-and-replays",
                27.6 * HOUR_S,
                "email.delivered",
                b'{"type":"email.delivered","data":{"email_id":"56761188-7520-42d8-8898-ff6fc54ce618"}}',
            ),
            (
                "openai",
                "OpenAI",
                "https://platform.openai.com/docs/guides/webhooks",
                "with growing delays for up to 72 hours, until an answer is 2xx",
                "",
                3 * DAY_S,
                "response.completed",
                b'{"object":"event","id":"evt_685343a1381c819085d44c354e1b330e","type":"response.completed","data":{"id":"resp_1"}}',
            ),
        )
    ),
    Sender(
        name="generic",
        title="any other",
        docs="https://www.rfc-editor.org/rfc/rfc2104",
        scheme=KeyedHash(header="x-signature"),
        event_type=("body:type",),
        retries="by the sender",
        retry_span_s=3 * DAY_S,
        vector="RFC 4231",
        fresh_ids=("id",),
        sample=InlineSample(
            name="order.created", body=b'{"type":"order.created","id":"order-10001742"}'
        ),
    ),
    Sender(
        name="github",
        title="GitHub",
        docs="https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries",
        scheme=KeyedHash(header="x-hub-signature-256", prefix="sha256="),
        event_id=("header:x-github-delivery",),
        event_type=("header:x-github-event",),
        # "application/x-www-form-urlencoded" is the default where webhooks are made by the API.
        body="json or form",
        retries="none by itself",
        retries_docs="https://docs.github.com/en/webhooks/using-webhooks/handling-failed-webhook-deliveries",
        retry_span_s=0.0,
        vector="its documentation",
        fresh_ids=("after",),
        sample=InlineSample(
            name="push",
            body=b'{"ref":"refs/heads/main","before":"6113728f27ae","after":"76ae82fa9d61"}',
            headers={
                "x-github-event": "push",
                "x-github-delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
            },
        ),
    ),
    Sender(
        name="stripe",
        title="Stripe",
        docs="https://docs.stripe.com/webhooks#verify-manually",
        scheme=KeyedHash(
            header="stripe-signature",
            prefix="v1=",
            separator=",",
            signed=SignedText(template="{timestamp}.{body}", timestamp_prefix="t="),
        ),
        event_id=("body:id",),
        event_type=("body:type",),
        retries="up to 3 days, until an answer is 2xx",
        retries_docs="https://dev.to/shannonllc/stripe-webhooks-retries-ordering-duplicates-timeouts-and-ips-46f0",
        retry_span_s=3 * DAY_S,
        fresh_ids=("id",),
        sample=InlineSample(
            name="invoice.paid",
            body=b'{"id":"evt_1NG8Du2eZvKYlo","object":"event","type":"invoice.paid","data":{"object":{}}}',
        ),
    ),
    Sender(
        name="shopify",
        title="Shopify",
        docs="https://shopify.dev/docs/apps/build/webhooks/subscribe/https",
        scheme=KeyedHash(header="x-shopify-hmac-sha256", encoding="base64"),
        event_id=("header:x-shopify-event-id",),
        event_type=("header:x-shopify-topic",),
        retries="8 times over 4 hours, until an answer is 2xx; then the subscription may end",
        retries_docs="https://shopify.dev/changelog/updates-to-webhook-retry-mechanism",
        retry_span_s=4 * HOUR_S,
        fresh_ids=("updated_at",),
        sample=InlineSample(
            name="orders/create",
            body=b'{"id":820982911946154508,"updated_at":"2026-03-01T10:00:00Z"}',
            headers={"x-shopify-topic": "orders/create", "x-shopify-event-id": "98880550"},
        ),
    ),
    Sender(
        name="square",
        title="Square",
        docs="https://developer.squareup.com/docs/webhooks/step3validate",
        scheme=KeyedHash(
            header="x-square-hmacsha256-signature",
            encoding="base64",
            signed=SignedText(template="{url}{body}"),
        ),
        event_id=("body:event_id",),
        event_type=("body:type",),
        retries="11 times over 24 hours, until an answer is 2xx",
        retry_span_s=DAY_S,
        vector="its libraries' tests",
        fresh_ids=("event_id",),
        sample=InlineSample(
            name="payment.updated",
            body=b'{"merchant_id":"M1","type":"payment.updated","event_id":"6a8f5f28-54a1-4eb0","data":{}}',
        ),
    ),
    Sender(
        name="paddle",
        title="Paddle",
        docs="https://developer.paddle.com/webhooks/signature-verification",
        scheme=KeyedHash(
            header="paddle-signature",
            prefix="h1=",
            separator=";",
            signed=SignedText(template="{timestamp}:{body}", timestamp_prefix="ts="),
        ),
        event_id=("body:event_id",),
        event_type=("body:event_type",),
        retries="60 times within 3 days, until an answer within 5 seconds is 200",
        retries_docs="https://developer.paddle.com/webhooks/about/respond-to-webhooks",
        retry_span_s=3 * DAY_S,
        fresh_ids=("event_id",),
        sample=InlineSample(
            name="transaction.paid",
            body=b'{"event_id":"evt_01h8bzakzx3hm2fm","event_type":"transaction.paid","data":{}}',
        ),
    ),
    Sender(
        name="mailgun",
        title="Mailgun",
        docs="https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks",
        # Whether a retry is signed anew is not documented: all of them are within the day, and
        # the token, the one id that is signed, stops what is sent again.
        scheme=SignedFields(
            holder="signature",
            signature="signature",
            timestamp="timestamp",
            token="token",  # noqa: S106  # a key
            tolerance_s=86400.0,
        ),
        event_id=("body:signature.token",),
        event_type=("body:event-data.event",),
        retries="for 8 hours, but not for deliveries, until an answer is 200; 406 ends it",
        retries_docs="https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/webhook-retries",
        retry_span_s=8 * HOUR_S,
        fresh_ids=("event-data.id",),
        sample=InlineSample(
            name="delivered",
            body=b'{"event-data":{"event":"delivered","id":"CPgfbmQMTCKtHW6uIWtuVe"}}',
        ),
    ),
    Sender(
        name="sendgrid",
        title="Twilio SendGrid",
        docs="https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features",
        scheme=KeyedSignature(
            header="x-twilio-email-event-webhook-signature",
            algorithm="ecdsa-p256",
            signed=SignedText(
                template="{timestamp}{body}",
                timestamp_header="x-twilio-email-event-webhook-timestamp",
            ),
        ),
        event_id=("body:sg_event_id",),
        event_type=("body:event",),
        body="list",
        each="items",
        retries="for 24 hours, until an answer is 2xx",
        retry_span_s=DAY_S,
        vector="its library's tests",
        fresh_ids=("items.*.sg_event_id",),
        sample=InlineSample(
            name="delivered",
            body=b'[{"email":"a@example.com","event":"delivered","sg_event_id":"ZHJvcC0xMDk5NDkxOS"}]\r\n',
        ),
    ),
    Sender(
        name="adyen",
        title="Adyen (standard webhooks)",
        docs="https://docs.adyen.com/development-resources/webhooks/secure-webhooks/verify-hmac-signatures",
        # Its own libraries escape nothing, and a reference that a merchant has chosen may hold a
        # colon: https://github.com/Adyen/adyen-node-api-library/blob/main/src/utils/hmacValidator.ts
        scheme=SignedItems(
            items="notificationItems",
            within="NotificationRequestItem",
            fields=",".join(_SIGNED_BY_ADYEN),
            signature="additionalData.hmacSignature",
            open_field="merchantReference",
        ),
        event_id=("+".join(f"body:NotificationRequestItem.{each}" for each in _SIGNED_BY_ADYEN),),
        event_type=("body:NotificationRequestItem.eventCode",),
        each="notificationItems",
        retries="for 30 days, after 2 minutes and then up to 8 hours, until an answer is 2xx",
        retries_docs="https://docs.adyen.com/development-resources/webhooks/troubleshoot",
        retry_span_s=30 * DAY_S,
        vector="its documentation",
        fresh_ids=("notificationItems.*.NotificationRequestItem.pspReference",),
        sample=InlineSample(
            name="AUTHORISATION",
            body=b'{"live":"false","notificationItems":[{"NotificationRequestItem":{"amount":'
            b'{"currency":"EUR","value":1130},"eventCode":"AUTHORISATION",'
            b'"merchantAccountCode":"TestMerchant","merchantReference":"Order-1",'
            b'"pspReference":"7914073381342284","success":"true"}}]}',
        ),
    ),
)
