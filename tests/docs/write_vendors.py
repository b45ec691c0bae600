"""Writes the tables of docs/reference/vendors.md from the providers: ``python -m`` this module."""

from itertools import groupby

from hookkit import EventType
from hookkit.providers import load_providers
from hookkit.senders import SENDERS
from hookkit.testing import list_samples
from tests.docs.pages import ROOT
from tests.docs.written import write

PAGE = ROOT / "docs" / "reference" / "vendors.md"
VENDORS = {"sunshine": "Sunshine Conversations", "livechat": "LiveChat", "8x8": "8x8"}
PROVIDERS = {name: load_providers()[name] for name in VENDORS}


def versions():
    yield "| vendor | payload version | words | event types | samples |"
    yield "| --- | --- | --- | --- | --- |"
    for name, provider in PROVIDERS.items():
        for version in provider.versions:
            types = {kind for word in words_of(name, version) for kind in types_of(name, word)}
            yield (
                f"| [{VENDORS[name]}](../providers/{name}.md) | {version} |"
                f" {len(words_of(name, version))} | {len(types)} |"
                f" {len(list_samples(provider, version))} |"
            )


def types():
    yield "| type | " + " | ".join(VENDORS.values()) + " |"
    yield "| --- |" + " --- |" * len(VENDORS)
    for kind in EventType:
        cells = [reported(name, kind) for name in VENDORS]
        if any(cells):
            yield f"| `{kind.value}` | " + " | ".join(cells) + " |"


def reported(name, kind):
    """Return the versions of a vendor that have a word for a type."""
    return spans(
        name,
        [
            version
            for version in PROVIDERS[name].versions
            if any(kind in types_of(name, word) for word in words_of(name, version))
        ],
    )


def words(name):
    yield "| word | becomes | payload versions |"
    yield "| --- | --- | --- |"
    every = {word for version in PROVIDERS[name].versions for word in words_of(name, version)}
    for word in sorted(every, key=str.lower):
        becomes = ", ".join(f"`{kind.value}`" for kind in types_of(name, word))
        having = [each for each in PROVIDERS[name].versions if word in words_of(name, each)]
        yield f"| `{word}` | {becomes} | {spans(name, having)} |"


def words_of(name, version):
    """Return what a webhook of this version can be registered for; all it reads if that is all."""
    found = PROVIDERS[name].versions[version]
    return found.words or tuple(found.types)


def types_of(name, word):
    """Return the event types that a vendor's word becomes, in the order of the model."""
    provider = PROVIDERS[name]
    meant = {each.type for each in provider.triggers.get(word, ())}
    meant |= {each.types[word] for each in provider.versions.values() if word in each.types}
    return [kind for kind in EventType if kind in meant or kind.value == word]


def spans(name, having):
    """Return versions as a reader says them: ``3.1, 3.4 to 3.7``."""
    every = list(PROVIDERS[name].versions)
    if having == every:
        return "all"
    runs = [
        [version for _, version in run]
        for _, run in groupby(enumerate(having), key=lambda pair: every.index(pair[1]) - pair[0])
    ]
    return ", ".join(f"{run[0]} to {run[-1]}" if len(run) > 2 else ", ".join(run) for run in runs)


def presets():
    yield ", ".join(f"`{name}`" for name in SENDERS)


TABLES = {
    "versions": versions,
    "types": types,
    **{f"words of {name}": lambda name=name: words(name) for name in VENDORS},
    "presets": presets,
}

if __name__ == "__main__":
    write(PAGE, TABLES)
