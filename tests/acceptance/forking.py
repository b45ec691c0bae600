"""Processes that are forked from one that has imported everything, and so start at once.

A process that is forked does what ``python`` does at its start and at its end, as far as a test
can tell: its folder, environment, files, arguments, signals, warnings and status are those that
it would have. What it does not do is import the same hundreds of modules once more.
"""

from __future__ import annotations

import atexit
import inspect
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import threading
import time
import warnings
import weakref
from collections.abc import Callable, Mapping, Sequence
from contextlib import chdir
from io import TextIOWrapper
from multiprocessing import get_context
from multiprocessing.context import ForkServerProcess
from multiprocessing.forkserver import ensure_running
from multiprocessing.reduction import DupFd
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple, NoReturn

import flask.cli

import hookkit.cli.main
from hookkit import crash_points
from tests.waiting import DEADLINE_S

ROOT = Path(__file__).parents[2]
WARM = "tests.acceptance.warm"

#: Its processes are forked from the warm one.
forks = get_context("forkserver")
forks.set_forkserver_preload([WARM])


def _run_gunicorn() -> None:
    from gunicorn.app.wsgiapp import run  # noqa: PLC0415  # not in the tests' own process
    from gunicorn.config import Chdir  # noqa: PLC0415

    # Where gunicorn was imported is where it would go by itself.
    Chdir.default = os.getcwd()  # noqa: PTH109  # it takes no path
    run()


#: Commands that the package installs, or that it adds to.
_SCRIPTS = {"flask": flask.cli.main, "gunicorn": _run_gunicorn, "hookkit": hookkit.cli.main.main}

#: Modules that ``python -m`` runs itself; runpy warns of those that are imported already.
_IMPORTED_AND_RUN = ("hookkit.cli.main",)


def fork(run: Callable[..., object], *arguments: object) -> ForkServerProcess:
    """Return a process that will run *run*, which it imports unless the warm one has."""
    # Wherever the test is, the process that forks finds what it is to import.
    with chdir(ROOT):
        ensure_running()
    return forks.Process(target=run, args=arguments)


class ForkedPython(subprocess.Popen[Any]):
    """A process that is used as that of ``subprocess.Popen`` and has not had to import anything.

    Its command is ``[sys.executable, ...]``, or begins with ``flask``, ``hookkit`` or ``gunicorn``.

    Args:
        forks_too: Whether what it starts is forked as well, if that is Python.
    """

    def __init__(self, *args: Any, forks_too: bool = False, **options: Any) -> None:
        self._forks_too = forks_too
        super().__init__(*args, **options)

    def _execute_child(self, args: Sequence[object], *rest: Any) -> None:
        given = _named(self, args, *rest)
        told = _Start.of(given, forks_too=self._forks_too)
        process = fork(_start, told, [_Passed(each) for each in told.files])
        process.start()
        self._process, self.pid, self._child_created = process, process.pid, True
        self._close_pipe_fds(*(given[name] for name in _ENDS))

    def _internal_poll(self, *_: object, **__: object) -> int | None:
        # Whose child it is gets its status, and passes it on.
        if self.returncode is None:
            self.returncode = self._process.exitcode
        return self.returncode

    def _wait(self, timeout: float | None) -> int:
        self._process.join(DEADLINE_S if timeout is None else timeout)
        status = self.poll()
        if status is None:
            raise subprocess.TimeoutExpired(self.args, timeout or DEADLINE_S)
        return status


