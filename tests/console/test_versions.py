"""The cockpit of payload versions: three verdicts, and nothing that switches by accident."""

import re
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from hookkit.web.console import rehearsals
from tests.applications import SECRET
from tests.cli.test_versions import VERSIONS, Shop
from tests.console.ops import SAME_ORIGIN

PAGE = "/versions/support"
SWITCH = f"{PAGE}/switch"
RETIRE = f"{PAGE}/retire"
CONFIRMED = {"confirm": "v2"}


def endpoints():
    declared = {"provider": "sunshine", "secrets": [SECRET], "versions": VERSIONS}
    return {"HOOKKIT_ENDPOINTS": {"support": declared}}


@pytest.fixture
def ops(make_ops):
    found = make_ops(**endpoints())
    found.is_broken = False
    found.as_user("switch")
    return found


def see(ops, *names):
    for name in names:
        Shop.old(ops, name)
        Shop.new(ops, name)


def safe(ops):
    see(ops, "a", "b")
    Shop.wait_an_hour(ops)


def modes(ops):
    return {name: mode.value for name, mode in ops.state.versions.status("support").modes.items()}


def verdict(text):
    (found,) = re.findall(r'verdict"><span aria-hidden="true">.</span> ([a-z ]+)<', text)
    return found


def test_verdict_has_three_values(ops):
    assert verdict(ops.get(PAGE).text) == "in the way"
    see(ops, "a")
    early = ops.get(PAGE).text
    assert verdict(early) == "not enough seen yet"
    assert "both versions have been watched for 0 s" in early
    Shop.wait_an_hour(ops)
    assert verdict(ops.get(PAGE).text) == "safe"
    Shop.old(ops, "alone")
    Shop.wait_an_hour(ops)
    late = ops.get(PAGE).text
    assert verdict(late) == "in the way"
    assert "conversation:message: 1 reported by v1.1 and not by v2" in late


def test_trigger_that_is_not_ticked_is_told(ops):
    ops.hooks.on("conversation:postback", name="charge")(lambda event: None)
    safe(ops)

    text = ops.get(PAGE).text

    assert "has come</span> <code>conversation:message</code>" in text
    assert "has not come</span> <code>conversation:postback</code>, in place of postback" in text


def test_fields_that_differ_are_shown_with_their_entries(ops):
    safe(ops)

    text = ops.get(PAGE).text

    assert "<code>message.content.text</code> in 2 of 2: text of 29 characters" in text
    assert 'href="/ops/events/3"' in text


def test_rehearsal_shows_its_result_and_runs_no_handler(ops):
    safe(ops)
    before = list(ops.ran)

    answer = ops.post(f"{PAGE}/rehearse", page=PAGE)

    assert answer.status_code == 200
    assert "each of 2 facts is handled once" in answer.text
    assert "each of 2 facts is handled once" in ops.get(PAGE).text
    assert ops.ran == before
    assert modes(ops) == VERSIONS
    assert ops.acts() == [("ada@example.com", "rehearse", "support v2", "done")]


def test_result_is_shown_for_an_hour(ops, monkeypatch):
    safe(ops)
    ops.post(f"{PAGE}/rehearse", page=PAGE)
    monkeypatch.setattr(rehearsals, "KEPT", rehearsals.KEPT * 0)

    assert "None was made in the last hour" in ops.get(PAGE).text


def test_long_rehearsal_is_waited_for_elsewhere_and_there_is_one_at_a_time(ops, monkeypatch):
    safe(ops)
    monkeypatch.setattr("hookkit.web.console.versions._WAIT_S", 0)
    may_end, rehearse = Event(), ops.state.versions.rehearse

    def wait(self, *args, **options):
        may_end.wait(10)
        return rehearse(*args, **options)

    monkeypatch.setattr(type(ops.state.versions), "rehearse", wait)
    first = ops.post(f"{PAGE}/rehearse", page=PAGE)
    running = ops.client.get(first.location).text
    second = ops.post(f"{PAGE}/rehearse", page=PAGE)
    may_end.set()
    begun = rehearsals.rehearsals_of(ops.app).last("support", "v2", ops.now())
    assert begun.ended.wait(10)

    assert first.location == f"/ops{PAGE}?to=v2&did=rehearsing"
    assert "A rehearsal runs, begun" in running
    assert second.status_code == 409
    results = [result for *_, result in ops.acts()]
    assert results == ["refused: A rehearsal runs already: wait until it has ended.", "done"]
    assert "each of 2 facts is handled once" in ops.get(PAGE).text


def test_rehearsal_that_takes_too_long_is_given_up(ops, monkeypatch):
    safe(ops)
    monkeypatch.setattr(rehearsals, "LIMIT_S", -1.0)

    answer = ops.post(f"{PAGE}/rehearse", page=PAGE)

    assert answer.status_code == 409
    assert "The rehearsal took longer than it may, and was given up." in answer.text
    assert "and was given up." in ops.get(PAGE).text


def test_rehearsal_of_nothing_says_why(ops):
    answer = ops.post(f"{PAGE}/rehearse", page=PAGE)

    assert answer.status_code == 409
    assert "No delivery of v1.1 is kept" in answer.text


def test_switch_needs_the_name_and_is_recorded_with_the_reason(ops):
    safe(ops)

    answer = ops.post(SWITCH, CONFIRMED | {"reason": "v1.1 ends in May"}, page=PAGE)

    assert (answer.status_code, answer.location) == (303, f"/ops{PAGE}?did=switched")
    assert modes(ops) == {"v1.1": "shadow", "v2": "live"}
    assert ops.acts() == [("ada@example.com", "switch", "support v2", "done")]
    assert ops.inbox.audit.find()[0].act.reason == "v1.1 ends in May"
    text = ops.client.get(answer.location).text
    assert "It is switched" in text
    assert "v2 live, by ada@example.com" in text


