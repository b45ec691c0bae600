"""Vendors that sign with a key of their own: the commands sign with one that is given."""

import json

import pytest
from flask import Flask

from hookkit import HookKit
from tests.cli.serving import SECRET, run, serving
from tests.key_server import jwk_of, pem_of, private_jwk_of, private_key, public_pem_of, shared_key

KEY = shared_key()
BODY = b'{"eventType":"TEXT","messageType":"AGENT","conversationId":"c1","message":"Hi"}'


@pytest.fixture
def pem(tmp_path):
    file = tmp_path / "key.pem"
    file.write_bytes(pem_of(KEY))
    return file


def client_of(keys):
    hooks, seen = HookKit(), []
    hooks.on("*", name="see")(seen.append)
    app = Flask("tests.cli.keys")
    app.config.update(
        TESTING=True, HOOKKIT_ENDPOINTS={"support": {"provider": "8x8", "keys": keys}}
    )
    hooks.init_app(app)
    return app.test_client(), seen


def deliver(request, keys):
    """Return the answer of a receiver with *keys* to what has arrived at an endpoint."""
    _, headers, body = request
    client, seen = client_of(keys)
    answer = client.post("/hooks/support", data=body, headers=headers)
    return answer.status_code, [event.vendor_type for event in seen]


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ([], "MESSAGE"),
        (["--version", "v2.0"], "TEXT"),
        (["--version", "v2.0", "--trigger", "AGENT_JOINED"], "AGENT_JOINED"),
        (["--trigger", "ACTIVITY.typing"], "ACTIVITY"),
    ],
)
def test_sample_is_sent_signed(pem, options, word):
    with serving() as endpoint:
        result = run("send", endpoint.url, "--provider", "8x8", "--key", pem, *options)

    assert result.exit_code == 0
    assert f" {word} sampletenant01:" in result.output
    (request,) = endpoint.requests
    assert deliver(request, public_pem_of(KEY)) == (200, [word])
    assert deliver(request, jwk_of(private_key())) == (401, [])


def test_key_may_be_a_jwk_and_come_from_the_environment(tmp_path):
    file = tmp_path / "key.json"
    file.write_text(json.dumps(private_jwk_of(KEY, "key1"), indent=2))
    one_line = json.dumps(private_jwk_of(KEY, "key1"))

    with serving() as endpoint:
        run("send", endpoint.url, "--provider", "8x8", "--key", file)
        run("send", endpoint.url, "--provider", "8x8", HOOKKIT_SECRET=one_line)

    for request in endpoint.requests:
        assert deliver(request, jwk_of(KEY, "key1"))[0] == 200
    assert len(endpoint.requests) == 2


def test_duplicate_is_one_event(pem):
    with serving() as endpoint:
        run("send", endpoint.url, "--provider", "8x8", "--key", pem, "--duplicate")

    first, second = endpoint.requests
    assert first == second


def test_version_without_a_signature_is_sent_unsigned():
    options = ("--provider", "8x8", "--version", "v1.0", "--unsigned")
    with serving() as endpoint:
        result = run("send", endpoint.url, *options)

    assert "8x8 v1.0 TEXT v1.0:" in result.output
    assert not any("8x8" in name for name in endpoint.requests[0][1])


def test_body_is_signed_for_other_programs(pem):
    result = run("sign", "--provider", "8x8", "--key", pem, stdin=BODY)

    headers = dict(line.split(": ", 1) for line in result.output.splitlines())
    assert "PRIVATE" not in result.output
    client, seen = client_of(public_pem_of(KEY))
    assert client.post("/hooks/support", data=BODY, headers=headers).status_code == 200
    assert [event.message.text for event in seen] == ["Hi"]


@pytest.mark.parametrize(
    "command", [["send", "http://127.0.0.1:1/"], ["sign"]], ids=["send", "sign"]
)
@pytest.mark.parametrize(
    ("options", "mistake"),
    [
        pytest.param(["--provider", "8x8"], "give --key", id="no key"),
        pytest.param(["--provider", "8x8", "--key", "nowhere"], "does not exist", id="no file"),
        pytest.param(
            ["--provider", "8x8", "--key", "bad"], "must be a private RSA", id="no key in it"
        ),
        pytest.param(["--provider", "8x8", "--key", "binary"], "it is not text", id="no text"),
        pytest.param(["--provider", "8x8", "--secret", SECRET], "must be a private", id="a secret"),
        pytest.param(
            ["--provider", "8x8", "--key", "good", "--secret", SECRET], "not both", id="both"
        ),
        pytest.param(["--key", "good"], "give --secret", id="a key for a vendor with secrets"),
    ],
)
def test_wrong_proof_is_reported(tmp_path, monkeypatch, command, options, mistake):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good").write_bytes(pem_of(KEY))
    (tmp_path / "bad").write_bytes(public_pem_of(KEY).encode())
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x80")

    result = run(*command, *options, stdin=BODY)

    assert result.exit_code == 2
    assert mistake in " ".join(result.output.split())
    assert SECRET not in result.output.replace(f"--secret {SECRET}", "")
