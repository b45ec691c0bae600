"""Changes to a request: to its structure where it has one, to its bytes where it has none."""

from __future__ import annotations

import copy
import json
import random
from typing import Any
from urllib.parse import quote_from_bytes

from tests.fuzz.targets import MAX_BODY, VERIFY_TOKEN, Request

VALUES: list[Any] = [
    None,
    True,
    0,
    -1,
    2**64,
    1e400,
    "",
    " ",
    "\x00",
    "\ud800",
    "\u202e",
    "a" * 3000,
]
VALUES += [[], {}, [[]], {"": {}}, "2026-03-01", "'; DROP TABLE", "\x1b]0;x\x07", "=cmd", 0.1]
WORDS = ["id", "_id", "type", "events", "payload", "version", "webhook", "secret_key", "signature"]
WORDS += ["app", "trigger", "messages", "action", "event-data", "challenge", "", "\x00"]
JUNK = [
    b"",
    b"\x00",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"{",
    b"[" * 50,
    b'"',
    b"\\ud800",
    b"1e999",
    b"NaN",
]
JUNK += [b"%zz", b"&", b"=", b"%00", b"9" * 5000, b"\r\n", b"{}{}", b"\xed\xa0\x80", b",", b"t=1"]
METHODS = [
    "GET",
    "HEAD",
    "PUT",
    "PATCH",
    "DELETE",
    "OPTIONS",
    "TRACE",
    "CONNECT",
    "BREW",
    "p\xf6st",
]
NAMES = ["Content-Encoding", "Transfer-Encoding", "Expect", "X-Forwarded-Host", "Upgrade", "Range"]
NAMES += ["Authorization", "Cookie", "Content-Type", "X-HTTP-Method-Override", "Host", "X-\xff"]
LENGTHS = ["", "abc", "-1", "+5", "5_0", "1.5", "9" * 5000, "\u0663", " 5", "5, 5", "0x5"]


def mutate_document(body: bytes, chance: random.Random) -> bytes:
    """Return *body* with one to three changes; before it is signed, this is a new delivery."""
    try:
        document = json.loads(body)
    except ValueError:
        return mutate_bytes(body, chance)
    if chance.random() < 0.15:
        return mutate_bytes(body, chance)
    for _ in range(chance.randrange(1, 4)):
        _change_somewhere(document, chance)
    text = json.dumps(document)
    if chance.random() < 0.1:
        # One key twice.
        text = text.replace("{", '{"id": 1, "type": [], ', 1)
    encoding = chance.choice(["utf-8"] * 12 + ["utf-16", "utf-8-sig"])
    return text.encode(encoding)[: MAX_BODY - 2000]


def _change_somewhere(document: Any, chance: random.Random) -> None:
    node = document
    while isinstance(node, dict | list) and node:
        key = chance.choice(list(node) if isinstance(node, dict) else range(len(node)))
        if not isinstance(node[key], dict | list) or not node[key] or chance.random() < 0.3:
            break
        node = node[key]
    else:
        return
    match chance.randrange(6):
        case 0:
            del node[key]
        case 1:
            node[key] = [node[key]] * chance.randrange(1, 4)
        case 2:
            node[key] = {chance.choice(WORDS): node[key]}
        case 3 if isinstance(node, dict):
            node[chance.choice(WORDS)] = node[key]
        case 4 if isinstance(node[key], str):
            text = node[key]
            place = chance.randrange(len(text) + 1)
            node[key] = (
                text[:place] + chance.choice(["\x00", "\u202e", "\ud800", "x"]) + text[place:]
            )
        case _:
            node[key] = copy.deepcopy(chance.choice(VALUES))


def mutate_bytes(body: bytes, chance: random.Random) -> bytes:
    """Return *body* with one to three changes to its bytes."""
    for _ in range(chance.randrange(1, 4)):
        start = chance.randrange(len(body) + 1)
        end = min(len(body), start + chance.randrange(9))
        piece = chance.choice([*JUNK, chance.randbytes(3), body[start:end] * 2])
        body = body[:start] + piece + body[end:]
    return body[: MAX_BODY - 2000]


def mutate_text(text: str, chance: random.Random) -> str:
    """Return *text*, which a header or a query may hold, with changes."""
    return mutate_bytes(text.encode("latin-1", "replace"), chance).decode("latin-1")


def mutate_request(request: Request, chance: random.Random) -> None:
    """Change *request* after it was signed, in one to three places."""
    request.is_changed = True
    for _ in range(chance.randrange(1, 4)):
        match chance.randrange(10):
            case 0:
                request.method = chance.choice(METHODS)
            case 1:
                request.path = chance.choice(
                    ["", "/", "//x", "/../x", "/\xff\xfe", "/%2e%2e", "/x" * 2000, "/\x00", "/a b"]
                )
            case 2:
                request.query = mutate_text(request.query, chance)
            case 3:
                request.body = mutate_bytes(request.body, chance)
            case 4 if request.headers:
                del request.headers[chance.choice(list(request.headers))]
            case 5:
                name = chance.choice([*NAMES, *request.headers])
                request.headers[name.lower()] = mutate_text("", chance)
            case 6 if request.body:
                # Fields move into the query.
                request.query += "&" + quote_from_bytes(request.body[:200], safe="=&%")
            case _ if request.headers:
                name = chance.choice(list(request.headers))
                request.headers[name] = mutate_text(request.headers[name], chance)


def challenge(chance: random.Random) -> Request:
    """Return a GET challenge, whose token may be right."""
    token = chance.choice([VERIFY_TOKEN, "wrong", "\xff"])
    asked = chance.choice(["1234", "\xff\xfe", "%ff", "%0d%0aX: 1", "<b>", "1" * 3000, ""])
    query = f"hub.mode=subscribe&hub.verify_token={token}&hub.challenge={asked}"
    if chance.random() < 0.5:
        query = mutate_text(query, chance)
    return Request(endpoint="meta", method="GET", query=query)
