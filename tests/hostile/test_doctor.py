"""What the doctor finds is for the log alone: no stranger gets another answer because of it."""

import logging

import pytest

from hookkit import HookKit
from hookkit.log import DETAILS_OF_KIND, FIRST_LINES, logger
from hookkit.receiving import report
from tests.applications import make_app
from tests.receiving.refused import SECRET, delivery_of, pair_of
from tests.senders.test_senders import URL

pytestmark = pytest.mark.usefixtures("no_way_out")

NAMES = ("sunshine", "livechat", "8x8", "stripe", "github", "slack", "twilio", "standard")


def app_of(name):
    setting = "keys" if name == "8x8" else "secrets"
    url = {"public_url": URL} if name == "twilio" else {}
    shop = {"provider": name, setting: [pair_of(name)[1]], **url}
    other = {"provider": "github", "secrets": ["whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"]}
    return make_app(HookKit(), HOOKKIT_ENDPOINTS={"shop": shop, "other": other})


def faults_of(name):
    """Yield refused deliveries, as a stranger may send them who has seen a genuine one."""
    delivery = delivery_of(name)
    yield delivery.body + b"\n", delivery.headers
    yield b'{"a": ' + delivery.body + b"}", delivery.headers
    yield delivery.body[:-3], delivery.headers
    yield b"", delivery.headers
    yield delivery.body, {}
    yield delivery.body, {f"x-forwarded-{key}": value for key, value in delivery.headers.items()}
    yield delivery.body, {key: f"{value},{value}" for key, value in delivery.headers.items()}
    if name not in ("8x8", "twilio"):
        for secret in ("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", f"whsec_{SECRET[6:].lower()}"):
            other = delivery_of(name, secret=secret)
            yield other.body, other.headers


def answers(app, name):
    client = app.test_client()
    for body, headers in faults_of(name):
        response = client.post("/hooks/shop", data=body, headers=headers)
        yield response.status, list(response.headers), response.data


@pytest.mark.parametrize("name", NAMES)
def test_answers_are_the_same_bytes_with_and_without_the_doctor(name, caplog):
    caplog.set_level(logging.INFO, "hookkit")
    with_doctor = list(answers(app_of(name), name))
    causes = [each.cause for each in caplog.records if hasattr(each, "cause")]

    logger.setLevel(logging.ERROR)
    without = list(answers(app_of(name), name))

    assert causes
    assert with_doctor == without


def test_mistake_of_the_doctor_changes_no_answer(caplog, monkeypatch):
    caplog.set_level(logging.INFO, "hookkit")

    def mistaken(*_):
        raise RuntimeError(SECRET)

    monkeypatch.setattr(report, "diagnose", mistaken)
    found = list(answers(app_of("github"), "github"))

    assert {each[0] for each in found} == {"401 UNAUTHORIZED"}
    assert caplog.records[0].cause == "unknown"
    assert "RuntimeError while the cause was looked for" in caplog.messages[0]
    assert SECRET not in caplog.text


def test_flood_asks_the_doctor_a_few_times(caplog, monkeypatch):
    caplog.set_level(logging.INFO, "hookkit")
    asked, diagnose = [], report.diagnose
    monkeypatch.setattr(report, "diagnose", lambda *given: asked.append(1) or diagnose(*given))
    client = app_of("github").test_client()

    for number in range(5 * FIRST_LINES):
        client.post("/hooks/shop", data=f"{number}", headers={"x-hub-signature-256": "sha256=0"})

    assert len(asked) == DETAILS_OF_KIND


def test_log_holds_no_secret_and_no_proof(caplog):
    caplog.set_level(logging.DEBUG)
    for name in NAMES:
        list(answers(app_of(name), name))
        held = [*pair_of(name), *delivery_of(name).headers.values()]
        assert [each for each in held if len(each) > 16 and each in caplog.text] == []
        caplog.clear()


@pytest.mark.parametrize("name", ["sunshine", "livechat"])
def test_secret_that_was_removed_too_early_is_known_by_what_the_inbox_has_kept(
    name, caplog, tmp_path
):
    caplog.set_level(logging.INFO, "hookkit")
    database = f"sqlite:///{tmp_path}/inbox.db"
    answered = []
    for secrets in (["the-new-secret-of-this", SECRET], ["the-new-secret-of-this"]):
        endpoints = {"shop": {"provider": name, "secrets": secrets}}
        app = make_app(HookKit(), HOOKKIT_ENDPOINTS=endpoints, HOOKKIT_DATABASE=database)
        for secret in (SECRET, "a-secret-of-nobody"):
            delivery = delivery_of(name, secret=secret)
            answered += [
                app.test_client().post("/hooks/shop", data=delivery.body, headers=delivery.headers)
            ]

    assert [each.status_code for each in answered] == [200, 401, 401, 401]
    causes = [each.cause for each in caplog.records if hasattr(each, "cause")]
    assert causes == ["unknown", "secret_old", "unknown"]
    assert SECRET not in caplog.text
