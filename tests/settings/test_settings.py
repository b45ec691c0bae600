import warnings
from dataclasses import replace

import pytest
from cryptography.fernet import Fernet

from hookkit import ConfigurationError, RetryPolicy, Unavailable
from hookkit.core.delivery import Options
from hookkit.core.parts import AuthorType
from hookkit.inbox.sql.rows import BodyCipher
from hookkit.providers import load_providers
from hookkit.receiving.endpoint import Protection
from hookkit.senders import SENDERS
from hookkit.settings.load import load_settings

SECRET = "0123456789abcdef"
KEY, OLD_KEY = (Fernet.generate_key().decode() for _ in range(2))


def load(**config):
    config = {"HOOKKIT_ENDPOINTS": {"support": endpoint()}} | config
    return load_settings(config, load_providers())


def endpoint(**settings):
    return {"provider": "sunshine", "secrets": [SECRET]} | settings


def mistakes_of(**config):
    with pytest.raises(ConfigurationError) as raised:
        load(**config)
    return list(raised.value.mistakes)


def secrets_of(endpoint, registration=None):
    return endpoint.secrets(endpoint.protection, "secrets", registration)


def test_defaults_are_the_documented_ones():
    settings = load()

    support = settings.endpoints["support"]
    assert secrets_of(support) == [SECRET.encode()]
    assert support.max_body_bytes == 1 << 20
    assert support.max_unproven_bytes == 8 << 10
    assert support.protection == Protection(secrets=[SECRET])
    assert (support.version_protections, support.path) == ({}, None)
    assert support.provider.options == Options()
    assert (settings.database, settings.runner) == (None, None)
    assert (settings.workers, settings.lease_s) == (4, 60.0)
    assert settings.retry == RetryPolicy()
    assert (settings.keep_bodies_days, settings.keep_ids_days) == (30.0, 90.0)
    assert (settings.encryption_keys, settings.tables) == ((), "upgrade")


def test_other_keys_of_the_application_are_left_alone():
    settings = load(SECRET_KEY="x", SQLALCHEMY_DATABASE_URI=1)

    assert list(settings.endpoints) == ["support"]


