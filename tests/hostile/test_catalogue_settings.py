"""Secrets that are none: the application does not start, or warns, and shows none of them."""

import warnings

import pytest

from hookkit import ConfigurationError, HookKit
from tests.applications import make_app

GOOD = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PROVIDERS = ("sunshine", "livechat", "github", "standard")
#: What is refused, whatever provider it is for.
REFUSED = {
    "null": None,
    "empty list": [],
    "null in the list": [None],
    "empty": [""],
    "empty beside a good one": ["", GOOD],
    "blank": [" \t"],
    "no-break space": ["\xa0"],
    "a text": GOOD,
    "bytes": [GOOD.encode()],
    "a number": [12345678901234567890],
    "a set": {GOOD},
    "line break behind": [f"{GOOD}\n"],
    "blank before": [f" {GOOD}"],
    "line break within": [f"{GOOD}\n{GOOD}"],
    "NUL": [f"{GOOD}\0"],
    "surrogate": [f"{GOOD}\udcff"],
    "twice": [GOOD, GOOD],
}
#: What Standard Webhooks refuses and others warn of: they take any text.
WARNED_OF = {
    "short": "MfKQ9r8",
    "quoted": f'"{GOOD}"',
    "quoted once": f"'{GOOD}'",
    "variable": "${WEBHOOK_SIGNING_SECRET}",
    "placeholder": "<the secret of your webhook>",
}


def start(provider, secrets):
    """Return what is warned of, and the mistakes."""
    declared = {"shop": {"provider": provider, "secrets": secrets}}
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            make_app(HookKit(), HOOKKIT_ENDPOINTS=declared)
        except ConfigurationError as error:
            return [], list(error.mistakes)
    return [str(each.message) for each in warned], []


@pytest.mark.parametrize("provider", PROVIDERS)
def test_secret_of_the_catalogue_that_is_right_starts(provider):
    assert start(provider, [GOOD]) == ([], [])


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("name", REFUSED)
def test_secret_that_is_none_stops_the_start(provider, name):
    _, mistakes = start(provider, REFUSED[name])

    assert len(mistakes) == 1
    assert mistakes[0].startswith("HOOKKIT_ENDPOINTS.shop.secrets: ")
    assert GOOD not in mistakes[0]


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("name", WARNED_OF)
def test_secret_that_is_hardly_one_is_said(provider, name):
    warned, mistakes = start(provider, [WARNED_OF[name]])

    assert (len(warned), len(mistakes)) == ((0, 1) if provider == "standard" else (1, 0))
    assert WARNED_OF[name] not in str([warned, mistakes])


def test_prefix_of_a_secret_that_is_there_twice_is_refused():
    assert start("standard", [f"whsec_{GOOD}"]) == ([], [])
    for doubled in ("whsec_whsec_", "whsec_whpk_", "v1,whsec_whsec_"):
        warned, mistakes = start("standard", [f"{doubled}{GOOD}"])

        assert (warned, len(mistakes)) == ([], 1)
        assert GOOD not in mistakes[0]
