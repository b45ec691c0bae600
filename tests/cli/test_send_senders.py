"""``hookkit send`` against a server that has an endpoint for each sender."""

import json
import shlex
from base64 import b64encode
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from flask import Flask

from hookkit import HookKit
from hookkit.cli.posting import post
from hookkit.senders import SENDERS
from hookkit.testing import SignedDelivery
from tests.cli.serving import run
from tests.senders.test_senders import PAIRS, SECRETS, endpoint_of
from tests.serving import serving as serving_app


@pytest.fixture(scope="module")
def server():
    """Return where the endpoints are, each with its sender's name, and what was handled."""
    hooks, seen = HookKit(), {}
    hooks.on("*", name="see")(lambda event: seen.setdefault(event.endpoint, []).append(event))
    app = Flask("senders")

    def started(environ, start_response):
        return app(environ, start_response)

    with serving_app(started) as url:
        endpoints = {name: endpoint_of(name, secrets=[secrets_of(name)[1]]) for name in SENDERS}
        for name, endpoint in endpoints.items():
            if "public_url" in endpoint:
                endpoint["public_url"] = f"{url}/hooks/{name}"
        app.config.update(TESTING=True, HOOKKIT_ENDPOINTS=endpoints, SECRET_KEY="a key")
        hooks.init_app(app)
        yield f"{url}/hooks", seen


def secrets_of(name):
    """Return what signs and what verifies: no two endpoints have the same."""
    digest = sha256(name.encode())
    secret = f"whsec_{b64encode(digest.digest()).decode()}"
    if name in SECRETS:
        secret = digest.hexdigest()
    return PAIRS.get(name, (secret, secret))


def answers(result):
    """Return status and answer of each line."""
    pairs = [line.rpartition(" -> ")[2].partition(" ") for line in result.output.splitlines()]
    return [(int(status), json.loads(answer) if answer else None) for status, _, answer in pairs]


@pytest.mark.parametrize("name", SENDERS)
def test_sample_of_every_sender_is_accepted_and_each_is_a_new_event(name, server):
    url, seen = server
    secret = secrets_of(name)[0]
    if secret.startswith("-----BEGIN"):
        secret = one_line(secret)
    options = ("--provider", name, "--duplicate")

    results = [run("send", f"{url}/{name}", *options, HOOKKIT_SECRET=secret) for _ in range(2)]

    assert [each.exit_code for each in results] == [0, 0], results[0].output
    first, second = (answers(each) for each in results)
    if SENDERS[name].answer is None:
        assert [answer["new"] for _, answer in (*first, *second)] == [1, 0, 1, 0]
    else:
        assert [answer for _, answer in (*first, *second)] == [None] * 4
        assert len(seen[name]) == 2
    assert {event.vendor_type for event in seen[name]} == {SENDERS[name].sample.name}
    assert secret not in "".join(each.output for each in results)


def one_line(pem):
    key = load_pem_private_key(pem.encode(), password=None)
    lines = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return "".join(lines.splitlines()[1:-1])


@pytest.mark.parametrize(
    ("name", "place", "found"),
    [
        ("twilio", "Body", lambda event: event.raw["Body"]),
        ("sendgrid", "items.0.email", lambda event: event.raw["email"]),
        ("mailgun", "event-data.event", lambda event: event.raw["event-data"]["event"]),
    ],
)
def test_value_of_a_body_of_any_kind_can_be_changed(name, place, found, server):
    url, seen = server
    secret = one_line(PAIRS[name][0]) if name == "sendgrid" else secrets_of(name)[0]

    result = run(
        *("send", f"{url}/{name}", "--provider", name, "--set", f"{place}=to & fro"),
        HOOKKIT_SECRET=secret,
    )

    assert result.exit_code == 0, result.output
    assert found(seen[name][-1]) == "to & fro"


@pytest.mark.parametrize("name", PAIRS)
def test_key_may_be_in_a_file(name, server, tmp_path):
    url, _ = server
    file = tmp_path / "key"
    file.write_text(f"{secrets_of(name)[0]}\n")

    result = run("send", f"{url}/{name}", "--provider", name, "--key", file)

    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("name", ["github", "telegram"])
def test_sender_with_secrets_has_no_key(name, server, tmp_path):
    url, _ = server
    file = tmp_path / "key"
    file.write_text("x")

    result = run("send", f"{url}/{name}", "--provider", name, "--key", file)

    assert result.exit_code == 2
    assert f"{name} has secrets and no keys" in result.output


@pytest.mark.parametrize("name", ["twilio", "square"])
def test_sign_needs_the_url_where_it_is_signed(name, server, tmp_path):
    url, _ = server
    body = tmp_path / "body"
    body.write_bytes(b"MessageSid=SM1")
    secret = secrets_of(name)[0]

    alone = run("sign", body, "--provider", name, HOOKKIT_SECRET=secret)
    whole = run("sign", body, "--provider", name, "--curl", f"{url}/{name}", HOOKKIT_SECRET=secret)

    assert alone.exit_code == 2
    assert f"{name} signs the URL too: give it with --curl" in alone.output
    words = shlex.split(whole.output)
    headers = dict(words[n + 1].split(": ", 1) for n, word in enumerate(words) if word == "-H")
    answer = post(
        f"{url}/{name}", SignedDelivery(body=b"MessageSid=SM1", headers=headers), timeout_s=20
    )
    assert answer.status == 200