@pytest.mark.parametrize(
    ("settings", "mistake"),
    [
        pytest.param({"provider": None}, "provider: Field may not be null.", id="null provider"),
        pytest.param(
            {"provider": "sunshin"},
            "provider: 'sunshin' is not known; known are " + ", ".join(sorted(load_providers())),
            id="unknown provider",
        ),
        pytest.param(
            {"secrets": []},
            'secrets: holds no secret; unverified endpoints say "unsigned": True',
            id="no secret",
        ),
        pytest.param({"secrets": [SECRET, ""]}, "secrets: holds an empty secret", id="empty"),
        pytest.param({"secrets": [SECRET, " "]}, "secrets: holds an empty secret", id="blank"),
        pytest.param({"secrets": [SECRET, SECRET]}, "secrets: holds one secret twice", id="twice"),
        pytest.param(
            {"secrets": SECRET},
            "secrets: must be a list of texts, newest first, or a callable",
            id="a text",
        ),
        pytest.param({"secrets": [1]}, "secrets: every secret must be a text", id="a number"),
        pytest.param(
            {"secrets": [f"{SECRET}\n"]},
            "secrets: a secret begins or ends with white space",
            id="newline",
        ),
        pytest.param(
            {"secrets": ["from a broken environment \udcff"]},
            "secrets: a secret has characters that no header can carry",
            id="surrogate",
        ),
        pytest.param({1: 2}, "1: no such setting", id="key is a number"),
        pytest.param(
            {"unsigned": True},
            "unsigned: true beside secrets; say which of the two is meant",
            id="unsigned with secrets",
        ),
        *(
            pytest.param(
                {"unsigned": value},
                "unsigned: must be True or False; True accepts what no secret proves",
                id=f"unsigned {value!r}",
            )
            for value in ("yes", 1, 1.0, "True", 0)
        ),
        pytest.param({"path": "hook"}, "path: must start with /", id="path"),
        pytest.param(
            {"max_unproven_bytes": 0},
            "max_unproven_bytes: Must be greater than or equal to 1.",
            id="unproven bytes",
        ),
        pytest.param(
            {"provider": "livechat", "secrets": ["x" * 513]},
            "secrets: one is longer than 512 bytes, so it is not looked for",
            id="secret too long for a body",
        ),
        pytest.param({"max_body": 0}, "max_body: Must be greater than or equal to 1.", id="body"),
        pytest.param(
            {"repeat_window_s": 0}, "repeat_window_s: Must be greater than 0.", id="window"
        ),
        pytest.param({"basic": ["me"]}, "basic: every one must be spelt user:password", id="basic"),
        pytest.param(
            {"basic": ["me:"]}, "basic: every one must be spelt user:password", id="no password"
        ),
        pytest.param(
            {"basic": {"a": ["me:you"]}},
            "basic: must be a list of texts, newest first, or a callable",
            id="basic is a mapping",
        ),
        pytest.param(
            {"path_token": ["a/b"]},
            "path_token: a token may have letters, digits, '.', '_', '~' and '-' only",
            id="token with a slash",
        ),
        pytest.param(
            {"path_token": [SECRET], "path": "/x"},
            "path_token: beside path, which has no room for it; make the path itself unguessable",
            id="token beside a path",
        ),
        pytest.param(
            {"path": "/x", "versions": {"v1": {"path_token": [SECRET]}}},
            "path_token: beside path, which has no room for it; make the path itself unguessable",
            id="token of a version beside a path",
        ),
        pytest.param(
            {"secrets": {"a": [SECRET]}},
            "secrets: must be a list; sunshine names no webhook in what it sends",
            id="secrets by webhook",
        ),
        pytest.param(
            {"version": {"a": "v1"}},
            [
                "version: sunshine names no webhook in what it sends",
                "version: 'v1' cannot be pinned; sunshine leaves open none",
            ],
            id="pin by webhook",
        ),
        pytest.param(
            {"version": "v1"},
            "version: 'v1' cannot be pinned; sunshine leaves open none",
            id="pin",
        ),
        pytest.param(
            {"version": 1},
            "version: must be a text, or a mapping of webhook ids to texts",
            id="pin is a number",
        ),
        pytest.param(
            {"version": {"a": 1}},
            "version: must be a text, or a mapping of webhook ids to texts",
            id="pin of a number",
        ),
        pytest.param(
            {"authors": {"a": "user"}},
            "authors: sunshine names no webhook in what it sends",
            id="authors",
        ),
        pytest.param(
            {"authors": ["user"]},
            "authors: must map webhook ids to user, business, bot, system",
            id="authors is a list",
        ),
        pytest.param(
            {"versions": ["v1"]},
            "versions: must map payload versions to their modes",
            id="versions is a list",
        ),
        pytest.param(
            {"versions": {"v9": "live"}}, "versions.v9: sunshine has v1, v1.1, v2", id="no version"
        ),
        pytest.param(
            {"versions": {"v2": "shade"}},
            "versions.v2.mode: 'shade' is no mode; choose live, shadow, ignore",
            id="mode",
        ),
        pytest.param({"versions": {"v2": 5}}, "versions.v2: must be a mapping", id="mode a number"),
        pytest.param(
            {"versions": {"v2": {"secret": [SECRET]}}},
            "versions.v2.secret (did you mean secrets?): no such setting",
            id="misspelt in a version",
        ),
        pytest.param(
            {"versions": {"v2": {"secrets": [""]}}},
            "versions.v2.secrets: holds an empty secret",
            id="empty in a version",
        ),
        pytest.param(
            {"versions": {"v2": {"secrets": [SECRET], "unsigned": True}}},
            "versions.v2.unsigned: true beside secrets; say which of the two is meant",
            id="both in a version",
        ),
        pytest.param(
            {"secret": SECRET}, "secret (did you mean secrets?): no such setting", id="misspelt"
        ),
    ],
)
def test_mistake_in_an_endpoint_is_named_by_its_key(settings, mistake):
    mistakes = mistakes_of(HOOKKIT_ENDPOINTS={"support": endpoint() | settings})

    expected = [mistake] if isinstance(mistake, str) else mistake
    assert mistakes == [f"HOOKKIT_ENDPOINTS.support.{line}" for line in expected]


