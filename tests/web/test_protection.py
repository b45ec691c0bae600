"""Credentials and tokens, as they come over HTTP."""

import base64
import logging

import pytest

from hookkit import HookKit
from tests.applications import SECRET, make_app, message, post

BASIC = "vendor:a-password-nobody-guesses"
TOKEN = "a-token_nobody.guesses~42"
HEADERS = {"Authorization": f"Basic {base64.b64encode(BASIC.encode()).decode()}"}


def client_of(hooks=None, **settings):
    endpoints = {"support": {"provider": "sunshine"} | settings}
    return make_app(hooks or HookKit(), HOOKKIT_ENDPOINTS=endpoints).test_client()


def code_of(response):
    return response.status_code, response.json["code"]


def test_token_behind_the_name_proves_the_sender(caplog):
    caplog.set_level(logging.DEBUG)
    client = client_of(unsigned=True, path_token=[TOKEN])

    answers = [
        code_of(post(client, message(), url=f"/hooks/support{path}", secret=None))
        for path in (f"/{TOKEN}", "", "/wrong", f"/{TOKEN}/", f"/{TOKEN}/more", "/%F0%9F%91%8D")
    ]

    assert answers == [
        (200, "accepted"),
        (401, "signature_missing"),
        *[(401, "signature_mismatch")] * 4,
    ]
    assert TOKEN not in caplog.text


@pytest.mark.parametrize("path", [f"/hooks/support/{TOKEN}", "/hooks/support/", "/hooks/x/y"])
def test_endpoint_without_tokens_has_nothing_behind_its_name(path):
    client = client_of(secrets=[SECRET])

    assert code_of(post(client, message(), url=path)) == (404, "unknown_endpoint")


def test_url_with_a_token_answers_other_methods_as_the_endpoint_does():
    client = client_of(unsigned=True, path_token=[TOKEN])
    url = f"/hooks/support/{TOKEN}"

    assert client.head(url).status_code == 200
    assert client.get(url).status_code == 405


def test_token_of_one_version_leaves_the_others_to_their_secret():
    seen = []
    hooks = HookKit()
    hooks.on("*", name="see")(lambda event: seen.append(event.version))
    client = client_of(
        hooks,
        secrets=[SECRET],
        versions={"v1": {"unsigned": True, "path_token": [TOKEN]}},
    )
    url = f"/hooks/support/{TOKEN}"
    v1 = {"trigger": "appUser:delete", "appUser": {"_id": "a"}}

    answers = [
        post(client, v1, url=url, secret=None),
        post(client, message(), secret=SECRET),
        post(client, message("event-2"), url=url, secret=SECRET),
        post(client, message("event-3"), url=url, secret=None),
        post(client, v1, secret=SECRET),
    ]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 401, 401]
    assert seen == ["v1", "v2", "v2"]


def test_basic_credentials_prove_the_sender_and_are_asked_for():
    client = client_of(unsigned=True, basic=[BASIC])
    url = "/hooks/support"

    refused = post(client, message(), url=url, secret=None)
    taken = client.post(url, json=message(), headers=HEADERS)

    assert code_of(refused) == (401, "signature_missing")
    assert refused.headers["WWW-Authenticate"] == 'Basic realm="hookkit"'
    assert code_of(taken) == (200, "accepted")
    assert "WWW-Authenticate" not in taken.headers


def test_endpoint_without_basic_asks_for_none():
    response = post(client_of(secrets=[SECRET]), message(), secret="wrong")

    assert "WWW-Authenticate" not in response.headers
