"""What a stranger or a sender could do to the people who run it, item by item."""

import ast
import hmac
import json
import logging
import re
import traceback
from pathlib import Path

import pytest

import hookkit
from hookkit import HookKit, signals
from hookkit.core.entry import Filter
from hookkit.core.errors import Unavailable
from hookkit.core.scheme import ProofInBody
from hookkit.senders import SENDERS
from hookkit.signatures import signed_text
from hookkit.signatures.public_key import KeyedSignature
from tests.applications import SECRET, make_app, message, post
from tests.cli.test_hostile_text import HOSTILE
from tests.hostile.test_catalogue_senders import proving, send
from tests.senders.test_senders import app_of, delivery_of, endpoint_of

pytestmark = pytest.mark.usefixtures("no_way_out")

ROOT = Path(hookkit.__file__).parent


def entries_of(app):
    return list(app.extensions["hookkit"].opening.inbox().find())


# Secrets that are guessed by the time of an answer

#: Compares a text with a secret of its own, by hmac.compare_digest.
COMPARED = [
    name
    for name, each in SENDERS.items()
    if not isinstance(each.scheme, ProofInBody | KeyedSignature)
]


@pytest.mark.parametrize("name", COMPARED)
def test_wrong_proof_takes_the_same_steps_wherever_it_is_wrong(name, monkeypatch):
    app, delivery, steps = app_of(name), delivery_of(name), []
    usual = hmac.compare_digest

    def compare(one, other):
        steps.append((len(one), len(other)))
        return usual(one, other)

    monkeypatch.setattr(hmac, "compare_digest", compare)
    monkeypatch.setattr(signed_text, "compare_digest", compare)
    lengths, taken = set(), []
    for wrong_at in ("start", "end"):
        steps.clear()
        status, _, _ = send(app, delivery.body, damaged(name, delivery.headers, wrong_at))
        assert status == 401
        lengths |= {one == other for one, other in steps}
        taken.append([*steps])

    assert taken[0] == taken[1]
    assert taken[0]
    assert lengths == {True}


def damaged(name, headers, wrong_at):
    """Return *headers* with one other letter in the proof, near where it begins or ends."""
    proof = {key: headers[key] for key in proving(name) if not headers[key].isdigit()}
    key = max(proof, key=lambda each: len(proof[each]))
    piece = max(re.split(r"[,;= .]", proof[key]), key=len)
    at = 0 if wrong_at == "start" else len(piece) - 2
    other = "0" if piece[at] != "0" else "1"
    wrong = piece[:at] + other + piece[at + 1 :]
    return {**headers, key: proof[key].replace(piece, wrong)}


#: Names of what only ``hmac.compare_digest`` may compare.
SECRET_NAMES = re.compile(r"(?<![a-z])(secrets?|signatures?|digest|mac|token|tokens)(?![a-z])")


@pytest.mark.parametrize("folder", ["core", "signatures", "providers", "senders", "web"])
def test_no_secret_is_compared_letter_by_letter(folder):
    found = [
        ast.unparse(node)
        for path in sorted((ROOT / folder).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Compare)
        and isinstance(node.ops[0], ast.Eq | ast.NotEq | ast.In | ast.NotIn)
        and not any(map(says_nothing, (node.left, *node.comparators)))
        and SECRET_NAMES.search(ast.unparse(node))
    ]

    assert found == []


def says_nothing(node):
    """Tell whether what is compared is a constant or a length."""
    return isinstance(node, ast.Constant) or ast.unparse(node).startswith("len(")


# Text of others in logs and in statements


@pytest.mark.parametrize("place", ["id", "type", "text", "conversation"])
def test_hostile_text_of_a_payload_steers_no_log(caplog, place):
    caplog.set_level(logging.DEBUG)
    hooks = HookKit()

    @hooks.on("*", name="fail")
    def fail(event):
        raise ValueError(f"{event.vendor_type} {event.id}")

    body = message()
    event = body["events"][0]
    places = {
        "id": (event, "id"),
        "type": (event, "type"),
        "text": (event["payload"]["message"]["content"], "text"),
        "conversation": (event["payload"]["conversation"], "id"),
    }
    holder, key = places[place]
    holder[key] = HOSTILE
    app = make_app(hooks)

    answer = post(app.test_client(), body)

    assert (answer.status_code, answer.json["code"]) == (503, "handler_failed")
    assert len(entries_of(app)) == 1
    lines = "\n".join(f"{each.getMessage()} {each.exc_text or ''}" for each in caplog.records)
    assert not set("\x1b\x07\r\x7f\x9b\u202e\u2066") & set(lines)
    assert not re.search(r"^safe", lines, re.MULTILINE)


HOSTILE_WORDS = [
    "'; DROP TABLE hookkit_entries; --",
    "100%",
    "%",
    "_" * 20,
    "\\",
    '"; SELECT 1; --',
    "x' OR '1'='1",
    "a\x00b",
    "\ud800",
    "?",
    ":type",
    "%(type)s",
    "{0}",
]


