"""How the demo sends deliveries to the application, and reads what became of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.request import ProxyHandler, build_opener

from hookkit.core.entry import State
from hookkit.inbox.inbox import Inbox
from hookkit.inbox.records import EntryRecord
from sample_app.server import ROOT

#: Seconds that one delivery may take, and its handlers with a retry.
SEND_S = 60
HANDLE_S = 10

SETTLED = {State.DONE, State.DEAD}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A delivery that ``hookkit send`` has sent.

    Attributes:
        what: Provider, version, vendor types.
        event_ids: As the receiver derives them.
        answer: Status, code and counts, as a person reads them.
    """

    what: str
    event_ids: tuple[str, ...]
    answer: str


class Sender:
    """Runs ``hookkit send``."""

    def __init__(self, url: str, secret: str) -> None:
        self.url = url
        self.secret = secret

    def send(
        self,
        *options: str,
        endpoint: str = "support",
        body: bytes | None = None,
        secret: str | None = None,
    ) -> list[Sent]:
        url = f"{self.url}/hooks/{endpoint}"
        command = [sys.executable, "-m", "hookkit.cli.main", "send", url, *options]
        outcome = subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ, "HOOKKIT_SECRET": secret or self.secret},
            input=body,
            capture_output=True,
            timeout=SEND_S,
            check=False,
        )
        lines = outcome.stdout.decode(errors="replace").splitlines()
        if not lines:
            reason = outcome.stderr.decode(errors="replace").strip() or "nothing was sent"
            return [Sent(what=" ".join(options), event_ids=(), answer=reason)]
        return [_sent(line) for line in lines]


def _sent(line: str) -> Sent:
    """Parse the line that ``hookkit send`` prints for a delivery."""
    what, _, answer = line.partition(" -> ")
    provider, version, types, *event_ids = what.split()
    status, _, text = answer.partition(" ")
    return Sent(
        what=f"{provider} {version} {types.replace('+', ' + ')}",
        event_ids=tuple(event_ids),
        answer=f"{status} {_read(text)}",
    )


def _read(text: str) -> str:
    try:
        answer = json.loads(text)
    except ValueError:
        return text
    if "new" not in answer:
        return str(answer.get("code"))
    duplicates = f", {answer['duplicates']} duplicate" if answer["duplicates"] else ""
    return f"{answer['code']}, {answer['new']} new{duplicates}"


class Watcher:
    """Reads what became of the last deliveries.

    Attributes:
        sent: What is looked for.
    """

    def __init__(self, url: str, inbox: Inbox) -> None:
        self.url = url
        self.inbox = inbox
        self.sent: Sequence[Sent] = ()

    def look_for(self, sent: Sequence[Sent]) -> None:
        self.sent = sent

    def handled(self) -> list[str]:
        """Return what handlers did, once all entries of the deliveries are at rest."""
        deadline = time.monotonic() + HANDLE_S
        while not self._is_settled() and time.monotonic() < deadline:
            time.sleep(0.05)
        # From the application's page, as a person would read it.
        with build_opener(ProxyHandler({})).open(f"{self.url}/events.json", timeout=SEND_S) as page:
            rows = json.load(page)["events"]
        return sorted(
            f"{row['type']} -> {row['handler']}: {row['what']}"
            for row in rows
            if row["event_id"] in self._event_ids()
        )

    def entries(self) -> list[EntryRecord]:
        wanted = self._event_ids()
        return [entry for entry in self.inbox.find() if entry.event_id in wanted]

    def attempts(self) -> list[str]:
        """Return which handlers were tried and with what outcome, oldest first."""
        return [
            f"attempt {each.number} of {each.handler.rpartition('.')[2]} {each.outcome.value}"
            for entry in self.entries()
            for each in entry.attempts
        ]

    def entry_count(self) -> int:
        return sum(self.inbox.counts().values())

    def _event_ids(self) -> set[str]:
        return {event_id for each in self.sent for event_id in each.event_ids}

    def _is_settled(self) -> bool:
        return all(entry.state in SETTLED for entry in self.entries())
