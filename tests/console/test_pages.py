"""What holds for every page of the console."""

import hashlib
import re
from pathlib import Path

import pytest

import hookkit.web.console as of_console
from hookkit.web.console.files import EDITIONS
from tests.applications import message, post
from tests.console.browser import AXE
from tests.console.pages import PAGES_TO_VISIT

FOLDER = Path(of_console.__file__).parent
TEMPLATES = sorted(FOLDER.glob("templates/*.html"))
EVERYTHING = ("reveal", "switch")

#: Of axe.min.js as `npm pack axe-core@4.14.1` has it.
AXE_SHA512 = (
    "e63e659f9806d7ae5bd40899043b0871a5062c5442b01b3f1a3edf5eaf50bf5c"
    "3a7104a72463293b4ad1b77c661a0d4e40e850dec89de9d6ece70a8c13a9af17"
)

each_page = pytest.mark.parametrize("visited", PAGES_TO_VISIT, ids=lambda each: each.path)


@pytest.fixture
def unlimited(monkeypatch):
    monkeypatch.setattr("hookkit.web.console.console.AT_ONCE", 1_000_000)


@each_page
def test_headers_leave_nothing_to_other_sites_and_to_caches(ops, visited):
    ops.receive_all()
    ops.as_user(visited.right)

    answer = ops.get(visited.path)

    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "unsafe" not in policy
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert "Set-Cookie" not in answer.headers
    assert len(answer.data) < 60_000


@each_page
def test_page_has_one_heading_a_title_and_a_main_part(ops, visited):
    ops.receive_all()
    ops.as_user(visited.right)

    text = ops.get(visited.path).text

    assert (text.count("<h1"), text.count("<main"), text.count("<title>")) == (1, 1, 1)
    assert "<title> · " not in text


def test_page_of_fifty_long_events_is_short(ops, unlimited):
    ops.error = "x" * 5000
    ops.receive(*(f"event-{number}" for number in range(50)))

    assert len(ops.get("/events").data) < 60_000


@each_page
def test_personal_data_is_on_no_page(ops, visited):
    canaries = ["Ada Lovelace", "ada.lovelace@example.org", "+49 170 1234567", "Musterweg 7"]
    ops.error = f"no customer '{canaries[0]}' <{canaries[1]}> at {canaries[2]}"
    body = message("event-1", f"I am {canaries[0]}, {canaries[3]}")
    author = body["events"][0]["payload"]["message"]["author"]
    author["displayName"] = canaries[0]
    author["user"]["profile"] = {"email": canaries[1], "givenName": "Ada", "phone": canaries[2]}
    post(ops.client, body)
    ops.as_user(*EVERYTHING)

    text = ops.get(visited.path).text

    assert [canary for canary in (*canaries, "Lovelace", "1234567") if canary in text] == []


def test_text_that_hides_its_end_is_made_visible(ops):
    ops.error = "a\u202eb\x1b[31mc\u200bd"
    ops.receive("event-1")

    text = ops.get("/events/1").text

    assert r"a\u202eb\x1b[31mc\u200bd" in text
    assert text.replace("\n", "").isprintable()


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_template_turns_nothing_off_and_has_nothing_inline(path):
    text = path.read_text(encoding="utf-8")

    assert re.findall(r"\|\s*safe|autoescape|Markup", text) == []
    assert re.findall(r"\son\w+=|\sstyle=|<style|javascript:|<script(?! src=)", text) == []
    assert re.findall(r"https?://", text) == []
    # An attribute without quotes ends at the first blank of a text.
    assert re.findall(r"\s\w+=\{\{", text) == []
    # The order of the focus is that of the page.
    assert re.findall(r"tabindex=\"[^0-]", text) == []


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.name)
def test_code_marks_no_text_as_safe(path):
    assert "Markup" not in path.read_text(encoding="utf-8")


def test_nothing_moves_for_people_who_want_no_motion():
    style = (FOLDER / "static/console.css").read_text(encoding="utf-8")
    others = re.sub(r"@media \(prefers-reduced-motion: no-preference\).*", "", style)

    assert re.findall(r"animation|transition|scroll-behavior|@keyframes", others) == []


def test_script_makes_no_elements_of_texts_and_is_short():
    script = (FOLDER / "static/console.js").read_text(encoding="utf-8")

    assert (
        re.findall(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval|Function\(", script)
        == []
    )
    assert len(script.encode()) < 8192


def test_files_are_kept_under_what_they_hold_and_others_are_not_there(ops):
    for name, edition in EDITIONS.items():
        answer = ops.get(f"/static/{edition}/{name}")
        content = (FOLDER / "static" / name).read_bytes()
        assert (answer.status_code, answer.data) == (200, content)
        assert answer.headers["Cache-Control"] == "private, max-age=31536000, immutable"
        assert hashlib.sha256(content).hexdigest().startswith(edition)

    assert ops.get("/static/0000000000000000/console.css").status_code == 404
    assert ops.get(f"/static/{EDITIONS['console.css']}/..%2Fvisit.py").status_code == 404


def test_axe_is_the_one_of_its_package():
    assert hashlib.sha512(AXE.read_bytes()).hexdigest() == AXE_SHA512
