"""Starts what a page says to start, and reads what it prints.

Where no other Python is given, the tests' own runs the checkout, which need not be installed.
"""

import os
import re
import shlex
import subprocess
import sys
from contextlib import contextmanager
from threading import Timer

from tests.acceptance.forking import run_command
from tests.docs.pages import ROOT

#: The commands of the pages, as modules.
MODULES = {"flask": "flask", "hookkit": "hookkit.cli.main"}

#: A program that prints nothing more is ended after this many seconds.
PATIENCE_S = 30


class Served:
    """A started server, and the lines that it prints."""

    def __init__(self, process):
        self.process = process
        (self.port,) = re.findall(r"Running on http://127\.0\.0\.1:(\d+)", self.wait_for("Running"))

    def wait_for(self, *parts):
        """Read lines until each of *parts* was seen once, and return the last."""
        left = list(parts)
        seen = []
        for line in self.process.stdout:
            seen.append(line)
            found = next((part for part in left if part in line), None)
            if found is not None:
                left.remove(found)
            if not left:
                return line
        raise AssertionError(f"{left} not printed; printed was:\n{''.join(seen)}")


@contextmanager
def served(command, folder, *, python=None):
    """Run the server that *command* starts, on a free port."""
    process = subprocess.Popen(
        arguments(command, python),
        cwd=folder,
        env=environment(python) | {"FLASK_RUN_PORT": "0", "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    timer = Timer(PATIENCE_S, process.kill)
    timer.start()
    try:
        with process.stdout:
            yield Served(process)
            process.terminate()
            process.wait()
    finally:
        timer.cancel()
        process.kill()
        process.wait()


def run(command, folder, *, port="5000", python=None):
    """Run *command* of a page, whose server is at *port*, and return what it prints.

    Of commands with ``|`` between them, each reads what the one before has printed.
    """
    printed = None
    for each in command.replace(":5000/", f":{port}/").split(" | "):
        done = run_one(each, folder, printed, python)
        assert done.returncode == 0, done.stdout + done.stderr
        printed = done.stdout
    return printed


def run_one(command, folder, given, python):
    program, *rest = shlex.split(command)
    if python is None and program in MODULES:
        return run_command(program, rest, folder, environment(), given or "")
    return subprocess.run(
        arguments(command, python),
        cwd=folder,
        env=environment(python),
        input=given,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def arguments(command, python=None):
    program, *rest = shlex.split(command)
    module = ["-m", MODULES[program]] if program in MODULES else []
    return [python or sys.executable, *module, *rest]


def environment(python=None):
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("FLASK_") and name != "PYTHONPATH"
    }
    return kept if python else {**kept, "PYTHONPATH": str(ROOT)}
