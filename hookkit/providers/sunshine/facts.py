"""What happened, by names that every payload version of Sunshine shares.

No two versions give one event an id in common: messages, users and conversations keep theirs,
so what is named by these is exact. The others are near facts, which take their time as well:
who did it, and with what. https://developer.zendesk.com/api-reference/conversations/
("API versioning")
"""

from __future__ import annotations

from hookkit.core.ids import (
    hash_content,
    join_parts,
)
from hookkit.providers.sunshine.shapes import CHANNEL_RENAMES, SDK_PLATFORMS
from hookkit.schemas.dig import dig_id, dig_text


def message_fact(message_id: str | None, *, deleted: bool = False) -> str | None:
    """Return the fact that a message was said, or taken back."""
    if message_id is None:
        return None
    return (
        join_parts("message", message_id, "deleted")
        if deleted
        else join_parts("message", message_id)
    )


def delivery_fact(stage: str, message_id: str | None, destination: object) -> str | None:
    """Return the fact that a message got to *stage* on its way to *destination*."""
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
    """Return the fact that a user is gone."""
    return None if user_id is None else join_parts("user", user_id, "removed")


def start_fact(conversation_id: str | None) -> str | None:
    """Return the fact that a conversation began.

    v1.x says so of one that was there before, too; v2 then reports a referral, whose near
    fact has this name for that reason. v1 names no conversation.
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
    """Return the near fact of a user's client; those of an SDK have another id in v2.

    Args:
        what: ``add``, ``remove``, ``block``; or what came of a link: ``matched``,
            ``confirmed`` or ``failed``.
        channel: The type of the client, or its platform as v1.x calls that.
    """
    if user_id is None or channel is None:
        return None
    channel = CHANNEL_RENAMES.get(channel, channel)
    return join_parts("client", what, user_id, "sdk" if channel in SDK_PLATFORMS else channel)


def digest(content: object) -> str | None:
    """Return a text that stands for *content*: ids show up where what people sent must not."""
    return None if content is None else hash_content(content)[:32]
