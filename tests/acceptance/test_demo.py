"""``make demo``, as it is run."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.waiting import DEADLINE_S

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "sample_app.demo"]
PLACE_S = 4 * DEADLINE_S

RIGHT, WRONG = "\u2713", "\u2717"


def environment(folder, **more):
    return {**os.environ, "PYTHONIOENCODING": "utf-8", "TMPDIR": str(folder), **more}


def demo(folder, **more):
    return subprocess.run(
        COMMAND,
        cwd=ROOT,
        env=environment(folder, **more),
        capture_output=True,
        encoding="utf-8",
        timeout=PLACE_S,
        check=False,
    )


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
    with subprocess.Popen(
        COMMAND,
        cwd=ROOT,
        env=environment(tmp_path, PYTHONUNBUFFERED="1"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
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
    command = [sys.executable, "-m", "hookkit.cli.main", "send", f"{url}/", "--unsigned"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return "no answer" not in result.stderr
