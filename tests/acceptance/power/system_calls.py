"""What ``strace`` saw of a server's answers, and of the syncs before them."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

# Process, name of the call, the rest; a call that others interrupted takes two lines.
_CALL = re.compile(r"(\d+) +(?:<\.\.\. )?(fsync|fdatasync|sendto)\b(.*)")
_FILE = re.compile(r"\(\d+<(.*?)>")
_ANSWER = r"{\"code\": \"accepted\", \"new\": 1"


def can_trace() -> bool:
    """Tell whether ``strace`` is there, and may be used."""
    strace = shutil.which("strace")
    if strace is None:
        return False
    # To be there is not enough: containers often forbid its use.
    return subprocess.run([strace, "-o/dev/null", "true"], check=False).returncode == 0


def tracing(path: Path) -> list[str]:
    """Return a command that writes what the one behind it does to *path*.

    ``-D`` leaves that one to be the child of its parent, which sends it signals.
    """
    calls = "trace=fsync,fdatasync,sendto"
    return ["strace", "-D", "-f", "-y", "-s", "40", "-o", str(path), "-e", calls]


def has_seen_the_end(path: Path, process_id: int) -> bool:
    """Tell whether the trace at *path* is complete, *process_id* being the last to end."""
    # A short number is filled up with spaces.
    end = re.compile(rf"^{process_id} +\+\+\+ exited", re.MULTILINE)
    return end.search(path.read_text()) is not None


@dataclass
class _Thread:
    """What one thread has done since its last answer.

    Attributes:
        syncing: The file whose sync has begun.
        synced: The files that were synced.
        synced_at_status: Those that were when it sent the status.
    """

    syncing: str = ""
    synced: set[str] = field(default_factory=set)
    synced_at_status: frozenset[str] | None = None


def synced_before_answers(trace: Iterable[str]) -> list[frozenset[str]]:
    """Return for each event that was accepted as new what its thread had synced before."""
    threads: defaultdict[str, _Thread] = defaultdict(_Thread)
    answers = []
    for line in trace:
        if not (call := _CALL.match(line)):
            continue
        thread, (_, name, rest) = threads[call[1]], call.groups()
        if name != "sendto":
            if file := _FILE.match(rest):
                thread.syncing = file[1]
            if rest.endswith("= 0"):
                thread.synced.add(thread.syncing)
        elif "HTTP/1.1 200" in rest:
            thread.synced_at_status = frozenset(thread.synced)
            thread.synced.clear()
        elif _ANSWER in rest and thread.synced_at_status is not None:
            answers.append(thread.synced_at_status)
    return answers
