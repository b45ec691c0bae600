"""The console as a browser shows it."""

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from tests.cli.test_versions import Shop
from tests.console.browser import BROWSER_TESTS
from tests.console.night import night
from tests.console.ops import Ops
from tests.console.pages import PAGES_TO_VISIT, fill, report_both
from tests.scale import SCALE
from tests.serving import serving

pytestmark = BROWSER_TESTS

#: How somebody may look at a page: its width in CSS pixels, and the size of its texts.
LOOKS = (
    ("light", 1280, 1, {"prefers_color_scheme": "light"}),
    ("dark", 1280, 1, {"prefers_color_scheme": "dark"}),
    ("narrow", 320, 1, {"prefers_color_scheme": "light"}),
    ("large", 1280, 2, {"prefers_color_scheme": "dark"}),
    ("forced", 1280, 1, {"forced_colors": "active"}),
)
#: Rules of axe whose answer depends on the look; the others are asked once.
OF_LOOKS = ("color-contrast", "link-in-text-block", "scrollable-region-focusable", "target-size")

each_page = pytest.mark.parametrize("visited", PAGES_TO_VISIT, ids=lambda each: each.path)


@pytest.fixture
def site(make_ops):
    ops = make_ops()
    ops.receive_all()
    ops.as_user("reveal", "switch")
    with serving(ops.app) as url:
        ops.url = f"{url}/ops"
        yield ops


@pytest.fixture(scope="module")
def full_site():
    """Serve pages that have something in every part; no test changes them."""
    ops = Ops()
    fill(ops)
    with serving(ops.app) as url:
        ops.url = f"{url}/ops"
        yield ops
    ops.close()


@each_page
def test_page_has_no_barrier_in_any_look(full_site, window, visited):
    found = barriers_by_look(window, f"{full_site.url}{visited.path}")

    assert found == {name: [] for name in found}


def test_page_of_the_sample_application_has_no_barrier(window, tmp_path, monkeypatch):
    with night(tmp_path, monkeypatch) as passed, serving(passed.app) as url:
        found = barriers_by_look(window, f"{url}/")

    assert found == {name: [] for name in found}


def barriers_by_look(window, url):
    """Return what is wrong with a page in each look, and what its policy has blocked."""
    complaints = window.look(url)
    # Of a page that is refused, the browser says so.
    found = {"policy": [each for each in complaints if "Failed to load resource" not in each]}
    for name, width, zoom, features in LOOKS:
        window.media(**features)
        window.resize(width, zoom=zoom)
        is_first = name == "light" or SCALE > 1
        found[name] = window.barriers(*(() if is_first else OF_LOOKS))
        found[name] += window.unseen() if name in ("light", "narrow") else []
    return found


def test_answers_of_forms_lead_to_what_is_to_be_mended(site, window):
    report_both(site, "a")
    found = {}
    for page, label in (
        ("/replays/new?state=dead", "Replay 1 event"),
        ("/versions/moving", "Switch to v2"),
        ("/events/1", "Replay"),
    ):
        window.look(f"{site.url}{page}")
        window.evaluate("document.querySelectorAll('main details').forEach((it) => it.open = true)")
        window.evaluate("document.querySelectorAll('form').forEach((it) => it.noValidate = true)")
        if page == "/events/1":
            site.post(f"{page}/replay", page=page)
        window.press(label)
        focus = window.focus()
        found[page] = (focus["name"][:27], focus["is_seen"], *window.barriers())

    assert found == {
        "/replays/new?state=dead": ("Reason, for the record", True),
        "/versions/moving": ("To confirm, type v2", True),
        "/events/1": ("Entry 1 was replayed since ", True),
    }


@pytest.mark.parametrize("has_scripts", [True, False])
def test_replay_by_the_button(site, window, has_scripts):
    window.scripts(are_on=has_scripts)
    window.look(f"{site.url}/events/1")

    window.press("Replay")

    assert "The entry is due again" in window.find("//*[@role='status']").text
    assert site.ran == ["event-1", "event-2", "event-1"]


def test_replay_by_the_keyboard_alone(site, window):
    window.look(f"{site.url}/events")

    window.type("j", "j")
    assert window.focused() == ("a", "1")
    window.type(Keys.ENTER)
    for _ in range(60):
        window.type(Keys.TAB)
        assert window.evaluate("getComputedStyle(document.activeElement).outlineWidth") == "3px"
        if window.focused() == ("button", "Replay"):
            break
    window.type(Keys.ENTER)

    assert "did=replayed" in window.driver.current_url
    assert len(site.ran) == 3


def test_print_leaves_out_what_cannot_be_pressed(site, window):
    window.look(f"{site.url}/events/1")

    window.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})

    shown = "[...document.querySelectorAll('nav, form, footer')].some((it) => it.checkVisibility())"
    assert window.evaluate(shown) is False
    assert "As it came" in window.find("//main").text


def test_keys_can_be_turned_off(site, window):
    window.look(f"{site.url}/events")
    window.type("?")
    window.find("//summary[.='Keys']/..//input").click()
    window.look(f"{site.url}/events")

    window.type("/")

    assert window.focused()[0] == "body"
    window.evaluate("localStorage.clear()")


