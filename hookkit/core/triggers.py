"""The words a handler may be registered under, and what they mean."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import TypeAlias

from hookkit.core.errors import ConfigurationError
from hookkit.core.event import EVENT_CLASSES, Event, EventType


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """What a vendor's word stands for in the unified model; None in an attribute accepts any.

    Attributes:
        type: The unified type.
        authors: The actor's type is one of these.
        reasons: The event's reason is one of these.
        vendor_types: The event's word, as sent, is one of these. Words that are renames
            of each other share this set.
        extra: The event's ``extra`` has this key, with a true value.
    """

    type: EventType
    authors: frozenset[str] | None = None
    reasons: frozenset[str] | None = None
    vendor_types: frozenset[str] | None = None
    extra: str | None = None

    def fits(self, event: Event) -> bool:
        """Tell whether *event* is what the word stands for."""
        return (
            event.type is self.type
            and (self.authors is None or _author_type(event) in self.authors)
            and (self.reasons is None or event.reason in self.reasons)
            and (self.vendor_types is None or event.vendor_type in self.vendor_types)
            and (self.extra is None or bool(event.extra.get(self.extra)))
        )


def _author_type(event: Event) -> str | None:
    return event.actor.type if event.actor is not None else None


_EVENT_TYPES = frozenset(kind.value for kind in EventType)

#: provider name -> its words.
Vocabulary: TypeAlias = Mapping[str, Mapping[str, tuple[Meaning, ...]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """A registered word, prepared for matching many events.

    Attributes:
        word: As it was written.
        types: Unified types it stands for.
        meanings: By provider: what the word stands for among that vendor's.
        exactly: A provider and its word as sent, without translation.
    """

    word: str
    types: frozenset[EventType] = frozenset()
    meanings: Mapping[str, tuple[Meaning, ...]] | None = None
    exactly: tuple[str, str] | None = None

    @property
    def event_classes(self) -> frozenset[type[Event]]:
        """The classes of the events that the word stands for; none if it may be any."""
        meanings = [each for of_one in (self.meanings or {}).values() for each in of_one]
        types = self.types | {meaning.type for meaning in meanings}
        return frozenset(EVENT_CLASSES[kind] for kind in types)

    def fits(self, event: Event) -> bool:
        """Tell whether *event* is one that the word stands for."""
        if self.exactly is not None:
            return (event.provider, event.vendor_type) == self.exactly
        if self.meanings is not None:
            return any(meaning.fits(event) for meaning in self.meanings.get(event.provider, ()))
        return event.type in self.types

    def may_fit(self, kind: EventType) -> bool:
        """Tell whether an event of type *kind* could be one that the word stands for."""
        if self.exactly is not None:
            return True
        if self.meanings is not None:
            meanings = chain.from_iterable(self.meanings.values())
            return any(meaning.type is kind for meaning in meanings)
        return kind in self.types


def explain(word: str, vocabulary: Vocabulary) -> Trigger:
    """Return what *word* stands for.

    A word that is both a unified type and a vendor's own means the unified type.

    Raises:
        ConfigurationError: Nothing explains the word; the message names the nearest ones.
    """
    if word == "*":
        return Trigger(word=word, types=frozenset(EventType))
    if word in _EVENT_TYPES:
        return Trigger(word=word, types=frozenset({EventType(word)}))
    if word.endswith(":*"):
        types = frozenset(kind for kind in EventType if kind.startswith(word[:-1]))
        if types:
            return Trigger(word=word, types=types)
    provider, slash, vendor_type = word.partition("/")
    if slash and vendor_type and provider in vocabulary:
        return Trigger(word=word, exactly=(provider, vendor_type))
    meanings = {name: words[word] for name, words in vocabulary.items() if word in words}
    if meanings:
        return Trigger(word=word, meanings=meanings)
    raise ConfigurationError(_unexplained(word, vocabulary))


def _unexplained(word: str, vocabulary: Vocabulary) -> str:
    provider, slash, _ = word.partition("/")
    if slash and provider in vocabulary:
        return f"trigger {word!r}: a word of {provider} must follow the slash"
    if slash:
        known: Iterable[str] = [f"{name}/..." for name in vocabulary]
        return f"trigger {word!r}: no provider has that name; known are {', '.join(sorted(known))}"
    words = _EVENT_TYPES.union("*", *vocabulary.values())
    nearest = difflib.get_close_matches(word, sorted(words), n=3, cutoff=0.5)
    if nearest:
        return f"trigger {word!r} is not known; did you mean {' or '.join(map(repr, nearest))}?"
    return (
        f"trigger {word!r} is not known; use an event type such as 'conversation:message',"
        " a wildcard such as 'conversation:*', or a vendor's own word as '<provider>/<word>'"
    )
