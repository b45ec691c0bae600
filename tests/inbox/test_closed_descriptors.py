"""A handler that closes files which are not its own: nothing is acknowledged into others' files.

SQLite goes on with the numbers of its files, which others get next:
https://www.sqlite.org/howtocorrupt.html#_continuing_to_use_a_file_descriptor_after_it_has_been_closed
"""

import json
import os
import sys
from pathlib import Path

import pytest

from hookkit.inbox.opening import open_inbox
from tests.acceptance.forking import run_python

ROOT = Path(__file__).parents[2]

#: Prints what became of each event, and how long each file is that took the numbers.
CLOSING = """
import json, os, sys
from datetime import UTC, datetime

from hookkit import crash_points
from hookkit.core.errors import Unavailable
from hookkit.inbox.opening import open_inbox
from tests.applications import admit, message

url, moment, are_taken, folder = sys.argv[1:]
inbox, others, told = open_inbox(url), [], []

def close(name):
    if name == moment and told and not others:
        os.closerange(3, 256)
        others.append(None)
        if are_taken == "taken":
            others.extend(open(f"{folder}/{number}", "w+b") for number in range(20))

crash_points.reach = close
for number in range(4):
    try:
        admit(inbox, message(f"event-{number}"), datetime(2026, 3, 1, tzinfo=UTC))
        told.append("acknowledged")
    except Unavailable as error:
        told.append(str(error))
    close("between")
sizes = {os.path.getsize(f"{folder}/{each}") for each in os.listdir(folder)}
print(json.dumps([told, sorted(sizes)]), flush=True)
os._exit(0)
"""


@pytest.mark.parametrize("are_taken", ["taken", "free"])
@pytest.mark.parametrize("moment", ["between", "admit_written"])
def test_inbox_whose_files_were_closed_acknowledges_nothing_more(tmp_path, moment, are_taken):
    url, folder = f"sqlite:///{tmp_path}/inbox.db", tmp_path / "others"
    folder.mkdir()
    command = [sys.executable, "-c", CLOSING, url, moment, are_taken, str(folder)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}

    ended = run_python(command, env=environment, check=True)

    told, sizes = json.loads(ended.stdout)
    assert [each == "acknowledged" for each in told] == [True, False, False, False]
    assert "restart the process" in told[-1]
    if moment == "between":
        assert set(sizes) <= {0}
    inbox = open_inbox(url)
    assert [each.event_id for each in inbox.find()] == ["event-0"]
    inbox.close()
