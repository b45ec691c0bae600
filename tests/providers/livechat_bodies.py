"""Bodies of LiveChat, made from the matrix of its actions, for every version that has them."""

import json
from copy import deepcopy

from hookkit.core.event import EventType
from hookkit.core.provider import normalize
from hookkit.providers.livechat import PROVIDER
from tests.providers.reading import split_body

SECRET_KEY = "the-secret-key-of-the-webhook"
ORGANIZATION = "390e44e6-f1e6-4368-a6dd-b74f14508c2e"
LICENSE = 104130623
CUSTOMER = "b7eff798-f8df-4364-8059-649c35c9ed0c"
AGENT = "smith@example.com"
BOT = "5c9871d5372c824cbf22d860a707a578"
CHAT, THREAD, EVENT = "PJ0MRSHTDG", "K600PKZON8", "K600PKZON8_3"

ALL = ("3.0", "3.1", "3.2", "3.3", "3.4", "3.5", "3.6", "3.7")
OLD, NEW = ALL[:2], ALL[2:]

HERE = {"chat_id": CHAT, "thread_id": THREAD}
SAID = {"id": EVENT, "type": "message", "author_id": CUSTOMER, "text": "Hi!"}
PERSON = {"id": CUSTOMER, "type": "customer", "name": "Thomas", "email": "t@example.com"}
COMES = {"id": AGENT, "type": "agent", "name": "Smith"}
TAGGED = HERE | {"tag": "bug"}
PROPERTIES = {"properties": {"rating": {"score": 1}}}
GONE = {"properties": {"rating": ["score"]}}
ACCESS = {"access": {"group_ids": [1]}}
CHAT_OBJECT = {"chat": {"id": CHAT, "users": [PERSON, COMES], "thread": {"id": THREAD}}}
PRESSED = HERE | {"user_id": CUSTOMER, "event_id": EVENT, "postback": {"id": "yes"}}
MOVED = HERE | {"reason": "manual", "transferred_to": {"group_ids": [19]}}
STATUS = {"agent_id": AGENT, "status": "not accepting chats"}
SEEN = {"user_id": CUSTOMER, "chat_id": CHAT, "seen_up_to": "2020-03-19T09:19:59.010200Z"}
SEEN_3_0 = {"user_id": CUSTOMER, "chat_id": CHAT, "timestamp": 1584611999}
FIELDS = {
    "id": CUSTOMER,
    "active_chat": HERE,
    "session_fields": [{"plan": "pro"}],
}
SUMMARY = HERE | {
    "summary": {"status": "ok", "text": "Late.", "updated_at": "2025-12-09T12:01:18Z"}
}

T = EventType

