"""A switch amid the traffic of two versions, with real servers and the command that people run."""

import json
import os
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from threading import Event

from hookkit.testing import find_provider, find_sample
from tests.acceptance.forking import run_python
from tests.acceptance.servers import ROOT, gunicorn
from tests.applications import SECRET, message
from tests.scale import SCALE
from tests.waiting import wait_until

#: Of each version; together it is twice that.
DELIVERIES_PER_S = 100
#: Before the switch and after it, of each version.
DELIVERIES = 30 * SCALE
VERSIONS = {"v1.1": "live", "v2": "shadow"}
V1_1 = json.loads(find_sample(find_provider("sunshine"), "v1.1", "message-appUser").body)

APPLICATION = f"""
    import os
    from pathlib import Path
    from flask import Flask
    from hookkit import HookKit

    HERE = Path(__file__).parent
    hooks = HookKit()

    @hooks.on("conversation:message")
    def handle(event):
        with (HERE / "handled").open("a") as file:  # one short write is appended whole
            file.write(f"{{event.message.id}} {{event.version}} {{os.getpid()}}\\n")

    app = Flask(__name__)
    app.config["HOOKKIT_ENDPOINTS"] = {{
        "support": {{"provider": "sunshine", "secrets": [{SECRET!r}], "versions": {VERSIONS!r}}}
    }}
    app.config["HOOKKIT_DATABASE"] = %r
    hooks.init_app(app)

    @app.get("/")
    def page():
        return "up"
"""


def body_of(version, number):
    """Return the delivery in *version* of a message that both report."""
    if version == "v2":
        body = message(f"event-{number}")
        body["events"][0]["payload"]["message"]["id"] = f"message-{number}"
        return body
    body = deepcopy(V1_1)
    body["messages"][0]["_id"] = f"message-{number}"
    return body


class Sender:
    """A vendor's webhook of one version, at its rate, every seventh delivery twice."""

    def __init__(self, server, version):
        self.server, self.version = server, version
        self.sent = 0
        self.statuses = Counter()
        self.stop = Event()

    def send_on(self):
        begin = time.monotonic()
        while not self.stop.is_set():
            time.sleep(max(0.0, begin + self.sent / DELIVERIES_PER_S - time.monotonic()))
            self.send()

    def send(self):
        body = body_of(self.version, self.sent)
        for _ in range(1 + (self.sent % 7 == 0)):
            status, _ = self.server.post(body)
            self.statuses[status] += 1
        self.sent += 1


def switch(folder, version):
    """Run the command, in a process of its own as people do."""
    command = ["hookkit", "versions", "switch", "support", version, "--force"]
    return run_python(
        ["flask", "--app", "application", *command],
        check=True,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    ).stdout


def test_switch_amid_two_versions_loses_and_doubles_nothing(tmp_path, database_url):
    with gunicorn(tmp_path, APPLICATION % database_url) as server:
        senders = [Sender(server, version) for version in VERSIONS]
        with ThreadPoolExecutor(len(senders)) as pool:
            sending = [pool.submit(sender.send_on) for sender in senders]
            try:
                wait_until(lambda: min(each.sent for each in senders) >= DELIVERIES, 60 * SCALE)
                printed = switch(tmp_path, "v2")
                at = max(each.sent for each in senders)
                wait_until(
                    lambda: min(each.sent for each in senders) >= at + DELIVERIES, 60 * SCALE
                )
            finally:
                for sender in senders:
                    sender.stop.set()
            for each in sending:
                each.result()
        # Each version has its say of everything that the other has reported.
        count = max(sender.sent for sender in senders)
        for sender in senders:
            while sender.sent < count:
                sender.send()
        wait_until(lambda: len(server.lines("handled")) >= count, 60 * SCALE)
        handled = [line.split() for line in server.lines("handled")]

    assert printed.startswith("v2 is live at support; ")
    assert Counter(name for name, _, _ in handled) == {
        f"message-{number}": 1 for number in range(count)
    }
    assert {status for sender in senders for status in sender.statuses} == {200}
    assert {version for _, version, _ in handled} == set(VERSIONS)
    assert len({process for _, _, process in handled}) == 2
