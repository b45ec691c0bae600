"""Requests out of the catalogue of bad input, each with its answer, its rows and its log lines.

The number of a case is the number of its item in docs/reference/hardening.md.
"""

import gzip
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

import hookkit
from hookkit import HookKit
from hookkit.core.event import EventType
from tests.applications import ENDPOINTS, make_app, message

pytestmark = pytest.mark.usefixtures("no_way_out", "each_door")

SECRETS = {
    "standard": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "stripe": "a-secret-that-nobody-knows-1",
    "github": "a-secret-that-nobody-knows-2",
    "zendesk": "a-secret-that-nobody-knows-3",
    "square": "a-secret-that-nobody-knows-4",
}
MORE = {"square": {"public_url": "https://example.com/hooks/square"}}
BODY = b'{"type": "contact.created", "data": {"id": 1}}'
REFUSED = (0, ["delivery_rejected"])
DONE = (1, ["delivery_accepted"])


@dataclass(frozen=True, kw_only=True)
class Case:
    """A request, and what becomes of it.

    Attributes:
        item: Its number in the catalogue.
        send: Returns the headers and the body.
        code: What the answer says.
        rows: How many entries it leaves.
        actions: The words of its log lines.
        runs: The types of the events that handlers get.
        problem: What is wrong with the body that is kept.
    """

    item: int
    name: str
    to: str
    send: Callable[[], tuple[dict[str, str], bytes]]
    status: int
    code: str
    rows: int
    actions: list[str]
    runs: list[str] = field(default_factory=list)
    problem: str = ""


CASES: list[Case] = []


def add(item, name, to, send, status, code, outcome, **more):
    rows, actions = outcome
    names = ("item", "name", "to", "send", "status", "code", "rows", "actions")
    values = (item, name, to, send, status, code, rows, actions)
    CASES.append(Case(**dict(zip(names, values, strict=True)), **more))


def signed(to, body=BODY, *, ahead_s=0, event_id="msg_1", **changed):
    """Return a function that makes a delivery of now, with headers that are *changed*."""

    def send():
        now = datetime.now(UTC) + timedelta(seconds=ahead_s)
        url = MORE.get(to, {}).get("public_url")
        headers = hookkit.sign(to, body, SECRETS[to], event_id=event_id, now=now, public_url=url)
        for key, change in changed.items():
            name = key.replace("_", "-")
            value = change(headers.get(name, "")) if callable(change) else change
            headers[name] = value
            if value is None:
                del headers[name]
        return headers, body

    return send


def refused(item, name, send, code="signature_mismatch", to="standard"):
    status = 400 if code.startswith("malformed") else 401
    add(item, name, to, send, status, code, REFUSED)


def kept(item, name, body, problem, to="standard", **changed):
    """Add a body that its sender has proved, and that is of no use."""
    more = {"runs": ["unknown"], "problem": problem}
    add(item, name, to, signed(to, body, **changed), 200, "accepted", DONE, **more)


def read(item, name, to, send, types=("other",)):
    outcome = (len(types), ["delivery_accepted"])
    add(item, name, to, send, 200, "accepted", outcome, runs=list(types))


# Signature and algorithm.
refused(2, "blank-signature", signed("github", x_hub_signature_256="  "), to="github")
for to, header in (
    ("standard", "webhook_signature"),
    ("stripe", "stripe_signature"),
    ("github", "x_hub_signature_256"),
):
    refused(1, f"no-signature-{to}", signed(to, **{header: None}), "signature_missing", to)
    refused(2, f"empty-signature-{to}", signed(to, **{header: ""}), "signature_missing", to)
    for cut in (1, 9):
        change = lambda value, cut=cut: value[:-cut]  # noqa: E731
        refused(6, f"signature-cut-by-{cut}-{to}", signed(to, **{header: change}), to=to)
    refused(7, f"signature-and-more-{to}", signed(to, **{header: lambda value: value + "0"}), to=to)
    refused(5, f"signature-with-umlaut-{to}", signed(to, **{header: lambda v: v + "\xe4"}), to=to)
twice = lambda value: f"{value},{value}"  # noqa: E731
refused(3, "id-twice", signed("standard", webhook_id=twice))
refused(3, "time-twice", signed("standard", webhook_timestamp=twice), "malformed_header")
refused(3, "signature-twice", signed("github", x_hub_signature_256=twice), to="github")
upper = lambda value: "sha256=" + value[7:].upper()  # noqa: E731
refused(8, "upper-case", signed("github", x_hub_signature_256=upper), to="github")
for name, change in {
    "junk": lambda value: value[:9] + "!" + value[9:],
    "no-padding": lambda value: value.rstrip("="),
    "url-alphabet": lambda value: value[:5] + "-_" + value[7:],
    "loose-bits": lambda value: value[:-2] + chr(ord(value[-2]) + 1) + "=",
    "blank": lambda value: value[:9] + " " + value[9:],
}.items():
    send = signed("square", x_square_hmacsha256_signature=change)
    refused(9, f"base64-{name}", send, to="square")
