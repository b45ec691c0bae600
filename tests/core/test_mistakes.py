import pytest

from hookkit.core.errors import not_known, split_url


def test_message_names_what_is_known():
    assert not_known("moon", ["sun", "star"]) == "'moon' is not known; known are sun, star"


@pytest.mark.parametrize(
    "url",
    [
        "http://host",
        "https://host:8443/path?a=b#c",
        "http://127.0.0.1:5000/hooks",
        "http://[::1]:5000/",
        "https://user@host/",
    ],
)
def test_url_of_a_host_is_usable(url):
    parts = split_url(url)

    assert parts is not None
    assert parts.geturl() == url


@pytest.mark.parametrize(
    "url",
    [
        *("", "host/path", "//host/path", "ftp://host/", "file:///etc/passwd", "https:///path"),
        *("http://host:0/", "http://host:port/", "http://host:65536/", "http://[::1/"),
        *("http://a b/", "http://host/\npath", " http://host/", "http://schlüssel/", "http://h/\0"),
    ],
    ids=ascii,
)
def test_url_that_cannot_be_used_has_no_parts(url):
    assert split_url(url) is None


def test_schemes_may_be_fewer():
    assert split_url("http://host/", schemes=["https"]) is None
    assert split_url("https://host/", schemes=["https"]) is not None
