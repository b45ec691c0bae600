"""The tutorial, from its first page to its last: its files, its commands and what they print."""

import ast
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import urllib.request
from html import unescape
from importlib.metadata import version
from itertools import chain

import pytest

from tests.acceptance.forking import ForkedPython
from tests.acceptance.servers import ROOT, free_port
from tests.docs.pages import blocks
from tests.docs.printed import is_like, plain, steps_of
from tests.docs.serving import MODULES, environment
from tests.waiting import DEADLINE_S, wait_until

PAGES = sorted(ROOT.glob("docs/tutorial/[1-9]-*.md"))

#: Commands that may be typed again until they print what the page says: they change nothing.
LOOKS = (
    "cat ",
    "flask hookkit list",
    "flask hookkit show",
    "flask hookkit stats",
    "flask hookkit versions status",
)


def is_plain(command):
    """Tell whether the shell does nothing about *command* but start one of ours."""
    unquoted = re.sub(r"\"[^\"$`\\]*\"", "", command)
    return command.split()[0] in {*MODULES, "gunicorn"} and not re.search(r"[^\w :/.=-]", unquoted)


class FirstTerminal:
    """Where the server runs, and what it has printed."""

    def __init__(self, folder, settings, port):
        self._folder, self._settings, self._port = folder, settings, port
        self._path = folder.parent / "first-terminal"
        self._path.touch()
        self._process = None
        self._read = 0

    def serve(self, command):
        self.stop()
        self._read = len(self._printed())
        is_forked = is_plain(command) and "--debug" not in command  # that starts itself again
        start = ForkedPython if is_forked else subprocess.Popen
        typed = shlex.split(command) if is_forked else ["/bin/bash", "-c", f"exec {command}"]
        with self._path.open("a") as file:
            self._process = start(
                typed,
                cwd=self._folder,
                env=self._settings,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        wait_until(lambda: self._process.poll() is not None or self._is_listening())
        assert self._process.poll() is None, self._printed()

    def stop(self):
        """Press Ctrl-C, which reaches every process of the terminal."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGINT)
            self._process.wait(DEADLINE_S)
            wait_until(lambda: not self._is_listening())
            self._process = None

    def close(self):
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def show(self, lines):
        """Wait until it has printed *lines*, in any order, since those of the block before."""

        def are_there():
            # Two processes may write into one line.
            printed = "\n".join(plain(line) for line in self._printed()[self._read :])
            for line in lines:
                if plain(line) not in printed:
                    return False
                printed = printed.replace(plain(line), "", 1)
            return True

        try:
            wait_until(are_there)
        except AssertionError:
            printed = "\n".join(self._printed()[self._read :])
            raise AssertionError(f"not printed: {lines}\nprinted:\n{printed}") from None
        self._read = len(self._printed())

    def process_at_work(self):
        """Return the number of the process that a handler has named last."""
        return re.findall(r"^process (\d+) waits", "\n".join(self._printed()), re.MULTILINE)[-1]

    def _printed(self):
        return re.sub(r"\x1b\[\d*m", "", self._path.read_text()).splitlines()

    def _is_listening(self):
        with socket.socket() as connection:
            return connection.connect_ex(("127.0.0.1", self._port)) == 0


class SecondTerminal:
    """A shell, in which one command is typed after the other."""

    def __init__(self, folder, settings):
        self._folder, self._settings = folder, dict(settings)
        self._process = subprocess.Popen(
            ["/bin/bash", "--noprofile", "--norc"],
            cwd=folder,
            env=settings,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, command):
        """Return what *command* prints."""
        if is_plain(command):
            return self._run_forked(shlex.split(command))
        if command.startswith("export "):
            name, _, value = command.removeprefix("export ").partition("=")
            self._settings |= {name: value}
        self._process.stdin.write(f"{{ {command}\n}} < /dev/null\necho '=== done'\n")
        self._process.stdin.flush()
        lines = []
        for line in self._process.stdout:
            before, is_done, _ = line.partition("=== done\n")
            lines.append(before)
            if is_done:
                return "".join(lines)
        raise AssertionError(f"the shell has ended at {command}:\n{''.join(lines)}")

    def _run_forked(self, command):
        with ForkedPython(
            command,
            cwd=self._folder,
            env=self._settings,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
        ) as process:
            printed, _ = process.communicate(timeout=DEADLINE_S)
        return printed

    def close(self):
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(DEADLINE_S)


class Learner:
    """Who does what the pages say, in an empty folder."""

    def __init__(self, folder, settings, port):
        self._folder, self._port = folder, port
        self._first = FirstTerminal(folder, settings | {"FLASK_RUN_PORT": f"{port}"}, port)
        self._second = SecondTerminal(folder, settings)

    def do(self, block):
        getattr(self, f"_{block.use}")(block)

    def close(self):
        self._first.close()
        self._second.close()

    def _file(self, block):
        (self._folder / block.name).write_text(block.text)

    def _append(self, block):
        with (self._folder / block.name).open("a") as file:
            file.write(f"\n\n{block.text}")

    def _replace(self, block):
        """Put a function in the place of the one of its name."""
        path = self._folder / block.name
        text = path.read_text()
        path.write_text(text.replace(_function(text, _only_name(block.text)), block.text))

    def _install(self, block):
        """See that what is installed from the network is here, by the names of the page."""
        _, _, (command, _) = steps_of(block)
        python, dash, pip, install, *names = command.split()
        assert (python, dash, pip, install) == ("python", "-m", "pip", "install")
        assert all(version(name) for name in names)

    def _enter(self, block):
        """Go into the second terminal; there is no environment to enter here."""
        for command, _ in steps_of(block):
            if not command.startswith("cd "):
                assert self._second.run(command) == ""

    def _serve(self, block):
        ((command, _),) = steps_of(block)
        self._first.serve(self._here(command))

    def _stop(self, block):
        self._first.stop()
        self._printed(block)

    def _printed(self, block):
        self._first.show(self._here(block.text).splitlines())

    def _terminal(self, block):
        for command, expected in steps_of(block):
            self._type(command, expected)

    def _type(self, command, expected):
        typed = self._here(command)
        if typed.startswith("kill "):
            typed = re.sub(r"\d+$", self._first.process_at_work(), typed)
        printed = ""

        def prints_it():
            nonlocal printed
            printed = self._second.run(typed)
            is_there = is_like(printed, expected)
            assert is_there or typed.startswith(LOOKS)
            return is_there

        try:
            wait_until(prints_it)
        except AssertionError:
            raise AssertionError(f"{command}\n{printed}") from None

    def _seen(self, block):
        """Open a page of the console; each line of the block is somewhere on it."""
        url = f"http://127.0.0.1:{self._port}{block.name}"
        with urllib.request.urlopen(url, timeout=DEADLINE_S) as answer:
            text = unescape(re.sub(r"<[^>]+>", " ", answer.read().decode()))
        seen = plain(" ".join(text.split()))
        assert [line for line in block.text.splitlines() if plain(line) not in seen] == [], seen

    def _here(self, text):
        return text.replace(":5000", f":{self._port}")


def _only_name(source):
    (function,) = ast.parse(source).body
    return function.name


def _function(source, name):
    """Return the lines of a function, with its decorators."""
    (found,) = (each for each in ast.parse(source).body if getattr(each, "name", "") == name)
    lines = source.splitlines(keepends=True)
    return "".join(lines[found.decorator_list[0].lineno - 1 : found.end_lineno])


@pytest.fixture
def learner(tmp_path):
    """Return a learner for whom this checkout is installed."""
    programs, folder = tmp_path / "bin", tmp_path / "support-bot"
    programs.mkdir()
    folder.mkdir()
    modules = {name: f"-m {module}" for name, module in MODULES.items()}
    for name, module in (modules | {"gunicorn": "-m gunicorn", "python": ""}).items():
        program = programs / name
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" {module} "$@"\n')
        program.chmod(0o755)
    settings = environment() | {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "PYTHONIOENCODING": "utf-8",
        "PYTHONUNBUFFERED": "1",
        "GUNICORN_CMD_ARGS": "--no-control-socket",
        "LOGNAME": "you",
        # Not with the plugins of whoever runs this.
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTEST_ADDOPTS": "-p hookkit.testing.plugin",
    }
    learner = Learner(folder, settings, free_port())
    yield learner
    learner.close()


def test_tutorial_does_what_it_says(learner):
    for block in chain.from_iterable(blocks(page) for page in PAGES):
        learner.do(block)