@pytest.mark.parametrize(
    ("config", "mistake"),
    [
        pytest.param(
            {"HOOKKIT_ENDPOINTS": {}}, "HOOKKIT_ENDPOINTS: holds no endpoint", id="no endpoint"
        ),
        pytest.param(
            {"HOOKKIT_ENDPOINTS": {"support": {"provider": "sunshine"}}},
            "HOOKKIT_ENDPOINTS.support.secrets: missing; an endpoint that verifies nothing says"
            ' "unsigned": True',
            id="endpoint without a secret",
        ),
        pytest.param(
            {"HOOKKIT_ENDPOINTS": {"support": "sunshine"}},
            "HOOKKIT_ENDPOINTS.support: must be a mapping",
            id="endpoint is a text",
        ),
        pytest.param(
            {"HOOKKIT_ENDPOINTS": {"a/b": endpoint()}},
            "HOOKKIT_ENDPOINTS.a/b: the name must be letters, digits, '.', '_' and '-',"
            " at most 100",
            id="name with a slash",
        ),
        pytest.param(
            {"HOOKKIT_ENDPOINTS": {"a": endpoint(path="/x"), "b": endpoint(path="/x")}},
            "HOOKKIT_ENDPOINTS: two endpoints have the path '/x'",
            id="one path twice",
        ),
        pytest.param(
            {"HOOKKIT_RUNNER": "gearman"},
            "HOOKKIT_RUNNER: must be one of thread, inline, celery, none",
            id="runner",
        ),
        pytest.param(
            {"HOOKKIT_WORKER": 2},
            "HOOKKIT_WORKER (did you mean HOOKKIT_WORKERS?): no such setting",
            id="misspelt key",
        ),
        pytest.param({"HOOKKIT_QQ": 2}, "HOOKKIT_QQ: no such setting", id="unknown key"),
        pytest.param(
            {"HOOKKIT_RETRY": {"max_attempts": 0}},
            "HOOKKIT_RETRY: RetryPolicy: max_attempts must be at least 1",
            id="retry",
        ),
        pytest.param(
            {"HOOKKIT_RETRY": {"max_attempts": "many"}},
            "HOOKKIT_RETRY: RetryPolicy: max_attempts must be a whole number",
            id="retry of texts",
        ),
        pytest.param(
            {"HOOKKIT_RETRY": 3},
            "HOOKKIT_RETRY: must be a RetryPolicy, or a mapping of max_attempts, first_delay_s,"
            " factor, max_delay_s, jitter",
            id="retry is a number",
        ),
        pytest.param(
            {"HOOKKIT_DATABASE": "mysql://localhost/inbox"},
            "HOOKKIT_DATABASE: MySQL is not supported; use SQLite or PostgreSQL",
            id="mysql",
        ),
        pytest.param(
            {"HOOKKIT_KEEP_BODIES_DAYS": 0},
            "HOOKKIT_KEEP_BODIES_DAYS: Must be greater than 0 and less than or equal to 36500.",
            id="bodies for no time",
        ),
        pytest.param(
            {"HOOKKIT_KEEP_IDS_DAYS": 36501},
            "HOOKKIT_KEEP_IDS_DAYS: Must be greater than 0 and less than or equal to 36500.",
            id="ids for longer than a clock can tell",
        ),
        pytest.param(
            {"HOOKKIT_KEEP_IDS_DAYS": "soon"},
            "HOOKKIT_KEEP_IDS_DAYS: Not a valid number.",
            id="ids for a word",
        ),
        pytest.param(
            {"HOOKKIT_KEEP_IDS_DAYS": 29},
            "HOOKKIT_KEEP_IDS_DAYS: shorter than HOOKKIT_KEEP_BODIES_DAYS; an id outlives its body",
            id="ids for less than the default of bodies",
        ),
        pytest.param(
            {"HOOKKIT_KEEP_BODIES_DAYS": 91},
            "HOOKKIT_KEEP_IDS_DAYS: shorter than HOOKKIT_KEEP_BODIES_DAYS; an id outlives its body",
            id="bodies for more than the default of ids",
        ),
        pytest.param(
            {"HOOKKIT_ENCRYPTION_KEYS": KEY},
            "HOOKKIT_ENCRYPTION_KEYS: must be a list of Fernet keys, newest first",
            id="a key alone",
        ),
        pytest.param(
            {"HOOKKIT_ENCRYPTION_KEYS": {KEY}},
            "HOOKKIT_ENCRYPTION_KEYS: must be a list of Fernet keys, newest first",
            id="keys without an order",
        ),
        pytest.param(
            {"HOOKKIT_ENCRYPTION_KEYS": [KEY, 5]},
            "HOOKKIT_ENCRYPTION_KEYS: one is no Fernet key;"
            " cryptography.fernet.Fernet.generate_key() makes one",
            id="key is a number",
        ),
        pytest.param(
            {"HOOKKIT_TABLES": "never"},
            "HOOKKIT_TABLES: must be one of upgrade, check",
            id="tables",
        ),
    ],
)
def test_mistake_in_the_settings_is_named_by_its_key(config, mistake):
    mistakes = mistakes_of(**config)

    assert mistakes == [mistake]


