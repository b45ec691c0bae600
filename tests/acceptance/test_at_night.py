"""Three alarms at night, mended by the commands of docs/how-to/at-night.md, as they stand there."""

import json
import os
import shlex
import time
from contextlib import ExitStack, closing
from textwrap import dedent

from sqlalchemy import create_engine, delete

from hookkit.inbox.opening import open_inbox
from hookkit.inbox.sql.tables import minutes
from tests.acceptance.forking import run_command
from tests.acceptance.servers import ROOT, gunicorn
from tests.applications import message
from tests.docs.pages import blocks
from tests.docs.printed import is_like, steps_of
from tests.waiting import wait_until

PAGE = ROOT / "docs/how-to/at-night.md"
OLD, NEW = "the-secret-before-tonight", "the-secret-since-tonight"

APPLICATION = """
    import json
    from pathlib import Path

    from flask import Flask
    from hookkit import HookKit, RetryPolicy

    hooks = HookKit()

    @hooks.on("conversation:message", retry=RetryPolicy(max_attempts=1))
    def look_up_order(event):
        if Path("orders-are-away").exists():
            raise ConnectionError("the order service does not answer")

    app = Flask(__name__)
    app.config["SECRET_KEY"] = "one-key-through-the-night"
    app.config["HOOKKIT_DATABASE"] = {url!r}
    secrets = json.loads(Path("secrets.json").read_text())
    app.config["HOOKKIT_ENDPOINTS"] = {{"support": {{"provider": "sunshine", "secrets": secrets}}}}
    hooks.init_app(app)
"""

#: What runs once only: it changes something.
CHANGING = {"release", "send", "--reason"}


class Night:
    """An application, its server, and who looks after it."""

    def __init__(self, folder, url):
        self.folder, self.url = folder, url
        (folder / "app.py").write_text(dedent(APPLICATION.format(url=url)))
        self.server = None
        self.serving = ExitStack()

    def serve(self, *secrets):
        """Start with *secrets*, or start again."""
        self.serving.close()
        (self.folder / "secrets.json").write_text(json.dumps(secrets))
        self.server = self.serving.enter_context(gunicorn(self.folder, "from app import app"))

    def post(self, first, last, status):
        for number in range(first, last + 1):
            answer, _ = self.server.post(message(f"event-{number}"), secret=NEW)
            assert answer == status

    def fall_silent(self):
        """Have an event a minute for two weeks, and none for the last 45 minutes."""
        now = int(time.time()) // 60
        week_before_last = now - 14 * 24 * 60
        engine = create_engine(self.url)
        with engine.begin() as connection:
            connection.execute(delete(minutes))
        engine.dispose()
        with closing(open_inbox(self.url)) as inbox:
            inbox.minutes.add(
                {(each, "support", "new"): 1 for each in range(week_before_last, now - 45)}
            )

    def run(self, command):
        words = shlex.split(command.replace(":5000/", f":{self.server.port}/"))
        environment = os.environ | {
            "HOOKKIT_SECRET": NEW,
            "LOGNAME": "you",
        }
        ran = run_command(words[0], words[1:], self.folder, environment, "")
        return f"{ran.stdout}{ran.stderr}" if ran.returncode not in (0, 1) else ran.stdout


def read(night, block):
    """Run the commands of *block* until they print what the page says; counts come late."""
    for command, expected in steps_of(block):
        printed = ""

        def prints_it(command=command, expected=expected):
            nonlocal printed
            printed = night.run(command)
            is_there = is_like(printed, expected)
            # What changes something is done once.
            assert is_there or not CHANGING & set(shlex.split(command))
            return is_there

        try:
            wait_until(prints_it)
        except AssertionError:
            raise AssertionError(f"{command}\n{printed}") from None


def test_three_alarms_are_mended_by_the_commands_of_the_page(tmp_path):
    refused, released, failed, replayed, silent, sent, well = blocks(PAGE, use="night")
    night = Night(tmp_path, f"sqlite:///{tmp_path}/inbox.db")
    with night.serving:
        night.serve(OLD)
        night.post(1, 3, status=401)
        read(night, refused)
        night.serve(NEW, OLD)
        read(night, released)

        (tmp_path / "orders-are-away").touch()
        night.post(4, 5, status=200)
        read(night, failed)
        (tmp_path / "orders-are-away").unlink()
        read(night, replayed)

        night.serve(NEW)
        night.fall_silent()
        read(night, silent)
        read(night, sent)
        read(night, well)
