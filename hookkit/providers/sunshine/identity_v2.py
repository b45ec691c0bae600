"""Facts for v2, whose event ids are the vendor's own."""

from __future__ import annotations

from hookkit.providers.sunshine.facts import (
    client_near,
    delivery_fact,
    merge_fact,
    message_fact,
    postback_near,
    read_near,
    removal_fact,
    start_fact,
)
from hookkit.schemas.dig import dig, dig_id, dig_text

#: The reason of client:update -> what v1.x reports: client:block, link:match, link:success.
_UPDATES = {"blocked": "block", "matched": "matched", "confirmed": "confirmed"}
#: Reasons of client:remove that v1.x reports as link:failure; the upgrade guide spells
#: linkFailure, the specification linkFailed.
_LINK_FAILURES = frozenset({"linkCancelled", "linkFailed", "linkFailure"})


def fact_of(vendor_type: str, inner: object) -> str | None:
    """Return what happened, if v1.x reports it too and both name it exactly."""
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
    """Return what happened, where v1.x's report of it is told by its time as well."""
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