def test_first_thing_to_reach_leads_to_the_content(site, window):
    window.look(f"{site.url}/events")

    window.type(Keys.TAB)
    assert window.focused() == ("a", "Skip to the content")
    window.type(Keys.ENTER)

    assert window.focused()[0] == "main"


def test_colors_and_times_are_as_chosen(site, window):
    window.driver.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": "Asia/Tokyo"})
    window.look(f"{site.url}/events/1")
    before = window.find("//time").text

    window.find("//select[@name='theme']/option[.='dark']").click()
    window.find("//select[@name='times']/option[.='my time']").click()
    window.press("Set")

    assert window.evaluate("getComputedStyle(document.body).colorScheme") == "dark"
    assert window.driver.current_url.rstrip("?") == f"{site.url}/events/1"
    assert window.find("//time").get_attribute("title") == f"{before} UTC"
    assert window.find("//footer//span").text == "Asia/Tokyo"


def test_live_rows_come_by_themselves_and_wait_while_somebody_reads(site, window):
    window.look(f"{site.url}/live")
    window.press_here("Start")
    site.receive("event-3")
    # A look may come between the event and its handlers, and the event is there twice.
    window.wait_for("//tr[th/a[.='entry 3']]/td[.='✔ done']")
    window.evaluate("document.querySelector('tbody a').focus()")

    site.receive("event-4")
    window.wait_for("//button[@data-live-more and not(@hidden)]")
    before = window.evaluate("document.querySelectorAll('tbody tr').length")
    window.find("//button[@data-live-more]").click()

    assert window.evaluate("document.querySelectorAll('tbody tr').length") > before
    assert window.evaluate("document.querySelector('tbody a').textContent") == "entry 4"
    assert window.find("//*[@role='status']").text.endswith(" new")
    assert window.driver.get_log("browser") == []


def test_live_page_that_is_paused_asks_nothing(site, window):
    window.look(f"{site.url}/live")
    window.press_here("Start")
    site.receive("event-3")
    window.wait_for("//a[.='entry 3']")
    window.press_here("Pause")
    asked = [path for path in site.asked if "changes" in path]
    mark = window.evaluate("document.querySelector('[data-mark]').dataset.mark")
    site.receive("event-4")

    window.press_here("Go on")
    window.wait_for("//a[.='entry 4']")

    assert asked
    assert mark != window.evaluate("document.querySelector('[data-mark]').dataset.mark")


def test_live_page_without_scripts_says_what_to_do(site, window):
    window.scripts(are_on=False)
    window.look(f"{site.url}/live")

    assert "reload it" in window.find("//main").text
    assert not window.find("//button[.='Start']").is_displayed()


@pytest.mark.parametrize("has_scripts", [True, False])
def test_cockpit_leads_through_a_switch_and_back(site, window, has_scripts):
    """Shadow, too early, a trigger that is not ticked, differing fields, rehearse, switch, back."""
    window.scripts(are_on=has_scripts)
    page = f"{site.url}/versions/moving"
    site.hooks.on("conversation:postback", name="charge")(lambda event: None)
    window.look(page)
    assert window.find("//*[contains(@class,'verdict')]").text == "✖ in the way"

    report_both(site, "a", "b")
    window.look(page)
    assert window.find("//*[contains(@class,'verdict')]").text == "· not enough seen yet"
    Shop.wait_an_hour(site)
    window.look(page)
    assert window.find("//*[contains(@class,'verdict')]").text == "✔ safe"
    text = window.driver.page_source
    assert "has not come</span> <code>conversation:postback" in text
    assert "<code>message.content.text</code> in 2 of 2" in text
    window.press("Rehearse")
    assert "each of 2 facts is handled once" in window.find("//main").text
    assert log_of(site) == []

    window.look(page)
    switch_to(window, "v2", "Switch to v2")
    window.driver.refresh()
    assert [(each.version, each.who) for each in log_of(site) if not each.vendor_type] == [
        ("v2", "ada@example.com"),
        ("v1.1", "ada@example.com"),
    ]
    count = len(log_of(site))
    switch_to(window, "v1.1", "Go back to v1.1", reason="v2 fails")

    assert "v1.1 live, by ada@example.com" in window.find("//section[@aria-labelledby]").text
    assert len(log_of(site)) > count
    assert site.state.versions.status("moving").modes["v1.1"].value == "live"


def test_double_click_switches_once(site, window):
    report_both(site, "a", "b")
    Shop.wait_an_hour(site)
    window.look(f"{site.url}/versions/moving")
    open_steps(window)
    window.find("//input[@id='switch-0-confirm']").send_keys("v2")
    button = window.find("//button[normalize-space()='Switch to v2']")

    ActionChains(window.driver).double_click(button).perform()
    window.wait_for("//h1")

    assert len([each for each in log_of(site) if each.version == "v2"]) == 1


def log_of(site):
    return site.inbox.switches.log("moving")


def open_steps(window):
    window.evaluate("document.querySelectorAll('main details').forEach((each) => each.open = true)")


def switch_to(window, version, label, reason=""):
    open_steps(window)
    window.find("//input[@id='switch-0-confirm']").send_keys(version)
    window.find("//input[@id='switch-0-reason']").send_keys(reason)
    for box in window.driver.find_elements("xpath", "//input[@name='force']")[:1] if reason else ():
        box.click()
    window.press(label)
