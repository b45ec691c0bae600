"""Senders of events about work: code, tickets, customers, meetings, forms and books."""

from __future__ import annotations

from hookkit.core.handshake import Handshake
from hookkit.core.provider import InlineSample
from hookkit.senders.sender import DAY_S, HOUR_S, MINUTE_S, Sender
from hookkit.signatures.keyed_hash import KeyedHash
from hookkit.signatures.shared_secret import BasicCredentials, SharedSecretHeader
from hookkit.signatures.signed_text import SignedText

WORKPLACE = (
    Sender(
        name="linear",
        title="Linear",
        docs="https://linear.app/developers/webhooks",
        scheme=KeyedHash(header="linear-signature"),
        # The body holds the time of sending, which a retry changes, and no id of the event.
        event_id=("body:type+body:action+body:data.id+body:createdAt",),
        event_type=("body:type+body:action", "body:type"),
        retries="3 times: after a minute, an hour and 6 hours, until an answer is 200",
        retries_docs="https://developers.linear.app/docs/graphql/webhooks",
        retry_span_s=7.1 * HOUR_S,
        vector="made by another implementation",
        fresh_ids=("data.id",),
        sample=InlineSample(
            name="Issue:create",
            body=b'{"action":"create","type":"Issue","createdAt":"2026-03-01T10:00:00.000Z","data":{"id":"2174add1-f7c8-44e3-bbf3-2d60b5ea8bc9"},"webhookTimestamp":1772359200000}',
        ),
    ),
    Sender(
        name="gitlab",
        title="GitLab",
        docs="https://docs.gitlab.com/user/project/integrations/webhooks/",
        scheme=SharedSecretHeader("x-gitlab-token"),
        # "Remains consistent across webhook retries."
        event_id=("header:idempotency-key",),
        event_type=("header:x-gitlab-event",),
        retries="none by itself; after 4 failures in a row the webhook is switched off for a while",
        retries_docs="https://gitlab.com/gitlab-com/gl-infra/delivery/-/issues/19320",
        retry_span_s=0.0,
        fresh_ids=("checkout_sha",),
        sample=InlineSample(
            name="Push Hook",
            body=b'{"object_kind":"push","checkout_sha":"da1560886d4f094c3e6c9ef40349f7d38b5d27d7"}',
            headers={"x-gitlab-event": "Push Hook"},
        ),
    ),
    Sender(
        name="bitbucket",
        title="Bitbucket",
        docs="https://support.atlassian.com/bitbucket-cloud/docs/manage-webhooks/",
        scheme=KeyedHash(header="x-hub-signature", prefix="sha256="),
        event_id=("header:x-request-uuid",),
        event_type=("header:x-event-key",),
        retries="up to 2 times, until an answer is below 500",
        retry_span_s=HOUR_S,
        vector="its documentation",
        fresh_ids=("push.changes.*.new.target.hash",),
        sample=InlineSample(
            name="repo:push",
            body=b'{"push":{"changes":[{"new":{"target":{"hash":"709d658dc5b6d6afcd46049c2f332ee3f515a67d"}}}]}}',
            headers={"x-event-key": "repo:push"},
        ),
    ),
    Sender(
        name="jira",
        title="Jira",
        docs="https://developer.atlassian.com/cloud/jira/platform/webhooks/",
        scheme=KeyedHash(header="x-hub-signature", prefix="sha256="),
        event_id=("header:x-atlassian-webhook-identifier",),
        event_type=("body:webhookEvent",),
        retries="after 408, 409, 425, 429 and 5xx, for up to half an hour",
        retries_docs="https://community.developer.atlassian.com/t/new-jira-cloud-webhook-retry-policy/30554",
        retry_span_s=HOUR_S,
        vector="that of Bitbucket",
        fresh_ids=("issue.id",),
        sample=InlineSample(
            name="jira:issue_updated",
            body=b'{"timestamp":1525698237764,"webhookEvent":"jira:issue_updated","issue":{"id":"99291"}}',
        ),
    ),
    Sender(
        name="hubspot",
        title="HubSpot (signature v3)",
        docs="https://developers.hubspot.com/docs/apps/developer-platform/build-apps/authentication/request-validation",
        scheme=KeyedHash(
            header="x-hubspot-signature-v3",
            encoding="base64",
            signed=SignedText(
                template="POST{url}{body}{timestamp}",
                timestamp_header="x-hubspot-request-timestamp",
                timestamp_unit="ms",
            ),
        ),
        # The page says that an eventId alone need not be unique.
        event_id=("body:subscriptionId+body:eventId+body:occurredAt",),
        event_type=("body:subscriptionType",),
        body="list",
        each="items",
        retries="up to 10 times over 24 hours, until an answer is 2xx",
        retries_docs="https://integrate.hubspot.com/t/what-does-will-retry-mean-when/3953",
        retry_span_s=DAY_S,
        vector="its library's tests",
        fresh_ids=("items.*.eventId",),
        sample=InlineSample(
            name="contact.creation",
            body=b'[{"eventId":1001,"subscriptionId":12345,"occurredAt":1564113600000,"subscriptionType":"contact.creation"}]',
        ),
    ),
    Sender(
        name="zoom",
        title="Zoom",
        docs="https://developers.zoom.us/docs/api/webhooks/",
        scheme=KeyedHash(
            header="x-zm-signature",
            prefix="v0=",
            signed=SignedText(
                template="v0:{timestamp}:{body}", timestamp_header="x-zm-request-timestamp"
            ),
        ),
        event_type=("body:event",),
        # https://developers.zoom.us/docs/api/webhooks/#validate-your-webhook-endpoint
        handshakes=(
            Handshake(
                field="event",
                value="endpoint.url_validation",
                answer={
                    "plainToken": "{payload.plainToken}",
                    "encryptedToken": "{hmac:payload.plainToken}",
                },
            ),
        ),
        retries="3 times: after 5 minutes, 20 and 60 more, until an answer within 3 seconds is 2xx",
        retries_docs="https://devsupport.zoom.us/hc/en-us/articles/360059893812-Webhook-delays",
        retry_span_s=125 * MINUTE_S,
        vector="made by another implementation",
        fresh_ids=("payload.object.uuid",),
        sample=InlineSample(
            name="meeting.started",
            body=b'{"event":"meeting.started","event_ts":1626230691572,"payload":{"object":{"uuid":"4444AAAiAAAAAiAiAiiAii"}}}',
        ),
    ),
    Sender(
        name="typeform",
        title="Typeform",
        docs="https://www.typeform.com/developers/webhooks/secure-your-webhooks/",
        scheme=KeyedHash(header="typeform-signature", encoding="base64", prefix="sha256="),
        event_id=("body:event_id",),
        event_type=("body:event_type",),
        retries="with growing delays for some hours, until an answer is 2xx",
        retry_span_s=DAY_S,
        vector="made by another implementation",
        fresh_ids=("event_id",),
        sample=InlineSample(
            name="form_response",
            body=b'{"event_id":"LtWXD3crgy","event_type":"form_response","form_response":{"form_id":"lT4Z3j"}}',
        ),
    ),
    Sender(
        name="calendly",
        title="Calendly",
        docs="https://developer.calendly.com/api-docs/4c305798a61d3-webhook-signatures",
        scheme=KeyedHash(
            header="calendly-webhook-signature",
            prefix="v1=",
            separator=",",
            signed=SignedText(template="{timestamp}.{body}", timestamp_prefix="t="),
        ),
        event_type=("body:event",),
        retries="with growing delays for up to 24 hours, until an answer is 2xx",
        retries_docs="https://developer.calendly.com/api-docs/overview/webhooks/webhook-errors",
        retry_span_s=DAY_S,
        vector="made by another implementation",
        fresh_ids=("payload.uri",),
        sample=InlineSample(
            name="invitee.created",
            body=b'{"event":"invitee.created","created_at":"2026-03-01T10:00:00.000000Z","payload":{"uri":"https://api.calendly.com/scheduled_events/AAAAAAAAAAAAAAAA/invitees/BBBBBBBBBBBBBBBB"}}',
        ),
    ),
    Sender(
        name="xero",
        title="Xero",
        docs="https://developer.xero.com/documentation/guides/webhooks/configuring-your-server/",
        scheme=KeyedHash(header="x-xero-signature", encoding="base64"),
        event_id=("body:resourceId+body:eventType+body:eventDateUtc",),
        event_type=("body:eventCategory+body:eventType",),
        each="events",
        # The "intent to receive": an empty list, signed rightly and wrongly; the body of the
        # answer must be empty.
        is_test_if_empty=True,
        answer="",
        retries="with growing delays for up to 24 hours, until an answer within 5 seconds is 200",
        retry_span_s=DAY_S,
        vector="made by another implementation",
        fresh_ids=("events.*.resourceId",),
        sample=InlineSample(
            name="INVOICE:UPDATE",
            body=b'{"events":[{"resourceId":"717f2bfc-c6d4-41fd-b238-3f2f0c0cf777","eventDateUtc":"2017-06-21T01:15:39.902","eventType":"UPDATE","eventCategory":"INVOICE"}]}',
        ),
    ),
    Sender(
        name="postmark",
        title="Postmark",
        docs="https://postmarkapp.com/developer/webhooks/webhooks-overview",
        scheme=BasicCredentials(),
        event_type=("body:RecordType",),
        retries="for inbound mail 10 times over 10.5 hours, until an answer is 200; 403 ends it",
        retries_docs="https://postmarkapp.com/support/article/understanding-inbound-webhook-retries-in-postmark",
        retry_span_s=10.5 * HOUR_S,
        fresh_ids=("MessageID",),
        sample=InlineSample(
            name="Delivery",
            body=b'{"RecordType":"Delivery","MessageID":"00000000-0000-0000-0000-000000000000"}',
        ),
    ),
)
