"""A day of the sample application, and the night in which its returns desk breaks."""

import random
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from flask import Flask

from hookkit.application import app_state
from hookkit.cli import times
from hookkit.core.entry import Filter, State
from hookkit.testing import DeliveryClient, PayloadMaker, Stage
from sample_app import create_app
from tests.console.ops import form_of

#: The seed of what customers write and when.
SEED = 7

#: When it is over.
END = datetime(2026, 3, 3, 3, 12, tzinfo=UTC)

SETTINGS = {
    "SECRET_KEY": "of this night alone",
    "DEBUG": True,
    "HOOKKIT_ENDPOINTS": {
        "support": {
            "provider": "sunshine",
            "secrets": ["the-newest-of-support", "the-one-before-of-support"],
        },
        "chat": {"provider": "livechat", "secrets": ["the-one-of-the-chat"]},
        "orders": {
            "provider": "sunshine",
            "secrets": ["the-one-of-the-orders"],
            "versions": {"v1.1": "live", "v2": "shadow"},
        },
    },
}

THIS_MACHINE = "http://127.0.0.1"

_HOURS = 26
_TEXT = "content.text"
_SAID = (
    "Where is my order?",
    "Thank you!",
    "Can I change the address?",
    "The parcel is open",
    "flaky: where is my order?",
)


class Night:
    """The application and its clock."""

    def __init__(self, app: Flask, stage: Stage) -> None:
        self.app = app
        self.stage = stage
        self.payloads = PayloadMaker(lambda: stage.moment)
        self.client = DeliveryClient(stage, self.payloads, {})
        self.random = random.Random(SEED)  # noqa: S311  # the same night each time

    def pass_by(self) -> None:
        """Let a day go by, hour after hour, until now."""
        self.stage.moment = END - timedelta(hours=_HOURS)
        for hour in range(_HOURS):
            self._hour(hour)
            self.stage.state.receiver.report.minutes.write()
        self.stage.pass_to(END - timedelta(minutes=5))
        self._message("later would be better")
        self.stage.pass_to(END)

    def press(self, page: str, action: str, **fields: str) -> None:
        """Press a button of a page of the console."""
        client = self.app.test_client()
        answer = client.get(f"/ops{page}", base_url=THIS_MACHINE)
        data = form_of(answer.text, f"/ops{action}") | fields
        headers = {"Sec-Fetch-Site": "same-origin"}
        answer = client.post(f"/ops{action}", data=data, headers=headers, base_url=THIS_MACHINE)
        assert answer.status_code in (302, 303), answer.text

    def entry(self, state: str) -> int:
        """Return the id of the newest entry in this state."""
        return self.stage.inbox.find(Filter(state=State(state)), limit=1)[0].id

    def _hour(self, hour: int) -> None:
        begin = END - timedelta(hours=_HOURS - hour)
        self.stage.pass_to(begin)
        busy = 1 + min(hour, _HOURS - hour) // 3
        for _ in range(self.random.randint(1, busy)):
            self.stage.pass_to(self.stage.moment + timedelta(minutes=30 / busy))
            self._message(self.random.choice(_SAID))
        if hour in (6, 12, 18):
            self._moving()
        if hour > _HOURS - 4:
            self._trouble(hour)

    def _message(self, text: str) -> None:
        if self.random.random() < 0.3:
            payload = self.payloads("livechat", {"payload.event.text": text})
            self.client.deliver("chat", payload)
            return
        version = self.random.choice(("v1.1", "v2", "v2"))
        path = _TEXT if version == "v2" else "messages.0.text"
        self.client.deliver("support", self.payloads("sunshine", {path: text}, version=version))
        if self.random.random() < 0.2:
            self.client.redeliver()

    def _moving(self) -> None:
        message_id = f"{self.random.randrange(16**24):024x}"
        for version, paths in (
            ("v1.1", ("messages.0._id", "messages.0.text")),
            ("v2", ("message.id", _TEXT)),
        ):
            changes = dict(zip(paths, (message_id, "Where is my order?"), strict=True))
            self.client.deliver("orders", self.payloads("sunshine", changes, version=version))
            self.stage.moment += timedelta(seconds=2)

    def _trouble(self, hour: int) -> None:
        for text in ("return these shoes", "return my order", "later would be better"):
            self.client.deliver("support", self.payloads("sunshine", {_TEXT: text}))
        if hour == _HOURS - 2:
            for _ in range(6):
                self.client.deliver_forged("support")
            self.client.deliver_unsigned("chat")


@contextmanager
def night(folder, monkeypatch):
    """Yield a night that has passed; its inbox is in *folder*."""
    stages = []

    def now():
        return stages[0].moment if stages else END

    monkeypatch.setattr(app_state, "utc_now", now)
    monkeypatch.setattr(times, "utc_now", now)
    app = create_app(SETTINGS | {"SAMPLE_DATABASE": str(folder / "sample.db")})
    stage = Stage(app)
    with stage.taking(f"sqlite:///{folder / 'inbox.db'}"):
        stages.append(stage)
        monkeypatch.setattr(
            stage.state.receiver.report.minutes, "_clock", lambda: now().timestamp()
        )
        found = Night(app, stage)
        found.pass_by()
        yield found
