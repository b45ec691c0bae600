"""``hookkit send --tamper``: what a receiver should answer, and whether it does."""

import json

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from flask import Flask

from hookkit import HookKit
from hookkit.cli.tamper import KINDS
from hookkit.senders import SENDERS
from hookkit.signatures.public_key import public_pem
from tests.cli.serving import SECRET, run, serving
from tests.cli.test_send_senders import one_line, secrets_of
from tests.key_server import shared_key
from tests.senders.test_senders import endpoint_of
from tests.serving import serving as serving_app

OF_VENDORS = {"sunshine": SECRET, "livechat": f"{SECRET} of LiveChat"}
PRIVATE = shared_key()


@pytest.fixture(scope="module")
def url():
    """Return where an application has an endpoint for each vendor and sender."""
    hooks = HookKit()
    hooks.on("*", name="take")(lambda event: None)
    app = Flask("tampered")

    def started(environ, start_response):
        return app(environ, start_response)

    with serving_app(started) as root:
        endpoints = {name: endpoint_of(name, secrets=[secrets_of(name)[1]]) for name in SENDERS}
        for name, endpoint in endpoints.items():
            if "public_url" in endpoint:
                endpoint["public_url"] = f"{root}/hooks/{name}"
        for vendor, secret in OF_VENDORS.items():
            endpoints[vendor] = {"provider": vendor, "secrets": [secret]}
        endpoints["8x8"] = {"provider": "8x8", "keys": public_pem(PRIVATE)}
        app.config.update(TESTING=True, HOOKKIT_ENDPOINTS=endpoints, SECRET_KEY="a key")
        hooks.init_app(app)
        yield f"{root}/hooks"


def findings(url, provider, secret, *options):
    result = run(
        *("send", f"{url}/{provider}", "--provider", provider, "--tamper", "all", "--json"),
        *options,
        HOOKKIT_SECRET=secret,
    )
    return json.loads(result.stdout), result


@pytest.mark.parametrize("name", [*SENDERS, *OF_VENDORS])
def test_endpoint_of_hookkit_answers_whatever_is_tampered_with_as_it_should(name, url):
    secret = OF_VENDORS.get(name) or secrets_of(name)[0]
    secret = one_line(secret) if secret.startswith("-----BEGIN") else secret

    found, result = findings(url, name, secret)

    assert [each for each in found if not each["is_right"]] == []
    assert result.exit_code == 0
    assert set(KINDS) == {each["tamper"] for each in found}
    assert secret not in result.output


def test_vendor_that_signs_with_a_key_is_tampered_with_as_well(url, tmp_path):
    file = tmp_path / "key.pem"
    file.write_bytes(PRIVATE.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))

    found, result = findings(url, "8x8", None, "--key", file)

    assert [each for each in found if not each["is_right"]] == []
    assert result.exit_code == 0
    codes = {each["tamper"]: each["code"] for each in found}
    assert codes["body"] == codes["signature"] == "signature_mismatch"
    assert codes["stale"] == "timestamp_expired"


def test_scheme_that_signs_no_body_and_no_time_says_so(url):
    found, _ = findings(url, "sunshine", SECRET)

    expected = [(each["tamper"], each["expected"]) for each in found]
    assert expected == [
        ("body", "200"),
        ("signature", "401 signature_mismatch"),
        ("missing", "401 signature_missing"),
        ("stale", "200"),
        ("replayed", "200, new"),
        ("replayed", "200, not new"),
        *[("reordered", "200, new")] * 3,
    ]


@pytest.mark.parametrize(
    ("kind", "answer", "said"),
    [
        ("signature", b'{"code": "accepted"}', "should be 401 signature_mismatch; is 200"),
        ("missing", b"", "should be 401 signature_missing; is 200"),
        ("replayed", b'{"code": "accepted", "new": 1}', "should be 200, not new; is 200"),
    ],
)
def test_receiver_that_is_taken_in_is_told_so(kind, answer, said):
    with serving((200, {}, answer)) as endpoint:
        result = run("send", endpoint.url, "--secret", SECRET, "--tamper", kind)

    assert result.exit_code == 1
    assert [line for line in result.output.splitlines() if line.startswith("wrong")]
    assert f"wrong {kind}: {said}" in result.output


def test_receiver_with_other_words_for_a_refusal_is_right():
    with serving((403, {}, b"no")) as endpoint:
        result = run("send", endpoint.url, "--secret", SECRET, "--tamper", "missing")

    assert result.exit_code == 0
    assert result.output == "ok    missing: should be 401 signature_missing; is 403 no\n"


def test_refusal_for_another_reason_is_wrong():
    with serving((401, {}, b'{"code": "timestamp_expired"}')) as endpoint:
        result = run("send", endpoint.url, "--secret", SECRET, "--tamper", "missing")

    assert result.exit_code == 1


def test_reordered_events_arrive_with_the_newest_first():
    with serving() as endpoint:
        run("send", endpoint.url, "--secret", SECRET, "--tamper", "reordered")

    times = [json.loads(body)["events"][0]["createdAt"] for _, _, body in endpoint.requests]
    assert len(set(times)) == 3
    assert times == sorted(times, reverse=True)


def test_bytes_of_a_file_may_be_known_to_the_receiver_already(tmp_path):
    file = tmp_path / "body.json"
    file.write_bytes(b"{}")
    with serving((200, {}, b'{"code": "accepted", "new": 0}')) as endpoint:
        result = run(
            *("send", endpoint.url, "--secret", SECRET, "--tamper", "replayed", "--body", file)
        )

    assert result.exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "printed"),
    [
        (["--tamper", "boby"], "is not one of"),
        (["--tamper", "body", "--unsigned"], "not with --unsigned"),
        (["--tamper", "body", "--count", "2"], "give one of --duplicate, --tamper"),
        (["--tamper", "body"], "give --secret or HOOKKIT_SECRET"),
    ],
)
def test_mistake_tampers_with_nothing(arguments, printed):
    result = run("send", "http://127.0.0.1:9/", *arguments)

    assert result.exit_code == 2
    assert printed in " ".join(result.output.split())
