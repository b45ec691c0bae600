import hmac
import json
import shlex
from datetime import UTC, datetime, timedelta

import pytest

from hookkit import verify
from hookkit.core.errors import TimestampExpired, TimestampInFuture
from tests.cli.serving import SECRET, run
from tests.key_server import pem_of, private_key, public_pem_of


def test_headers_that_prove_a_body_are_printed():
    result = run("sign", "--secret", SECRET, stdin=b"{}")

    assert result.exit_code == 0
    assert result.output == f"x-api-key: {SECRET}\n"


def test_secret_may_come_from_the_environment():
    result = run("sign", stdin=b"{}", HOOKKIT_SECRET=SECRET)

    assert result.output == f"x-api-key: {SECRET}\n"


def test_curl_reads_the_body_from_the_file(tmp_path):
    file = tmp_path / "it's a body.json"
    file.write_bytes(b"{}")

    result = run("sign", file, "--secret", "it's a long secret", "--curl", "http://localhost/x")

    assert shlex.split(result.output) == [
        *("curl", "http://localhost/x"),
        *("-H", "content-type: application/json"),
        *("-H", "x-api-key: it's a long secret"),
        *("--data-binary", f"@{file}"),
    ]


def test_curl_carries_a_body_that_came_in_by_standard_input():
    result = run("sign", "--secret", SECRET, "--curl", "http://localhost/x", stdin=b'@{"a":\n"\'"}')

    assert shlex.split(result.output)[-2:] == ["--data-raw", '@{"a":\n"\'"}']


def test_bytes_of_a_secret_are_those_that_were_given():
    result = run("sign", "--secret", "Schlüssel zum Glück", "--curl", "http://x/", stdin=b"\xff")

    assert result.stdout_bytes == (
        "curl http://x/ -H 'content-type: application/json'"
        " -H 'x-api-key: Schlüssel zum Glück' --data-raw '".encode()
        + b"\xff'\n"
    )


@pytest.mark.parametrize(
    ("arguments", "body", "printed"),
    [
        pytest.param([], b"{}", "give --secret or HOOKKIT_SECRET", id="no secret"),
        pytest.param(["--secret", SECRET, "--curl", "host/x"], b"{}", "http://host", id="no URL"),
        pytest.param(["--secret", SECRET, "missing.json"], b"{}", "missing.json", id="no file"),
        pytest.param(
            ["--secret", SECRET, "--curl", "http://host/"], b"\0", "must be in a file", id="NUL"
        ),
    ],
)
def test_mistake_in_the_arguments_prints_no_proof(arguments, body, printed):
    result = run("sign", *arguments, stdin=body)

    assert result.exit_code == 2
    assert printed in result.output
    assert "x-api-key" not in result.output


def test_help_says_that_the_secret_is_printed():
    result = run("sign", "--help")

    assert "the secret is printed" in " ".join(result.output.split())


def test_body_is_printed_where_the_proof_lies_in_it():
    result = run("sign", "--provider", "livechat", "--secret", SECRET, stdin=b'{"action": "x"}')

    assert result.exit_code == 0
    assert json.loads(result.output) == {"action": "x", "secret_key": SECRET}


def test_curl_carries_the_body_with_the_proof_and_not_the_file(tmp_path):
    file = tmp_path / "body.json"
    file.write_bytes(b'{"action": "x"}')

    result = run(
        *("sign", file, "--provider", "livechat", "--secret", "it's a long secret"),
        *("--curl", "http://localhost/x"),
    )

    words = shlex.split(result.output)
    assert words[-2] == "--data-raw"
    assert json.loads(words[-1]) == {"action": "x", "secret_key": "it's a long secret"}


def test_body_without_room_for_the_proof_is_printed_by_nobody():
    result = run("sign", "--provider", "livechat", "--secret", SECRET, stdin=b"oops")

    assert result.exit_code == 2
    assert "body: not JSON" in result.output


STANDARD = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def headers_of(*arguments, body=b"{}"):
    result = run("sign", *arguments, "--json", stdin=body)
    assert result.exit_code == 0, result.output
    return json.loads(result.output)["headers"]


def verified(name, headers, secret, **how):
    return verify(name, headers, b"{}", [secret], **how)


@pytest.mark.parametrize("option", ["--at", "--time"])
def test_time_that_is_signed_can_be_long_ago(option):
    headers = headers_of("--provider", "stripe", "--secret", SECRET, option, "2h")

    with pytest.raises(TimestampExpired):
        verified("stripe", headers, SECRET)
    assert verified("stripe", headers, SECRET, now=datetime.now(UTC) - timedelta(hours=2))


def test_time_that_is_signed_can_be_in_the_future():
    headers = headers_of("--provider", "stripe", "--secret", SECRET, "--at", "+2h")

    with pytest.raises(TimestampInFuture):
        verified("stripe", headers, SECRET)
    assert verified("stripe", headers, SECRET, now=datetime.now(UTC) + timedelta(hours=2))


def test_moment_that_is_signed_is_the_one_that_is_given():
    headers = headers_of(
        *("--provider", "standard", "--secret", STANDARD),
        *("--at", "2026-03-01T09:00:00Z", "--id", "msg_1"),
    )

    assert headers["webhook-timestamp"] == "1772355600"
    assert headers["webhook-id"] == "msg_1"


def test_scheme_of_another_sender_can_be_named():
    headers = headers_of("--scheme", "github", "--secret", SECRET)

    assert verified("github", headers, SECRET)


