"""Senders of events about messages and customers."""

from __future__ import annotations

from hookkit.core.handshake import Challenge, Handshake
from hookkit.core.provider import InlineSample
from hookkit.senders.sender import DAY_S, HOUR_S, MINUTE_S, Sender
from hookkit.signatures.hashed_token import HashedToken
from hookkit.signatures.keyed_hash import KeyedHash
from hookkit.signatures.public_key import KeyedSignature
from hookkit.signatures.shared_secret import SharedSecretHeader
from hookkit.signatures.signed_text import SignedText

MESSENGERS = (
    Sender(
        name="slack",
        title="Slack",
        docs="https://docs.slack.dev/authentication/verifying-requests-from-slack",
        scheme=KeyedHash(
            header="x-slack-signature",
            prefix="v0=",
            signed=SignedText(
                template="v0:{timestamp}:{body}", timestamp_header="x-slack-request-timestamp"
            ),
        ),
        event_id=("body:event_id", "body:trigger_id"),
        event_type=("body:event.type", "body:command", "body:type"),
        body="json or form",
        # https://docs.slack.dev/reference/events/url_verification
        handshakes=(
            Handshake(field="type", value="url_verification", answer={"challenge": "{challenge}"}),
        ),
        retries="3 times within an hour, until an answer within 3 seconds is 2xx",
        retry_span_s=HOUR_S,
        vector="its documentation",
        fresh_ids=("event_id",),
        sample=InlineSample(
            name="app_mention",
            body=b'{"type":"event_callback","event_id":"Ev08MFMKH6","event":{"type":"app_mention"}}',
        ),
    ),
    Sender(
        name="zendesk",
        title="Zendesk (support webhooks)",
        docs="https://developer.zendesk.com/documentation/webhooks/verifying/",
        # The secret looks like base64 and is used as it is.
        scheme=KeyedHash(
            header="x-zendesk-webhook-signature",
            encoding="base64",
            signed=SignedText(
                template="{timestamp}{body}",
                timestamp_header="x-zendesk-webhook-signature-timestamp",
                timestamp_unit="iso",
            ),
        ),
        event_id=("body:id",),
        event_type=("body:type",),
        retries="3 times after 409; after 429 and 503 when Retry-After is under 60 seconds",
        retries_docs="https://developer.zendesk.com/api-reference/webhooks/introduction",
        retry_span_s=5 * MINUTE_S,
        fresh_ids=("id",),
        sample=InlineSample(
            name="zen:event-type:ticket.created",
            body=b'{"id":"01FHE2Z5A2RKXQ","type":"zen:event-type:ticket.created","detail":{}}',
        ),
    ),
    Sender(
        name="meta",
        title="Meta (WhatsApp, Messenger, Instagram)",
        docs="https://developers.facebook.com/docs/graph-api/webhooks/getting-started",
        scheme=KeyedHash(header="x-hub-signature-256", prefix="sha256="),
        event_type=("body:object",),
        challenge=Challenge(token="hub.verify_token", challenge="hub.challenge"),  # noqa: S106
        retries="with growing delays for up to 36 hours (WhatsApp: 7 days), until an answer is 200",
        retries_docs="https://docs.360dialog.com/partner/messaging/receiving-messages-via-webhook",
        retry_span_s=7 * DAY_S,
        fresh_ids=("entry.*.id",),
        sample=InlineSample(
            name="whatsapp_business_account",
            body=b'{"object":"whatsapp_business_account","entry":[{"id":"102290129340398","changes":[]}]}',
        ),
    ),
    Sender(
        name="twilio",
        title="Twilio",
        docs="https://www.twilio.com/docs/usage/webhooks/webhooks-security",
        # SHA-1 is all that Twilio has.
        scheme=KeyedHash(
            header="x-twilio-signature",
            algorithm="sha1",
            encoding="base64",
            signed=SignedText(template="{url}{form}", any_port=True, hash_in_query="bodySHA256"),
        ),
        event_type=("body:EventType", "body:MessageStatus", "body:SmsStatus", "body:CallStatus"),
        body="json or form",
        retries="none by itself; the URL may ask for some, #rc=5",
        retries_docs="https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides",
        retry_span_s=2 * MINUTE_S,
        vector="its library's tests",
        fresh_ids=("MessageSid",),
        sample=InlineSample(
            name="received",
            body=b"MessageSid=SM9ea7b0c1&SmsStatus=received&From=%2B15005550006&Body=Hi",
            headers={"content-type": "application/x-www-form-urlencoded"},
        ),
    ),
    Sender(
        name="line",
        title="LINE",
        docs="https://developers.line.biz/en/docs/messaging-api/verify-webhook-signature/",
        scheme=KeyedHash(header="x-line-signature", encoding="base64"),
        event_id=("body:webhookEventId",),
        event_type=("body:type",),
        each="events",
        is_test_if_empty=True,
        retries="only where redelivery is switched on; until an answer is 2xx",
        retry_span_s=DAY_S,
        vector="its library's tests",
        fresh_ids=("events.*.webhookEventId",),
        sample=InlineSample(
            name="message",
            body=b'{"destination":"U1","events":[{"type":"message","webhookEventId":"01FZ74A0TDDPYR"}]}',
        ),
    ),
    Sender(
        name="telegram",
        title="Telegram",
        docs="https://core.telegram.org/bots/api#setwebhook",
        scheme=SharedSecretHeader("x-telegram-bot-api-secret-token"),
        event_id=("body:update_id",),
        event_type=("beside:update_id",),
        retries="a reasonable number of times, it says, until an answer is 2xx",
        retry_span_s=DAY_S,
        fresh_ids=("update_id",),
        sample=InlineSample(
            name="message", body=b'{"update_id":10000,"message":{"message_id":1,"text":"Hi"}}'
        ),
    ),
    Sender(
        name="discord",
        title="Discord",
        docs="https://discord.com/developers/docs/events/webhook-events",
        scheme=KeyedSignature(
            header="x-signature-ed25519",
            algorithm="ed25519",
            encoding="hex",
            signed=SignedText(
                template="{timestamp}{body}", timestamp_header="x-signature-timestamp"
            ),
        ),
        event_id=("body:id",),
        event_type=("body:event.type", "body:type"),
        # A webhook event has the outer type 1, and its PING 0, which wants an empty 204. The PING
        # of an interaction has the type 1 as well, and no event in it.
        handshakes=(
            Handshake(field="type", value=0, absent="event", status=204),
            Handshake(field="type", value=1, absent="event", answer={"type": 1}),
        ),
        retries="for some minutes, until an answer within 3 seconds is 2xx",
        retry_span_s=15 * MINUTE_S,
        vector="RFC 8032, for the algorithm",
        fresh_ids=("event.timestamp",),
        sample=InlineSample(
            name="APPLICATION_AUTHORIZED",
            body=b'{"version":1,"application_id":"1","type":1,"event":{"type":"APPLICATION_AUTHORIZED",'
            b'"timestamp":"2026-03-01T10:00:00","data":{}}}',
        ),
    ),
    Sender(
        name="intercom",
        title="Intercom",
        docs="https://developers.intercom.com/docs/webhooks/setting-up-webhooks",
        # SHA-1 is all that Intercom has.
        scheme=KeyedHash(header="x-hub-signature", algorithm="sha1", prefix="sha1="),
        event_id=("body:id",),
        event_type=("body:topic",),
        retries="once after a minute; 410 ends the subscription",
        retry_span_s=2 * MINUTE_S,
        fresh_ids=("id",),
        sample=InlineSample(
            name="conversation.user.created",
            body=b'{"type":"notification_event","id":"notif_5ef26a5b3f","topic":"conversation.user.created"}',
        ),
    ),
    Sender(
        name="front",
        title="Front (application webhooks)",
        docs="https://dev.frontapp.com/docs/application-webhooks",
        scheme=KeyedHash(
            header="x-front-signature",
            encoding="base64",
            signed=SignedText(
                template="{timestamp}:{body}",
                timestamp_header="x-front-request-timestamp",
                # Its pages speak of seconds, and receivers have seen milliseconds.
                timestamp_unit="s or ms",
            ),
        ),
        event_id=("body:payload.id",),
        event_type=("body:type",),
        # Sent when the webhook is set up; the answer must hold the same word.
        handshakes=(
            Handshake(
                field="header:x-front-challenge", value=None, answer="{header:x-front-challenge}"
            ),
        ),
        retries="by the sender; its page does not say how often",
        retry_span_s=DAY_S,
        vector="made by another implementation",
        fresh_ids=("payload.id",),
        sample=InlineSample(
            name="message_received",
            body=b'{"type":"message_received","authorization":{"id":"cmp_abc"},"payload":{"id":"evt_55c8c149"}}',
        ),
    ),
    Sender(
        name="crisp",
        title="Crisp",
        docs="https://docs.crisp.chat/guides/web-hooks/",
        # As the sender's own library has it: https://github.com/crisp-im/node-crisp-api
        scheme=KeyedHash(
            header="x-crisp-signature",
            signed=SignedText(
                template="[{timestamp};{body}]",
                timestamp_header="x-crisp-request-timestamp",
                # Its pages name no unit, and receivers have seen both.
                timestamp_unit="s or ms",
            ),
        ),
        event_type=("body:event",),
        retries="by the sender; its page does not say how often",
        retry_span_s=DAY_S,
        vector="made by another implementation",
        fresh_ids=("data.fingerprint",),
        sample=InlineSample(
            name="message:send",
            body=b'{"website_id":"w1","event":"message:send","data":{"fingerprint":"163239623329114","content":"Hi"}}',
        ),
    ),
    Sender(
        name="viber",
        title="Viber",
        docs="https://developers.viber.com/docs/api/rest-bot-api/#callbacks",
        scheme=KeyedHash(header="x-viber-content-signature"),
        event_id=("body:event+body:message_token",),
        event_type=("body:event",),
        retries="with growing delays for some time, until an answer is 200",
        retry_span_s=DAY_S,
        vector="made by another implementation",
        fresh_ids=("message_token",),
        sample=InlineSample(
            name="message",
            body=b'{"event":"message","timestamp":1457764197627,"message_token":"4912661846655238145"}',
        ),
    ),
    Sender(
        name="vonage",
        title="Vonage (Messages)",
        docs="https://developer.vonage.com/en/getting-started/concepts/webhooks",
        scheme=HashedToken(issuer="Vonage"),
        event_id=("body:message_uuid+body:status", "body:message_uuid"),
        event_type=("body:status", "body:message_type"),
        retries="after 429 and 5xx with growing delays for up to 24 hours",
        retry_span_s=DAY_S,
        vector="made by another implementation",
        fresh_ids=("message_uuid",),
        sample=InlineSample(
            name="delivered",
            body=b'{"message_uuid":"aaaaaaaa-bbbb-4ccc-8ddd-0123456789ab","status":"delivered"}',
        ),
    ),
    Sender(
        name="messagebird",
        title="MessageBird",
        docs="https://developers.messagebird.com/api/#verifying-http-requests",
        scheme=HashedToken(
            header="messagebird-signature-jwt",
            prefix="",
            url_claim="url_hash",
            time_claim="nbf",
            issuer="MessageBird",
        ),
        event_id=("body:message.id+body:type+body:message.status",),
        event_type=("body:type",),
        retries="up to 10 times over about 11 hours, until an answer is 2xx",
        retry_span_s=11 * HOUR_S,
        vector="its library's tests",
        fresh_ids=("message.id",),
        sample=InlineSample(
            name="message.created",
            body=b'{"type":"message.created","message":{"id":"b1c2d3e4f5","status":"received"}}',
        ),
    ),
    Sender(
        name="jaas",
        title="8x8 JaaS (Jitsi as a Service)",
        docs="https://developer.8x8.com/jaas/docs/webhooks-signatures",
        scheme=KeyedHash(
            header="x-jaas-signature",
            encoding="base64",
            prefix="v1=",
            separator=",",
            signed=SignedText(template="{timestamp}.{body}", timestamp_prefix="t="),
        ),
        event_id=("body:idempotencyKey",),
        event_type=("body:eventType",),
        retries="with growing delays, until an answer is 2xx; its page does not say how often",
        retry_span_s=DAY_S,
        vector="its documentation",
        fresh_ids=("idempotencyKey",),
        sample=InlineSample(
            name="PARTICIPANT_JOINED",
            body=b'{"idempotencyKey":"8c98a8b8-9dd2-4f5d","eventType":"PARTICIPANT_JOINED","data":{}}',
        ),
    ),
    Sender(
        name="8x8-connect",
        title="8x8 Connect (SMS, Chat Apps)",
        docs="https://developer.8x8.com/connect/docs/webhook-object-structure",
        # What is set as "HTTP Authorization" of the webhook is the whole header, and the secret.
        # https://developer.8x8.com/connect/docs/developer-tools
        scheme=SharedSecretHeader("authorization"),
        event_id=("body:eventId",),
        event_type=("body:namespace+body:eventType", "body:eventType"),
        retries="4 times, after 1, 10, 30 and 90 seconds, when 4xx, 5xx or nothing is answered",
        retries_docs="https://developer.8x8.com/connect/docs/viber-template-status-webhook",
        retry_span_s=5 * MINUTE_S,
        fresh_ids=("payload.umid",),
        sample=InlineSample(
            name="SMS:inbound_message_received",
            body=b'{"namespace":"SMS","eventType":"inbound_message_received","payload":{"umid":"bf4f3c95-c8f9-e811-8145-02fc4d9e1b9a"}}',
        ),
    ),
)
