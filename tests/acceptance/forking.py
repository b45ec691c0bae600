"""Processes that are forked from one that has imported everything, and so start at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Mapping
from multiprocessing import get_context
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from hookkit import crash_points
from tests.waiting import DEADLINE_S

_forks = get_context("forkserver")
_forks.set_forkserver_preload(["tests.acceptance.warm"])


class ForkedProcess:
    """What tests use of ``subprocess.Popen``, of a process that was forked."""

    def __init__(self, process: ForkServerProcess) -> None:
        self._process = process
        process.start()
        assert process.pid is not None
        self.pid: int = process.pid

    def poll(self) -> int | None:
        """Return how it has ended, if it has."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Return how it has ended, once it has."""
        self._process.join(DEADLINE_S if timeout is None else timeout)
        status = self.poll()
        if status is None:
            raise subprocess.TimeoutExpired(str(self._process), timeout or DEADLINE_S)
        return status

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill it, unless it has ended."""
        self.send_signal(signal.SIGKILL)


def fork_gunicorn(
    folder: Path, options: list[str], environment: Mapping[str, str]
) -> ForkedProcess:
    """Start gunicorn in *folder*, where it prints to ``log``."""
    process = _forks.Process(target=_serve, args=(folder, options, dict(environment)))
    return ForkedProcess(process)


def run_code(source: str, crash_at: str, *arguments: str) -> int:
    """Run *source* as ``python -c`` does, dying at *crash_at*; return how it ended."""
    return ForkedProcess(_forks.Process(target=_run, args=(source, crash_at, arguments))).wait()


def _serve(folder: Path, options: list[str], environment: Mapping[str, str]) -> None:
    """Be what ``python -m gunicorn`` is."""
    from gunicorn.app.wsgiapp import run  # noqa: PLC0415  # not in the tests' own process

    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    log = os.open("log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    warnings.simplefilter("default")
    _arm(environment[crash_points.VARIABLE])
    # Where gunicorn was imported is where it would go by itself.
    sys.argv = ["gunicorn", f"--chdir={folder}", *options]
    run()


def _run(source: str, crash_at: str, arguments: tuple[str, ...]) -> None:
    _arm(crash_at)
    sys.argv = ["-c", *arguments]
    exec(source, {})  # noqa: S102  # it is the test's


def _arm(crash_at: str) -> None:
    """Do what importing hookkit does where the variable is set."""
    if crash_at:
        crash_points._armed(crash_at)
