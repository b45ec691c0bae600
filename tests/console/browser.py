"""A browser that looks at the console, for tests of what only a browser can tell."""

import json
import os
import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

CHROMIUM = shutil.which("chromium")
DRIVER = shutil.which("chromedriver")
AXE = Path(__file__).with_name("axe") / "axe.min.js"

_IS_MISSING = pytest.mark.skipif(
    not (CHROMIUM and DRIVER) and os.environ.get("CI") != "true",
    reason="there is no chromium and chromedriver: apt-get install chromium chromium-driver",
)
#: Marks of tests that need a browser: without one they are skipped, but not in CI.
BROWSER_TESTS = [pytest.mark.browser, _IS_MISSING]


def in_browser(test):
    """Put these marks on one test."""
    return pytest.mark.browser(_IS_MISSING(test))


#: What axe looks for: WCAG 2.2, levels A and AA, and good habits.
_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_WAIT_S = 20

#: Tells of an element what it is called, and whether one sees that it has the focus: it has an
#: outline, is within the window, and nothing covers it.
_TELL = r"""(it) => {
  const style = getComputedStyle(it), box = it.getBoundingClientRect();
  const x = Math.max(0, box.left) + Math.min(8, box.width / 2);
  const y = Math.max(0, box.top) + Math.min(8, box.height / 2);
  const top = document.elementFromPoint(x, y);
  const label = it.labels?.[0]?.textContent ?? it.getAttribute("aria-label") ?? it.textContent;
  return {
    name: label.trim().replace(/\s+/g, " "),
    role: it.getAttribute("role"),
    is_seen: it !== document.body
      && (style.outlineStyle === "auto" || parseFloat(style.outlineWidth) >= 2)
      && style.outlineStyle !== "none" && box.bottom > 0 && box.top < innerHeight
      && top !== null && (it.contains(top) || top.contains(it)),
  };
}"""
_FOCUS = f"JSON.stringify(({_TELL})(document.activeElement))"
_REACHABLE = "a, button, input, select, summary, [tabindex='0']"
#: Moves the focus to everything that can be reached, and returns what does not show it.
_UNSEEN = f"""JSON.stringify([...document.querySelectorAll("{_REACHABLE}")]
  .filter((each) => each.checkVisibility() && !each.disabled && each.type !== "hidden")
  .map((each) => (each.focus(), ({_TELL})(document.activeElement)))
  .filter((each) => !each.is_seen).map((each) => `the focus is not seen: ${{each.name}}`))"""

#: What axe does not look for: small targets, whatever lies around them; links of one name that
#: lead to two places; and a page that must be scrolled sideways.
_BARRIERS = """(() => {
  const found = [], links = new Map();
  for (const each of document.querySelectorAll("a, button, input, select, summary")) {
    const box = each.getBoundingClientRect(), name = each.textContent.trim() || each.name;
    if (!box.width || each.type === "hidden" || !each.checkVisibility()) continue;
    const isInText = getComputedStyle(each).display === "inline" && each.matches("p *, li *, dd *");
    if (Math.min(box.width, box.height) < 24 && !isInText && !each.matches(".skip"))
      found.push(`small: ${each.localName} ${name} ${box.width} x ${box.height}`);
    if (each.href && (links.get(name) ?? each.href) !== each.href)
      found.push(`two places of one name: ${name}`);
    if (each.href) links.set(name, each.href);
  }
  if (document.documentElement.scrollWidth > document.documentElement.clientWidth)
    found.push("it is wider than the screen");
  return JSON.stringify(found);
})()"""


