"""``make demo``: shows what hookkit does, with real processes, and checks every line.

The processes are a server (gunicorn with two workers), a sender (``hookkit send``, started for
each step), and this program, which reads the application's page and its inbox.
"""

from __future__ import annotations

import json
import logging
import secrets
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from hookkit import HookkitError
from hookkit.inbox.opening import open_inbox
from hookkit.testing import find_provider, find_sample, freshen, set_path
from sample_app.demo_report import Report
from sample_app.demo_tools import Sender, Watcher
from sample_app.server import ServerError, interrupt_on_termination, serving

TEXT_OF = {
    "v1": "messages.0.text",
    "v1.1": "messages.0.text",
    "v2": "events.0.payload.message.content.text",
}


class Demo:
    """The steps, each of which adds checked lines to the report."""

    def __init__(self, report: Report, sender: Sender, watcher: Watcher, key: Path) -> None:
        self.report = report
        self.key = key
        self.sender = sender
        self.watcher = watcher

    def show(self) -> None:
        self.message("v1", "message:appUser", "Hello from v1")
        self.message("v1.1", "message:appUser", "Hello from v1.1")
        self.message("v2", "conversation:message", "Hello from v2")
        self.livechat("Hello from LiveChat")
        self.eight_by_eight("Hello from 8x8")
        self.batch("Two things at once")
        self.redelivery("Did you get this?")
        self.unknown_trigger()
        self.wrong_secret()
        self.failing_handler("flaky: where is my order?")

    def message(self, version: str, trigger: str, text: str) -> None:
        self.report.step(f"A message in payload version {version}")
        self._send("--version", version, "--set", f"{TEXT_OF[version]}={text}")
        self._answered(f"{version} {trigger}", "200 accepted, 1 new")
        self._handled(f"conversation:message -> answer_customer: Ana Rivera says: {text}")

    def livechat(self, text: str) -> None:
        self.report.step("LiveChat, whose secret lies in the body: the same handler")
        path = "payload.event.text"
        self._send(
            *("--provider", "livechat", "--version", "3.4", "--set", f"{path}={text}"),
            to="chat",
            secret=f"chat-{self.sender.secret}",
        )
        self._answered("3.4 incoming_event", "200 accepted, 1 new", provider="livechat")
        self._handled(f"conversation:message -> answer_customer: a customer says: {text}")

    def eight_by_eight(self, text: str) -> None:
        self.report.step("8x8, which signs with a key of its own: what our agent said")
        self._send(
            *("--provider", "8x8", "--version", "v2.0", "--key", str(self.key)),
            *("--set", f"message={text}"),
            to="contact-center",
        )
        self._answered("v2.0 TEXT", "200 accepted, 1 new", provider="8x8")
        self._handled(f"conversation:message -> note_answer: we said: {text}")

    def batch(self, text: str) -> None:
        self.report.step("Three events in one v2 body")
        self._send("--body", "-", body=_batch(text))
        self._answered(
            "v2 conversation:message + conversation:postback + conversation:typing",
            "200 accepted, 3 new",
        )
        self._handled(
            f"conversation:message -> answer_customer: Ana Rivera says: {text}",
            "conversation:postback -> press_button: a button was pressed: ORDER_YES",
            "conversation:typing -> follow_activity: the customer's typing start",
        )

    def redelivery(self, text: str) -> None:
        self.report.step("A delivery that the vendor sends twice, handled once")
        self._send("--version", "v1.1", "--duplicate", "--set", f"{TEXT_OF['v1.1']}={text}")
        self._answered(
            "v1.1 message:appUser", "200 accepted, 1 new", "200 accepted, 0 new, 1 duplicate"
        )
        self._handled(f"conversation:message -> answer_customer: Ana Rivera says: {text}")

    def unknown_trigger(self) -> None:
        self.report.step("A trigger that nobody knows, kept and ignored")
        self._send("--trigger", "_unknown-event")
        self._answered("v2 conversation:reaction", "200 accepted, 1 new")
        self._handled("unknown -> ignore: nobody handles conversation:reaction")
        states = [f"in the inbox as {entry.state.value}" for entry in self.watcher.entries()]
        self.report.lines("kept", states, ["in the inbox as done"])

    def wrong_secret(self) -> None:
        self.report.step("A sender with a wrong secret, refused")
        before = self.watcher.entry_count()
        self._send(secret=f"not-{self.sender.secret}")
        self._answered("v2 conversation:message", "401 signature_mismatch")
        self._handled()
        grown = self.watcher.entry_count() - before
        self.report.lines("kept", [f"{grown} events"] if grown else [], [])

    def failing_handler(self, text: str) -> None:
        self.report.step("A handler that fails once, and is tried again without the other")
        self._send("--set", f"{TEXT_OF['v2']}={text}")
        self._answered("v2 conversation:message", "200 accepted, 1 new")
        self._handled(
            f"conversation:message -> answer_customer: Ana Rivera says: {text}",
            "conversation:message -> look_up_order: found the order",
        )
        attempts = [
            "attempt 1 of answer_customer succeeded",
            "attempt 1 of look_up_order failed",
            "attempt 2 of look_up_order succeeded",
        ]
        self.report.lines("recorded", self.watcher.attempts(), attempts)

    def _send(
        self,
        *options: str,
        to: str = "support",
        body: bytes | None = None,
        secret: str | None = None,
    ) -> None:
        sent = self.sender.send(*options, endpoint=to, body=body, secret=secret)
        self.watcher.look_for(sent)

    def _answered(self, what: str, *answers: str, provider: str = "sunshine") -> None:
        sent = [line for each in self.watcher.sent for line in (each.what, each.answer)]
        wanted = [line for answer in answers for line in (f"{provider} {what}", answer)]
        self.report.lines("sent answered", sent, wanted)

    def _handled(self, *wanted: str) -> None:
        self.report.lines("handled", self.watcher.handled(), wanted)


