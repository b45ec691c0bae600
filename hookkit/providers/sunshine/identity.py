"""Event ids and facts of Sunshine; every payload version names a fact alike."""

from __future__ import annotations

from hookkit.core.body import Document, dig, dig_id, dig_text
from hookkit.core.delivery import ItemKeys
from hookkit.core.ids import hash_content, join_parts
from hookkit.providers.sunshine.shapes import CHANNEL_RENAMES, SDK_PLATFORMS


def message_fact(message_id: str | None, *, deleted: bool = False) -> str | None:
    """Return the fact that a message was sent, or deleted."""
    if message_id is None:
        return None
    return (
        join_parts("message", message_id, "deleted")
        if deleted
        else join_parts("message", message_id)
    )


def delivery_fact(stage: str, message_id: str | None, destination: object) -> str | None:
    """Return the fact that a message reached *stage* on its way to *destination*."""
    if message_id is None:
        return None
    channel = dig_text(destination, "type") or dig_text(destination, "integrationType")
    return join_parts(
        "delivery",
        stage,
        message_id,
        CHANNEL_RENAMES.get(channel or "", channel),
        dig_id(destination, "integrationId"),
    )


def merge_fact(surviving_id: str | None, discarded_id: str | None) -> str | None:
    """Return the fact that two users became one."""
    if surviving_id is None or discarded_id is None:
        return None
    return join_parts("merge", surviving_id, discarded_id)


def removal_fact(user_id: str | None) -> str | None:
    """Return the fact that a user was removed."""
    return None if user_id is None else join_parts("user", user_id, "removed")


def start_fact(conversation_id: str | None) -> str | None:
    """Return the fact that a conversation began.

    v1.x also reports it for an existing conversation. v2 then reports a referral, which is why
    its near fact has this name. v1 names no conversation.
    """
    return None if conversation_id is None else join_parts("conversation", conversation_id, "start")


def read_near(user_id: str | None) -> str | None:
    """Return the near fact that a user has read; v1 does not say which conversation."""
    return None if user_id is None else join_parts("read", user_id)


def postback_near(user_id: str | None, payload: str | None) -> str | None:
    """Return the near fact that a user pressed a button; v2 names neither it nor its message."""
    if user_id is None or payload is None:
        return None
    return join_parts("postback", user_id, digest(payload))


def client_near(what: str, user_id: str | None, channel: str | None) -> str | None:
    """Return the near fact of a user's client; clients of an SDK have another id in v2.

    Args:
        what: ``add``, ``remove`` or ``block``; of a link ``matched``, ``confirmed`` or
            ``failed``.
        user_id: The user's id.
        channel: The type of the client, which v1.x calls its platform.
    """
    if user_id is None or channel is None:
        return None
    channel = CHANNEL_RENAMES.get(channel, channel)
    return join_parts("client", what, user_id, "sdk" if channel in SDK_PLATFORMS else channel)


def digest(content: object) -> str | None:
    """Return a hash of *content*: ids are shown in places where contents must not be."""
    return None if content is None else hash_content(content)[:32]


#: "Attempted up to 5 times over a 15 minute window", and some minutes more for a slow last one.
#: https://developer.zendesk.com/documentation/conversations/messaging-platform/webhooks/
REPEAT_AFTER_S = 20 * 60

#: Customers press a button again when nothing happens, and mean it: a bot that does not answer is
#: worse than one that answers twice. So these are shorter than the vendor's retries, and catch the
#: first of them. It comes once an answer took longer than 20 seconds.
PRESSED_AGAIN_AFTER_S = 2 * 60
PRESSED_IN_MENU_AFTER_S = 30
#: To have read again does no harm, and to have read more must not be lost.
READ_AGAIN_AFTER_S = 60

#: Part of every derived id without a time.
REPEAT_SLOT_S = 20 * 60

#: trigger -> the name of what it is about. All that is said about one subject is about the same
#: state of a user in a conversation, or of one of a user's clients.
SUBJECTS = {
    "typing:appUser": "typing",
    "postback": "pressed",
    "conversation:referral": "referral",
    "client:add": "client",
    "client:remove": "client",
    "client:block": "client",
    "link:match": "link",
    "link:success": "link",
    "link:failure": "link",
}


