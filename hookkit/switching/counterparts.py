"""Which words of one payload version stand for those of another, by the provider's own data."""

from __future__ import annotations

from dataclasses import dataclass

from hookkit.core.event import EventType
from hookkit.core.handlers import Handler
from hookkit.core.provider import Provider
from hookkit.core.triggers import Trigger


def words_of(provider: Provider, version: str) -> tuple[str, ...]:
    """Return the words that a webhook of *version* can be registered for; of none, none."""
    known = provider.versions.get(version)
    return () if known is None else known.words or tuple(known.types)


def counterparts(provider: Provider, word: str, version: str) -> list[str]:
    """Return the words of *version* that report what *word* does, itself first; none is none."""
    renamed = {word, *provider.renames.get(word, ())}
    renamed |= {each for each, others in provider.renames.items() if word in others}
    found = [each for each in words_of(provider, version) if each in renamed]
    return sorted(found, key=lambda each: each != word)


def uncounted(provider: Provider, old: str, new: str) -> list[str]:
    """Return the words of *old* that have no counterpart in *new*."""
    return [word for word in words_of(provider, old) if not counterparts(provider, word, new)]


def succeeds(provider: Provider, new: str, old: str) -> bool:
    """Tell whether *new* reports anything that *old* does: else they are for different things."""
    return any(counterparts(provider, word, new) for word in words_of(provider, old))


def kind_of(provider: Provider, version: str, word: str) -> str:
    """Return what versions call alike: the event type, or the word where there is none."""
    known = provider.versions.get(version)
    kind = None if known is None else known.types.get(word)
    return word if kind in (None, EventType.OTHER) else kind.value


def waits_for(handler: Handler, provider: Provider, version: str, word: str) -> bool:
    """Tell whether *handler* may be given what *version* reports by *word*."""
    condition = handler.condition
    if condition.version not in (None, version) or condition.provider not in (None, provider.name):
        return False
    return any(_stands_for(trigger, provider, version, word) for trigger in handler.triggers)


def names(handler: Handler, provider: Provider, version: str, word: str) -> bool:
    """Tell whether *handler* waits for *word*, not for just everything; ``"*"`` names nothing."""
    named = [trigger for trigger in handler.triggers if trigger.word != "*"]
    return waits_for(handler, provider, version, word) and any(
        _stands_for(trigger, provider, version, word) for trigger in named
    )


def _stands_for(trigger: Trigger, provider: Provider, version: str, word: str) -> bool:
    if trigger.exactly is not None:
        return trigger.exactly == (provider.name, word)
    if trigger.meanings is not None:
        if provider.name not in trigger.meanings:
            return False
        # A word that the version has is just that; one of another version is what became of it.
        return word in (
            [trigger.word]
            if trigger.word in words_of(provider, version)
            else counterparts(provider, trigger.word, version)
        )
    known = provider.versions.get(version)
    kind = None if known is None else known.types.get(word)
    if kind is not None:
        return kind in trigger.types
    return any(each.type in trigger.types for each in provider.triggers.get(word, ()))


@dataclass(frozen=True, slots=True, kw_only=True)
class WordNote:
    """What a handler's word has to do with payload versions.

    Attributes:
        word: As it is registered.
        provider: Whose word it is.
        versions: The payload versions that say it; none for a word that nobody knows.
        newest: The provider's newest payload version.
        renamed: What that version says instead.
        is_exact: Whether nothing else matches, renamed or not.
    """

    word: str
    provider: str
    versions: tuple[str, ...]
    newest: str
    renamed: tuple[str, ...]
    is_exact: bool


def notes_on(trigger: Trigger, providers: list[Provider]) -> list[WordNote]:
    """Return what to know of a word that the newest payload version of a vendor does not say.

    A word that is also an event type, or that the newest version says, needs no note.
    """
    if trigger.exactly is not None:
        name, word = trigger.exactly
        spoken = [each for each in providers if each.name == name]
    elif trigger.meanings is not None:
        word = trigger.word
        spoken = [each for each in providers if each.name in trigger.meanings]
    else:
        return []
    notes = []
    for provider in spoken:
        versions = tuple(each for each in provider.versions if word in words_of(provider, each))
        newest = tuple(provider.versions)[-1]
        known = any(words_of(provider, each) for each in provider.versions)
        if newest not in versions and known:
            notes.append(
                WordNote(
                    word=trigger.word,
                    provider=provider.name,
                    versions=versions,
                    newest=newest,
                    renamed=tuple(counterparts(provider, word, newest)),
                    is_exact=trigger.exactly is not None,
                )
            )
    return notes
