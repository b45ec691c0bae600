"""LiveChat (text.com): webhooks of the legacy REST API, of the APIs 3.0 to 3.7, and of apps.

From 3.0 on each body carries the secret that was given when the webhook was registered;
there is no signature and no timestamp. Legacy and app lifecycle bodies carry no secret.
https://platform.text.com/docs/management/webhooks
"""

from __future__ import annotations

from dataclasses import replace

from hookkit.core.body import Document, Headers, dig_id, dig_text
from hookkit.core.event import EventType
from hookkit.core.provider import Provider
from hookkit.core.triggers import Meaning
from hookkit.providers.livechat import app, legacy, v3
from hookkit.providers.livechat.identity import REPEAT_SLOT_S
from hookkit.providers.livechat.versions import NUMBERED, RENAMES, actions_of, numbered_version
from hookkit.signatures.shared_secret import SharedSecretField


def detect_version(document: Document, headers: Headers) -> str | None:
    """Return the payload version that *document* shows; no body names its version.

    Bodies of apps have a ``payload`` too, and bodies of the legacy API have no ``action``.
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


def _meanings() -> dict[str, tuple[Meaning, ...]]:
    """Return what each word stands for: itself and its renames, and nothing else."""
    types: dict[str, EventType] = {**v3.TYPES, **legacy.TYPES, **app.TYPES}
    return {
        word: (
            Meaning(
                type=kind,
                vendor_types=frozenset({word, *RENAMES.get(word, ())}),
                # The reason tells these words apart, which later versions report as one.
                reasons=frozenset({v3.REASONS[word]}) if word in _WORDS_BY_REASON else None,
            ),
        )
        for word, kind in types.items()
    }


_WORDS_BY_REASON = ("auto_access_added", "auto_access_updated", "auto_access_deleted")

PROVIDER = Provider(
    name="livechat",
    scheme=SharedSecretField("secret_key"),
    detect_version=detect_version,
    versions={
        "legacy": legacy.LEGACY,
        "app": app.APP,
        **{version: replace(v3.V3, words=actions_of(version)) for version in NUMBERED},
    },
    triggers=_meanings(),
    parallel=True,
    renames=RENAMES,
    # "Your authentication credentials", as the legacy API calls its token.
    blanked=("secret_key", "token"),
    pinnable=NUMBERED,
    registration_of=_registration_of,
    repeat_slot_s=REPEAT_SLOT_S,
    unsigned_alone=False,
)
