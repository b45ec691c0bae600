"""A forked Python is for its test what a fresh one is."""

import json
import os
import signal
import subprocess
import sys

import pytest

from tests.acceptance.forking import ForkedPython
from tests.acceptance.servers import ROOT
from tests.waiting import DEADLINE_S

STARTS = [subprocess.Popen, ForkedPython]

#: Prints what a program can see of how it was started.
SEEN = """
import json, os, signal, sys, tempfile, warnings

warnings.warn("look here", stacklevel=1)
print(json.dumps({
    "name": __name__,
    "arguments": sys.argv,
    "first": sys.path[0] or os.getcwd(),
    "folder": os.getcwd(),
    "environment": dict(os.environ),
    "temporary": tempfile.gettempdir(),
    "read": sys.stdin.read(),
    "signals": [str(signal.getsignal(each)) for each in (2, 13, 15, 17)],
    "blocked": [*signal.pthread_sigmask(signal.SIG_BLOCK, ())],
    "session": os.getsid(0) == os.getpid(),
}))
"""


def start(how, folder, *command, **more):
    environment = {name: value for name, value in os.environ.items() if name != "_"}
    return how(
        [sys.executable, *command],
        cwd=folder,
        env=environment | {"PYTHONPATH": f"{ROOT}"} | more.pop("env", {}),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        **more,
    )


def both(folder, *command, given="", **more):
    """Return how a fresh process and a forked one have ended, and what they have printed."""
    found = []
    for how in STARTS:
        with start(how, folder, *command, **more) as process:
            printed, errors = process.communicate(given, DEADLINE_S)
        found.append((process.returncode, printed, errors))
    return found


@pytest.mark.parametrize(
    "command",
    [["-c", SEEN, "one"], ["seen.py", "one"], ["-m", "seen", "one"]],
    ids=["code", "file", "module"],
)
@pytest.mark.parametrize("session", [False, True])
def test_forked_program_sees_what_a_fresh_one_sees(tmp_path, command, session):
    (tmp_path / "seen.py").write_text(SEEN)
    environment = {"PYTHONWARNINGS": "default", "TMPDIR": f"{tmp_path}"}

    fresh, forked = both(
        tmp_path, *command, given="given", env=environment, start_new_session=session
    )

    (status, seen, warned), (forked_status, forked_seen, forked_warned) = fresh, forked
    assert (status, forked_status) == (0, 0)
    assert json.loads(forked_seen) == json.loads(seen)
    assert json.loads(seen)["read"] == "given"
    assert "UserWarning: look here" in warned
    assert "UserWarning: look here" in forked_warned


@pytest.mark.parametrize(
    ("source", "status"),
    [
        ("pass", 0),
        ("raise SystemExit", 0),
        ("raise SystemExit(3)", 3),
        ("raise SystemExit('told')", 1),
        ("raise ValueError('told')", 1),
        ("raise KeyboardInterrupt('told')", -signal.SIGINT),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM),
        ("import atexit; atexit.register(print, 'at the end')", 0),
        ("import threading; threading.Timer(0.01, print, ['by a thread']).start()", 0),
        ("print('unended', end='')", 0),
    ],
)
def test_forked_program_ends_as_a_fresh_one_does(tmp_path, source, status):
    fresh, forked = both(tmp_path, "-c", source)

    assert forked[:2] == fresh[:2]
    assert fresh[0] == status
    assert ("told" in forked[2]) == ("told" in fresh[2]) == ("told" in source)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda each: each.name)
@pytest.mark.parametrize("how", STARTS)
def test_forked_program_is_ended_by_a_signal_as_a_fresh_one_is(tmp_path, how, number):
    # A signal that comes right before a call that blocks is looked at only after it.
    source = "import time; print('begun', flush=True)\nwhile True: time.sleep(0.01)"
    with start(how, tmp_path, "-c", source) as process:
        assert process.stdout.readline() == "begun\n"
        assert process.poll() is None
        process.send_signal(number)
        ended = process.wait(DEADLINE_S)

    assert ended == -number


def test_what_a_forked_program_starts_is_forked_too_if_it_is_python(tmp_path):
    source = """
import subprocess, sys
imported = "import sys; print('tests.acceptance.warm' in sys.modules, sys.stdin.read())"
how = {"capture_output": True, "text": True}
print(subprocess.run([sys.executable, "-c", imported], input="given", **how))
print(subprocess.run(["/bin/echo", "of another"], **how))
"""
    with start(ForkedPython, tmp_path, "-c", source, forks_too=True) as process:
        printed, errors = process.communicate(timeout=DEADLINE_S)

    assert errors == ""
    assert "returncode=0, stdout='True given\\n'" in printed
    assert "returncode=0, stdout='of another\\n'" in printed
