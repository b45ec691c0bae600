"""The proof of every sender, changed in each way of the catalogue: refused, and nothing is left."""

import logging
import re

import pytest
from werkzeug.test import EnvironBuilder, run_wsgi_app

from hookkit import signals
from hookkit.core.scheme import ProofInBody
from hookkit.providers import load_providers
from hookkit.senders import SENDERS
from hookkit.testing import find_sample, sign
from tests.senders.test_senders import PAIRS, SECRET, URL, app_of, delivery_of, pair_of
from tests.signatures.test_forgeries import is_a_list_with_the_whole

#: Item -> what becomes of a header that proves something; None takes it away.
CHANGES = {
    1: {"missing": lambda value: None},
    2: {"empty": lambda value: "", "blanks": lambda value: "  "},
    3: {"twice": lambda value: f"{value},{value}", "apart": lambda value: f"{value}, {value}"},
    5: {
        "umlaut behind": lambda value: value + "\xe4",
        "umlaut within": lambda value: value[:9] + "\xe4" + value[10:],
        "no-break space": lambda value: value + "\xa0",
    },
    6: {"one less": lambda value: value[:-1], "half": lambda value: value[: len(value) // 2]},
    7: {
        "0 behind": lambda value: value + "0",
        "= behind": lambda value: value + "=",
        "NUL behind": lambda value: value + "\0",
        "word behind": lambda value: value + " x",
    },
    8: {"other case": str.swapcase},
    9: {"junk": lambda value: value[:-5] + "!" + value[-5:]},
    10: {
        "blank": lambda value: value[:-5] + " " + value[-5:],
        "tab": lambda value: value[:-5] + "\t" + value[-5:],
    },
    11: {"the last of 10,000": lambda value: ",".join(["x"] * 10_000 + [value])},
}
BY_HEADERS = [name for name, each in SENDERS.items() if not isinstance(each.scheme, ProofInBody)]
every_sender = pytest.mark.parametrize("name", BY_HEADERS)


def proving(name):
    """Return the names of the headers that prove a delivery of the sender."""
    provider = load_providers()[name]
    body = find_sample(provider).body
    proof = sign(provider, body, secret=pair_of(name)[0], public_url=URL).headers
    return sorted(proof.keys() - sign(provider, body, secret=None).headers.keys())


def send(app, body, headers):
    """Send what no client would, and return the status, the headers and the text of the answer."""
    environ = EnvironBuilder(path="/hooks/shop", method="POST", data=body).get_environ()
    environ |= {f"HTTP_{key.upper().replace('-', '_')}": each for key, each in headers.items()}
    chunks, status, answered = run_wsgi_app(app, environ, buffered=True)
    return int(status.split()[0]), answered, b"".join(chunks).decode()


@every_sender
@pytest.mark.parametrize("item", CHANGES)
def test_changed_proof_is_refused_and_leaves_nothing(name, item, caplog):
    caplog.set_level(logging.DEBUG)
    app, told, wrong = app_of(name), [], {}
    count = 0

    with signals.delivery_rejected.connected_to(lambda _, **what: told.append(what["code"]), app):
        for header in proving(name):
            for how, change in CHANGES[item].items():
                delivery = delivery_of(name)
                value = delivery.headers[header]
                changed = change(value)
                if changed == value:  # a time has no other case
                    continue
                # A signature proves its body beside junk too, and not beside any amount of it.
                if item != 11 and is_still_whole(name, header, changed, value):
                    continue
                headers = {**delivery.headers, header: changed}
                if changed is None:
                    del headers[header]
                status, answered, text = send(app, delivery.body, headers)
                count += 1
                code = re.fullmatch(r'\{"code": "(\w+)"\}\n', text)
                if code is None or (status, code[1]) not in expected(item):
                    wrong[header, how] = status, text
                assert answered["Content-Type"] == "application/json"
                assert not set(secrets_in(text + caplog.text, name, value))

    assert wrong == {}
    assert len(told) == count
    assert count or item == 3  # a list that comes twice is one list
    assert list(app.extensions["hookkit"].opening.inbox().find()) == []
    actions = {each.action for each in caplog.records if each.name == "hookkit"}
    assert actions <= {"delivery_rejected"}


def is_still_whole(name, header, changed, value):
    scheme = SENDERS[name].scheme
    return changed is not None and is_a_list_with_the_whole(scheme, header, changed, value)


def expected(item):
    missing = {(401, "signature_missing")}
    if item == 1:
        return missing
    # A time that was cut is another time.
    times = {(401, "timestamp_expired"), (401, "timestamp_in_future")} if item in (6, 7) else set()
    return missing | {(401, "signature_mismatch"), (400, "malformed_header")} | times


def secrets_in(text, name, value):
    """Yield what of the secret and of the proof is in *text*; times are no secret."""
    yield from (each for each in (*pair_of(name), SECRET) if each in text)
    yield from (piece for piece in re.split(r"[,;= ]", value) if len(piece) > 20 and piece in text)


@pytest.mark.parametrize("name", [each for each in BY_HEADERS if each not in PAIRS])
def test_secret_of_another_endpoint_is_refused(name, caplog):
    caplog.set_level(logging.DEBUG)
    app, provider = app_of(name), load_providers()[name]
    other = "whsec_" + "B" * 32

    delivery = sign(provider, delivery_of(name).body, secret=other, public_url=URL)
    status, _, text = send(app, delivery.body, delivery.headers)

    assert (status, text) == (401, '{"code": "signature_mismatch"}\n')
    assert list(app.extensions["hookkit"].opening.inbox().find()) == []
    assert [each.action for each in caplog.records] == ["delivery_rejected"]
    assert not set(secrets_in(caplog.text, name, other))
