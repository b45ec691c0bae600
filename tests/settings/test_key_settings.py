"""The settings of a vendor that signs with keys of its own."""

import json

import pytest

from hookkit import ConfigurationError
from hookkit.providers import load_providers
from hookkit.providers.eight_by_eight.signature import KEY_BASES
from hookkit.settings.load import load_settings
from tests.key_server import jwk_of, pem_of, private_jwk_of, public_pem_of, shared_key

KEY = shared_key()
JWK = jwk_of(KEY, "key1")
OTHER_JWK = jwk_of(shared_key(1), "key2")
SECRET = "0123456789abcdef"
REQUIRED = (
    'keys, region or key_bases: missing; an endpoint that verifies nothing says "unsigned": True'
)


def load(**settings):
    config = {"HOOKKIT_ENDPOINTS": {"support": {"provider": "8x8"} | settings}}
    return load_settings(config, load_providers()).endpoints["support"]


def mistakes_of(**settings):
    with pytest.raises(ConfigurationError) as raised:
        load(**settings)
    return [each.removeprefix("HOOKKIT_ENDPOINTS.support.") for each in raised.value.mistakes]


@pytest.mark.parametrize(
    ("given", "key_ids"),
    [
        pytest.param(JWK, ["key1"], id="a JWK"),
        pytest.param(json.dumps(JWK), ["key1"], id="a JWK as text"),
        pytest.param(public_pem_of(KEY), [None], id="PEM"),
        pytest.param([JWK, OTHER_JWK, public_pem_of(KEY)], ["key1", "key2", None], id="several"),
    ],
)
def test_keys_may_be_given(given, key_ids):
    ring = load(keys=given).protection.keys

    assert [key.key_id for key in ring.given] == key_ids
    assert ring.server is None


@pytest.mark.parametrize("region", ["us", "eu", "ca", "ap"])
def test_region_names_the_chat_api_and_the_gateway(region):
    bases = load(region=region).protection.keys.server.bases

    assert (
        bases
        == KEY_BASES[region]
        == (
            f"https://api.8x8.com/vcc/{region}/chat/v2/jwk",
            "https://api.8x8.com/chat-gateway/v1/jwk",
        )
    )


def test_bases_may_be_others_and_stand_beside_keys():
    ring = load(keys=JWK, key_bases=["https://keys.example:8443/jwk/"]).protection.keys

    assert ring.server.bases == ("https://keys.example:8443/jwk",)
    assert [key.key_id for key in ring.given] == ["key1"]


def test_tolerance_is_that_of_the_endpoint_alone():
    assert load(region="us").provider.scheme.tolerance_s == 300
    assert load(region="us", tolerance_s=0).provider.scheme.tolerance_s == 0
    assert load(region="us", tolerance_s=12.5).provider.scheme.tolerance_s == 12.5
    assert load_providers()["8x8"].scheme.tolerance_s == 300


def test_version_may_have_keys_of_its_own():
    endpoint = load(region="us", versions={"v2.0": {"keys": JWK}, "v1.0": {"unsigned": True}})

    assert endpoint.protection_of("Chat Gateway v1.0").keys.server is not None
    assert endpoint.protection_of("v2.0").keys.server is None
    assert endpoint.protection_of("v1.0").keys is None
    assert endpoint.protection_of("v1.0").unsigned


def test_unsigned_endpoint_needs_no_key():
    assert load(unsigned=True).protection.keys is None