def run_python(
    command: Sequence[str],
    *,
    given: str = "",
    check: bool = False,
    cwd: Path | str | None = None,
    env: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a command as ``subprocess.run`` does, forked; *given* is what it reads."""
    with ForkedPython(
        command,
        cwd=cwd,
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        try:
            printed, errors = process.communicate(given, DEADLINE_S)
        except BaseException:
            process.kill()
            raise
    done = subprocess.CompletedProcess([*command], process.returncode, printed, errors)
    if check:
        done.check_returncode()
    return done


def run_command(
    program: str, arguments: list[str], folder: Path, environment: Mapping[str, str], given: str
) -> subprocess.CompletedProcess[str]:
    """Run ``flask`` or ``hookkit`` in *folder* as a shell does; *given* is what it reads."""
    return run_python([program, *arguments], cwd=folder, env=environment, given=given)


def run_code(source: str, crash_at: str, *arguments: str) -> int:
    """Run *source* as ``python -c`` does, dying at *crash_at*; return how it ended."""
    environment = os.environ | {crash_points.VARIABLE: crash_at}
    return ForkedPython([sys.executable, "-c", source, *arguments], env=environment).wait()


class _Start(NamedTuple):
    """How a process is to start.

    Attributes:
        files: Which files become its input, output and errors; None leaves what is there.
    """

    command: list[str]
    folder: str
    environment: dict[str, str]
    files: list[int | None]
    has_own_session: bool
    forks_too: bool

    @classmethod
    def of(cls, given: Mapping[str, Any], *, forks_too: bool) -> _Start:
        """Return what the arguments of ``subprocess.Popen._execute_child`` say."""
        environment = os.environ if given["env"] is None else given["env"]
        files = (given[name] for name in ("p2cread", "c2pwrite", "errwrite"))
        return cls(
            [os.fsdecode(each) for each in given["args"]],
            os.fsdecode(given["cwd"] or Path.cwd()),
            dict(environment),
            [None if each == -1 else each for each in files],
            has_own_session=bool(given["start_new_session"]),
            forks_too=forks_too,
        )


#: How ``subprocess`` calls both ends of the files for input, output and errors.
_ENDS = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")

_EXECUTE_CHILD = inspect.signature(subprocess.Popen._execute_child)


def _named(*arguments: Any) -> dict[str, Any]:
    """Return the arguments of ``subprocess.Popen._execute_child`` by their names."""
    return _EXECUTE_CHILD.bind(*arguments).arguments


class _Passed:
    """A file of this process that another one gets as a copy."""

    def __init__(self, number: int | None) -> None:
        self.number = number

    def __reduce__(self) -> tuple[Any, ...]:
        return _received, (None if self.number is None else DupFd(self.number),)


def _received(copy: Any) -> int | None:
    return None if copy is None else copy.detach()


class _ForkedAgain(subprocess.Popen[Any]):
    """What ``subprocess.Popen`` is in a forked process that forks what it starts itself."""

    def _execute_child(self, args: Any, *rest: Any) -> None:
        if args[0] != sys.executable:
            super()._execute_child(args, *rest)
            return
        given = _named(self, args, *rest)
        told = _Start.of(given, forks_too=True)
        # What a signal raises is lost in a function that Python calls after a fork.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        self.pid = os.fork()
        if self.pid == 0:
            for ours in ("p2cwrite", "c2pread", "errread"):
                if given[ours] != -1:
                    os.close(given[ours])
            _start(told, told.files)
        self._child_created = True
        self._close_pipe_fds(*(given[name] for name in _ENDS))
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start(told: _Start, files: Sequence[int | None]) -> NoReturn:
    """Be the process that *told* describes, to its end."""
    # Without it each process would import everything anew: multiprocessing says nothing.
    assert WARM in sys.modules
    if told.has_own_session:
        os.setsid()
    _forget_what_the_parent_does()
    os.environ.clear()
    os.environ.update(told.environment)
    os.chdir(told.folder)
    _take(files)
    _read_environment()
    if told.forks_too:
        subprocess.Popen = _ForkedAgain
    _end(_status_of(lambda: _run(*told.command)))


def _forget_what_the_parent_does() -> None:
    """Leave to the parent what it does at signals, and what it removes at its end."""
    weakref.finalize._registry.clear()
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _take(files: Sequence[int | None]) -> None:
    for number, file in enumerate(files):
        if file is not None:
            os.dup2(file, number)
    for file in {each for each in files if each is not None and each > 2}:
        os.close(file)
    if files[0] is not None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115  # until it ends


def _read_environment() -> None:
    """Do what Python, and modules that are imported already, do about the environment."""
    sys.stdout = sys.__stdout__ = _printing(1, "strict")
    sys.stderr = sys.__stderr__ = _printing(2, "backslashreplace")
    if action := os.environ.get("PYTHONWARNINGS"):
        warnings.simplefilter(action)
    if crash_at := os.environ.get(crash_points.VARIABLE):
        crash_points._armed(crash_at)
    tempfile.tempdir = None
    time.tzset()


def _printing(number: int, errors: str) -> TextIOWrapper:
    is_immediate = bool(os.environ.get("PYTHONUNBUFFERED"))
    return TextIOWrapper(
        open(number, "wb", buffering=0 if is_immediate else -1, closefd=False),
        encoding="utf-8",
        errors=errors,
        line_buffering=number == 2,
        write_through=is_immediate,
    )


def _run(program: str, *arguments: str) -> None:
    """Run the command, as Python does before it imports the first module."""
    searched = [each for each in os.environ.get("PYTHONPATH", "").split(os.pathsep) if each]
    is_file = program not in _SCRIPTS and not arguments[0].startswith("-")
    first = Path(arguments[0]).parent.absolute() if is_file else Path.cwd()
    sys.path[:0] = searched if os.environ.get("PYTHONSAFEPATH") else [f"{first}", *searched]
    if program in _SCRIPTS:
        sys.argv = [program, *arguments]
        _SCRIPTS[program]()
        return
    assert program == sys.executable
    match arguments:
        case ["-c", source, *rest]:
            sys.argv = ["-c", *rest]
            sys.modules["__main__"] = main = ModuleType("__main__")
            exec(source, vars(main))  # noqa: S102  # it is the test's
        case ["-m", "gunicorn", *rest]:
            sys.argv = ["gunicorn", *rest]
            _run_gunicorn()
        case ["-m", module, *rest]:
            sys.argv = [module, *rest]
            if module in _IMPORTED_AND_RUN:
                del sys.modules[module]
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        case [path, *rest]:
            sys.argv = [path, *rest]
            runpy.run_path(path, run_name="__main__")


def _status_of(run: Callable[[], None]) -> int:
    """Return the status that Python ends with; a signal's number is negative."""
    try:
        run()
    except SystemExit as asked:
        if asked.code is None or isinstance(asked.code, int):
            return (asked.code or 0) & 0xFF
        print(asked.code, file=sys.stderr)  # noqa: T201  # as Python does
        return 1
    except KeyboardInterrupt:
        sys.excepthook(*sys.exc_info())
        return -signal.SIGINT
    except BaseException:  # noqa: BLE001  # whatever it is, it must not get to who has forked
        sys.excepthook(*sys.exc_info())
        return 1
    return 0


def _end(status: int) -> NoReturn:
    """End as Python does: wait for threads, do what was registered, write what is left."""
    threading._shutdown()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    if status < 0:
        signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    os._exit(status)
