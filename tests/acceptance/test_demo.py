"""``make demo``, as it is run."""

import os
import re
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from tests.acceptance.forking import ForkedPython, run_python
from tests.waiting import DEADLINE_S

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "sample_app.demo"]
PLACE_S = 4 * DEADLINE_S

RIGHT, WRONG = "\u2713", "\u2717"


def environment(folder, **more):
    return {**os.environ, "PYTHONIOENCODING": "utf-8", "TMPDIR": str(folder), **more}


def start(folder, *, is_fresh=False, **more):
    """Start the demo: forked, with the processes that it starts, or as it is typed."""
    make = subprocess.Popen if is_fresh else partial(ForkedPython, forks_too=True)
    return make(
        COMMAND,
        cwd=ROOT,
        env=environment(folder, **more),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )


def demo(folder, **more):
    with start(folder, **more) as process:
        try:
            printed, errors = process.communicate(timeout=PLACE_S)
        finally:
            process.kill()
    return subprocess.CompletedProcess(COMMAND, process.returncode, printed, errors)


def test_every_line_comes_out_as_it_should(tmp_path):
    result = demo(tmp_path)

    assert result.returncode == 0, result.stdout
    assert WRONG not in result.stdout
    assert re.search(
        r"^All \d+ lines came out as they should: 10 steps", result.stdout, re.MULTILINE
    )
    assert result.stderr == ""
    # Every version reaches one handler as one kind of event.
    line = "handled   conversation:message -> answer_customer: Ana Rivera says: Hello from"
    for version in ("v1", "v1.1", "v2"):
        assert f"{RIGHT} {line} {version}\n" in result.stdout


def test_wrong_line_is_marked_and_fails_the_demo(tmp_path):
    secrets = {"FLASK_HOOKKIT_ENDPOINTS__support__secrets": '["a secret that nobody sends"]'}

    result = demo(tmp_path, **secrets)

    (verdict,) = re.findall(r"^(\d+) of \d+ lines came out WRONG", result.stdout, re.MULTILINE)
    assert result.returncode == 1
    assert result.stdout.count(WRONG) == int(verdict)
    assert f"{WRONG} answered  401 signature_mismatch" in result.stdout


def test_server_that_does_not_start_fails_the_demo_and_is_quoted(tmp_path):
    result = demo(tmp_path, FLASK_HOOKKIT_RUNNER="nobody")

    assert result.returncode == 1
    assert "HOOKKIT_RUNNER: must be one of" in result.stdout
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda each: each.name)
def test_interrupted_demo_leaves_nothing_behind(tmp_path, number):
    is_fresh = number == signal.SIGINT
    with start(tmp_path, is_fresh=is_fresh, PYTHONUNBUFFERED="1") as process:
        first = next(line for line in process.stdout if line.startswith("sample_app"))
        (folder,) = tmp_path.iterdir()
        process.send_signal(number)
        rest, errors = process.communicate(timeout=PLACE_S)

    assert process.returncode == 130
    assert rest.endswith("\ninterrupted\n")
    assert "Traceback" not in errors
    assert not folder.exists()
    assert not answers(first.split()[-1])


def answers(url):
    result = run_python(["hookkit", "send", f"{url}/", "--unsigned"], cwd=ROOT)
    return "no answer" not in result.stderr
