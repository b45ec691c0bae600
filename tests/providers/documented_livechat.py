"""Bodies with every field that LiveChat documents, also those that no sample has.

They say nothing that happened: a field is there because a page or a payload of the vendor names it.
https://github.com/livechat/livechat-public-docs: ``src/pages/management/webhooks``,
``src/pages/messaging/agent-chat-api/data-structures`` and ``payloads/messaging``
"""

import json

from hookkit.providers.livechat import PROVIDER
from tests.providers.completeness import Body

CUSTOMER_ID = "b7eff798-f8df-4364-8059-649c35c9ed0c"
AGENT_ID = "smith@example.com"
INSTANT = "2020-03-19T09:19:03.010200Z"
LATER = "2020-03-19T09:20:03.010200Z"
HERE = {"chat_id": "PJ0MRSHTDG", "thread_id": "K600PKZON8"}
PROPERTIES = {"property_namespace": {"property_name": "property_value"}}

VISIT = {
    "id": "v1",
    "started_at": INSTANT,
    "ended_at": LATER,
    "referrer": "http://www.google.com/",
    "ip": "203.0.113.7",
    "user_agent": "Mozilla/5.0",
    "geolocation": {
        "country": "Poland",
        "country_code": "PL",
        "region": "Dolnoslaskie",
        "city": "Wroclaw",
        "timezone": "Europe/Warsaw",
        "latitude": "51.1043015",
        "longitude": "17.0335007",
    },
    "last_pages": [{"opened_at": INSTANT, "url": "https://example.com/", "title": "Home"}],
}
CUSTOMER = {
    "id": CUSTOMER_ID,
    "type": "customer",
    "name": "Thomas Anderson",
    "email": "t.anderson@example.com",
    "email_verified": False,
    "avatar": "https://example.com/avatars/1.png",
    "phone_number": "+18008529001",
    "visit": VISIT,
    "session_fields": [{"plan": "pro"}, {"cart": "120"}],
    "statistics": {
        "chats_count": 3,
        "threads_count": 9,
        "visits_count": 5,
        "page_views_count": 2,
        "greetings_shown_count": 2,
        "greetings_accepted_count": 1,
        "tickets_count": 12,
    },
    "__priv_lc2_customer_id": "test_771305.dafea66e5c",
    "agent_last_event_created_at": INSTANT,
    "customer_last_event_created_at": INSTANT,
    "created_at": INSTANT,
    "present": True,
    "events_seen_up_to": INSTANT,
    "followed": False,
    "online": True,
    "group_ids": [0],
    "tickets": [{"ticket_id": "0c04cb99-817a-4935-9d62-137c89a74388", "created_at": INSTANT}],
    "state": "browsing",
    "carts": [
        {
            "store_uuid": "a1b2c3d4-e5f6-7890-abcd-ef1234567890",
            "store_platform": "shopify",
            "customer_signed_in": True,
            "subtotal": 99.99,
            "total": 109.99,
            "subtotal_usd": 99.99,
            "total_usd": 109.99,
            "currency": "USD",
            "items": [{"id": 1234567890, "quantity": 2, "variant_id": 9876543210}],
            "last_updated_at": INSTANT,
        }
    ],
    "omnichannel": {
        "fb_messenger": [
            {
                "ID": "fb_messenger_id",
                "Name": "Thomas Anderson",
                "FirstName": "Thomas",
                "LastName": "Anderson",
                "ProfilePicURL": "https://example.com/avatars/1.png",
                "Gender": "male",
                "Locale": "EN_US",
                "IsVerifiedUser": True,
            }
        ],
        "twilio": [{"+18008529001": {"phone_number": "+18008529001"}}],
        "whatsapp": [{"ID": "whatsapp_id", "Name": "Jane WA", "PhoneNumber": "+48123456789"}],
    },
    "address": {
        "address": "1600 Pennsylvania Avenue NW",
        "city": "Washington",
        "country": "United States",
        "state": "DC",
        "postal_code": "20500",
    },
}
AGENT = {
    "id": AGENT_ID,
    "type": "agent",
    "name": "Agent Smith",
    "email": AGENT_ID,
    "present": True,
    "avatar": "cdn.livechatinc.com/avatars/1.png",
    "events_seen_up_to": INSTANT,
    "visibility": "all",
}