@contextmanager
def browser(folder):
    """Yield a browser of its own, without a window; what it stores is kept in *folder*."""
    options = ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in (
        "--headless=new",
        "--no-sandbox",  # containers have no name spaces to give
        "--disable-dev-shm-usage",
        "--disable-gpu",
        "--disable-background-networking",
        "--no-first-run",
        f"--user-data-dir={folder}/chromium",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    # A driver that is named is not looked for in the network.
    driver = Chrome(options=options, service=ChromeService(DRIVER))
    try:
        driver.set_page_load_timeout(_WAIT_S)
        yield Browser(driver)
    finally:
        driver.quit()


class Browser:
    """What tests do with a browser."""

    def __init__(self, driver):
        self.driver = driver

    def look(self, url):
        """Load a page, and return what it complained about, such as a violation of its policy."""
        self.driver.get(url)
        return [each["message"] for each in self.driver.get_log("browser")]

    def resize(self, width, *, height=900, zoom=1.0):
        """Show pages as on a screen of so many CSS pixels, with its text at *zoom*."""
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False},
        )
        self.driver.execute_cdp_cmd("Emulation.setPageScaleFactor", {"pageScaleFactor": 1})
        self.evaluate(f"document.documentElement.style.fontSize = '{100 * zoom:.0f}%'")
        # Until it is drawn like that.
        self.evaluate(
            "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
        )

    def media(self, **features):
        """Pretend that the system asks for these: ``prefers_color_scheme="dark"``."""
        named = [
            {"name": name.replace("_", "-"), "value": value} for name, value in features.items()
        ]
        emulated = {"media": "", "features": named}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", emulated)

    def scripts(self, *, are_on):
        self.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": not are_on})

    def evaluate(self, expression):
        """Return the value of an expression; the policy of the page does not bind it."""
        found = self.driver.execute_cdp_cmd(
            "Runtime.evaluate",
            {"expression": expression, "awaitPromise": True, "returnByValue": True},
        )
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def barriers(self, *rules):
        """Return what keeps people from using the page, each as one line.

        Args:
            rules: What axe looks for; all of its rules if none is given.
        """
        if not self.evaluate("'axe' in window"):
            self.evaluate(AXE.read_text(encoding="utf-8") + "\n;undefined")
        options = json.dumps({"runOnly": rules or _TAGS, "resultTypes": ["violations"]})
        found = json.loads(
            self.evaluate(
                f"axe.run(document, {options}).then((all) => JSON.stringify(all.violations))"
            )
        )
        return [
            f"{each['id']}: {node['target']} {node['failureSummary']}"
            for each in found
            for node in each["nodes"]
        ] + json.loads(self.evaluate(_BARRIERS))

    def press(self, label):
        """Press the button with this label, and wait for the next page."""
        button = self.find(f"//button[normalize-space()='{label}']")
        button.click()
        WebDriverWait(self.driver, _WAIT_S).until(lambda _: _is_gone(button))

    def press_here(self, label):
        """Press the button with this label, which leads to no other page."""
        self.find(f"//button[normalize-space()='{label}']").click()

    def wait_for(self, xpath):
        """Wait until there is such an element."""
        WebDriverWait(self.driver, _WAIT_S).until(
            lambda driver: driver.find_elements(By.XPATH, xpath)
        )

    def find(self, xpath):
        return self.driver.find_element(By.XPATH, xpath)

    def type(self, *keys):
        self.driver.switch_to.active_element.send_keys(*keys)

    def follow(self, link):
        """Click a link of which this is a part of the text, and wait for the next page."""
        found = self.find(f"//a[contains(normalize-space(), '{link}')]")
        found.click()
        WebDriverWait(self.driver, _WAIT_S).until(lambda _: _is_gone(found))

    def tab_to(self, name, most=80):
        """Press the tabulator until what has this name has the focus, which must be seen."""
        for _ in range(most):
            self.type(Keys.TAB)
            focus = self.focus()
            assert focus["is_seen"], focus
            if focus["name"].startswith(name):
                return
        raise AssertionError(f"the focus never came to {name!r}")

    def enter(self):
        """Press the Enter key, and wait for the next page."""
        before = self.find("//h1")
        self.type(Keys.ENTER)
        WebDriverWait(self.driver, _WAIT_S).until(lambda _: _is_gone(before))

    def focus(self):
        """Return the name of what has the focus, its role, and whether it can be seen."""
        return json.loads(self.evaluate(_FOCUS))

    def unseen(self):
        """Return what can have the focus without showing it, each as one line."""
        # As whoever uses the keyboard; after the last element the focus would leave the page.
        self.evaluate(f'document.querySelector("{_REACHABLE}")?.focus()')
        self.type(Keys.TAB)
        return json.loads(self.evaluate(_UNSEEN))

    def focused(self):
        """Return the tag and the beginning of the text of what has the focus."""
        element = self.driver.switch_to.active_element
        return element.tag_name, element.text[:40]

    def picture(self, path):
        """Write a picture of the whole page."""
        height = self.evaluate("document.documentElement.scrollHeight")
        width = self.evaluate("document.documentElement.clientWidth")
        self.resize(width, height=height)
        path.write_bytes(self.driver.get_screenshot_as_png())


def _is_gone(element):
    try:
        element.is_enabled()
    except Exception:  # noqa: BLE001  # there are several names for it
        return True
    return False
