"""Trials of the URL: what the sender may have signed in place of ``public_url``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple
from urllib.parse import quote, unquote, urlsplit

from hookkit.core.delivery import Delivery
from hookkit.core.errors import split_url
from hookkit.core.scheme import UrlScheme
from hookkit.receiving.endpoint import Endpoint
from hookkit.receiving.trials.trial import AnyScheme, Found, Trial, schemes_of, with_schemes

_PORTS = {"http": "80", "https": "443"}

#: Where proxies say what was asked for.
_HOST_HEADERS = ("host", "x-forwarded-host", "x-original-host")
_PATH_HEADERS = ("x-original-uri", "x-original-url", "x-rewrite-url", "x-forwarded-uri")
_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}(:[0-9]{1,5})?", re.ASCII)


class _Guess(NamedTuple):
    cause: str
    how: str
    url: str


def url_trials(endpoint: Endpoint, delivery: Delivery) -> Iterator[Trial]:
    """Yield the endpoint at other URLs, and the delivery with other queries."""
    signing = [each for each in schemes_of(endpoint) if isinstance(each, UrlScheme)]
    known = next((each.public_url for each in signing if each.signs_url), "")
    parts = split_url(known)
    if parts is None:
        return
    seen = {known}
    for guess in _guesses(known, delivery):
        if guess.url in seen:
            continue
        seen.add(guess.url)
        text = (
            f"the sender signed another URL than public_url: {guess.how}; set public_url to the URL"
            " that is registered at the vendor, letter by letter"
        )
        yield Trial(Found(guess.cause, text), _at(endpoint, guess.url), delivery)
    text = (
        "the query of the URL was changed on the way, and the sender signs it; have the proxy pass"
        " it on as it is"
    )
    for query in _queries(delivery):
        yield Trial(Found("url_query", text), endpoint, replace(delivery, query=query))


def _at(endpoint: Endpoint, url: str) -> Endpoint:
    def changed(scheme: AnyScheme) -> AnyScheme:
        return scheme.at_url(url) if isinstance(scheme, UrlScheme) else scheme

    return with_schemes(endpoint, changed)


def _guesses(known: str, delivery: Delivery) -> Iterator[_Guess]:
    parts = urlsplit(known)
    scheme, place, path = parts.scheme, parts.netloc, parts.path
    other = "http" if scheme == "https" else "https"
    bare = place.rpartition(":")[0] if re.search(r":[0-9]+$", place) else place
    slashed = path.removesuffix("/") if path.endswith("/") else f"{path}/"
    scheme_how = f"it has {other}:// and not {scheme}://"
    yield _Guess("url_scheme", scheme_how, f"{other}://{place}{path}")
    for port in ("", f":{_PORTS[scheme]}", f":{_PORTS[other]}", *_forwarded_ports(delivery)):
        how = f"it has the port {port[1:]}" if port else "it has no port"
        yield _Guess("url_port", how, f"{scheme}://{bare}{port}{path}")
        yield _Guess("url_port", f"{how}, and {other}://", f"{other}://{bare}{port}{path}")
    slash_how = "it ends with a slash" if slashed.endswith("/") else "it ends without a slash"
    yield _Guess("url_path", slash_how, f"{scheme}://{place}{slashed}")
    yield _Guess("url_path", f"{slash_how}, and has {other}://", f"{other}://{place}{slashed}")
    for host in dict.fromkeys((place.lower(), *_other_hosts(place), *_hosts(delivery))):
        how = f"its host is {host}"
        yield _Guess("url_host", how, f"{scheme}://{host}{path}")
        yield _Guess("url_host", f"{how}, and it has {other}://", f"{other}://{host}{path}")
    for name in _PATH_HEADERS:
        sent = delivery.headers.get(name, "").partition("?")[0]
        if sent.startswith("/") and sent.isascii() and sent.isprintable():
            how = f"its path is the one in the header {name}"
            yield _Guess("url_path", how, f"{scheme}://{place}{sent}")
    prefix = delivery.headers.get("x-forwarded-prefix", "").rstrip("/")
    if prefix.startswith("/") and prefix.isascii() and prefix.isprintable():
        how = "its path begins with the one in the header x-forwarded-prefix"
        yield _Guess("url_path", how, f"{scheme}://{place}{prefix}{path}")


def _forwarded_ports(delivery: Delivery) -> Iterator[str]:
    for port in (
        delivery.headers.get("x-forwarded-port", ""),
        delivery.headers.get("host", "").rpartition(":")[2],
    ):
        if re.fullmatch(r"[0-9]{1,5}", port, re.ASCII):
            yield f":{port}"


def _other_hosts(place: str) -> Iterator[str]:
    yield place.removeprefix("www.") if place.startswith("www.") else f"www.{place}"


def _hosts(delivery: Delivery) -> Iterator[str]:
    for name in _HOST_HEADERS:
        host = delivery.headers.get(name, "").partition(",")[0].strip()
        if _HOST.fullmatch(host):
            yield host


def _queries(delivery: Delivery) -> Iterator[str]:
    query = delivery.query
    sent = [
        delivery.headers[name].partition("?")[2]
        for name in _PATH_HEADERS
        if "?" in delivery.headers.get(name, "")
    ]
    plain = unquote(query)
    guesses = (
        *sent,
        "",
        plain,
        quote(plain, safe="=&/:,;!$'()*+@?-._~"),
        query.replace("%20", "+"),
        query.replace("+", "%20"),
        "&".join(reversed(query.split("&", 20))),
        "&".join(sorted(query.split("&", 20))),
    )
    yield from (each for each in dict.fromkeys(guesses) if each != query)