@pytest.mark.parametrize(
    ("settings", "mistakes"),
    [
        pytest.param({}, [REQUIRED], id="nothing"),
        pytest.param({"versions": {"v2.0": "live"}}, [REQUIRED], id="a version without a proof"),
        pytest.param(
            {"secrets": [SECRET]},
            ["secrets: 8x8 signs with a key of its own; say keys, region or key_bases"],
            id="secrets",
        ),
        pytest.param(
            {"region": "mars"},
            ["region: 'mars' is not known; known are us, eu, ca, ap"],
            id="unknown region",
        ),
        pytest.param(
            {"region": "us", "key_bases": ["https://x"]},
            ["key_bases: beside region; say which of the two is meant"],
            id="region and bases",
        ),
        pytest.param(
            {"region": "us", "unsigned": True},
            ["unsigned: true beside keys; say which of the two is meant"],
            id="keys and unsigned",
        ),
        pytest.param({"keys": []}, ["keys: holds no key"], id="no key"),
        pytest.param({"keys": 5}, ["keys: must be a JWK or PEM, or a list of them"], id="number"),
        pytest.param({"keys": b"x"}, ["keys: must be a JWK or PEM, or a list of them"], id="bytes"),
        pytest.param({"keys": [JWK, 5]}, ["keys: one must be a JWK or PEM"], id="one is none"),
        pytest.param({"keys": [JWK, dict(JWK)]}, ["keys: holds one key twice"], id="twice"),
        pytest.param(
            {"keys": pem_of(KEY).decode()},
            ["keys: one is a private key; only the public half belongs here"],
            id="private PEM",
        ),
        pytest.param(
            {"keys": private_jwk_of(KEY)},
            ["keys: one is a private key; only the public half belongs here"],
            id="private JWK",
        ),
        pytest.param({"key_bases": []}, ["key_bases: holds no address"], id="no base"),
        pytest.param({"region": "us", "tolerance_s": -1}, None, id="negative tolerance"),
        pytest.param({"region": "us", "tolerance_s": float("nan")}, None, id="no tolerance"),
        pytest.param({"region": 5}, None, id="region a number"),
        pytest.param(
            {"region": "us", "versions": {"v1.0": {"secrets": [SECRET]}}},
            [
                (
                    "versions.v1.0.secrets: 8x8 signs with a key of its own;"
                    " say keys, region or key_bases"
                )
            ],
            id="secrets of a version",
        ),
        pytest.param(
            {"region": "us", "versions": {"v1.0": {"unsigned": True, "keys": JWK}}},
            ["versions.v1.0.unsigned: true beside keys; say which of the two is meant"],
            id="version both ways",
        ),
        pytest.param(
            {"region": "us", "versions": {"v3.0": "live"}},
            ["versions.v3.0: 8x8 has v1.0, v2.0, Chat Gateway v1.0"],
            id="unknown version",
        ),
    ],
)
def test_mistake_is_told_by_its_key(settings, mistakes):
    told = mistakes_of(**settings)

    assert told == mistakes if mistakes is not None else len(told) == 1
    assert JWK["n"] not in "".join(told)


@pytest.mark.parametrize(
    "base",
    [
        *("http://keys.example/jwk", "keys.example/jwk", "", "https://", "https:///jwk", "ftp://x"),
        *("https://user@keys.example/jwk", "https://keys.example/jwk?a=b", "https://x/#a"),
        *("https://keys.example:0/", "https://keys.example:x/", "https://[::1", "https://a b/"),
        *("https://schlüssel.example/", "https://keys.example/\njwk", 5, None),
    ],
    ids=ascii,
)
def test_address_of_keys_is_https_and_nothing_more(base):
    (mistake,) = mistakes_of(key_bases=[base])

    assert mistake.startswith("key_bases")


@pytest.mark.parametrize(
    "mode", ["shadow", {"mode": "shadow"}, {"mode": "shadow", "unsigned": True}]
)
@pytest.mark.parametrize("version", ["v1.0", "v2.0", "Chat Gateway v1.0"])
def test_shadow_is_refused_for_versions_that_never_come_side_by_side(version, mode):
    (mistake,) = mistakes_of(region="us", versions={version: mode})

    assert mistake == (
        f"versions.{version}.mode: shadow is for versions that arrive side by side, and"
        " 8x8 sends each event in one version only, which changes in place"
    )


@pytest.mark.parametrize("name", ["keys", "region", "key_bases"])
def test_vendor_with_secrets_has_no_keys(name):
    values = {"keys": JWK, "region": "us", "key_bases": ["https://x"]}
    config = {"provider": "sunshine", "secrets": [SECRET], name: values[name]}
    with pytest.raises(ConfigurationError) as raised:
        load(**config)

    assert list(raised.value.mistakes) == [
        f"HOOKKIT_ENDPOINTS.support.{name}: sunshine does not sign with a key of its own"
    ]


