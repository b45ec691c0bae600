"""The table of limits says what the code has."""

import re

import pytest

from hookkit.core.body import MAX_DEPTH
from hookkit.core.form import MAX_FIELDS
from hookkit.core.handshake import MAX_ECHO_CHARS
from hookkit.core.ids import MAX_ID_CHARS
from hookkit.core.provider import MAX_REPEATED_BYTES
from hookkit.handling.journal import MAX_KINDS
from hookkit.inbox.sql.keys import MAX_KEPT_KEYS
from hookkit.keys.budget import TOTAL_PER_S
from hookkit.log import FIRST_LINES, PERIOD_S
from hookkit.providers import load_providers
from hookkit.receiving.quarantine import ENDPOINT_BURST, MAX_BYTES
from hookkit.settings.fields import HIGHEST_MAX_ITEMS
from hookkit.settings.load import load_settings
from hookkit.signatures.in_body import MAX_PLACES, MAX_SECRET_BYTES
from hookkit.signatures.signed_text import MAX_SIGNATURES
from hookkit.signatures.standard_webhooks import MAX_KEY_SIGNATURES
from tests.docs.pages import ROOT

SETTINGS = load_settings(
    {"HOOKKIT_ENDPOINTS": {"support": {"provider": "sunshine", "secrets": ["a" * 32]}}},
    load_providers(),
)
ENDPOINT = SETTINGS.endpoints["support"]
LIMITS = {
    "bytes of a body": ENDPOINT.max_body_bytes,
    "bytes that are decoded before a proof": ENDPOINT.max_unproven_bytes,
    "events in a body": ENDPOINT.max_items,
    "the highest value of that setting": HIGHEST_MAX_ITEMS,
    "bytes that the events of a body repeat of it": MAX_REPEATED_BYTES,
    "depth of a JSON body": MAX_DEPTH,
    "fields of a form": MAX_FIELDS,
    "signatures in a header": MAX_SIGNATURES,
    "of them, signatures by private keys": MAX_KEY_SIGNATURES,
    "bytes of a secret that lies in the body": MAX_SECRET_BYTES,
    "places that a large body is searched for it, from either end": MAX_PLACES,
    "characters that are echoed": MAX_ECHO_CHARS,
    "characters of an event id": MAX_ID_CHARS,
    "log lines of one kind in a minute": FIRST_LINES,
    "kinds of unhandled events that are logged": MAX_KINDS,
    "look-ups of unknown keys in a second, together": TOTAL_PER_S,
    "public keys kept for one key server": MAX_KEPT_KEYS,
    "refused deliveries that are kept": SETTINGS.quarantine,
    "bytes of bodies of these": MAX_BYTES,
    "of one endpoint, those that a process keeps at once": ENDPOINT_BURST,
}
PAGE = (ROOT / "docs/reference/settings.md").read_text(encoding="utf-8").partition("## Limits")[2]
ROWS = dict(re.findall(r"^\| ([^|`]+) \| (\d+) \|", PAGE, re.MULTILINE))


def test_table_has_every_limit_and_no_other():
    assert sorted(ROWS) == sorted(LIMITS)


@pytest.mark.parametrize("limit", LIMITS)
def test_table_has_the_value_of_the_code(limit):
    assert int(ROWS[limit]) == LIMITS[limit]


def test_log_lines_are_bounded_by_the_minute():
    assert PERIOD_S == 60