#: The type of an event that no person has written begins so.
_SYSTEM = "system"
_SAID = {
    "id": "K600PKZON8_3",
    "custom_id": "31-0C-1C-07-DB-16",
    "created_at": INSTANT,
    "visibility": "all",
    "properties": PROPERTIES,
    "deleted": False,
}
_BY = {"author_id": CUSTOMER_ID}
EVENTS = {
    "message": {
        "type": "message",
        "text": "Hello there",
        "postback": {
            "id": "action_yes",
            "thread_id": "K600PKZON8",
            "event_id": "K600PKZON8_2",
            "type": "message",
            "value": "yes",
        },
    },
    "file": {
        "type": "file",
        "name": "house.png",
        "url": "https://example.com/house.png",
        "content_type": "image/png",
        "size": 123456,
        "width": 640,
        "height": 480,
        "thumbnail_url": "https://example.com/thumb.png",
        "thumbnail2x_url": "https://example.com/thumb2x.png",
        "alternative_text": "A house",
    },
    "rich_message": {
        "type": "rich_message",
        "template_id": "ecommerce",
        "elements": [
            {
                "title": "Shoes",
                "subtitle": "Red ones",
                "image": {
                    "url": "https://example.com/shoes.png",
                    "name": "shoes",
                    "content_type": "image/png",
                    "size": 123456,
                    "width": 640,
                    "height": 480,
                    "alternative_text": "Red shoes",
                },
                "ecommerce": {"product_id": "p1", "variants": [{"id": "o1", "price": 5}]},
                "buttons": [
                    {
                        "type": kind,
                        "text": "Yes",
                        "value": "https://example.com/",
                        "webview_height": "tall",
                        "postback_id": "action_yes",
                        "user_ids": [CUSTOMER_ID],
                        "target": "new",
                    }
                    for kind in ("webview", "message", "url", "phone")
                ],
            }
        ],
    },
    "form": {
        "type": "form",
        "form_id": "1002",
        "form_type": "prechat",
        "fields": [
            {
                "id": "10021",
                "type": "group_chooser",
                "label": "Department",
                "required": True,
                "options": [{"id": "1", "group_id": 2, "label": "Sales"}],
            },
            {"id": "10022", "type": "textarea", "label": "Tell us", "required": False},
        ],
    },
    "filled_form": {
        "type": "filled_form",
        "form_id": "1002",
        "form_type": "prechat",
        "fields": [
            {"id": "1", "type": "name", "label": "Name", "answer": "Thomas"},
            {"id": "2", "type": "subject", "label": "About", "value": "shoes"},
            {
                "id": "3",
                "type": "group_chooser",
                "label": "Department",
                "answer": {"id": "0", "group_id": 1, "label": "Sales"},
            },
            {"id": "4", "type": "select", "label": "Why", "answer": {"group_id": 1, "label": "x"}},
            {"id": "5", "type": "checkbox", "label": "Of", "answers": [{"id": "0", "label": "y"}]},
        ],
    },
    "custom": {"type": "custom", "content": {"custom": {"field_1": "value_1"}}},
    "system_message": {
        "type": "system_message",
        "system_message_type": "routing.assigned",
        "text": "Assigned",
        "text_vars": {"agent": "Smith"},
    },
    "system": {
        "type": "system",
        "source": "cdp",
        "subtype": "store_order_was_created",
        "version": 1,
        "details": json.dumps({"store": {"id": "my-store"}, "order": {"total_price": 123.45}}),
    },
}

THREAD = {
    "id": "K600PKZON8",
    "active": True,
    "user_ids": [CUSTOMER_ID, AGENT_ID],
    "restricted_access": "You can't access threads older than 60 days on starter plan",
    "events": [{**_SAID, **_BY, **EVENTS["message"]}],
    "properties": PROPERTIES,
    "access": {"group_ids": [1, 2]},
    "tags": ["sales"],
    "queue": {"position": 42, "wait_time": 1337, "queued_at": INSTANT},
    "queues_duration": 1337,
    "previous_thread_id": "K600PKZOM8",
    "next_thread_id": "K600PKZOO8",
    "created_at": INSTANT,
    "customer_visit": VISIT,
}
CHAT = {
    "id": "PJ0MRSHTDG",
    "users": [CUSTOMER, AGENT],
    "thread": THREAD,
    "properties": {"other_namespace": {"name": "value"}},
    "access": {"group_ids": [0]},
    "is_followed": True,
}

_SCHEDULE = {"day": "monday", "enabled": True, "start": "08:30", "end": "12:30"}
SET_UP = {
    "name": "Agent Smith",
    "role": "viceowner",
    "awaiting_approval": False,
    "groups": [{"id": 5, "priority": "first"}],
    "notifications": ["new_visitor"],
    "email_subscriptions": ["weekly_summary"],
    "work_scheduler": {"timezone": "Europe/Warsaw", "schedule": [_SCHEDULE]},
    "account_id": "f09ba25b-8be8-4fcd-a2c8-0b1c567aec85",
    "job_title": "Support hero",
    "mobile": "+18008529001",
    "max_chats_count": 5,
    "avatar": "https://example.com/avatars/2.png",
}
_PLACE = {
    "country": "United States",
    "country_code": "US",
    "region": "California",
    "city": "Mountain View",
}
_RULE = {
    "id": "f65e41f43bbb2fefe3756698ba47caeb",
    "description": "A rule",
    "access": {"groups": [0]},
    "conditions": {
        "url": {"values": [{"value": "https://x.test", "exact_match": False}]},
        "domain": {"values": [{"value": "x.test", "exact_match": True}]},
        "geolocation": {"values": [_PLACE]},
    },
    "next_id": "a2710c4680fa15700ae046940a11a329",
    "status": "added",
}

