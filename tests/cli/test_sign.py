import json
import shlex

import pytest

from tests.cli.serving import SECRET, run


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
