"""Credentials and tokens, as they come over HTTP."""

import base64
import json
import logging
from datetime import UTC, datetime

import pytest

from hookkit import HookKit
from hookkit.signatures.keyed_hash import KeyedHash
from tests.applications import SECRET, make_app, message, post

pytestmark = pytest.mark.usefixtures("each_door")

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


# A version with a scheme of its own

SIGNED_BY = {"type": "hmac", "header": "x-gateway-signature"}
NEW_SECRET = "the-secret-of-the-gateway-alone"


class Gateway:
    """An endpoint whose v2 comes through a gateway that signs, beside the vendor's v1.1."""

    def __init__(self, mode):
        self.hooks, self.seen = HookKit(), []
        self.hooks.on("*", name="see")(lambda event: self.seen.append(event.version))
        support = {
            "provider": "sunshine",
            "secrets": [SECRET],
            "versions": {
                "v1.1": "live",
                "v2": {"mode": mode, "secrets": [NEW_SECRET], "scheme": SIGNED_BY},
            },
        }
        self.app = make_app(self.hooks, HOOKKIT_ENDPOINTS={"support": support})

    def send(self, body, *, secret=None, key=None):
        data = json.dumps(body).encode()
        headers = {} if key is None else {"X-API-Key": key}
        if secret is not None:
            headers |= KeyedHash(header="x-gateway-signature").sign(
                data, secret.encode(), datetime.now(UTC)
            )
        return code_of(self.app.test_client().post("/hooks/support", data=data, headers=headers))

    def kept(self):
        found = self.app.extensions["hookkit"].opening.inbox().find()
        return [(each.version, each.state.value) for each in found]


V1_1 = {"trigger": "appUser:delete", "version": "v1.1", "appUser": {"_id": "u"}}


def test_version_decides_what_runs_once_its_own_scheme_has_proven_it():
    gateway = Gateway("shadow")

    assert gateway.send(message(), secret=NEW_SECRET) == (200, "accepted")
    assert gateway.send(V1_1, key=SECRET) == (200, "accepted")

    assert gateway.kept() == [("v1.1", "done"), ("v2", "shadow")]
    assert gateway.seen == ["v1.1"]


@pytest.mark.parametrize("mode", ["live", "shadow", "ignore"])
@pytest.mark.parametrize(
    ("body", "proof"),
    [
        pytest.param(message(), {"key": SECRET}, id="v2 by the endpoint's secret"),
        pytest.param(message(), {"key": NEW_SECRET}, id="v2 by its secret in the old header"),
        pytest.param(message(), {"secret": SECRET}, id="v2 signed with the endpoint's secret"),
        pytest.param(message(), {"secret": SECRET, "key": SECRET}, id="v2 by everything old"),
        pytest.param(message(), {}, id="v2 by nothing"),
        pytest.param(V1_1, {"secret": NEW_SECRET}, id="v1.1 signed as v2"),
        pytest.param(V1_1, {"key": NEW_SECRET}, id="v1.1 by the secret of v2"),
        pytest.param({}, {"secret": NEW_SECRET}, id="no version by the scheme of v2"),
    ],
)
def test_no_body_chooses_how_it_is_proven(mode, body, proof):
    gateway = Gateway(mode)

    status, _ = gateway.send(body, **proof)

    assert status == 401
    assert gateway.kept() == []
    assert gateway.seen == []


def test_body_in_the_shape_of_another_version_stays_in_the_one_that_it_was_proven_for():
    gateway = Gateway("shadow")

    assert gateway.send(V1_1 | {"version": "v2"}, secret=NEW_SECRET) == (200, "accepted")

    assert gateway.kept() == [("v2", "shadow")]
    assert gateway.seen == []
