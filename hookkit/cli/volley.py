"""Send many deliveries, and sum up the answers."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import click

from hookkit.cli.posting import Answer
from hookkit.core.text import counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast deliveries are sent.

    Attributes:
        count: How many.
        per_second: How many begin in a second at most; None sets no limit.
        concurrency: How many are under way at the same time, at most.
    """

    count: int
    per_second: float | None
    concurrency: int


@dataclass(slots=True)
class Summary:
    """What came of many deliveries.

    Attributes:
        wanted: How many were to be sent.
        answers: By status and code, how many.
        unanswered: By reason, how many had no answer.
        times_s: How long each answer took, in seconds.
        took_s: How long all of it took, in seconds.
        is_interrupted: Whether somebody ended it early.
    """

    wanted: int
    answers: Counter[tuple[int, str]] = field(default_factory=Counter)
    unanswered: Counter[str] = field(default_factory=Counter)
    times_s: list[float] = field(default_factory=list)
    took_s: float = 0.0
    is_interrupted: bool = False

    @property
    def sent(self) -> int:
        """How many were sent."""
        return self.answers.total() + self.unanswered.total()

    @property
    def is_success(self) -> bool:
        """Whether all were sent, and every answer is 2xx."""
        accepted = (status for status, _ in self.answers if 200 <= status < 300)
        is_all = len(list(accepted)) == len(self.answers) and not self.unanswered
        return is_all and self.sent == self.wanted

    def percentile_ms(self, share: float) -> float:
        """Return the time within which this share of the answers came, in milliseconds."""
        ordered = sorted(self.times_s)
        if not ordered:
            return 0.0
        return round(ordered[min(int(share * len(ordered)), len(ordered) - 1)] * 1000, 1)

    def lines(self) -> Iterator[str]:
        """Yield it in words."""
        for (status, code), number in sorted(self.answers.items()):
            yield f"{status} {code}".rstrip() + f": {number}"
        for reason, number in sorted(self.unanswered.items()):
            yield f"{reason}: {number}"
        rate = self.sent / self.took_s if self.took_s else 0.0
        sent = f"{self.sent} of {counted(self.wanted, 'delivery', 'deliveries')}"
        yield (
            f"sent {sent} in {self.took_s:.1f} s ({rate:.0f} a second);"
            f" answers took {self.percentile_ms(0.5)} ms (p50),"
            f" {self.percentile_ms(0.95)} ms (p95)"
        )

    def plain(self) -> dict[str, Any]:
        """Return it as JSON types."""
        return {
            "wanted": self.wanted,
            "sent": self.sent,
            "seconds": round(self.took_s, 3),
            "answers": [
                {"status": status, "code": code, "count": number}
                for (status, code), number in sorted(self.answers.items())
            ],
            "unanswered": [
                {"reason": reason, "count": number}
                for reason, number in sorted(self.unanswered.items())
            ],
            "p50_ms": self.percentile_ms(0.5),
            "p95_ms": self.percentile_ms(0.95),
        }


def send_all(pace: Pace, send_one: Callable[[], Answer]) -> Summary:
    """Call *send_one* as often and as fast as *pace* says, until Ctrl-C.

    Args:
        pace: How often, and how fast.
        send_one: Sends one delivery; called in several threads. A ``ClickException`` says that
            there was no answer.
    """
    summary = Summary(wanted=pace.count)
    numbers, lock, stop = iter(range(pace.count)), threading.Lock(), threading.Event()
    started = time.monotonic()

    def work() -> None:
        while not stop.is_set():
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            due = started + number / pace.per_second if pace.per_second else started
            if stop.wait(max(due - time.monotonic(), 0.0)):
                return
            _count(summary, lock, send_one)

    workers = min(pace.concurrency, pace.count)
    threads = [threading.Thread(target=work, daemon=True) for _ in range(workers)]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    except KeyboardInterrupt:
        summary.is_interrupted = True
        stop.set()
        for thread in threads:  # what is under way gets its answer; another Ctrl-C ends at once
            thread.join()
    summary.took_s = time.monotonic() - started
    return summary


def _count(summary: Summary, lock: threading.Lock, send_one: Callable[[], Answer]) -> None:
    try:
        answer = send_one()
    except click.ClickException as error:
        with lock:
            summary.unanswered[error.message] += 1
        return
    with lock:
        summary.answers[answer.status, answer.code] += 1
        summary.times_s.append(answer.took_s)