spaced = lambda value: value[:11] + " " + value[11:]  # noqa: E731
refused(10, "hex-with-space", signed("github", x_hub_signature_256=spaced), to="github")
many = lambda value: " ".join(["v1,AAAA"] * 10_000 + [value])  # noqa: E731
refused(11, "10000-signatures", signed("standard", webhook_signature=many), "malformed_header")
among = lambda value: f"v9,x garbage {value} v1,"  # noqa: E731
read(12, "garbage-beside", "standard", signed("standard", webhook_signature=among))
other = lambda value: value.replace("v1,", "v2,")  # noqa: E731
refused(13, "unknown-version", signed("standard", webhook_signature=other))
weaker = lambda value: "sha1=" + value[7:47]  # noqa: E731
refused(14, "sha1-in-its-place", signed("github", x_hub_signature_256=weaker), to="github")
sha1 = {"x_hub_signature_256": None, "x_hub_signature": "sha1=" + "0" * 40}
refused(14, "sha1-alone", signed("github", **sha1), "signature_missing", "github")


def by_another_secret():
    return hookkit.sign("github", BODY, SECRETS["stripe"]), BODY


refused(33, "secret-of-another-endpoint", by_another_secret, to="github")

# Timestamp and replay.
refused(37, "too-old", signed("standard", ahead_s=-305), "timestamp_expired")
refused(37, "too-new", signed("standard", ahead_s=305), "timestamp_in_future")
read(37, "old-enough", "standard", signed("standard", ahead_s=-290))
for name, time in {
    "float": "1700000000.5",
    "exponent": "1.7e9",
    "plus": "+1700000000",
    "underscore": "1_700_000_000",
    "blank": "170000 0000",
    "arabic": "\u0661\u0667\u0660\u0660\u0660\u0660\u0660\u0660\u0660\u0660",
    "hex": "0x6553f100",
    "word": "abc",
}.items():
    send = signed("standard", webhook_timestamp=time.encode().decode("latin-1"))
    refused(38, f"time-{name}", send, "malformed_header")
for name, time, code in (
    ("negative", "-1", "malformed_header"),
    ("zero", "0", "timestamp_expired"),
    ("2-to-the-31", "2147483648", "timestamp_in_future"),
    ("2-to-the-63", str(2**63), "malformed_header"),
    ("400-digits", "1" + "0" * 400, "malformed_header"),
    ("5000-digits", "9" * 5000, "malformed_header"),
):
    refused(39, f"time-{name}", signed("standard", webhook_timestamp=time), code)
in_ms = lambda value: value + "000"  # noqa: E731
refused(40, "milliseconds", signed("standard", webhook_timestamp=in_ms), "timestamp_in_future")
for time in ("NaN", "inf", "-Infinity"):
    send = signed("standard", webhook_timestamp=time)
    refused(41, f"time-{time}", send, "malformed_header")
for name, time in {
    "leap-second": "2026-12-31T23:59:60Z",
    "no-zone": "2026-03-01T12:00:00",
    "day-32": "2026-03-32T12:00:00Z",
    "week": "2026-W09-7T12:00:00Z",
    "blank": "2026-03-01 12:00:00Z",
}.items():
    send = signed("zendesk", x_zendesk_webhook_signature_timestamp=time)
    refused(42, f"iso-{name}", send, "malformed_header", "zendesk")
refused(43, "no-time", signed("standard", webhook_timestamp=None), "signature_missing")
send = signed("stripe", stripe_signature="v1=" + "0" * 64)
refused(43, "no-time-stripe", send, "malformed_header", "stripe")
refused(45, "sent-again-later", signed("standard", ahead_s=-3600), "timestamp_expired")
refused(46, "another-id", signed("standard", webhook_id="msg_2"))

# Body.
kept(59, "gzip", gzip.compress(BODY), "not UTF-8", content_encoding="gzip")
kept(59, "gzip-bomb", gzip.compress(bytes(1 << 20)), "not UTF-8", content_encoding="gzip")
read(60, "unknown-encoding", "standard", signed("standard", content_encoding="zstd, rot13"))
KINDS = ("", "text/plain", "application/json; charset=utf-7", "multipart/form-data; boundary=x")
for kind in KINDS:
    send = signed("standard", content_type=kind)
    read(61, f"content-type-{kind or 'none'}", "standard", send)