#: action, and what tells one of it from others -> payload
PAYLOADS = {
    "incoming_chat": {
        "chat": CHAT,
        "transferred_from": {"group_ids": [1], "agent_ids": [AGENT_ID]},
        "requester_id": AGENT_ID,
    },
    "chat_deactivated": {**HERE, "user_id": AGENT_ID},
    "chat_access_updated": {"id": "PJ0MRSHTDG", "access": {"group_ids": [0, 1]}},
    "chat_transferred": {
        **HERE,
        "requester_id": AGENT_ID,
        "reason": "manual",
        "transferred_to": {"group_ids": [19], "agent_ids": [AGENT_ID]},
        "queue": {"position": 42, "wait_time": 1337, "queued_at": INSTANT},
    },
    **{
        f"user_added_to_chat {user['type']}": {
            **HERE,
            "user": user,
            "user_type": user["type"],
            "reason": "manual",
            "requester_id": "jones@example.com",
        }
        for user in (CUSTOMER, AGENT)
    },
    "user_removed_from_chat": {
        **HERE,
        "user_id": AGENT_ID,
        "user_type": "agent",
        "reason": "manual",
        "requester_id": "jones@example.com",
    },
    **{
        f"incoming_event {name}": {
            **HERE,
            "event": {**_SAID, **event, **({} if name.startswith(_SYSTEM) else _BY)},
        }
        for name, event in EVENTS.items()
    },
    "event_updated": {**HERE, "event": {**_SAID, **_BY, **EVENTS["message"]}},
    "event_deleted": {**HERE, "event_id": "K600PKZON8_3"},
    "incoming_rich_message_postback": {
        **HERE,
        "user_id": CUSTOMER_ID,
        "event_id": "K600PKZON8_2",
        "postback": {
            "id": "action_yes",
            "toggled": True,
            "button_type": "message",
            "button_value": "yes",
            "ecommerce": {"product_id": "p1", "option_id": "o1", "quantity": 2},
        },
    },
    "chat_properties_updated": {"chat_id": "PJ0MRSHTDG", "properties": PROPERTIES},
    "event_properties_updated": {**HERE, "event_id": "K600PKZON8_3", "properties": PROPERTIES},
    "routing_status_set": {"agent_id": AGENT_ID, "status": "accepting chats"},
    "customer_session_fields_updated": {
        "id": CUSTOMER_ID,
        "active_chat": HERE,
        "session_fields": [{"plan": "pro"}],
    },
    "agent_created": {"id": AGENT_ID, **SET_UP},
    "agent_updated": {"id": AGENT_ID, **SET_UP},
    "auto_accesses_updated": [_RULE],
    "bot_created": {
        "id": "5c9871d5372c824cbf22d860a707a578",
        "name": "Bot Name",
        "default_group_priority": "first",
        "groups": [{"id": 0, "priority": "normal"}],
        "owner_client_id": "asXdesldiAJSq9padj",
        "job_title": "Helper",
        "avatar": "https://example.com/bot.png",
        "max_chats_count": 6,
        "timezone": "Europe/Warsaw",
        "work_scheduler": {"timezone": "Europe/Warsaw", "schedule": [_SCHEDULE]},
    },
    "group_created": {
        "id": 42,
        "name": "sales",
        "language_code": "en",
        "agent_priorities": {AGENT_ID: "normal"},
        "routing_status": "accepting_chats",
    },
    "tag_created": {
        "name": "docs_feedback",
        "group_ids": [0, 42],
        "created_at": INSTANT,
        "author_id": AGENT_ID,
    },
    "thread_summary_set": {
        **HERE,
        "summary": {"status": "ok", "text": "Late.", "updated_at": INSTANT},
    },
    "events_marked_as_seen": {
        "user_id": CUSTOMER_ID,
        "chat_id": "PJ0MRSHTDG",
        "seen_up_to": INSTANT,
    },
}
_CONFIGURATION = ("agent", "auto", "bot", "group", "tag")


def _body(name, payload):
    action = name.partition(" ")[0]
    document = {
        "webhook_id": "f17cf35cadaa18f4abe65dec0f86a504",
        "secret_key": "laudla991lamda0pnoaa0",
        "action": action,
        "organization_id": "390e44e6-f1e6-4368-a6dd-b74f14508c2e",
        "payload": payload,
        "additional_data": {
            "chat_properties": {"source": {"client_id": "c6e4f62e2a2dab12531235b12c5a2a6b"}},
            "chat_presence_user_ids": [AGENT_ID],
        },
    }
    if action.startswith(_CONFIGURATION):
        document["requester"] = {
            "user_id": "user@example.com",
            "account_id": "f09ba25b-8be8-4fcd-a2c8-0b1c567aec85",
            "client_id": "1b4237f476826986da63022a76c35bb1",
        }
    # Parts that bodies have in common become parts of their own.
    return Body(PROVIDER, json.loads(json.dumps(document)))


BODIES = {f"documented/{name}": _body(name, payload) for name, payload in PAYLOADS.items()}
