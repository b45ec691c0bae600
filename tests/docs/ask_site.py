"""Asks the search of the built site what strangers ask: ``python -m`` this module, and its folder.

Each question has its page among the first three that are found: one click on the search, one on
the page. It is the site's own search in a browser, which alone knows how it ranks.
"""

import os
import sys
import tempfile
import threading
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote, urlsplit

from selenium.webdriver.common.by import By

from tests.console.browser import CHROMIUM, DRIVER, browser

FIRST = 3
#: Page -> what somebody types who looks for it.
QUESTIONS = {
    "providers/presets.html": ["how do I verify stripe", "verify github", "shopify", "verify"],
    "providers/sunshine.html": ["how do I verify sunshine", "sunshine", "zendesk", "smooch"],
    "providers/livechat.html": ["livechat", "how do I verify livechat"],
    "how-to/why-401.html": ["401", "why 401", "why is it 401?", "signature mismatch"],
    "how-to/test-your-handlers.html": ["how do I test", "test", "pytest", "testing handlers"],
    "how-to/inbox.html": ["how do I replay", "replay", "run again", "encryption", "encrypt"],
    "explanation/guarantees.html": ["what is lost on kill -9", "kill -9", "lost events", "crash"],
    "how-to/upgrade-a-version.html": ["how do I upgrade v1.1 to v2", "upgrade", "v1.1 to v2"],
    "how-to/postgresql.html": ["PostgreSQL", "postgres", "pgbouncer"],
    "how-to/celery.html": ["Celery"],
    "reference/settings.html": ["HOOKKIT_KEEP_IDS_DAYS", "hookkit_lease_s"],
    "explanation/what-is-stored.html": ["personal data", "gdpr", "privacy", "retention"],
}


@contextmanager
def served(folder):
    """Serve *folder* on this machine alone, and yield its URL."""
    handler = partial(_Quiet, directory=folder)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


def found(window, url, question):
    """Return the pages that a search finds, the best first."""
    window.driver.get(f"{url}/search.html?q={quote(question)}")
    window.wait_for("//*[contains(@class, 'search-summary') and normalize-space()]")
    links = window.driver.find_elements(By.CSS_SELECTOR, "#search-results ul.search > li > a")
    paths = [urlsplit(each.get_attribute("href")).path.removeprefix("/") for each in links]
    return list(dict.fromkeys(paths))


def main(folder):
    missed = 0
    with served(folder) as url, tempfile.TemporaryDirectory() as place, browser(place) as window:
        for page, questions in QUESTIONS.items():
            for question in questions:
                first = found(window, url, question)[:FIRST]
                missed += page not in first
                print(f"{'ok  ' if page in first else 'MISS'}  {question}: {', '.join(first)}")
    return 1 if missed else 0


if __name__ == "__main__":
    if not (CHROMIUM and DRIVER) and os.environ.get("CI") != "true":
        sys.exit("the search was not asked: there is no chromium and chromedriver")
    sys.exit(main(sys.argv[1]))