kept(64, "deep-list", b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested")
kept(64, "deep-object", b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "nested")
for name, number in {
    "5000-digits": b"9" * 5000,
    "1e400": b"1e400",
    "nan": b"NaN",
    "infinity": b"-Infinity",
}.items():
    kept(65, name, b'{"a": %b}' % number, "not JSON")
kept(66, "id-twice", b'{"id": 1, "id": 2, "type": "a"}', "twice")
read(67, "byte-order-mark", "standard", signed("standard", b"\xef\xbb\xbf" + BODY))
kept(67, "utf-16", BODY.decode().encode("utf-16"), "not UTF-8")
kept(67, "utf-32", BODY.decode().encode("utf-32"), "")
kept(68, "latin-1", b'{"a": "\xe4"}', "not UTF-8")
read(69, "lone-surrogate", "standard", signed("standard", b'{"type": "\\ud800", "a": "\\udfff"}'))
read(70, "nul", "standard", signed("standard", b'{"type": "a\\u0000b", "a": "\\u0000"}'))
for name, body in {
    "empty": b"",
    "null": b"null",
    "text": b'"x"',
    "number": b"0",
    "blank": b"  \n",
    "list": b"[]",
}.items():
    kept(71, name, body, "")

# Event content.


def as_sunshine(body):
    return lambda: ({"X-API-Key": "the-secret-of-every-test"}, json.dumps(body).encode())


def with_id(value, **more):
    body = message()
    body["events"][0] |= {"id": value} | more
    return as_sunshine(body)


def without_id():
    body = message()
    del body["events"][0]["id"]
    return as_sunshine(body)


MESSAGE = "conversation:message"
read(76, "id-missing", "support", without_id(), [MESSAGE])
for name, value in {
    "null": None,
    "empty": "",
    "number": 7,
    "list": ["x"],
    "object": {"x": 1},
    "true": True,
}.items():
    read(76, f"id-{name}", "support", with_id(value), [MESSAGE])
read(77, "id-of-500000-characters", "support", with_id("x" * 500_000), [MESSAGE])
for name, value in {
    "line-break": "a\r\nb",
    "nul": "a\x00b",
    "right-to-left": "a\u202eb",
    "emoji": "\U0001f98a",
    "blank": "a ",
    "surrogate": "\ud800",
}.items():
    read(78, f"id-with-{name}", "support", with_id(value), [MESSAGE])
read(79, "id-2-to-the-64", "support", with_id(2**64), [MESSAGE])
read(115, "id-of-sql", "support", with_id("'; DROP TABLE hookkit_entries; --%_"), [MESSAGE])


def batch(*ids, broken=()):
    body = message()
    event = body["events"][0]
    body["events"] = [event | {"id": each} for each in ids]
    for position in broken:
        body["events"].insert(position, "no object")
    return as_sunshine(body)


types = [MESSAGE] * 50 + ["unknown"] + [MESSAGE] * 50
read(85, "one-of-101-is-broken", "support", batch(*map(str, range(100)), broken=[50]), types)
read(86, "one-id-twice", "support", batch("a", "b", "a"), [MESSAGE] * 2)
read(87, "unknown-type", "support", with_id("x", type="conversation:dance"), ["unknown"])
read(87, "unknown-version", "support", as_sunshine(message() | {"version": "v99"}), [MESSAGE])
for item, name, key, value in (
    (25, "keys-of-the-senders-own", "jku", "https://example.com/keys"),
    (122, "url-to-be-fetched", "SubscribeURL", "http://169.254.169.254/"),
):
    body = json.dumps({"type": "a", key: value}).encode()
    read(item, name, "standard", signed("standard", body))


def name_of(case):
    return f"{case.item}-{case.name}"


def test_every_name_is_there_once():
    names = [name_of(each) for each in CASES]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_request_has_its_answer_its_rows_and_its_log_lines(case, caplog):
    caplog.set_level(logging.INFO, "hookkit")
    hooks, seen = HookKit(), []
    hooks.on("*")(lambda event: seen.append(event))
    declared = {
        name: {"provider": name, "secrets": [secret]} | MORE.get(name, {})
        for name, secret in SECRETS.items()
    }
    app = make_app(hooks, HOOKKIT_ENDPOINTS=declared | ENDPOINTS, HOOKKIT_MAX_BODY=2 << 20)
    headers, body = case.send()

    answer = app.test_client().post(f"/hooks/{case.to}", data=body, headers=headers)

    assert (answer.status_code, answer.json["code"]) == (case.status, case.code)
    inbox = app.extensions["hookkit"].opening.inbox()
    rows = list(inbox.find(limit=200))
    assert len(rows) == case.rows
    kept = inbox.kept(case.to, below_id=1 << 60, limit=1)
    assert [each.body or b"" for each in kept] == [body] * bool(case.rows)
    assert [event.type for event in seen] == case.runs
    written = {each.action for each in caplog.records}
    # What vendors send that is not read is no fault.
    assert written - {"event_done", "drift"} == set(case.actions)
    for secret in [*SECRETS.values(), "the-secret-of-every-test"]:
        assert secret not in caplog.text + answer.text
    problems = [event.problems[0] for event in seen if event.type is EventType.UNKNOWN]
    if case.problem:
        assert case.problem in problems[0]