@pytest.mark.parametrize("days", [0.5, 1, 36500])
def test_lifetimes_may_be_equal_and_of_parts_of_a_day(days):
    settings = load(HOOKKIT_KEEP_BODIES_DAYS=days, HOOKKIT_KEEP_IDS_DAYS=days)

    assert (settings.keep_bodies_days, settings.keep_ids_days) == (days, days)


def test_encryption_keys_keep_their_order():
    settings = load(HOOKKIT_ENCRYPTION_KEYS=[KEY, OLD_KEY])

    assert settings.encryption_keys == (KEY, OLD_KEY)
    assert BodyCipher(settings.encryption_keys).decrypt(Fernet(OLD_KEY).encrypt(b"x")) == b"x"


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(KEY[:-2], id="cut"),
        pytest.param(KEY[:40], id="shorter"),
        pytest.param(KEY[:43] + "AAA==", id="longer"),
        pytest.param("a-password-of-ours", id="password"),
        pytest.param(f"{KEY[:43]}!", id="no base64"),
        pytest.param("\u00e9" * 44, id="no ASCII"),
        pytest.param("", id="empty"),
    ],
)
def test_no_mistake_shows_what_was_taken_for_a_key(wrong):
    mistakes = mistakes_of(
        HOOKKIT_ENCRYPTION_KEYS=[KEY, wrong], HOOKKIT_TABLES="x", HOOKKIT_KEEP_IDS_DAYS=-1
    )

    assert [mistake.split(":")[0] for mistake in mistakes] == [
        "HOOKKIT_KEEP_IDS_DAYS",
        "HOOKKIT_ENCRYPTION_KEYS",
        "HOOKKIT_TABLES",
    ]
    assert KEY not in "".join(mistakes)
    assert not wrong or wrong not in "".join(mistakes)


def test_no_repr_shows_a_key():
    assert KEY not in repr(load(HOOKKIT_ENCRYPTION_KEYS=[KEY]))


