"""``hookkit verify``: a captured request in every form, what is said of it, and wrong input."""

import base64
import json
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner

from hookkit.cli.main import main
from hookkit.testing import find_provider, find_sample, sign
from tests.receiving.refused import pair_of

SECRET = "a-secret-of-mine"
BODY = b'{"id":"evt_1","type":"invoice.paid"}'
SIGNED_AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
AT = ("--at", "2026-03-01T12:01Z")


@pytest.fixture
def headers():
    """Return the headers of a genuine delivery of Stripe."""
    return dict(sign(find_provider("stripe"), BODY, secret=SECRET, now=SIGNED_AT).headers)


def run(tmp_path, captured, *options, provider="stripe", secret=SECRET):
    text = captured if isinstance(captured, bytes) else json.dumps(captured).encode()
    file = tmp_path / "captured"
    file.write_bytes(text)
    words = ["verify", str(file), "--provider", provider, *options]
    return CliRunner().invoke(main, words, env={"HOOKKIT_SECRET": secret})


def as_text(headers, body=BODY, end="\r\n", before=""):
    lines = ["POST /hooks/shop HTTP/1.1", "Host: example.com"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return f"{before}{end.join([*lines, '', ''])}".encode() + body


def forms(headers):
    """Yield a genuine delivery in each form, by its name."""
    pairs = [{"name": name.title(), "value": value} for name, value in headers.items()]
    request = {"method": "POST", "url": "https://example.com/hooks/shop", "headers": headers}
    encoded = base64.b64encode(BODY).decode()
    har = {**request, "headers": pairs, "postData": {"mimeType": "", "text": BODY.decode()}}
    chunked = {**headers, "Transfer-Encoding": "chunked"}
    sized = {**headers, "Content-Length": str(len(BODY))}
    yield "HTTP text", as_text(headers)
    yield "HTTP text of an editor", as_text(sized, BODY + b"\n", end="\n")
    yield "tcpdump", as_text(sized, BODY + b"\n12:00 IP b > a", before="12:00 IP a > b\nE..4..@.")
    yield (
        "chunks",
        as_text(chunked, b"5\r\n" + BODY[:5] + b"\r\n1f\r\n" + BODY[5:] + b"\r\n0\r\n\r\n"),
    )
    yield "JSON", {**request, "body": BODY.decode()}
    yield "JSON in base64", {**request, "body_base64": encoded}
    yield (
        "lists of values",
        {**request, "headers": {n: [v] for n, v in headers.items()}, "body": BODY.decode()},
    )
    yield "an entry of a HAR file", {"request": har}
    yield (
        "a HAR file",
        {"log": {"entries": [{"request": {**har, "method": "GET"}}, {"request": har}]}},
    )
    yield (
        "ngrok",
        {
            "requests": [
                {"request": {"method": "POST", "raw": base64.b64encode(as_text(headers)).decode()}}
            ]
        },
    )


FORMS = [name for name, _ in forms({})]


@pytest.mark.parametrize("form", FORMS)
def test_genuine_request_is_verified_in_every_form(tmp_path, headers, form):
    result = run(tmp_path, dict(forms(headers))[form], *AT)

    assert result.output == "verified by secret #0, stripe version any, 1 event: invoice.paid\n"
    assert result.exit_code == 0


@pytest.mark.parametrize("kind", ["curl -v", "headers"])
def test_body_lies_in_a_file_of_its_own(tmp_path, headers, kind):
    mark = "> " if kind == "curl -v" else ""
    lines = [f"{mark}{name}: {value}" for name, value in headers.items()]
    if mark:
        lines = [
            "*   Trying 127.0.0.1...",
            "> POST /hooks HTTP/1.1",
            *lines,
            ">",
            "< HTTP/1.1 200 OK",
        ]
    body = tmp_path / "body"
    body.write_bytes(BODY)
    text = "\n".join(lines).encode()

    assert run(tmp_path, text, "--body", str(body), *AT).exit_code == 0
    alone = run(tmp_path, text)
    assert alone.exit_code == 2
    assert alone.output.splitlines()[-1].endswith("--body FILE")


def test_age_counts_only_where_a_time_is_given(tmp_path, headers):
    text = as_text(headers)

    assert "its age was not checked: give --at" in run(tmp_path, text).output
    late = run(tmp_path, text, "--at", "2026-03-01T13:00Z")
    assert late.exit_code == 1
    assert late.output.startswith("clock: the signature is right, but it was signed 60 min before")


def test_cause_is_the_first_word_and_the_refusal_the_last_line(tmp_path, headers):
    result = run(tmp_path, as_text(headers, json.dumps(json.loads(BODY)).encode()), *AT)

    first, last = result.output.splitlines()
    assert first.startswith("body_reencoded: the body was parsed and written again as JSON")
    assert last == "(signature_mismatch: header stripe-signature fits no configured secret)"
    assert result.exit_code == 1


def test_several_secrets_newest_first(tmp_path, headers):
    result = run(tmp_path, as_text(headers), "--secret", "the-new-one", "--secret", SECRET)

    assert result.output.startswith("verified by secret #1,")


def test_json_has_the_finding(tmp_path, headers):
    good = json.loads(run(tmp_path, as_text(headers), "--json").output)
    bad = json.loads(run(tmp_path, as_text({}), "--json").output)

    assert good == {"verified": True, "secret": 0, "version": "any", "events": ["invoice.paid"]}
    assert (bad["verified"], bad["cause"], bad["code"]) == (
        False,
        "header_missing",
        "signature_missing",
    )


def test_url_of_the_request_is_signed_unless_another_is_given(tmp_path):
    twilio, body = find_provider("twilio"), b"MessageSid=1&Body=Hi"
    url = "https://example.com/hooks/shop"
    sent = sign(twilio, body, secret=SECRET, public_url=url)
    text = as_text(sent.headers, body)

    assert run(tmp_path, text, provider="twilio").exit_code == 0
    other = run(tmp_path, text, "--url", "http://example.com/hooks/shop", provider="twilio")
    assert other.output.startswith("url_scheme: ")


@pytest.mark.parametrize("name", ["sunshine", "livechat", "8x8"])
def test_vendor_and_version_are_named(tmp_path, name):
    provider = find_provider(name)
    sample = find_sample(provider)
    private, public = pair_of(name)
    sent = sign(provider, sample.body, secret=private, headers=sample.headers)
    options = ()
    if name == "8x8":
        key = tmp_path / "key"
        key.write_text(public)
        options = ("--key", str(key))

    result = run(tmp_path, as_text(sent.headers, sent.body), *options, provider=name, secret=public)

    by = "a key" if name == "8x8" else "secret #0"
    # A body of LiveChat shows the oldest version that it could be of.
    version = "3.4" if name == "livechat" else sample.version
    assert result.output.startswith(f"verified by {by}, {name} version {version}, 1 event: ")


def test_settings_of_an_endpoint(tmp_path, headers):
    settings = tmp_path / "settings.toml"
    settings.write_text(f'provider = "stripe"\nsecrets = ["{SECRET}"]\npath_token = ["shop"]\n')

    result = run(tmp_path, as_text(headers), "--settings", str(settings), secret="")

    assert result.exit_code == 0


@pytest.mark.parametrize(
    ("captured", "options", "said"),
    [
        (b"", (), "holds headers alone"),
        (b"\x00\xff nonsense", (), "see line 1"),
        (b'{"a": 1}', (), "is JSON without a request"),
        (b'{"a": ', (), "begins like JSON"),
        (b'{"headers": {"a": 1}, "body": ""}', (), "a header that is no text"),
        (b'{"headers": 5, "body": ""}', (), "no object and no list"),
        (b'{"headers": {}, "body": 5}', (), "no body or body_base64"),
        (b'{"headers": {}, "body_base64": "%"}', (), "not base64"),
        (b'{"log": {"entries": []}}', (), "is JSON without a request"),
        (b"POST / HTTP/1.1\r\nno header\r\n", (), "line 2 is no header"),
        (b"POST / HTTP/1.1\r\n\r\n{}", ("--provider", "nobody"), "is not known"),
        (b"POST / HTTP/1.1\r\n\r\n{}", ("--at", "noon"), "is no time"),
        (b"POST / HTTP/1.1\r\n\r\n{}", ("--url", "ftp://a/b"), "http://host/path"),
        (b"POST / HTTP/1.1\r\n\r\n{}", ("--secret", " a"), "white space"),
        (b"POST / HTTP/1.1\r\n\r\n{}", ("--provider", "8x8"), "give --key"),
        (b"POST / HTTP/1.1\r\n\r\n{}", ("--provider", "standard"), "whsec_"),
        (b"POST / HTTP/1.1\r\n\r\n{}", ("--provider", "twilio"), "public_url"),
    ],
)
def test_wrong_input_is_one_line_and_status_2(tmp_path, captured, options, said):
    result = run(tmp_path, captured, *options)

    assert result.exit_code == 2
    lines = [line for line in result.output.splitlines() if line.startswith("Error: ")]
    assert len(lines) == 1
    assert said in lines[0]
    assert result.output.splitlines()[-1] == lines[0]


def test_two_requests_are_too_many(tmp_path, headers):
    one = {"request": {"method": "POST", "headers": headers, "postData": {"text": "{}"}}}

    result = run(tmp_path, {"log": {"entries": [one, one]}})

    assert result.exit_code == 2
    assert "holds 2 requests with a body: leave one in it" in result.output


def test_no_secret_is_printed(tmp_path, headers):
    for captured in (as_text(headers, b"{}"), as_text({}), b"", as_text({"x-api-key": SECRET})):
        result = run(tmp_path, captured, "--json")
        assert SECRET not in result.output
        assert headers["stripe-signature"][-20:] not in result.output
