"""What the record of a run tells about SQLite's write-ahead log."""

from __future__ import annotations

from tests.acceptance.power.deliveries import MARK
from tests.acceptance.power.record import Acknowledged, Opened, Record, Synced, Written

# A frame is a header of 24 bytes and a page; the header of the last frame of a transaction
# says how many pages the file has then: https://www.sqlite.org/fileformat.html#the_write_ahead_log
_FRAME_HEADER = 24
_PAGE_COUNT = slice(4, 8)


def answers_before_sync(record: Record) -> list[str]:
    """Return the keys of what was acknowledged before the sync of its commit had returned."""
    logs = {step.file for step in record if isinstance(step, Opened) and step.name.endswith("-wal")}
    commits = _commits(record, logs)
    syncs = [
        (place, step.covers)
        for place, step in enumerate(record)
        if isinstance(step, Synced) and step.file in logs
    ]
    return [
        step.key
        for place, step in enumerate(record)
        if isinstance(step, Acknowledged)
        and not any(synced < place and commits[step.key] < covers for synced, covers in syncs)
    ]


def _commits(record: Record, logs: set[int]) -> dict[str, int]:
    """Return by key where in the record the transaction ends that first brought the body."""
    commits: dict[str, int] = {}
    uncommitted: set[str] = set()
    header = b""
    for place, step in enumerate(record):
        if not isinstance(step, Written) or step.file not in logs:
            continue
        if len(step.data) == _FRAME_HEADER:
            header = step.data
            continue
        uncommitted.update(key.decode() for key in MARK.findall(step.data))
        if any(header[_PAGE_COUNT]):
            commits |= {key: place for key in uncommitted if key not in commits}
            uncommitted.clear()
        header = b""
    return commits
