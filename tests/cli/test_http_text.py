"""Requests as text: what is written is read, and so is what people write by hand."""

import pytest

from hookkit.cli.http_text import read_request, write_request
from hookkit.testing import SignedDelivery


def test_written_request_is_read_byte_for_byte():
    body = b"\r\n\xff POST / HTTP/1.1\r\n\r\n"
    delivery = SignedDelivery(body=body, headers={"x-name": "\xfc: b", "content-type": "a/b"})

    request = read_request(write_request("https://host:8443/a/b?c=d", delivery))

    assert request.target == "/a/b?c=d"
    assert request.body == body
    assert request.headers == {
        "host": "host:8443",
        "x-name": "\xfc: b",
        "content-type": "a/b",
        "content-length": str(len(body)),
    }


def test_url_without_a_path_asks_for_the_root():
    delivery = SignedDelivery(body=b"", headers={})

    assert read_request(write_request("http://host", delivery)).target == "/"


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_lines_may_end_either_way(end):
    text = end.join([b"POST /x HTTP/1.1", b"X-A:  1 ", b"x-a: 2", b"Empty:", b"", b"body\n"])

    request = read_request(text)

    assert request.headers == {"x-a": "1,2", "empty": ""}
    assert request.body == b"body\n"


@pytest.mark.parametrize(
    "text", [b"", b"{}", b"POST /x", b"post /x HTTP/1.1\n\n", b"\nGET / HTTP/1\n"]
)
def test_text_without_a_request_line_is_no_request(text):
    assert read_request(text) is None


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (b"POST / HTTP/1.1\nno header\n\n{}", 2),
        (b"POST / HTTP/1.1\nA: b\n{}", 3),
        (b"GET / HTTP/2\n", 2),
    ],
)
def test_headers_that_do_not_end_are_a_mistake(text, line):
    with pytest.raises(ValueError, match=f"line {line} is no header"):
        read_request(text)
