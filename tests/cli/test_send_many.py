"""``hookkit send`` of many deliveries, of a file as a sample, and of nothing: ``--print``."""

import json
import signal
import subprocess
import sys
import threading

import pytest

from hookkit.cli.http_text import read_request
from hookkit.cli.volley import Pace, send_all
from tests.cli.serving import SECRET, run, serving


def send(endpoint, *options, **environment):
    return run("send", endpoint.url, "--secret", SECRET, *options, **environment)


def ids_of(endpoint):
    return [json.loads(body)["events"][0]["id"] for _, _, body in endpoint.requests]


def test_many_are_as_many_new_events_and_are_summed_up():
    answers = [(200, {}, b'{"code": "accepted"}')] * 3 + [(503, {}, b'{"code": "unavailable"}')]
    with serving(*answers) as endpoint:
        result = send(endpoint, "--count", "5")

    assert len(set(ids_of(endpoint))) == 5
    lines = result.output.splitlines()
    assert lines[:2] == ["200 accepted: 3", "503 unavailable: 2"]
    assert lines[2].startswith("sent 5 of 5 deliveries in ")
    assert "(p50)" in lines[2]
    assert "(p95)" in lines[2]
    assert result.exit_code == 1


def test_summary_is_json_for_machines():
    with serving((200, {}, b'{"code": "accepted"}')) as endpoint:
        result = send(endpoint, "--count", "3", "--concurrency", "2", "--json")

    summary = json.loads(result.output)
    assert result.exit_code == 0
    assert (summary["wanted"], summary["sent"], summary["unanswered"]) == (3, 3, [])
    assert summary["answers"] == [{"status": 200, "code": "accepted", "count": 3}]
    assert 0 < summary["p50_ms"] <= summary["p95_ms"]


def test_no_answer_is_counted_by_its_reason():
    with serving() as endpoint:
        pass

    result = send(endpoint, "--count", "2")

    assert result.output.startswith("no answer from 127.0.0.1: Connection refused: 2\n")
    assert result.exit_code == 1


def test_as_many_are_under_way_as_are_asked_for():
    together = threading.Barrier(4, timeout=20)

    def send_one():
        together.wait()  # broken, and so an exception, unless four are here
        return Answered

    class Answered:
        status, code, took_s = 200, "accepted", 0.0

    summary = send_all(Pace(count=8, per_second=None, concurrency=4), send_one)

    assert summary.answers == {(200, "accepted"): 8}


def test_rate_is_not_exceeded():
    with serving() as endpoint:
        result = send(endpoint, "--count", "5", "--per-second", "20", "--json")

    assert json.loads(result.output)["seconds"] >= 4 / 20


def test_what_ctrl_c_ends_is_summed_up():
    with serving() as endpoint:
        command = [sys.executable, "-m", "hookkit.cli.main", "send", endpoint.url, "--unsigned"]
        with subprocess.Popen(
            [*command, "--count", "100000", "--per-second", "50"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            while len(endpoint.requests) < 3:
                assert process.poll() is None
            process.send_signal(signal.SIGINT)
            printed, complained = process.communicate(timeout=30)

    assert process.returncode == 130
    assert complained == ""
    assert printed.startswith("200: ")
    assert " of 100000 deliveries in " in printed


def test_payload_in_a_file_is_sent_as_a_new_event(tmp_path):
    file = tmp_path / "mine.json"
    event = {"id": "a" * 24, "type": "conversation:read", "createdAt": "2020-01-01T00:00:00.000Z"}
    file.write_text(json.dumps({"webhook": {"version": "v2"}, "events": [event], "own": 1}))
    with serving() as endpoint:
        result = send(endpoint, "--sample", file, "--set", "own=2")

    ((_, _, body),) = endpoint.requests
    sent = json.loads(body)
    assert result.exit_code == 0
    assert sent["own"] == 2
    assert sent["events"][0]["id"] != event["id"]
    assert sent["events"][0]["createdAt"] > "2026"


def test_printed_request_is_the_one_that_would_be_sent(tmp_path):
    with serving() as endpoint:
        result = send(endpoint, "--print", "--trigger", "conversation:read")

    request = read_request(result.stdout_bytes)
    assert endpoint.requests == []
    assert request.target == "/hooks/support"
    assert request.headers["x-api-key"] == SECRET
    assert request.headers["content-length"] == str(len(request.body))
    assert json.loads(request.body)["events"][0]["type"] == "conversation:read"
    file = tmp_path / "request"
    file.write_bytes(result.stdout_bytes)
    assert json.loads(run("normalize", file).output)["events"][0]["type"] == "conversation:read"


def test_one_delivery_is_json_for_machines():
    with serving((200, {}, b'{"code": "accepted"}')) as endpoint:
        result = send(endpoint, "--json", "--duplicate")

    found = json.loads(result.output)
    assert [(each["status"], each["code"]) for each in found] == [(200, "accepted")] * 2
    assert found[0]["sent"].startswith("sunshine v2 conversation:message ")


@pytest.mark.parametrize(
    ("arguments", "printed"),
    [
        (["--count", "0"], "--count"),
        (["--per-second", "2"], "go with --count"),
        (["--concurrency", "2"], "go with --count"),
        (["--count", "2", "--print"], "give one of"),
        (["--count", "2", "--trigger", "conversation:mesage"], "did you mean"),
        (["--sample", "{file}", "--trigger", "message"], "give --trigger or --sample"),
        (["--sample", "{file}"], "give --version, one of v1, v1.1, v2"),
        (["--sample", "{text}"], "body: not JSON"),
    ],
)
def test_mistake_in_the_arguments_sends_nothing(arguments, printed, tmp_path):
    for name, content in (("file", "{}"), ("text", "oops")):
        (tmp_path / name).write_text(content)
    filled = [each.format(file=tmp_path / "file", text=tmp_path / "text") for each in arguments]
    with serving() as endpoint:
        result = run("send", endpoint.url, "--unsigned", *filled)

    assert result.exit_code == 2
    assert printed in " ".join(result.output.split())
    assert endpoint.requests == []
