"""The providers: a package for each vendor, found by walking this folder, and the senders.

Other packages add providers under the entry point group ``hookkit.providers``.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points

from hookkit.core.errors import ConfigurationError, not_known
from hookkit.core.provider import Provider
from hookkit.senders import SENDERS
from hookkit.senders.sender import provider_of


@cache
def load_providers() -> Mapping[str, Provider]:
    """Return every provider by name.

    Raises:
        ConfigurationError: Two providers have one name, or an entry point names none.
    """
    found = [
        import_module(f"{__name__}.{module.name}").PROVIDER
        for module in pkgutil.iter_modules(__path__)
    ]
    found += [provider_of(sender) for sender in SENDERS.values()]
    for entry_point in entry_points(group="hookkit.providers"):
        provider = entry_point.load()
        if not isinstance(provider, Provider):
            raise ConfigurationError(
                f"entry point {entry_point.value!r} of hookkit.providers is not a Provider"
            )
        found.append(provider)
    providers: dict[str, Provider] = {}
    for provider in found:
        if provider.name in providers:
            raise ConfigurationError(f"two providers are named {provider.name!r}")
        providers[provider.name] = provider
    return providers


def find_provider(name: str) -> Provider:
    """Return the provider of this name.

    Raises:
        ConfigurationError: It is not known; the message lists the known ones.
    """
    providers = load_providers()
    if name not in providers:
        raise ConfigurationError(f"provider {not_known(name, sorted(providers))}")
    return providers[name]