def _batch(text: str) -> bytes:
    provider = find_provider("sunshine")
    triggers = ("conversation:message", "conversation:postback", "conversation:typing")
    documents = [
        freshen(find_sample(provider, "v2", trigger).document(), provider.versions["v2"])
        for trigger in triggers
    ]
    whole = {**documents[0], "events": [document["events"][0] for document in documents]}
    set_path(whole, TEXT_OF["v2"], text)
    return json.dumps(whole).encode()


def _write_keys(folder: Path) -> tuple[Path, Path]:
    """Write a key as a vendor has one, and its public half, and return both files."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private, public = folder / "key.pem", folder / "public-key.pem"
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    public.write_bytes(
        key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    return private, public


def run(folder: Path, report: Report) -> None:
    """Start the server with everything it keeps in *folder*, and take all steps."""
    secret = secrets.token_urlsafe(24)
    database = f"sqlite:///{folder / 'inbox.db'}"
    key, public_key = _write_keys(folder)
    settings = {
        "SAMPLE_SECRET": secret,
        "SAMPLE_PUBLIC_KEY": str(public_key),
        "SAMPLE_DATABASE": str(folder / "sample.db"),
        "FLASK_HOOKKIT_DATABASE": database,
    }
    log_file = folder / "server.log"
    try:
        with (
            log_file.open("wb") as log,
            serving(settings=settings, log=log) as server,
            closing(open_inbox(database)) as inbox,
        ):
            report.begin(server.url)
            Demo(report, Sender(server.url, secret), Watcher(server.url, inbox), key).show()
    except (ServerError, HookkitError, OSError, subprocess.SubprocessError) as error:
        report.failed(f"{type(error).__name__}: {error}")
    if report.wrong:
        report.log(log_file.read_text(errors="replace"))


def main() -> int:
    interrupt_on_termination()
    # What hookkit logs is for whoever runs the server; it is shown when something is wrong.
    logging.getLogger("hookkit").setLevel(logging.ERROR)
    report = Report()
    started = time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix="hookkit-demo-") as folder:
            run(Path(folder), report)
    except KeyboardInterrupt:
        print("\ninterrupted")
        return 130
    report.end(time.monotonic() - started)
    return 1 if report.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