def test_words_of_a_payload_are_found_exactly_and_change_no_statement():
    app = make_app(HookKit())
    client = app.test_client()
    for number, word in enumerate(HOSTILE_WORDS):
        body = message(f"{number}{word}")
        body["events"][0]["type"] = word
        assert post(client, body).json == {"code": "accepted", "new": 1, "duplicates": 0}

    inbox = app.extensions["hookkit"].opening.inbox()

    assert len(inbox.find()) == len(HOSTILE_WORDS)
    for word in HOSTILE_WORDS[:7]:
        assert [each.vendor_type for each in inbox.find(Filter(type=word))] == [word]
        assert list(inbox.find(Filter(endpoint=word))) == []
        assert list(inbox.find(Filter(untried_by=word, endpoint=word))) == []
        assert list(inbox.find(Filter(error=word, lane=word, version=word))) == []
    for word in ("%%", "1%", "id DESC", "x" * 1_000_000, "*"):
        assert list(inbox.find(Filter(type=word))) == []


# Secrets where programs collect errors


def fail_in_a_handler(monkeypatch):
    hooks = HookKit()
    hooks.on("*", name="fail")(lambda event: 1 / 0)
    return make_app(hooks), 503


def fail_in_a_condition(monkeypatch):
    hooks = HookKit()
    hooks.on("*", name="fail", when=lambda event: 1 / 0)(print)
    return make_app(hooks), 503


def fail_in_a_receiver(monkeypatch):
    app = make_app(HookKit())
    app.failing = lambda sender, **_: 1 / 0
    signals.delivery_accepted.connect(app.failing, app)
    return app, 200


def fail_in_the_inbox(monkeypatch):
    app = make_app(HookKit())
    inbox = app.extensions["hookkit"].opening.inbox()

    def away(envelope, lease):
        raise Unavailable("away")

    monkeypatch.setattr(inbox, "admit", away)
    return app, 503


def fail_for_want_of_secrets(monkeypatch):
    def ask():
        raise ValueError(SECRET)

    declared = {"support": {"provider": "sunshine", "secrets": ask}}
    return make_app(HookKit(), HOOKKIT_ENDPOINTS=declared), 503


@pytest.mark.parametrize(
    "fault",
    [
        fail_in_a_handler,
        fail_in_a_condition,
        fail_in_a_receiver,
        fail_in_the_inbox,
        fail_for_want_of_secrets,
    ],
)
def test_no_local_variable_of_a_logged_traceback_holds_a_secret(fault, monkeypatch, caplog):
    """Collectors of errors store the local variables of every frame."""
    caplog.set_level(logging.DEBUG)
    app, status = fault(monkeypatch)

    answer = post(app.test_client(), message(text="what nobody else should read"))

    assert answer.status_code == status
    assert [each for each in caplog.records if each.levelno >= logging.WARNING]
    told = [caplog.text, answer.text, repr(vars(app.extensions["hookkit"]))]
    for record in caplog.records:
        told.append(repr(vars(record)))
        if record.exc_info:
            shown = traceback.TracebackException(*record.exc_info, capture_locals=True)
            told.append("".join(shown.format()))
    for text in told:
        assert SECRET not in text
        assert "what nobody else should read" not in text


def test_token_of_a_challenge_that_cannot_be_had_is_said_in_the_log(caplog):
    def ask():
        raise ValueError(SECRET)

    app = app_of("meta", verify_token=ask)

    answer = app.test_client().get("/hooks/shop?hub.verify_token=x&hub.challenge=1")

    assert (answer.status_code, answer.json) == (503, {"code": "unavailable"})
    assert answer.headers["Retry-After"] == "10"
    assert entries_of(app) == []
    assert [each.action for each in caplog.records] == ["delivery_unavailable"]
    assert SECRET not in caplog.text


# Addresses that a client says


FORWARDED = {
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Proto": "http",
    "X-Forwarded-For": "127.0.0.1",
    "X-Forwarded-Prefix": "/evil",
    "Forwarded": "host=evil.example;proto=http",
    "X-Original-URL": "/hooks/evil",
}


@pytest.mark.parametrize(
    "name", [name for name, each in SENDERS.items() if getattr(each.scheme, "signs_url", False)]
)
def test_url_that_is_signed_is_that_of_the_settings(name, caplog):
    caplog.set_level(logging.INFO, "hookkit")
    app, genuine = app_of(name), delivery_of(name)
    evil = hookkit.sign(
        name, genuine.body, endpoint_of(name)["secrets"][0], public_url="http://evil.example/x"
    )

    forged = send(app, genuine.body, {**genuine.headers, **evil, **FORWARDED, "Host": "evil"})
    taken = send(app, genuine.body, {**genuine.headers, **FORWARDED, "Host": "evil.example"})

    assert (forged[0], json.loads(forged[2])) == (401, {"code": "signature_mismatch"})
    assert (taken[0], len(entries_of(app))) == (200, 1)
    actions = [each.action for each in caplog.records]
    assert actions[0] == "delivery_rejected"
    assert actions.count("delivery_accepted") == 1