#: action -> (versions that have it, its type, its payload); section 4 of the vendor's pages.
MATRIX = {
    "incoming_chat_thread": (OLD, T.CONVERSATION_CREATE, CHAT_OBJECT),
    "incoming_chat": (NEW, T.CONVERSATION_CREATE, CHAT_OBJECT),
    "thread_closed": (OLD, T.CONVERSATION_CLOSE, HERE | {"user_id": AGENT}),
    "chat_deactivated": (NEW, T.CONVERSATION_CLOSE, HERE | {"user_id": AGENT}),
    "access_granted": (OLD, T.CONVERSATION_ACCESS, ACCESS | {"id": CHAT, "resource": "chat"}),
    "access_revoked": (OLD, T.CONVERSATION_ACCESS, ACCESS | {"id": CHAT, "resource": "chat"}),
    "access_set": (OLD, T.CONVERSATION_ACCESS, ACCESS | {"id": CHAT, "resource": "chat"}),
    "chat_access_granted": (NEW[:2], T.CONVERSATION_ACCESS, ACCESS | {"id": CHAT}),
    "chat_access_revoked": (NEW[:2], T.CONVERSATION_ACCESS, ACCESS | {"id": CHAT}),
    "chat_access_set": (("3.2",), T.CONVERSATION_ACCESS, ACCESS | {"id": CHAT}),
    "chat_access_updated": (ALL[4:], T.CONVERSATION_ACCESS, ACCESS | {"id": CHAT}),
    "chat_transferred": (ALL[3:], T.CONVERSATION_TRANSFER, MOVED),
    "chat_user_added": (
        ALL[:3],
        T.CONVERSATION_JOIN,
        HERE | {"user": COMES, "user_type": "agent"},
    ),
    "chat_user_removed": (
        ALL[:3],
        T.CONVERSATION_LEAVE,
        HERE | {"user_id": AGENT, "user_type": "agent"},
    ),
    "user_added_to_chat": (NEW, T.CONVERSATION_JOIN, HERE | {"user": COMES, "reason": "manual"}),
    "user_removed_from_chat": (NEW, T.CONVERSATION_LEAVE, HERE | {"user_id": AGENT}),
    "incoming_event": (ALL, T.MESSAGE, HERE | {"event": SAID}),
    "event_updated": (ALL, T.MESSAGE_UPDATE, HERE | {"event": SAID}),
    "event_deleted": (ALL[6:], T.MESSAGE_REMOVE, HERE | {"event_id": EVENT}),
    "incoming_rich_message_postback": (ALL, T.POSTBACK, PRESSED),
    "chat_properties_updated": (ALL, T.CONVERSATION_PROPERTIES, {"chat_id": CHAT} | PROPERTIES),
    "chat_properties_deleted": (ALL, T.CONVERSATION_PROPERTIES, {"chat_id": CHAT} | GONE),
    "chat_thread_properties_updated": (OLD, T.CONVERSATION_PROPERTIES, HERE | PROPERTIES),
    "chat_thread_properties_deleted": (OLD, T.CONVERSATION_PROPERTIES, HERE | GONE),
    "thread_properties_updated": (NEW, T.CONVERSATION_PROPERTIES, HERE | PROPERTIES),
    "thread_properties_deleted": (NEW, T.CONVERSATION_PROPERTIES, HERE | GONE),
    "event_properties_updated": (ALL, T.MESSAGE_UPDATE, HERE | {"event_id": EVENT} | PROPERTIES),
    "event_properties_deleted": (ALL, T.MESSAGE_UPDATE, HERE | {"event_id": EVENT} | GONE),
    "chat_thread_tagged": (OLD, T.CONVERSATION_TAG, TAGGED),
    "chat_thread_untagged": (OLD, T.CONVERSATION_UNTAG, TAGGED),
    "thread_tagged": (NEW, T.CONVERSATION_TAG, TAGGED),
    "thread_untagged": (NEW, T.CONVERSATION_UNTAG, TAGGED),
    "agent_status_changed": (OLD, T.AGENT_STATUS, STATUS),
    "routing_status_set": (NEW, T.AGENT_STATUS, STATUS),
    "agent_deleted": (ALL, T.AGENT_REMOVE, {}),  # the id's key hangs on the version
    "customer_created": (ALL[:3], T.USER_CREATE, {"customer": PERSON}),
    "incoming_customer": (ALL[3:6], T.USER_CREATE, {"customer": PERSON}),
    "customer_session_fields_updated": (ALL[3:], T.USER_UPDATE, FIELDS),
    "last_seen_timestamp_updated": (OLD, T.READ, SEEN_3_0),
    "events_marked_as_seen": (ALL[1:], T.READ, SEEN),
    "agent_created": (ALL[4:], T.AGENT_CREATE, {"id": AGENT, "name": "Smith"}),
    "agent_approved": (ALL[4:], T.AGENT_CREATE, {"id": AGENT}),
    "agent_updated": (ALL[4:], T.AGENT_UPDATE, {"id": AGENT, "name": "Smith"}),
    "agent_suspended": (ALL[4:], T.AGENT_UPDATE, {"id": AGENT}),
    "agent_unsuspended": (ALL[4:], T.AGENT_UPDATE, {"id": AGENT}),
    "auto_access_added": (("3.4",), T.OTHER, {"id": "a1"}),
    "auto_access_updated": (("3.4",), T.OTHER, {"id": "a1"}),
    "auto_access_deleted": (("3.4",), T.OTHER, {"id": "a1"}),
    "auto_accesses_updated": (ALL[5:], T.OTHER, [{"id": "a1", "status": "added"}]),
    "bot_created": (ALL[4:], T.OTHER, {"id": BOT, "name": "Bot"}),
    "bot_updated": (ALL[4:], T.OTHER, {"id": BOT, "name": "Bot"}),
    "bot_deleted": (ALL[4:], T.OTHER, {"id": BOT}),
    "group_created": (ALL[4:], T.OTHER, {"id": 42, "name": "sales"}),
    "group_updated": (ALL[4:], T.OTHER, {"id": 42, "name": "sales"}),
    "group_deleted": (ALL[4:], T.OTHER, {"id": 42}),
    "tag_created": (ALL[5:], T.OTHER, {"name": "bug", "created_at": "2019-12-09T12:01:18Z"}),
    "tag_updated": (ALL[5:], T.OTHER, {"name": "bug", "group_ids": [0]}),
    "tag_deleted": (ALL[5:], T.OTHER, {"name": "bug"}),
    "thread_summary_set": (ALL[6:], T.CONVERSATION_SUMMARY, SUMMARY),
}


def body(action, payload=None, *, version="3.6", webhook_id="w1", secret_key=SECRET_KEY, **more):
    """Return a body as *version* sends it; without a payload, the one in the matrix."""
    if payload is None:
        payload = matrix_payload(action, version)
    made = {"webhook_id": webhook_id, "secret_key": secret_key, "action": action}
    if version in ("3.2", "3.3"):
        made["license_id"] = LICENSE
    elif version >= "3.4":
        made["organization_id"] = ORGANIZATION
    made["data" if version == "3.0" else "payload"] = payload
    return {**made, "additional_data": {}, **more}


def matrix_payload(action, version):
    if action == "agent_deleted":
        return {"id" if version >= "3.4" else "agent_id": AGENT}
    payload = deepcopy(MATRIX[action][2])
    if version in OLD:
        payload = json.loads(json.dumps(payload).replace('{"score": 1}', '{"score": {"value": 1}}'))
    return payload


def said(*, version="3.6", webhook_id="w1", at=None, **event):
    """Return the body of an ``incoming_event``."""
    return body(
        "incoming_event", HERE | {"event": SAID | event}, version=version, webhook_id=webhook_id
    )


def items_of(document, **options):
    return list(split_body(PROVIDER, document, **options))


def read_all(document, **options):
    return [normalize(PROVIDER, item) for item in split_body(PROVIDER, document, **options)]


def read_one(document, **options):
    (event,) = read_all(document, **options)
    return event
