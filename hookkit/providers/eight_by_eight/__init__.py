"""8x8 Contact Center: the Chat API's v1.0 and v2.0, and its successor, Chat Gateway v1.0.

v2.0 and the gateway sign every event, by the same headers and the same recipe; v1.0 signs
nothing. https://developer.8x8.com/contactcenter/docs/webhook-events-reference
"""

from __future__ import annotations

from hookkit.core.body import Document, Headers, decode_body, dig_text
from hookkit.core.delivery import Delivery
from hookkit.core.errors import BodyUnreadable
from hookkit.core.event import EventType
from hookkit.core.provider import PayloadVersion, Provider
from hookkit.core.triggers import Meaning
from hookkit.providers.eight_by_eight import signature
from hookkit.providers.eight_by_eight.identity import event_id_of, is_signed, split
from hookkit.providers.eight_by_eight.reading import normalize

CHAT_V1, CHAT_V2, GATEWAY = "v1.0", "v2.0", "Chat Gateway v1.0"

#: "{"notificationVersion": ..., "eventType": "WEB_HOOK_VERIFY"}", some 70 bytes.
MAX_PING_BYTES = 1024

#: What only the gateway sends.
_GATEWAY_WORDS = ("CONVERSATION_UPDATE", "MEMBERS_CHANGED", "MESSAGE", "ACTIVITY")
#: What only the Chat API sends.
_CHAT_WORDS = ("AGENT_JOINED", "AGENT_LEFT", "TEXT")
#: What both send.
_SHARED_WORDS = ("QUEUED", "TRANSFER", "WEB_HOOK_VERIFY")


def detect_version(document: Document, headers: Headers) -> str | None:
    """Return the payload version that *document* shows.

    Only a ping names its version. v1.0 and v2.0 differ by the signature alone. What is signed is
    never v1.0, so that no body can choose not to be verified.
    """
    word = dig_text(document, "eventType")
    if word == "WEB_HOOK_VERIFY":
        version = dig_text(document, "notificationVersion")
        return CHAT_V2 if version == CHAT_V1 and is_signed(headers) else version
    if word in _GATEWAY_WORDS or isinstance(document.get("data"), dict):
        return GATEWAY
    if word in _CHAT_WORDS or "messageType" in document or _is_pair(document):
        return CHAT_V2 if is_signed(headers) else CHAT_V1
    # "TRANSFER" is spelt alike in both; the Chat API adds a message type.
    return GATEWAY if word == "TRANSFER" else None


def is_ping(delivery: Delivery) -> bool:
    """Tell whether *delivery* is an unsigned test of the URL, which carries no event.

    8x8 posts it "when a webhook is added or tested", and expects 2xx; no page says whether it is
    signed. https://developer.8x8.com/contactcenter/docs/workflow
    """
    if is_signed(delivery.headers) or len(delivery.body) > MAX_PING_BYTES:
        return False
    try:
        return dig_text(decode_body(delivery.body), "eventType") == "WEB_HOOK_VERIFY"
    except BodyUnreadable:
        return False


def _is_pair(document: Document) -> bool:
    return "sender" in document and "recipient" in document


def _meanings() -> dict[str, tuple[Meaning, ...]]:
    """Return what each word stands for.

    8x8 publishes no table of the gateway's words and those they replace; that ``TEXT`` became
    an agent's ``MESSAGE`` and ``AGENT_JOINED`` one of ``MEMBERS_CHANGED`` is hookkit's reading.
    """
    kind = EventType
    agent = frozenset({"business"})
    activity = frozenset({"ACTIVITY"})
    return {
        "QUEUED": (Meaning(type=kind.CONVERSATION_QUEUE),),
        "AGENT_JOINED": (Meaning(type=kind.CONVERSATION_JOIN, authors=agent),),
        "AGENT_LEFT": (Meaning(type=kind.CONVERSATION_LEAVE, authors=agent),),
        "TRANSFER": (Meaning(type=kind.CONVERSATION_TRANSFER),),
        "TEXT": (Meaning(type=kind.MESSAGE, authors=agent),),
        "MESSAGE": (Meaning(type=kind.MESSAGE),),
        "MEMBERS_CHANGED": (
            Meaning(type=kind.CONVERSATION_JOIN),
            Meaning(type=kind.CONVERSATION_LEAVE),
        ),
        "CONVERSATION_UPDATE": (
            Meaning(type=kind.CONVERSATION_CREATE),
            Meaning(type=kind.CONVERSATION_UPDATE),
        ),
        "ACTIVITY": tuple(
            Meaning(type=each, vendor_types=activity)
            for each in (kind.TYPING, kind.READ, kind.POSTBACK, kind.OTHER)
        ),
        "WEB_HOOK_VERIFY": (Meaning(type=kind.TEST),),
    }


#: version -> the words that it sends; a channel sends all of them, without a choice.
_WORDS = {
    CHAT_V1: (*_CHAT_WORDS, *_SHARED_WORDS),
    CHAT_V2: (*_CHAT_WORDS, *_SHARED_WORDS),
    GATEWAY: (*_GATEWAY_WORDS, *_SHARED_WORDS),
}
#: The same reading as in ``_meanings``.
_RENAMES = {
    "TEXT": ("MESSAGE",),
    "AGENT_JOINED": ("MEMBERS_CHANGED",),
    "AGENT_LEFT": ("MEMBERS_CHANGED",),
}

PROVIDER = Provider(
    name="8x8",
    package=__name__,
    scheme=signature.EightByEightSignature(),
    detect_version=detect_version,
    versions={
        version: PayloadVersion(
            split=split,
            normalize=normalize,
            fresh_ids=("conversationId",),
            fresh_times=("timestamp",),
            words=words,
        )
        for version, words in _WORDS.items()
    },
    triggers=_meanings(),
    # "Change the version [...] to update your webhook": a channel posts to one webhook, whose
    # version changes in place, so there is never a second one to compare with.
    parallel=False,
    renames=_RENAMES,
    kept_headers=signature.HEADERS,
    event_id_of=event_id_of,
    is_ping=is_ping,
)
