"""Zendesk Sunshine Conversations (once Smooch): v1, v1.1 and v2.

Every version sends the webhook's secret as ``X-API-Key``. There is no signature and no
timestamp. https://developer.zendesk.com/api-reference/conversations/
"""

from __future__ import annotations

from hookkit.core.body import Document, Headers
from hookkit.core.event import EventType
from hookkit.core.provider import Provider
from hookkit.core.triggers import Meaning
from hookkit.providers.sunshine import v1, v2
from hookkit.providers.sunshine.identity import REPEAT_SLOT_S
from hookkit.providers.sunshine.triggers import RENAMES
from hookkit.signatures.shared_secret import SharedSecretHeader


def detect_version(document: Document, headers: Headers) -> str | None:
    """Return the payload version that *document* shows.

    "Webhooks include a version property" since v1.1, so v1 is a trigger without one; v2 is
    an array of events. Third-party typings spell ``1.1``.
    """
    if isinstance(document.get("events"), list):
        webhook = document.get("webhook")
        version = webhook.get("version") if isinstance(webhook, dict) else None
        return version if isinstance(version, str) else "v2"
    if not isinstance(document.get("trigger"), str):
        return None
    version = document.get("version")
    if version is None:
        return "v1"
    return version if isinstance(version, str) and version.startswith("v") else f"v{version}"


def _meanings() -> dict[str, tuple[Meaning, ...]]:
    """Return what each word stands for; words that equal a unified type are left out."""
    kind = EventType
    user, business = frozenset({"user"}), frozenset({"business", "bot"})
    meanings = {
        "message": (Meaning(type=kind.MESSAGE),),
        # In v1.x the trigger says so even if the message's role does not.
        "message:appUser": (
            Meaning(type=kind.MESSAGE, authors=user),
            Meaning(type=kind.MESSAGE, vendor_types=frozenset({"message:appUser"})),
        ),
        "message:appMaker": (
            Meaning(type=kind.MESSAGE, authors=business),
            Meaning(type=kind.MESSAGE, vendor_types=frozenset({"message:appMaker"})),
        ),
        "message:delivery:channel": (Meaning(type=kind.DELIVERY_CHANNEL),),
        "message:delivery:user": (Meaning(type=kind.DELIVERY_USER),),
        "message:delivery:failure": (Meaning(type=kind.DELIVERY_FAILURE),),
        "delivery:success": (Meaning(type=kind.DELIVERY_CHANNEL),),
        "delivery:failure": (Meaning(type=kind.DELIVERY_FAILURE),),
        "postback": (Meaning(type=kind.POSTBACK),),
        "conversation:start": (
            Meaning(type=kind.CONVERSATION_CREATE),
            # A start on an existing conversation has v2's referral as its counterpart.
            Meaning(type=kind.REFERRAL, extra="start"),
        ),
        "conversation:message:delete": (Meaning(type=kind.MESSAGE_REMOVE),),
        "typing:appUser": (Meaning(type=kind.TYPING, authors=user),),
        "client:block": (Meaning(type=kind.CLIENT_UPDATE, reasons=frozenset({"blocked"})),),
        "link:match": (Meaning(type=kind.CLIENT_UPDATE, reasons=frozenset({"matched"})),),
        "link:success": (Meaning(type=kind.CLIENT_UPDATE, reasons=frozenset({"confirmed"})),),
        "link:failure": (
            # The upgrade guide spells linkFailure, the specification linkFailed.
            Meaning(
                type=kind.CLIENT_REMOVE,
                reasons=frozenset({"linkCancelled", "linkFailed", "linkFailure"}),
            ),
        ),
        "merge:appUser": (Meaning(type=kind.USER_MERGE),),
        "appUser:delete": (Meaning(type=kind.USER_REMOVE),),
        "user:delete": (Meaning(type=kind.USER_REMOVE),),
    }
    for word, to in {**v1.TYPES, **v2.TYPES}.items():
        if to is kind.OTHER:
            meanings[word] = (Meaning(type=kind.OTHER, vendor_types=frozenset({word})),)
    return meanings


PROVIDER = Provider(
    name="sunshine",
    scheme=SharedSecretHeader("x-api-key"),
    detect_version=detect_version,
    versions={"v1": v1.V1, "v1.1": v1.V1_1, "v2": v2.V2},
    triggers=_meanings(),
    parallel=True,
    renames=RENAMES,
    repeat_slot_s=REPEAT_SLOT_S,
)