def test_missing_endpoints_are_a_mistake():
    with pytest.raises(ConfigurationError, match="HOOKKIT_ENDPOINTS: missing"):
        load_settings({}, load_providers())


def test_every_mistake_is_reported_at_once():
    mistakes = mistakes_of(
        HOOKKIT_ENDPOINTS={"a": endpoint(provider="x"), "b": endpoint(secrets=[""])},
        HOOKKIT_WORKERS=0,
        HOOKKIT_DATABASE="mysql://localhost/inbox",
    )

    assert [mistake.split(":")[0] for mistake in mistakes] == [
        "HOOKKIT_WORKERS",
        "HOOKKIT_ENDPOINTS.a.provider",
        "HOOKKIT_ENDPOINTS.b.secrets",
        "HOOKKIT_DATABASE",
    ]


def test_secret_that_can_be_guessed_is_a_warning():
    with pytest.warns(UserWarning, match=r"HOOKKIT_ENDPOINTS.support.secrets: one is shorter"):
        load(HOOKKIT_ENDPOINTS={"support": endpoint(secrets=["short"])})


def test_secrets_come_from_a_callable_at_every_delivery():
    secrets = [SECRET]
    support = load(HOOKKIT_ENDPOINTS={"s": endpoint(secrets=lambda: list(secrets))}).endpoints["s"]

    secrets.insert(0, "a-new-secret-of-today")

    assert secrets_of(support) == [b"a-new-secret-of-today", SECRET.encode()]


@pytest.mark.parametrize(
    "secrets",
    [
        pytest.param(lambda: 1 / 0, id="raises"),
        pytest.param(list, id="returns none"),
        pytest.param(lambda: [""], id="returns an empty one"),
        pytest.param(lambda: SECRET, id="returns a text"),
    ],
)
def test_callable_without_usable_secrets_verifies_nothing(secrets):
    support = load(HOOKKIT_ENDPOINTS={"s": endpoint(secrets=secrets)}).endpoints["s"]

    with pytest.raises(Unavailable, match="endpoint 's' cannot be had"):
        secrets_of(support)


def test_unsigned_endpoint_needs_no_secret():
    support = load(
        HOOKKIT_ENDPOINTS={"s": {"provider": "sunshine", "unsigned": True}},
    ).endpoints["s"]

    assert support.protection == Protection(unsigned=True)


def test_no_repr_shows_a_secret():
    settings = load(HOOKKIT_DATABASE="postgresql://me:a-password@localhost/inbox")

    assert SECRET not in repr(settings)
    assert "a-password" not in repr(settings)


def test_retry_may_be_a_mapping_as_the_environment_gives_it():
    settings = load(HOOKKIT_RETRY={"max_attempts": 3, "first_delay_s": 1})

    assert settings.retry == RetryPolicy(max_attempts=3, first_delay_s=1)


def test_long_secrets_give_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")

        assert load().endpoints


# More than one way to prove a sender


def declared(**settings):
    return load(HOOKKIT_ENDPOINTS={"s": {"provider": "sunshine"} | settings}).endpoints["s"]


LONG = "me:a-password-nobody-guesses"


def test_protections_of_versions_stand_beside_that_of_the_endpoint():
    support = declared(
        secrets=[SECRET],
        basic=[LONG],
        versions={
            "v1": {"unsigned": True, "path_token": [SECRET], "mode": "live"},
            "v1.1": {"basic": lambda: [LONG]},
            "v2": "live",
        },
    )

    assert support.protection == Protection(secrets=[SECRET], basic=[LONG])
    assert set(support.version_protections) == {"v1", "v1.1"}
    assert support.protection_of("v1") == Protection(unsigned=True, path_token=[SECRET])
    assert support.protection_of("v2") is support.protection_of(None) is support.protection
    assert support.asks_for("path_token")
    assert not declared(secrets=[SECRET]).asks_for("path_token")


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"basic": [LONG]}, id="basic alone"),
        pytest.param({"path_token": [SECRET]}, id="token alone"),
        pytest.param({"versions": {"v1": "live"}}, id="a version without a protection"),
        pytest.param(
            {"versions": {"v1": {"basic": [LONG]}, "v2": {}}}, id="one of two has a protection"
        ),
        pytest.param(
            {"basic": [LONG], "versions": {"v1": {"basic": [LONG]}}}, id="basic for the others"
        ),
    ],
)
def test_nothing_starts_without_a_proof_by_accident(settings):
    mistakes = mistakes_of(HOOKKIT_ENDPOINTS={"s": {"provider": "sunshine"} | settings})

    told = 'missing; an endpoint that verifies nothing says "unsigned": True'
    assert mistakes == [f"HOOKKIT_ENDPOINTS.s.secrets: {told}"]


