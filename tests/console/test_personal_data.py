"""Pages hold nothing that a person wrote or is, whatever vendor it came from."""

import json
from datetime import UTC, datetime

import pytest

from hookkit.application.app_state import state_of
from hookkit.core.delivery import Delivery, VerifiedDelivery
from hookkit.core.provider import parse
from hookkit.testing import find_provider, list_samples
from tests.console.pages import PAGES_TO_VISIT

NAME, ADDRESS, NUMBER = "Ada Canary-Lovelace", "ada.canary@example.org", "+49 170 7654321"

#: Keys of payloads under which there is somebody or what somebody wrote.
PERSONAL = {
    NAME: ["agentName", "author_name", "displayName", "givenName", "name", "surname"],
    ADDRESS: ["email", "mail", "login"],
    NUMBER: ["From", "msisdn", "phone", "phoneNumber", "phone_number", "recipient", "sender"],
    # A vendor may call a person by a telephone number.
    "+491707654321": ["userId", "user_id", "conversationId"],
    f"I am {NAME}, {NUMBER}": ["altText", "answer", "comment", "label", "message", "text", "title"],
}
CANARIES = {key: canary for canary, keys in PERSONAL.items() for key in keys}
TRACES = ("Canary", "canary", "7654321")

#: So many samples of each vendor, spread over its versions.
COUNT = 30


def with_canaries(value):
    """Return a JSON value with a canary in place of each personal text."""
    if isinstance(value, list):
        return [with_canaries(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        key: CANARIES[key] if key in CANARIES and isinstance(each, str) else with_canaries(each)
        for key, each in value.items()
    }


def bodies_of(provider):
    """Return bodies of *provider* with canaries, and the headers that each came with."""
    found = []
    for sample in list_samples(provider):
        document = with_canaries(json.loads(sample.body))
        body = json.dumps(document).encode()
        if any(trace in body.decode() for trace in TRACES):
            found.append((body, sample.headers | {"user-agent": f"{ADDRESS} of {NAME}"}))
    return found[:: max(1, len(found) // COUNT)]


@pytest.mark.parametrize("vendor", ["sunshine", "livechat", "8x8"])
def test_no_page_and_no_log_holds_personal_data_of_a_payload(make_ops, monkeypatch, caplog, vendor):
    monkeypatch.setattr("hookkit.web.console.console.AT_ONCE", 10_000)
    ops = make_ops()
    ops.error = f"no customer '{NAME}' <{ADDRESS}> at {NUMBER}"
    provider = find_provider(vendor)
    bodies = bodies_of(provider)
    mark = ops.get("/live/changes").json["mark"]
    ids = [entry_id for each in bodies for entry_id in admit(ops, provider, *each)]
    state_of(ops.app).run_soon(ids)
    caplog.clear()  # an application logs what its own handlers raise
    ops.as_user("reveal", "switch")

    paths = [each.path for each in PAGES_TO_VISIT]
    paths += [f"/events/{entry_id}" for entry_id in ids]
    paths += [f"/live/changes?mark={mark}", "/events/export", "/events/export?as=jsonl"]
    paths += ["/events/1?try=1", "/events/1/fixture"]
    leaking = [path for path in paths if any(each in ops.get(path).text for each in TRACES)]

    assert len(bodies) >= 10
    assert leaking == []
    page = f"/events/{ids[0]}"
    ops.post(f"{page}/reveal", page=page)
    assert any(each in ops.get(page).text for each in TRACES)
    assert [record.act.action for record in ops.inbox.audit.find()] == ["reveal"]
    assert [each for each in TRACES if each in ops.get("/audit").text + caplog.text] == []


def admit(ops, provider, body, headers):
    delivery = Delivery(
        endpoint="support", body=body, headers=dict(headers), received_at=datetime.now(UTC)
    )
    verified = VerifiedDelivery(delivery=delivery, secret_index=0, body_authenticated=False)
    return ops.inbox.admit(parse(provider, verified)).new_ids


@pytest.mark.parametrize("rights", [("view",), ("operate",), ("switch",)])
def test_nobody_without_the_right_can_reveal(ops, rights):
    ops.receive("event-1", text=NAME)
    ops.as_user(*rights)

    fields = ops.token("/events/1", "/preferences")
    answer = ops.client.post(
        "/ops/events/1/reveal", data=fields, headers={"Sec-Fetch-Site": "same-origin"}
    )

    assert answer.status_code == 403
    assert ops.acts() == []
