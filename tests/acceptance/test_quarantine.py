"""Refused deliveries at real servers: a flood, a process that dies, two processes at once."""

import http.client
import json
import os
import runpy
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from textwrap import dedent

import pytest

from hookkit import crash_points
from hookkit.core.entry import State
from hookkit.inbox.opening import open_inbox
from tests.acceptance.forking import ForkedPython
from tests.acceptance.servers import ROOT, gunicorn, hookkit_worker
from tests.applications import message, post
from tests.scale import SCALE
from tests.waiting import DEADLINE_S, wait_until

OURS, THEIRS = "the-secret-in-our-settings", "the-secret-of-the-vendor"

APPLICATION = """
    import os
    from flask import Flask
    from hookkit import HookKit

    hooks = HookKit()

    @hooks.on("*", name="note")
    def note(event):
        with open("handled", "a") as file:
            print(event.id, file=file, flush=True)

    app = Flask("application")
    app.config["SECRET_KEY"] = "one-key-before-and-after"
    app.config["HOOKKIT_DATABASE"] = {url!r}
    app.config["HOOKKIT_ENDPOINTS"] = {{
        "support": {{"provider": "sunshine", "secrets": [{secret!r}]}}
    }}
    hooks.init_app(app)
"""

#: The flood: so many requests, which are more than are kept, from so many addresses.
REQUESTS, ADDRESSES = 3_000 if SCALE == 1 else 10_000, 20


def application(database_url, secret=OURS):
    return APPLICATION.format(url=database_url, secret=secret)


@pytest.fixture
def refused(tmp_path, database_url):
    """Return the folder of an application with the mended secret, and what it had refused."""
    path = tmp_path / "application.py"
    path.write_text(dedent(application(database_url)))
    # Refusing needs no server: its death is not looked at, but that of what releases later.
    app = runpy.run_path(str(path))["app"]
    for number in range(6):
        answer = post(app.test_client(), message(f"event-{number}"), secret=THEIRS)
        assert (answer.status_code, answer.json) == (401, {"code": "signature_mismatch"})
    app.extensions["hookkit"].stop()
    path.write_text(dedent(application(database_url, THEIRS)))
    return tmp_path


def start_release(folder, *arguments, crash_at=""):
    environment = os.environ | {
        "PYTHONPATH": f"{ROOT}",
        crash_points.VARIABLE: crash_at,
    }
    command = ["flask", "--app", "application", "hookkit", "quarantine"]
    return ForkedPython(
        [*command, "release", *(arguments or ["--all"]), "--json"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )


def outcomes(process):
    printed, _ = process.communicate(timeout=DEADLINE_S)
    return [each["outcome"] for each in json.loads(printed)]


def handled(folder, database_url, count):
    """Return what the mended application has handled, once there is nothing left to do."""
    path = folder / "handled"
    with hookkit_worker(folder), closing(open_inbox(database_url)) as inbox:
        wait_until(lambda: path.exists() and len(path.read_text().splitlines()) >= count)
        wait_until(lambda: inbox.counts()[State.DONE] == sum(inbox.counts().values()))
    return path.read_text().splitlines()


@pytest.mark.parametrize("place", ["readmitted:1", "readmitted:4", "released:1", "released:6"])
def test_release_that_is_killed_is_finished_by_the_next_and_doubles_nothing(
    refused, database_url, place
):
    killed = start_release(refused, crash_at=place)
    killed.communicate(timeout=DEADLINE_S)
    assert killed.returncode == -signal.SIGKILL

    again = outcomes(start_release(refused))

    name, _, which = place.partition(":")
    left = 6 - int(which) + (name == "readmitted")
    assert len(again) == left
    assert again.count("duplicate") == (name == "readmitted")
    assert sorted(handled(refused, database_url, 6)) == [f"event-{each}" for each in range(6)]


def test_two_releases_at_once_admit_everything_once(refused, database_url):
    running = [start_release(refused) for _ in range(2)]

    found = [each for process in running for each in outcomes(process)]

    assert found.count("released") == 6
    assert set(found) <= {"released", "duplicate", "already_released"}
    assert sorted(handled(refused, database_url, 6)) == [f"event-{each}" for each in range(6)]


def flood(port, address, count, vendor=""):
    """Post refused deliveries from *address* over one connection after the other."""
    statuses = set()
    connection = None
    for number in range(count):
        if connection is None:
            connection = http.client.HTTPConnection(
                "127.0.0.1", port, timeout=DEADLINE_S, source_address=(address, 0)
            )
        body = json.dumps(message(f"event-{vendor or address}-{number}"))
        headers = {"X-API-Key": THEIRS if vendor else "forged-by-a-stranger"}
        connection.request("POST", "/hooks/support", body=body, headers=headers)
        response = connection.getresponse()
        response.read()
        statuses.add(response.status)
        if response.will_close:
            connection.close()
            connection = None
    if connection is not None:
        connection.close()
    return statuses


def test_flood_fills_no_table_and_does_not_push_out_the_vendor(tmp_path, database_url):
    options = ("--worker-class=gthread", "--threads=4")
    addresses = [f"127.0.1.{number}" for number in range(1, ADDRESSES + 1)]
    with gunicorn(tmp_path, application(database_url), *options) as server:
        statuses = flood(server.port, "127.0.2.1", 10, vendor="before")
        with ThreadPoolExecutor(8) as pool:
            found = [
                pool.submit(flood, server.port, each, REQUESTS // ADDRESSES) for each in addresses
            ]
            found[0].result()  # most of them are still at it
            statuses |= flood(server.port, "127.0.2.2", 5, vendor="meanwhile")
            statuses = statuses.union(*(each.result() for each in found))
        _, answer = server.post(message("event-of-ours"), secret=OURS)
    with closing(open_inbox(database_url)) as inbox:
        kept = inbox.quarantine.find(limit=None)
        now = datetime.now(UTC)
        sums = inbox.minutes.sums(now - timedelta(hours=1), now)

    assert statuses == {401}
    assert answer == {"code": "accepted", "new": 1, "duplicates": 0}
    networks = [each.network for each in kept]
    assert (networks.count("127.0.2.1"), networks.count("127.0.2.2")) == (10, 5)
    assert len(kept) <= 1000
    assert sums == {("support", "signature_mismatch"): REQUESTS + 15, ("support", "new"): 1}