SIGNED = {"type": "hmac", "header": "X-Signature"}


def test_version_may_have_a_scheme_of_its_own():
    support = declared(
        secrets=[SECRET],
        tolerance_s=5,
        versions={
            "v1.1": "live",
            "v2": {"mode": "shadow", "secrets": [SECRET * 2], "scheme": "slack"},
            "v1": {"secrets": [SECRET * 3], "scheme": {"type": "field", "field": "key"}},
        },
    )

    assert support.modes == {"v1.1": "live", "v2": "shadow", "v1": "live"}
    assert support.provider.scheme == load_providers()["sunshine"].scheme
    assert support.protection.scheme is None
    assert support.protection_of("v1.1") is support.protection
    assert support.protection_of("v2").scheme == SENDERS["slack"].scheme.tolerating(5)
    # A secret that lies in a body is kept nowhere.
    assert support.provider.blanked == ("key",)


def test_scheme_of_the_endpoint_is_not_that_of_a_version_with_its_own():
    support = declared(
        secrets=[SECRET],
        scheme=SIGNED,
        versions={"v2": {"secrets": [SECRET * 2], "scheme": {"type": "header", "header": "x-key"}}},
    )

    assert support.protection_of("v1").scheme is None
    assert support.provider.scheme.header == "x-signature"
    assert support.protection_of("v2").scheme.header == "x-key"


@pytest.mark.parametrize(
    ("settings", "mistake"),
    [
        pytest.param(
            {"versions": {"v2": {"scheme": SIGNED}}},
            "versions.v2.scheme: needs secrets beside it; those of the endpoint are not used",
            id="without secrets",
        ),
        pytest.param(
            {"versions": {"v2": {"scheme": SIGNED, "unsigned": True}}},
            "versions.v2.scheme: beside unsigned: true; say which of the two is meant",
            id="unsigned",
        ),
        pytest.param(
            {"versions": {"v2": {"scheme": "nobody", "secrets": [SECRET]}}},
            "versions.v2.scheme: 'nobody' is no sender; known are",
            id="unknown",
        ),
        pytest.param(
            {"versions": {"v2": {"scheme": {"nonsense": 1}, "secrets": [SECRET]}}},
            "versions.v2.scheme: nonsense: is not known",
            id="mistaken",
        ),
        pytest.param(
            {"versions": {"v2": {"scheme": "standard", "secrets": ["whsec_???" + SECRET]}}},
            "versions.v2.secrets: one ",
            id="secret of another kind",
        ),
        pytest.param(
            {"versions": {"v2": {"scheme": "twilio", "secrets": [SECRET * 2]}}},
            "public_url: missing; sunshine signs the URL, which is not guessed",
            id="without the URL that it signs",
        ),
        pytest.param(
            {"tolerance_s": 5, "versions": {"v2": {"secrets": [SECRET * 2]}}},
            "tolerance_s: sunshine signs no time",
            id="tolerance without a scheme that signs a time",
        ),
    ],
)
def test_mistake_in_the_scheme_of_a_version(settings, mistake):
    found = mistakes_of(
        HOOKKIT_ENDPOINTS={"s": {"provider": "sunshine", "secrets": [SECRET]} | settings}
    )

    assert [line for line in found if line.startswith(f"HOOKKIT_ENDPOINTS.s.{mistake}")]