@pytest.mark.parametrize("confirm", ["", "v1.1", "V2", "v2x"])
def test_other_name_switches_nothing_and_keeps_what_was_written(ops, confirm):
    safe(ops)

    answer = ops.post(SWITCH, {"confirm": confirm, "reason": "v1.1 ends"}, page=PAGE)

    assert answer.status_code == 400
    assert "Write v2, as it stands here." in answer.text
    assert 'value="v1.1 ends"' in answer.text
    assert modes(ops) == VERSIONS
    assert ops.acts() == []


def test_what_is_in_the_way_is_refused_unless_forced_with_a_reason(ops):
    see(ops, "a")

    refused = ops.post(SWITCH, CONFIRMED, page=PAGE)
    speechless = ops.post(SWITCH, CONFIRMED | {"force": "on"}, page=PAGE)
    assert modes(ops) == VERSIONS
    forced = ops.post(SWITCH, CONFIRMED | {"force": "on", "reason": "no time"}, page=PAGE)

    assert (refused.status_code, speechless.status_code, forced.status_code) == (409, 400, 303)
    assert "Not enough seen yet" in refused.text
    assert "Say why, in spite of the reasons" in speechless.text
    assert modes(ops) == {"v1.1": "shadow", "v2": "live"}
    results = [result for *_, result in ops.acts()]
    assert results[0] == "done"
    assert results[1].startswith("refused: not enough seen yet")


def test_double_click_switches_once(ops):
    safe(ops)
    fields = ops.token(PAGE, SWITCH) | CONFIRMED

    def press(_):
        return ops.app.test_client().post(f"/ops{SWITCH}", data=fields, headers=SAME_ORIGIN)

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(press, range(2)))

    assert sorted(answer.status_code for answer in answers) == [303, 409]
    assert len([each for each in ops.inbox.switches.log("support") if each.version == "v2"]) == 1


def test_old_page_switches_nothing_after_the_way_back(ops):
    safe(ops)
    fields = ops.token(PAGE, SWITCH) | CONFIRMED
    ops.post(SWITCH, CONFIRMED, page=PAGE)
    assert "Go back to v1.1" in ops.get(PAGE).text
    ops.post(SWITCH, {"confirm": "v1.1", "force": "on", "reason": "v2 fails"}, page=PAGE)
    assert modes(ops) == VERSIONS

    again = ops.client.post(f"/ops{SWITCH}", data=fields, headers=SAME_ORIGIN)

    assert again.status_code == 409
    assert "were changed since this page was opened" in again.text
    assert modes(ops) == VERSIONS


def test_reload_of_what_a_switch_led_to_switches_nothing(ops):
    safe(ops)
    answer = ops.post(SWITCH, CONFIRMED, page=PAGE)
    log = ops.inbox.switches.log("support")

    ops.client.get(answer.location)
    ops.client.get(f"/ops{SWITCH}")

    assert ops.inbox.switches.log("support") == log


def test_version_is_retired_after_a_switch(ops):
    safe(ops)
    assert "Retire" not in ops.get(PAGE).text
    ops.post(SWITCH, CONFIRMED, page=PAGE)

    wrong = ops.post(RETIRE, {"confirm": "v2"}, page=PAGE)
    answer = ops.post(RETIRE, {"confirm": "v1.1"}, page=PAGE)

    assert (wrong.status_code, answer.location) == (400, f"/ops{PAGE}?did=retired")
    assert "There are no two versions to compare: v2 is live" in ops.get(PAGE).text
    assert ("ada@example.com", "retire", "support v1.1", "done") in ops.acts()


def test_whoever_may_not_switch_sees_why(ops):
    safe(ops)
    ops.as_user("operate")

    text = ops.get(PAGE).text

    assert "This takes the right “switch”." in text
    assert f'action="/ops{SWITCH}"' not in text
    fields = ops.token(PAGE, f"{PAGE}/rehearse") | CONFIRMED | {"changes": "0"}
    answer = ops.client.post(f"/ops{SWITCH}", data=fields, headers=SAME_ORIGIN)
    assert answer.status_code == 403
    assert modes(ops) == VERSIONS


@pytest.mark.parametrize(
    ("path", "status"),
    [("/versions/nowhere", 404), (f"{PAGE}?to=v9", 404), (f"{PAGE}?to=v1.1", 200)],
)
def test_what_is_not_there_is_told(ops, path, status):
    assert ops.get(path).status_code == status


def test_endpoint_without_modes_says_what_to_do(make_ops):
    answer = make_ops().get(PAGE)

    assert answer.status_code == 404
    assert "give each version a mode there" in answer.text


def test_endpoints_lead_to_the_cockpit(ops):
    assert f'href="/ops{PAGE}"' in ops.get("/endpoints").text
    assert f'href="/ops{PAGE}"' in ops.get("/endpoints/support").text


def test_cockpit_works_on_both_databases(make_ops, sql_url):
    ops = make_ops(HOOKKIT_DATABASE=sql_url, **endpoints())
    ops.is_broken = False
    ops.as_user("switch")
    safe(ops)

    assert verdict(ops.get(PAGE).text) == "safe"
    assert ops.post(SWITCH, CONFIRMED, page=PAGE).status_code == 303
    assert modes(ops) == {"v1.1": "shadow", "v2": "live"}
