"""Which words of one payload version mean the same as words of another, by the provider's data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hookkit.core.event import EventType
from hookkit.core.handlers import Handler
from hookkit.core.provider import Provider
from hookkit.core.triggers import Trigger


def words_of(provider: Provider, version: str) -> tuple[str, ...]:
    """Return the words that a webhook of *version* can be registered for; () if it is unknown."""
    known = provider.versions.get(version)
    return () if known is None else known.words or tuple(known.types)


def counterparts(provider: Provider, word: str, version: str) -> list[str]:
    """Return the words of *version* that mean the same as *word*, *word* itself first."""
    renamed = {word, *provider.renames.get(word, ())}
    renamed |= {each for each, others in provider.renames.items() if word in others}
    found = [each for each in words_of(provider, version) if each in renamed]
    return sorted(found, key=lambda each: each != word)


def words_without_counterpart(provider: Provider, old: str, new: str) -> list[str]:
    """Return the words of *old* that nothing in *new* means the same as."""
    return [word for word in words_of(provider, old) if not counterparts(provider, word, new)]


def has_counterparts(provider: Provider, old: str, new: str) -> bool:
    """Tell whether *new* reports anything that *old* does, so that it may replace *old*."""
    return any(counterparts(provider, word, new) for word in words_of(provider, old))


def kind_of(provider: Provider, version: str, word: str) -> str:
    """Return the event type of *word*, or *word* itself if *version* gives it none."""
    known = provider.versions.get(version)
    kind = None if known is None else known.types.get(word)
    return word if kind in (None, EventType.OTHER) else kind.value


def waits_for(handler: Handler, provider: Provider, version: str, word: str) -> bool:
    """Tell whether *handler* may be given an event that *version* reports as *word*."""
    return _is_given(handler, handler.triggers, provider, version, word)


def is_registered_by_name(handler: Handler, provider: Provider, version: str, word: str) -> bool:
    """Tell whether *handler* waits for *word* by more than the wildcard ``"*"``."""
    named = [trigger for trigger in handler.triggers if trigger.word != "*"]
    return _is_given(handler, named, provider, version, word)


def _is_given(
    handler: Handler, triggers: Sequence[Trigger], provider: Provider, version: str, word: str
) -> bool:
    condition = handler.condition
    if condition.version not in (None, version) or condition.provider not in (None, provider.name):
        return False
    return any(_matches(trigger, provider, version, word) for trigger in triggers)


def _matches(trigger: Trigger, provider: Provider, version: str, word: str) -> bool:
    if trigger.exactly is not None:
        return trigger.exactly == (provider.name, word)
    if trigger.meanings is not None:
        if provider.name not in trigger.meanings:
            return False
        # A word that the version has means only itself. Other words match what replaced them.
        if trigger.word in words_of(provider, version):
            return word == trigger.word
        return word in counterparts(provider, trigger.word, version)
    known = provider.versions.get(version)
    kind = None if known is None else known.types.get(word)
    if kind is not None:
        return kind in trigger.types
    return any(each.type in trigger.types for each in provider.triggers.get(word, ()))


@dataclass(frozen=True, slots=True, kw_only=True)
class WordNote:
    """A handler's word that the vendor's newest payload version does not have.

    Attributes:
        word: The word as it is registered.
        provider: The provider whose word it is.
        versions: The payload versions that have it; none for an unknown word.
        newest: The provider's newest payload version.
        renamed: The words of the newest version that replace it.
        is_exact: Whether the word matches only itself, and not what replaced it.
    """

    word: str
    provider: str
    versions: tuple[str, ...]
    newest: str
    renamed: tuple[str, ...]
    is_exact: bool


def notes_on(trigger: Trigger, providers: list[Provider]) -> list[WordNote]:
    """Return a note for each of *providers* whose newest version does not have the word.

    An event type needs no note.
    """
    if trigger.exactly is not None:
        name, word = trigger.exactly
        speakers = [each for each in providers if each.name == name]
    elif trigger.meanings is not None:
        word = trigger.word
        speakers = [each for each in providers if each.name in trigger.meanings]
    else:
        return []
    notes = []
    for provider in speakers:
        versions = tuple(each for each in provider.versions if word in words_of(provider, each))
        newest = tuple(provider.versions)[-1]
        has_words = any(words_of(provider, each) for each in provider.versions)
        if newest not in versions and has_words:
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