def test_every_mistake_in_a_scheme_is_reported_at_once():
    scheme = {"header": 5, "nonsense": 1, "signed": "{body}"}

    found = mistakes_of(HOOKKIT_ENDPOINTS={"s": endpoint(scheme=scheme)})
    assert found[0] == "HOOKKIT_ENDPOINTS.s.scheme: header: must be a text"
    assert found[1].startswith("HOOKKIT_ENDPOINTS.s.scheme: nonsense: is not known; known are ")
    assert len(found) == 2

    scheme = {"header": "x", "algorithm": "md5", "encoding": "base32"}
    found = mistakes_of(HOOKKIT_ENDPOINTS={"s": endpoint(scheme=scheme)})
    assert [line.split(": ")[1] for line in found] == ["algorithm", "encoding"]


def test_mistakes_of_a_version_that_has_no_shadow_are_reported_with_it():
    versions = {"v9.9": {"mode": "shadow", "secret": SECRET, "region": "mars"}}
    found = mistakes_of(
        HOOKKIT_ENDPOINTS={"s": {"provider": "8x8", "region": "us", "versions": versions}}
    )

    assert [
        line.removeprefix("HOOKKIT_ENDPOINTS.s.versions.v9.9").split(":")[0] for line in found
    ] == [
        ".secret (did you mean secrets?)",
        ".region",
        "",
        ".mode",
    ]


def test_version_with_a_mistaken_proof_is_not_said_to_have_none():
    versions = {"v1": {"secrets": [""]}}

    assert mistakes_of(HOOKKIT_ENDPOINTS={"s": {"provider": "sunshine", "versions": versions}}) == [
        "HOOKKIT_ENDPOINTS.s.versions.v1.secrets: holds an empty secret"
    ]


def test_token_that_cannot_be_had_is_named_and_not_shown():
    def fail():
        raise OSError(SECRET)

    settings = {"provider": "meta", "secrets": [SECRET], "verify_token": fail}
    support = load(HOOKKIT_ENDPOINTS={"s": settings}).endpoints["s"]

    with pytest.raises(Unavailable, match="the verify_token of endpoint 's'") as raised:
        support.answer_challenge({"hub.verify_token": "x", "hub.challenge": "1"})
    assert SECRET not in str(raised.value)


def test_tokens_of_a_challenge_are_one_list():
    settings = {"provider": "meta", "secrets": [SECRET], "verify_token": {"a": [SECRET]}}

    assert mistakes_of(HOOKKIT_ENDPOINTS={"s": settings}) == [
        "HOOKKIT_ENDPOINTS.s.verify_token: must be a list of texts, newest first, or a callable"
    ]


def test_vendor_with_keys_of_its_own_has_no_other_scheme():
    versions = {"v1.0": {"scheme": SIGNED, "secrets": [SECRET]}}
    found = mistakes_of(
        HOOKKIT_ENDPOINTS={"s": {"provider": "8x8", "region": "us", "versions": versions}}
    )

    told = "HOOKKIT_ENDPOINTS.s.versions.v1.0.scheme: 8x8 signs with a key of its own"
    assert told in found


def test_endpoint_may_take_nothing_but_versions_with_their_own_proof():
    support = declared(versions={"v1": {"basic": [LONG]}})

    assert support.protection is None
    assert support.protection_of("v2") is None


