"""Texts of strangers are texts on every page: they make no element, and do nothing."""

from html.parser import HTMLParser
from urllib.parse import urlencode

import pytest

from tests.applications import SECRET, message, post
from tests.console.browser import in_browser
from tests.console.hostile import XSS
from tests.console.ops import Ops
from tests.console.pages import PAGES_TO_VISIT, report_both
from tests.scale import SCALE
from tests.serving import serving

HARMLESS = ["a < b & 'c'"] * len(XSS)

#: Parameters of addresses, and fields of forms.
PARAMETERS = (
    *("q", "at", "state", "type", "event", "since", "until", "untried", "outcome", "id", "below"),
    *("did", "to", "last", "mark", "group", "up_to", "released"),
)
ASKED = ("/", "/events", "/events/1", "/live", "/quarantine", "/versions/moving", "/replays/new")


class Struck(Ops):
    """An application that strangers have written *texts* to, wherever they can.

    Every text is once the id of an event, its type, that of its conversation or its error, and
    in one event all of them are names and values.
    """

    def __init__(self, texts):
        super().__init__()
        self.errors = {}
        bodies = [self._body(*texts[start : start + 4]) for start in range(0, len(texts) - 4, 4)]
        bodies[0]["events"][0]["payload"]["all"] = {text: [text] for text in texts}
        for number, start in enumerate(range(0, len(bodies), 20)):
            events = [event for each in bodies[start : start + 20] for event in each["events"]]
            body = bodies[start] | {"events": events}
            agent = next(text for text in texts[number * 7 :] if text.isprintable())
            headers = {"X-API-Key": SECRET, "User-Agent": agent}
            assert self.client.post("/hooks/support", json=body, headers=headers).status_code == 200
            post(self.client, body, secret="of-nobody")
        report_both(self, *texts[:60:20])
        self.count = len(bodies)
        self.as_user("reveal", "switch", user=texts[0])

    def _body(self, event_id, kind, conversation, error):
        number = len(self.errors)
        body = message(f"{number}{event_id}", event_id)
        event = body["events"][0]
        if number % 3 == 0:
            event["type"] = kind
        event["payload"]["conversation"]["id"] = conversation
        event["payload"]["message"]["content"][kind] = error
        self.errors[event["id"]] = error
        return body

    def error_of(self, event):
        return self.errors.get(event.id, "")


class Shape(HTMLParser):
    """The elements of a page, each with the names of its attributes; and where links lead."""

    def __init__(self, text):
        super().__init__()
        self.elements = set()
        self.links = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        # These depend on what was chosen, and hold nothing.
        names = {name for name, _ in attrs} - {"selected", "open", "checked", "autofocus"}
        self.elements.add((tag, *sorted(names)))
        self.links += [value for name, value in attrs if name in ("href", "src", "action")]


@pytest.fixture
def unlimited(monkeypatch):
    monkeypatch.setattr("hookkit.web.console.console.AT_ONCE", 1_000_000)


def test_no_text_of_strangers_becomes_an_element(unlimited):
    allowed, found = elements(HARMLESS), elements(XSS)

    assert found - allowed == set()


def elements(texts):
    """Return the elements of every page that can show *texts*."""
    ops = Struck(texts)
    answers = [ops.get(each.path) for each in PAGES_TO_VISIT]
    answers += [ops.get(f"/events?below={number}") for number in range(50, ops.count + 50, 49)]
    for number, start in enumerate(range(0, len(texts), len(PARAMETERS))):
        query = urlencode(dict(zip(PARAMETERS, texts[start:], strict=False)), errors="replace")
        answers.append(ops.get(f"{ASKED[number % len(ASKED)]}?{query}"))
    for entry_id in range(1, ops.count + 1, 1 if SCALE > 1 else 4):
        page = f"/events/{entry_id}"
        ops.post(f"{page}/reveal", page=page)
        answers.append(ops.get(f"{page}?did=revealed"))
    answers += wrong_forms(ops, texts)
    ops.close()
    shapes = [Shape(answer.text) for answer in answers]
    links = {link for shape in shapes for link in shape.links}
    assert {link for link in links if not link.startswith(("/ops/", "#"))} == set()
    return set().union(*(shape.elements for shape in shapes))


def wrong_forms(ops, texts):
    """Yield what forms are answered that hold *texts*, and the audit of it."""
    bulk, versions = "/replays/new?state=dead", "/versions/moving"
    for text in texts[:200:10]:
        written = dict.fromkeys(("reason", "per_second", "typed", "confirm", "handler"), text)
        yield ops.post("/replays/start", written, page=bulk)
        yield ops.post(f"{versions}/switch", written, page=versions)
        yield ops.post("/events/1/replay", written, page="/events/1")
    yield ops.get("/audit")


@pytest.fixture
def struck():
    ops = Struck(XSS)
    with serving(ops.app) as url:
        ops.url = f"{url}/ops"
        yield ops
    ops.close()


@in_browser
def test_texts_of_strangers_do_nothing_in_a_browser(struck, window, unlimited):
    paths = ["/events", "/dead", "/quarantine", "/versions/moving", "/audit"]
    complaints = [each for path in paths for each in window.look(f"{struck.url}{path}")]
    # The first holds all of them as names and values.
    for entry_id in range(1, struck.count + 1, 1 if SCALE > 1 else 25):
        complaints += window.look(f"{struck.url}/events/{entry_id}")
        window.press("Show personal data")
        assert window.evaluate("document.scripts.length") == 1
    complaints += window.look(f"{struck.url}/live")
    window.press_here("Start")
    struck.receive(*XSS[:20])
    window.wait_for("//span[@data-live-status][contains(., 'new')]")
    complaints += [each["message"] for each in window.driver.get_log("browser")]

    # An alert would have failed the next step, and what the policy blocks is complained about.
    assert complaints == []
    assert window.evaluate("document.querySelectorAll('tbody tr > :not(th, td)').length") == 0