def test_scheme_can_be_described_by_options():
    words = ("hmac", "header=X-Shop", "algorithm=sha512", "prefix=v1=")
    options = [part for word in words for part in ("--scheme", word)]

    headers = headers_of(*options, "--secret", SECRET)

    expected = hmac.digest(SECRET.encode(), b"{}", "sha512").hex()
    assert headers["x-shop"] == f"v1={expected}"


SHOP = {
    "provider": "generic",
    "secrets": ["the first secret of the shop", "another secret"],
    "scheme": {"header": "X-Shop", "signed": "{timestamp}.{body}", "timestamp_header": "X-Time"},
}
TOML = """
provider = "generic"
secrets = ["the first secret of the shop", "another secret"]
[scheme]
header = "X-Shop"
signed = "{timestamp}.{body}"
timestamp_header = "X-Time"
"""


@pytest.mark.parametrize(
    ("name", "text"), [("shop.json", json.dumps(SHOP)), ("shop.toml", TOML)], ids=["JSON", "TOML"]
)
@pytest.mark.parametrize("given", [[], ["--secret", "a secret of my own"]], ids=["file", "option"])
def test_settings_of_an_endpoint_say_how_it_is_signed(name, text, given, tmp_path):
    file = tmp_path / name
    file.write_text(text)

    result = run(
        *("sign", "--settings", file, "--json", *given), stdin=b"{}", HOOKKIT_SECRET="another's"
    )

    headers = json.loads(result.output)["headers"]
    secret = given[1] if given else SHOP["secrets"][0]
    signed = f"{headers['x-time']}.{{}}".encode()
    assert headers["x-shop"] == hmac.digest(secret.encode(), signed, "sha256").hex()


def test_settings_name_the_url_that_is_signed(tmp_path):
    file = tmp_path / "shop.json"
    url = "https://shop.example/hooks/shop"
    file.write_text(json.dumps({"provider": "square", "secrets": [SECRET], "public_url": url}))

    headers = headers_of("--settings", file)

    assert verified("square", headers, SECRET, public_url=url)


def test_url_that_is_signed_can_be_given_without_curl():
    url = "https://shop.example/hooks/shop"

    headers = headers_of("--provider", "square", "--secret", SECRET, "--url", url)

    assert verified("square", headers, SECRET, public_url=url)


def test_request_is_printed_as_it_is_sent():
    result = run(
        *("sign", "--secret", "Schlüssel", "--http", "http://localhost:5000/hooks/x?a=1"),
        stdin=b"\xff\n",
    )

    assert result.stdout_bytes == (
        b"POST /hooks/x?a=1 HTTP/1.1\r\nhost: localhost:5000\r\ncontent-type: application/json\r\n"
        b"x-api-key: " + "Schlüssel".encode() + b"\r\ncontent-length: 2\r\n\r\n\xff\n"
    )


def test_body_that_is_no_text_is_in_base64():
    result = run("sign", "--secret", SECRET, "--json", "--url", "http://x/", stdin=b"\xff")

    printed = json.loads(result.output)
    assert printed["body_base64"] == "/w=="
    assert printed["url"] == "http://x/"


@pytest.mark.parametrize(
    ("arguments", "printed"),
    [
        (["--at", "soon"], "is no time"),
        (["--at", "+999999999d"], "is no time"),
        (["--at", "+9999-12-31"], "write +90s, +15m, +2h or +3d"),
        (["--id", "a\nb"], "no header can carry"),
        (["--scheme", "nonsense"], "provider 'nonsense' is not known"),
        (["--scheme", "colour=red"], "colour: is not known"),
        (["--scheme", "hmac", "--scheme", "stripe"], "'stripe' is not KEY=VALUE"),
        (["--scheme", "hmac"], "header or parameter"),
        (
            ["--scheme", "query", "--scheme", "parameter=token"],
            "the proof is the query parameter token of the URL",
        ),
        (["--json", "--curl", "http://x/"], "give one of --curl"),
        (["--provider", "square"], "give it with --curl, --http or --url"),
        (["--settings", "{empty}"], "provider"),
        (["--settings", "{list}"], "does not hold the settings of one endpoint"),
        (["--settings", "{text}"], "is not JSON"),
        (["--settings", "{empty}", "--scheme", "stripe"], "leave one out"),
    ],
)
def test_wrong_argument_is_a_sentence_and_signs_nothing(arguments, printed, tmp_path):
    files = {"empty": "{}", "list": "[]", "text": "oops"}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    filled = [each.format(**{name: tmp_path / name for name in files}) for each in arguments]

    result = run("sign", "--secret", SECRET, *filled, stdin=b"{}")

    assert result.exit_code == 2
    assert printed in " ".join(result.output.split())
    assert "Traceback" not in result.output


def test_settings_of_a_vendor_with_keys_go_with_a_private_key(tmp_path):
    key = private_key()
    files = {"key": pem_of(key).decode(), "8x8.json": ""}
    files["8x8.json"] = json.dumps({"provider": "8x8", "keys": public_pem_of(key)})
    for name, text in files.items():
        (tmp_path / name).write_text(text)

    headers = headers_of("--settings", tmp_path / "8x8.json", "--key", tmp_path / "key")

    assert verified("8x8", headers, public_pem_of(key))


def test_secret_may_be_left_out_of_the_file(tmp_path):
    file = tmp_path / "shop.json"
    file.write_text(json.dumps({"provider": "github"}))

    assert verified("github", headers_of("--settings", file, "--secret", SECRET), SECRET)