def keys_of(version: str, trigger: str, body: Document, array: str | None) -> ItemKeys:
    """Return the keys of the item that *body*, narrowed to one element of *array*, makes.

    An event id of None asks for one that is derived from the content.
    """
    element = element_of(body, array)
    fact = _fact(trigger, body, element)
    strong = fact or _strong(trigger, body, element)
    if strong is not None:
        return ItemKeys(f"{version}:{strong}", fact=fact)
    timestamp = dig_id(body, "timestamp")
    repeat_after_s = _repeat_after_s(trigger, element) if timestamp is None else None
    # A conversation may be started again, so that this fact makes no event id.
    is_start = trigger == "conversation:start"
    fact = start_fact(dig_id(body, "conversation", "_id")) if is_start else None
    near = _near(trigger, body, element)
    detail = _detail(trigger, body, element)
    if detail is None:
        return ItemKeys(None, repeat_after_s, fact, near)
    who = (dig_id(body, "conversation", "_id"), dig_id(body, "appUser", "_id"))
    key = join_parts(trigger, *who, *detail, timestamp)
    return ItemKeys(f"{version}:{key}", repeat_after_s, fact, near)


def subject_of(version: str, trigger: str, body: Document, array: str | None) -> str | None:
    """Return what the item that *body* makes is about; None is its own content.

    The time of a body decides by itself whether it is a redelivery.
    """
    if trigger not in SUBJECTS or dig_id(body, "timestamp") is not None:
        return None
    who = (dig_id(body, "conversation", "_id"), dig_id(body, "appUser", "_id"))
    part = _part(trigger, body, element_of(body, array))
    return join_parts(version, SUBJECTS[trigger], *who, *part)


def element_of(body: Document, array: str | None) -> object:
    """Return the one element of *array* that *body* is narrowed to."""
    elements = dig(body, array) if array is not None else None
    return elements[0] if isinstance(elements, list) and elements else elements


def _repeat_after_s(trigger: str, element: object) -> float:
    if trigger == "postback":
        is_of_menu = dig_id(element, "message", "_id") is None
        return PRESSED_IN_MENU_AFTER_S if is_of_menu else PRESSED_AGAIN_AFTER_S
    return READ_AGAIN_AFTER_S if trigger == "conversation:read" else REPEAT_AFTER_S


def _part(trigger: str, body: Document, element: object) -> tuple[str | None, ...]:
    """Return which of a user's clients or channels *body* is about, if it is about one."""
    match trigger.split(":"):
        case ["client", _]:
            client = element or dig(body, "client")
            return (dig_id(client, "_id") or dig_id(client, "id"),)
        case ["link", _]:
            return (dig_text(body, "channel"),)
    return ()


def _fact(trigger: str, body: Document, element: object) -> str | None:
    """Return the exact fact, if v2 reports it too and both name it exactly."""
    match trigger.split(":"):
        case ["message"] | ["message", "appUser" | "appMaker"]:
            deleted = dig(element, "deleted") is True
            return message_fact(dig_id(element, "_id"), deleted=deleted)
        case ["message", "delivery", stage]:
            message_id = dig_id(body, "message", "_id")
            return delivery_fact(stage, message_id, dig(body, "destination"))
        case ["delivery", "success" | "failure" as outcome]:
            # v1: one report for several messages, and no words for the stages between.
            stage = "channel" if outcome == "success" else "failure"
            return delivery_fact(stage, dig_id(element, "_id"), dig(body, "destination"))
        case ["merge", "appUser"]:
            return merge_fact(dig_id(body, "surviving", "_id"), dig_id(element, "_id"))
        case ["appUser", "delete"]:
            return removal_fact(dig_id(body, "appUser", "_id"))
    return None


#: The trigger of v1.x -> what happened to a client or a link.
_OF_CLIENTS = {
    "client:add": "add",
    "client:remove": "remove",
    "client:block": "block",
    "link:match": "matched",
    "link:success": "confirmed",
    "link:failure": "failed",
}


def _near(trigger: str, body: Document, element: object) -> str | None:
    """Return the near fact, if v2 reports it too."""
    user_id = dig_id(body, "appUser", "_id")
    match trigger:
        case "conversation:read":
            return read_near(user_id)
        case "conversation:referral":
            return start_fact(dig_id(body, "conversation", "_id"))
        case "postback":
            return postback_near(user_id, dig_text(element, "action", "payload"))
    if trigger not in _OF_CLIENTS:
        return None
    channel = dig_text(element or dig(body, "client"), "platform") or dig_text(body, "channel")
    return client_near(_OF_CLIENTS[trigger], user_id, channel)


