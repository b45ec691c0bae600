"""How people and programs misspell a secret or a header: guesses at what was meant.

Each function yields a spelling, and what is wrong with the one that it was given.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, b64encode
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import quote, unquote

from hookkit.signatures.encodings import from_hex, secret_from_base64

#: What stands before a secret or a signature, and belongs to it or not.
_PREFIX = re.compile(
    r"(?:v1,)?whsec_|sha(?:1|256|512)=|v[0-9]a?[=,]|Bearer |Basic |Token ", re.IGNORECASE
)

_ASSIGNMENT = re.compile(r"(?:export )?[A-Za-z_][A-Za-z0-9_]*\s*[=:]\s*(.+)", re.DOTALL)

#: ``$NAME``, ``${NAME}``, ``{{ NAME }}`` and a bare ``NAME_OF_IT``.
_VARIABLE = re.compile(r"\$\{?\w+\}?|\{\{.*\}\}|%\w+%|<[\w -]+>|[A-Z]+(?:_[A-Z0-9]+)+")

_QUOTES = "'\"`"


class Spelling(NamedTuple):
    """Another spelling of a text.

    Attributes:
        fault: What is wrong with the spelling that is there: the end of "it ...".
    """

    text: str
    fault: str


def is_variable_name(secret: str) -> bool:
    """Tell whether *secret* reads as the name of a variable, and not as its value."""
    return bool(_VARIABLE.fullmatch(secret))


def secret_spellings(secret: str) -> Iterator[Spelling]:
    """Yield what the vendor may have where the settings have *secret*."""
    if secret.strip(_QUOTES) not in ("", secret):
        yield Spelling(secret.strip(_QUOTES), "stands in quotes, which do not belong to it")
    assigned = _ASSIGNMENT.fullmatch(secret)
    if assigned is not None:
        bare = assigned[1].strip().strip(_QUOTES)
        yield Spelling(bare, "begins with the name of a variable")
    prefix = _PREFIX.match(secret)
    if prefix is not None:
        yield Spelling(secret[prefix.end() :], "has a prefix that does not belong to it")
    else:
        yield Spelling(f"whsec_{secret}", "lacks the prefix whsec_, which belongs to it")
    for end, name in (("\n", "a line break"), (" ", "a space"), ("\r\n", "a line break")):
        yield Spelling(
            secret + end, f"has {name} at its end at the vendor, and not in the settings"
        )
    yield Spelling(" " + secret, "has a space before it at the vendor, and not in the settings")
    if "%" in secret:
        yield Spelling(unquote(secret), "is escaped as in a URL")
    yield Spelling(secret.replace("\\n", "\n"), "has a line break that is written as \\n")
    yield Spelling(secret.lower(), "has capital letters, and the vendor's has none")
    yield Spelling(secret.upper(), "has small letters, and the vendor's has none")
    yield Spelling(secret.rstrip("="), "has = at its end, and the vendor's has not")
    half = secret[: len(secret) // 2]
    if half * 2 == secret:
        yield Spelling(half, "was pasted twice")
    yield from _decoded_secrets(secret)


def _decoded_secrets(secret: str) -> Iterator[Spelling]:
    """Yield the texts that *secret* encodes, and those by which it is encoded."""
    for read, name in ((secret_from_base64, "base64"), (from_hex, "hexadecimal")):
        data = read(secret.lower() if read is from_hex else secret)
        try:
            text = (data or b"").decode()
        except UnicodeDecodeError:
            continue
        if text.isprintable():
            yield Spelling(text, f"is written in {name}, and the vendor uses the text behind it")
    encoded = b64encode(secret.encode()).decode()
    yield Spelling(encoded, "is plain text, and the vendor uses its base64")
    yield Spelling(secret.encode().hex(), "is plain text, and the vendor uses its hexadecimal")
    yield Spelling(f"whsec_{encoded}", "is used as text by the vendor, and as base64 here")


def sent_secrets(secret: str) -> Iterator[Spelling]:
    """Yield how a sender may send *secret* along, beside as it is."""
    for prefix in ("Bearer ", "Token ", "token ", "Basic ", "sha256="):
        yield Spelling(prefix + secret, f"was sent with {prefix.strip()!r} before it")
    for mark in _QUOTES:
        yield Spelling(f"{mark}{secret}{mark}", "was sent in quotes")
    yield Spelling(quote(secret, safe=""), "was sent with escapes, as in a URL")
    encoded = b64encode(secret.encode()).decode()
    yield Spelling(f"Basic {encoded}", "was sent as Basic credentials")
    for sep in (",", ", "):
        yield Spelling(f"{secret}{sep}{secret}", "was sent twice, in two headers of one name")
    yield Spelling(f"{secret}\n", "was sent with a line break")


def header_spellings(value: str, prefix: str) -> Iterator[Spelling]:
    """Yield what a header with a proof may have meant that holds *value*.

    Args:
        prefix: What the scheme expects before a signature; empty if nothing.
    """
    for sep in (", ", ","):
        half = value[: (len(value) - len(sep)) // 2]
        if half and f"{half}{sep}{half}" == value:
            yield Spelling(half, "came twice")
    bare = value.strip().strip(_QUOTES)
    yield Spelling(bare, "has quotes or white space around it")
    yield Spelling(unquote(value), "is escaped as in a URL")
    found = _PREFIX.match(bare)
    core = bare if found is None else bare[found.end() :]
    if found is not None and found[0] != prefix:
        yield Spelling(prefix + core, f"begins with {found[0].strip()!r}")
    elif found is None and prefix:
        yield Spelling(prefix + core, f"lacks {prefix!r} at its beginning")
    start = prefix if bare.startswith(prefix) else ""
    for text, name in _reencoded(core):
        yield Spelling(start + text, f"is written in {name}")


def _reencoded(signature: str) -> Iterator[tuple[str, str]]:
    data = from_hex(signature.lower())
    if data:
        yield signature.lower(), "capital letters"
        yield signature.upper(), "small letters"
        yield b64encode(data).decode(), "hexadecimal"
        return
    try:
        data = b64decode(signature.replace("-", "+").replace("_", "/") + "==", validate=False)
    except (binascii.Error, ValueError):
        return
    yield b64encode(data).decode(), "another alphabet of base64, or without its padding"
    yield data.hex(), "base64"