# A set of keys

SET_URL = "https://shop.example/keys.json"
TOKEN = {"type": "token", "algorithm": "ES256"}
NO_TOKEN = 'key_set: goes with a scheme of the type "token", by RS256 or ES256'


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_set_of_keys_stands_in_place_of_secrets(algorithm):
    endpoint = load(
        provider="generic", key_set=SET_URL, scheme=TOKEN | {"algorithm": algorithm}, tolerance_s=9
    )

    ring = endpoint.protection.keys
    assert (ring.given, ring.server.url, ring.server.algorithm) == ((), SET_URL, algorithm)
    assert endpoint.protection.secrets is None
    assert not endpoint.protection.is_open
    scheme = endpoint.provider.scheme
    assert (scheme.token.algorithm, scheme.token.tolerance_s) == (algorithm, 9)


def test_set_of_keys_proves_what_a_gateway_signs_again():
    endpoint = load(
        provider="livechat",
        key_set=SET_URL,
        scheme=TOKEN | {"url_claim": "url_hash"},
        public_url="https://h/x",
    )

    assert endpoint.provider.scheme.token.public_url == "https://h/x"


def test_version_has_secrets_beside_a_set_of_keys_with_a_scheme_of_its_own():
    of_version = {"secrets": [SECRET], "scheme": {"header": "x-signature"}}
    settings = {"provider": "sunshine", "key_set": SET_URL, "scheme": TOKEN}

    endpoint = load(**settings, versions={"v2": of_version})

    assert endpoint.protection_of("v2").keys is None
    assert endpoint.protection_of("v1").keys is not None


@pytest.mark.parametrize(
    ("settings", "mistakes"),
    [
        ({"scheme": TOKEN | {"algorithm": "HS256"}}, [NO_TOKEN]),
        ({}, [NO_TOKEN]),
        ({"scheme": {"header": "x-signature"}}, [NO_TOKEN]),
        (
            {"scheme": TOKEN, "secrets": [SECRET]},
            ["key_set: beside secrets; say which of the two is meant"],
        ),
        (
            {"scheme": TOKEN, "unsigned": True},
            ["unsigned: true beside keys; say which of the two is meant"],
        ),
        (
            {"scheme": TOKEN, "key_set": "http://shop.example/keys.json"},
            ["key_set: must be an address that begins with https://"],
        ),
        (
            {"scheme": TOKEN, "key_set": f"{SET_URL}?a=b"},
            ["key_set: must be without user, query and fragment"],
        ),
        (
            {"scheme": TOKEN | {"url_claim": "url_hash"}},
            ["public_url: missing; generic signs the URL, which is not guessed"],
        ),
        (
            {"scheme": TOKEN, "event_id": "header:x-id"},
            None,
        ),
        (
            {"scheme": TOKEN, "keys": JWK},
            ["keys: generic does not sign with a key of its own"],
        ),
        (
            {"provider": "8x8", "region": "us"},
            ["key_set: 8x8 signs with a key of its own; say keys, region or key_bases"],
        ),
        (
            {"provider": "sunshine", "scheme": TOKEN, "versions": {"v2": {"secrets": [SECRET]}}},
            [
                (
                    "versions.v2.secrets: needs a scheme beside it; that of the endpoint goes with"
                    " key_set"
                )
            ],
        ),
        (
            {"provider": "sunshine", "scheme": TOKEN, "versions": {"v2": {"key_set": SET_URL}}},
            ["versions.v2.key_set (did you mean key_bases?): no such setting"],
        ),
    ],
)
def test_mistake_with_a_set_of_keys_is_told(settings, mistakes):
    told = mistakes_of(**{"provider": "generic", "key_set": SET_URL, **settings})

    assert told == mistakes if mistakes is not None else len(told) == 1
