"""LiveChat (text.com): webhooks of the legacy REST API, of the APIs 3.0 to 3.7, and of apps.

From 3.0 on each body carries the secret that was given when the webhook was registered;
there is no signature and no timestamp. Legacy and app lifecycle bodies carry no secret.
https://platform.text.com/docs/management/webhooks
"""

from __future__ import annotations

from hookkit.core.delivery import Document, Headers
from hookkit.core.event import EventType
from hookkit.core.provider import Provider
from hookkit.core.triggers import Meaning
from hookkit.providers.livechat import app, legacy, v3
from hookkit.providers.livechat.versions import NUMBERED, numbered_version
from hookkit.schemas.dig import dig_id, dig_text
from hookkit.signatures.shared_secret import SharedSecretField


def detect_version(document: Document, headers: Headers) -> str | None:
    """Return the payload version that *document* shows; no body names its own.

    Bodies of apps have a ``payload`` too, and bodies of the legacy API no ``action``.
    """
    if dig_text(document, "action") is not None:
        return numbered_version(document)
    if dig_text(document, "event_type") is not None:
        return "legacy"
    if dig_text(document, "event") is not None and "applicationID" in document:
        return "app"
    return None


def _registration_of(document: Document) -> str | None:
    return dig_id(document, "webhook_id")


#: word -> the words that it also fires for: what it was, or was to be, called in other versions.
#: https://platform.text.com/docs/management/changelog
RENAMES: dict[str, tuple[str, ...]] = {
    "incoming_chat_thread": ("incoming_chat",),
    "incoming_chat": ("incoming_chat_thread",),
    "thread_closed": ("chat_deactivated",),
    "chat_deactivated": ("thread_closed",),
    "chat_thread_tagged": ("thread_tagged",),
    "thread_tagged": ("chat_thread_tagged",),
    "chat_thread_untagged": ("thread_untagged",),
    "thread_untagged": ("chat_thread_untagged",),
    "chat_thread_properties_updated": ("thread_properties_updated",),
    "thread_properties_updated": ("chat_thread_properties_updated",),
    "chat_thread_properties_deleted": ("thread_properties_deleted",),
    "thread_properties_deleted": ("chat_thread_properties_deleted",),
    "chat_user_added": ("user_added_to_chat",),
    "user_added_to_chat": ("chat_user_added",),
    "chat_user_removed": ("user_removed_from_chat",),
    "user_removed_from_chat": ("chat_user_removed",),
    # 3.4 has one word for all three, and sends the new state whole.
    "access_granted": ("chat_access_granted", "chat_access_updated"),
    "chat_access_granted": ("access_granted", "chat_access_updated"),
    "access_revoked": ("chat_access_revoked", "chat_access_updated"),
    "chat_access_revoked": ("access_revoked", "chat_access_updated"),
    "access_set": ("chat_access_set", "chat_access_updated"),
    "chat_access_set": ("access_set", "chat_access_updated"),
    "chat_access_updated": (
        "access_granted",
        "access_revoked",
        "access_set",
        "chat_access_granted",
        "chat_access_revoked",
        "chat_access_set",
    ),
    "customer_created": ("incoming_customer",),
    "incoming_customer": ("customer_created",),
    "last_seen_timestamp_updated": ("events_marked_as_seen",),
    "events_marked_as_seen": ("last_seen_timestamp_updated",),
    # The changelog says no more than that the first was removed.
    "agent_status_changed": ("routing_status_set",),
    "routing_status_set": ("agent_status_changed",),
    # 3.5 has one word for all three, and says in each element what became of it.
    "auto_access_added": ("auto_accesses_updated",),
    "auto_access_updated": ("auto_accesses_updated",),
    "auto_access_deleted": ("auto_accesses_updated",),
    "auto_accesses_updated": (
        "auto_access_added",
        "auto_access_updated",
        "auto_access_deleted",
    ),
}


def _meanings() -> dict[str, tuple[Meaning, ...]]:
    """Return what each word stands for: itself and its renames, and nothing else."""
    types: dict[str, EventType] = {**v3.TYPES, **legacy.TYPES, **app.TYPES}
    return {
        word: (
            Meaning(
                type=kind,
                vendor_types=frozenset({word, *RENAMES.get(word, ())}),
                # Elsewhere the words that become one are told apart by nothing but themselves.
                reasons=frozenset({v3.REASONS[word]}) if word in _TOLD_BY_REASON else None,
            ),
        )
        for word, kind in types.items()
    }


_TOLD_BY_REASON = ("auto_access_added", "auto_access_updated", "auto_access_deleted")

PROVIDER = Provider(
    name="livechat",
    scheme=SharedSecretField("secret_key"),
    detect_version=detect_version,
    versions={
        "legacy": legacy.LEGACY,
        "app": app.APP,
        **dict.fromkeys(NUMBERED, v3.V3),
    },
    triggers=_meanings(),
    parallel=True,
    # "Your authentication credentials", as the legacy API calls its token.
    blanked=("secret_key", "token"),
    pinnable=NUMBERED,
    registration_of=_registration_of,
    unsigned_alone=False,
)
