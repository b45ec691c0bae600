"""Refuses a handler's condition that no event can ever fulfil."""

from __future__ import annotations

from collections.abc import Mapping

from hookkit.core.errors import ConfigurationError
from hookkit.core.parts import AuthorType
from hookkit.core.provider import Provider


def check_condition(
    author: str | None,
    provider: str | None,
    version: str | None,
    providers: Mapping[str, Provider],
) -> None:
    """Raise ``ConfigurationError`` for a condition that no event can ever fulfil."""
    known = {
        "author": (author, [each.value for each in AuthorType]),
        "provider": (provider, sorted(providers)),
        "version": (
            version,
            sorted(
                {
                    name
                    for each in providers.values()
                    if provider in (None, each.name)
                    for name in each.versions
                }
            ),
        ),
    }
    mistakes = [
        f"on({word}={given!r}): not known; known are {', '.join(values)}"
        for word, (given, values) in known.items()
        if given is not None and given not in values
    ]
    if mistakes:
        raise ConfigurationError(*mistakes)
