"""Providers are found by walking the folder, and by entry points."""

from dataclasses import replace
from importlib.metadata import EntryPoint

import pytest

from hookkit import providers
from hookkit.core.errors import ConfigurationError
from hookkit.core.provider import Provider
from hookkit.providers.sunshine import PROVIDER
from hookkit.senders import SENDERS
from tests.providers.reading import ROOT, folder_of

ACME = replace(PROVIDER, name="acme")
NO_PROVIDER = object()


@pytest.fixture
def load(monkeypatch):
    """Return a function that loads the providers with these entry points beside the folder."""

    def load_with(*names):
        points = [EntryPoint(name, f"{__name__}:{name}", "hookkit.providers") for name in names]
        monkeypatch.setattr(providers, "entry_points", lambda group: points)
        return providers.load_providers.__wrapped__()

    return load_with


def test_every_folder_is_a_provider(load):
    folders = {path.parent.name for path in ROOT.glob("*/__init__.py")}

    vendors = [provider for name, provider in load().items() if name not in SENDERS]
    assert {folder_of(provider) for provider in vendors} == folders
    assert load()["sunshine"] is PROVIDER


def test_entry_point_adds_a_provider(load):
    assert load("ACME")["acme"] is ACME


def test_entry_point_that_is_no_provider_is_named(load):
    with pytest.raises(ConfigurationError, match=r"test_loading:NO_PROVIDER' .* not a Provider"):
        load("NO_PROVIDER")


def test_two_providers_cannot_share_a_name(load):
    with pytest.raises(ConfigurationError, match="two providers are named 'sunshine'"):
        load("PROVIDER")


def test_providers_are_loaded_once():
    assert providers.load_providers() is providers.load_providers()


@pytest.mark.parametrize("provider", providers.load_providers().values(), ids=lambda one: one.name)
def test_provider_is_whole(provider):
    assert isinstance(provider, Provider)
    assert provider.versions
    assert all(word == word.strip() and meanings for word, meanings in provider.triggers.items())
    assert all(name == name.lower() for name in provider.kept_headers)
    assert provider.name in repr(provider)
