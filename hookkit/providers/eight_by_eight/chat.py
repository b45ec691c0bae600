"""The events of the Chat API, v1.0 and v2.0: flat bodies about queues, agents and texts.

https://developer.8x8.com/contactcenter/docs/webhook-events-reference

"Only agent messages are delivered": what the customer writes is sent by your own code. The
bodies of v1.0 are no longer published; they are taken to be those of v2.0, unsigned.
"""

from __future__ import annotations

from typing import Any

from hookkit.core.content import Text
from hookkit.core.event import EventType
from hookkit.core.parts import Author, AuthorType, Message

TYPES = {
    "QUEUED": EventType.CONVERSATION_QUEUE,
    "AGENT_JOINED": EventType.CONVERSATION_JOIN,
    "AGENT_LEFT": EventType.CONVERSATION_LEAVE,  # not the end: a TRANSFER may follow
    "TRANSFER": EventType.CONVERSATION_TRANSFER,
    "TEXT": EventType.MESSAGE,
    "WEB_HOOK_VERIFY": EventType.TEST,
}


def read(word: str, body: dict[str, Any], detail: dict[str, Any]) -> dict[str, Any]:
    """Return the unified parts of an event that *word* names."""
    agent = agent_of(detail)
    match word:
        case "QUEUED":
            return {"actor": _system(body), "queue": queue_of(detail)}
        case "AGENT_JOINED" | "AGENT_LEFT":
            return {"actor": agent}
        case "TEXT":
            author = agent or detail.get("sender") or Author(type=AuthorType.BUSINESS)
            text = Text(text=detail.get("message") or detail.get("text") or "")
            message = Message(author=author, content=text, received_at=body.get("timestamp"))
            return {"actor": author, "message": message}
    return {"actor": _system(body)}


def agent_of(detail: dict[str, Any]) -> Author | None:
    """Return the agent that *detail* names; the name is "First,Last" in the vendor's example."""
    agent_id, name = detail.get("agent_id"), detail.get("agent_name")
    if agent_id is None and name is None:
        return None
    return Author(type=AuthorType.BUSINESS, user_id=agent_id, display_name=name)


def queue_of(detail: dict[str, Any]) -> dict[str, Any]:
    """Return the queue that *detail* names."""
    queue = {"id": detail.get("queue_id"), "name": detail.get("queue_name")}
    return {key: value for key, value in queue.items() if value is not None}


def _system(body: dict[str, Any]) -> Author | None:
    # v2.0 says who speaks, SYSTEM or AGENT; the gateway says it of messages alone.
    is_system = body.get("message_type") == "SYSTEM"
    return Author(type=AuthorType.SYSTEM) if is_system else None