def _strong(trigger: str, body: Document, element: object) -> str | None:
    """Return a key that needs no time, of an event that only v1.x reports."""
    match trigger.split(":"):
        case ["notification", "delivery", stage]:
            notification_id = dig_id(body, "notification", "_id")
            destination = dig(body, "destination")
            if notification_id is None:
                return None
            return join_parts(
                "notification",
                stage,
                notification_id,
                dig_text(destination, "type"),
                dig_id(destination, "integrationId"),
                dig_id(destination, "destinationId"),
            )
        case ["payment", "success"]:
            charge_id = dig_id(element, "charge", "id")
            return None if charge_id is None else join_parts("payment", charge_id)
    return None


def _detail(trigger: str, body: Document, element: object) -> tuple[str | None, ...] | None:
    """Return what distinguishes an event from similar ones; None if only the whole body does."""
    match trigger.split(":"):
        case ["postback"]:
            action = dig(element, "action")
            return (
                dig_id(element, "message", "_id"),
                dig_id(action, "_id"),
                digest(dig_text(action, "payload")),
            )
        case ["conversation", "read" | "start"]:
            return ()
        case ["conversation", "referral"]:
            return (digest(dig_text(body, "referral", "code")),)
        case ["typing", "appUser"]:
            return (dig_text(body, "activity", "type"),)
        case ["client", _]:
            return _part(trigger, body, element)
        case ["link", _]:
            # There is no client's id: the criteria distinguish the clients.
            criteria = digest(dig(body, "criteria"))
            return (*_part(trigger, body, element), dig_id(body, "error", "code"), criteria)
    return None


#: The reason of client:update -> what v1.x reports: client:block, link:match, link:success.
_UPDATES = {"blocked": "block", "matched": "matched", "confirmed": "confirmed"}
#: Reasons of client:remove that v1.x reports as link:failure; the upgrade guide spells
#: linkFailure, the specification linkFailed.
_LINK_FAILURES = frozenset({"linkCancelled", "linkFailed", "linkFailure"})


def fact_of(vendor_type: str, inner: object) -> str | None:
    """Return the exact fact, if v1.x reports it too and both name it exactly."""
    match vendor_type:
        case "conversation:message":
            message = dig(inner, "message")
            return message_fact(dig_id(message, "id"), deleted=dig(message, "deleted") is True)
        case "conversation:message:delete":
            return message_fact(dig_id(inner, "message", "id"), deleted=True)
        case (
            "conversation:message:delivery:channel"
            | "conversation:message:delivery:user"
            | "conversation:message:delivery:failure"
        ):
            stage = vendor_type.rpartition(":")[2]
            return delivery_fact(stage, dig_id(inner, "message", "id"), dig(inner, "destination"))
        case "conversation:create":
            return start_fact(dig_id(inner, "conversation", "id"))
        case "user:merge":
            users = dig(inner, "mergedUsers")
            return merge_fact(dig_id(users, "surviving", "id"), dig_id(users, "discarded", "id"))
        case "user:remove" | "user:delete":
            return removal_fact(dig_id(inner, "user", "id"))
    return None


def near_of(vendor_type: str, inner: object) -> str | None:
    """Return the near fact, if v1.x reports it too."""
    match vendor_type:
        case "conversation:read":
            return read_near(dig_id(inner, "activity", "author", "userId"))
        case "conversation:referral":
            # "Triggered in the same cases as v1.x conversation:referral and conversation:start".
            return start_fact(dig_id(inner, "conversation", "id"))
        case "conversation:postback":
            user_id = dig_id(inner, "user", "id")
            return postback_near(user_id, dig_text(inner, "postback", "payload"))
        case "client:add" | "client:update" | "client:remove":
            user_id = dig_id(inner, "user", "id")
            what = _of_client(vendor_type, dig_text(inner, "reason") or "")
            channel = dig_text(inner, "client", "type")
            return None if what is None else client_near(what, user_id, channel)
    return None


def _of_client(vendor_type: str, reason: str) -> str | None:
    match vendor_type:
        case "client:add":
            return "add"
        case "client:update":
            return _UPDATES.get(reason)
    return "failed" if reason in _LINK_FAILURES else "remove"
