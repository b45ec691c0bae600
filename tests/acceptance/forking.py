"""Processes that are forked from one that has imported everything, and so start at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Mapping
from contextlib import chdir
from io import TextIOWrapper
from multiprocessing import get_context
from multiprocessing.context import ForkServerProcess
from multiprocessing.forkserver import ensure_running
from pathlib import Path
from tempfile import TemporaryDirectory

import flask.cli

import hookkit.cli.main
from hookkit import crash_points
from tests.waiting import DEADLINE_S

ROOT = Path(__file__).parents[2]
WARM = "tests.acceptance.warm"

_forks = get_context("forkserver")
_forks.set_forkserver_preload([WARM])


class ForkedProcess:
    """What tests use of ``subprocess.Popen``, of a process that was forked."""

    def __init__(self, process: ForkServerProcess) -> None:
        self._process = process
        # Wherever the test is, that process finds what it is to import.
        with chdir(ROOT):
            ensure_running()
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


def run_command(
    program: str, arguments: list[str], folder: Path, environment: Mapping[str, str], given: str
) -> subprocess.CompletedProcess[str]:
    """Run ``flask`` or ``hookkit`` in *folder* as a shell does; *given* is what it reads."""
    with TemporaryDirectory() as name:
        files = Path(name)
        (files / "0").write_text(given, encoding="utf-8")
        command = ([program, *arguments], folder, dict(environment), files)
        status = ForkedProcess(_forks.Process(target=_command, args=command)).wait()
        printed, errors = ((files / each).read_text(encoding="utf-8") for each in "12")
    return subprocess.CompletedProcess([program, *arguments], status, printed, errors)


def _serve(folder: Path, options: list[str], environment: Mapping[str, str]) -> None:
    """Be what ``python -m gunicorn`` is."""
    from gunicorn.app.wsgiapp import run  # noqa: PLC0415  # not in the tests' own process

    _assert_warm()
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


def _command(arguments: list[str], folder: Path, environment: dict[str, str], files: Path) -> None:
    """Be what the console script is, on *files* for its input, output and errors."""
    _assert_warm()
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    for number, flags in enumerate((os.O_RDONLY, *[os.O_WRONLY | os.O_CREAT] * 2)):
        file = os.open(files / f"{number}", flags)
        os.dup2(file, number)
        os.close(file)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115  # until it ends
    for stream in (sys.stdout, sys.stderr):
        assert isinstance(stream, TextIOWrapper)
        stream.reconfigure(encoding="utf-8")
    sys.argv = arguments
    sys.path.insert(0, f"{folder}")
    main = flask.cli.main if arguments[0] == "flask" else hookkit.cli.main.main
    main()


def _run(source: str, crash_at: str, arguments: tuple[str, ...]) -> None:
    _assert_warm()
    _arm(crash_at)
    sys.argv = ["-c", *arguments]
    exec(source, {})  # noqa: S102  # it is the test's


def _assert_warm() -> None:
    """Fail where each process would import everything anew: multiprocessing says nothing."""
    assert WARM in sys.modules


def _arm(crash_at: str) -> None:
    """Do what importing hookkit does where the variable is set."""
    if crash_at:
        crash_points._armed(crash_at)