def test_provider_may_refuse_to_be_unsigned_without_another_proof():
    providers = {"acme": replace(load_providers()["sunshine"], name="acme", unsigned_alone=False)}

    def load_acme(**settings):
        endpoints = {"s": {"provider": "acme"} | settings}
        return load_settings({"HOOKKIT_ENDPOINTS": endpoints}, providers)

    assert load_acme(unsigned=True, basic=[LONG]).endpoints["s"].protection.unsigned
    with pytest.raises(ConfigurationError) as raised:
        load_acme(unsigned=True, versions={"v1": {"unsigned": True}})
    assert raised.value.mistakes == (
        (
            "HOOKKIT_ENDPOINTS.s.versions.v1.unsigned: not alone with acme; basic or path_token"
            " beside it must prove the sender"
        ),
        (
            "HOOKKIT_ENDPOINTS.s.unsigned: not alone with acme; basic or path_token beside it must"
            " prove the sender"
        ),
    )


def test_settings_by_webhook_reach_the_provider():
    acme = replace(
        load_providers()["sunshine"],
        name="acme",
        pinnable=("v1", "v1.1"),
        registration_of=lambda document: None,
    )
    settings = {
        "provider": "acme",
        "secrets": {"a": [SECRET], "b": [SECRET]},
        "version": {"a": "v1", "b": "v1.1"},
        "authors": {"a": "user"},
        "repeat_window_s": 60,
    }

    loaded = load_settings({"HOOKKIT_ENDPOINTS": {"s": settings}}, {"acme": acme})

    support = loaded.endpoints["s"]
    assert secrets_of(support, "a") == [SECRET.encode()]
    assert secrets_of(support, "c") == secrets_of(support) == []
    assert support.provider.options == Options(
        repeat_window_s=60, version={"a": "v1", "b": "v1.1"}, authors={"a": AuthorType.USER}
    )


@pytest.mark.parametrize(
    ("secrets", "mistake"),
    [
        pytest.param({}, 'holds no secret; unverified endpoints say "unsigned": True', id="empty"),
        pytest.param({"a": []}, "a: holds no secret; unverified", id="one is empty"),
        pytest.param({"a": SECRET}, "a: must be a list of texts", id="one is a text"),
        pytest.param({1: [SECRET]}, "every key must be the vendor's id of a webhook", id="number"),
        pytest.param({"": [SECRET]}, "every key must be the vendor's id of a webhook", id="no id"),
    ],
)
def test_secrets_by_webhook_are_checked_one_by_one(secrets, mistake):
    (told,) = mistakes_of(HOOKKIT_ENDPOINTS={"s": {"provider": "sunshine", "secrets": secrets}})

    assert told.startswith(f"HOOKKIT_ENDPOINTS.s.secrets: {mistake}")


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"secrets": [SECRET], "basic": ["a-long-name-of-a-user:short"]}, "basic"),
        ({"secrets": [SECRET], "path_token": ["short"]}, "path_token"),
        ({"secrets": [SECRET], "versions": {"v1": {"secrets": ["short"]}}}, "secrets"),
    ],
)
def test_every_proof_that_can_be_guessed_is_a_warning(settings, name):
    with pytest.warns(UserWarning, match=rf"HOOKKIT_ENDPOINTS.s.{name}: one is shorter"):
        declared(**settings)


@pytest.mark.parametrize(
    ("versions", "modes"),
    [
        pytest.param({}, None, id="none"),
        pytest.param({"v1": {"secrets": [SECRET * 2]}}, None, id="a proof alone"),
        pytest.param({"v1.1": "live", "v2": "shadow"}, {"v1.1": "live", "v2": "shadow"}, id="two"),
        pytest.param(
            {"v1.1": {"secrets": [SECRET * 2]}, "v2": {"mode": "ignore"}},
            {"v1.1": "live", "v2": "ignore"},
            id="mappings",
        ),
    ],
)
def test_versions_have_modes_once_one_of_them_is_given(versions, modes):
    assert declared(secrets=[SECRET], versions=versions).modes == modes


def test_endpoint_on_which_nothing_runs_is_a_warning():
    with pytest.warns(UserWarning, match=r"HOOKKIT_ENDPOINTS.s.versions: none is live"):
        declared(secrets=[SECRET], versions={"v2": "shadow"})
