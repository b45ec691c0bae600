"""The disk of the power cuts loses what it may lose, and nothing else."""

from random import Random

import pytest

from tests.acceptance.power.disk import SECTOR, Disk, sectors
from tests.acceptance.power.record import Opened, Removed, Synced, Truncated, Written

# Of so many cuts, each of the few possible outcomes is one.
CUTS = 500


def outcomes(*steps):
    """Return all that a power cut after *steps* may leave."""
    disk = Disk()
    for place, step in enumerate(steps):
        disk.take(place, step)
    random = Random(3)  # noqa: S311  # no secret depends on it
    return {tuple(sorted(disk.cut(random).items())) for _ in range(CUTS)}


def file(content):
    return (("file", content),)


def test_unsynced_write_may_be_there_or_not():
    steps = Opened(1, "file", b"old"), Written(1, 0, b"new")

    assert outcomes(*steps) == {file(b"old"), file(b"new")}


def test_synced_write_is_there():
    steps = Opened(1, "file", b"old"), Written(1, 0, b"new"), Synced(1, 2, with_folder=False)

    assert outcomes(*steps) == {file(b"new")}


def test_write_that_came_after_the_beginning_of_a_sync_may_be_missing():
    steps = Opened(1, "file", b"old"), Written(1, 0, b"new"), Synced(1, 1, with_folder=False)

    assert outcomes(*steps) == {file(b"old"), file(b"new")}


def test_later_write_may_be_there_without_an_earlier_one():
    steps = Opened(1, "file", b"ab"), Written(1, 0, b"A"), Written(1, 1, b"B")

    assert outcomes(*steps) == {file(content) for content in (b"ab", b"Ab", b"aB", b"AB")}


def test_write_is_torn_between_sectors_only():
    old, new = b"o" * SECTOR, b"n" * SECTOR
    steps = Opened(1, "file", old * 2), Written(1, 0, new * 2)

    assert outcomes(*steps) == {file(old * 2), file(new + old), file(old + new), file(new * 2)}


@pytest.mark.parametrize("offset", [0, 1, SECTOR - 1, SECTOR])
@pytest.mark.parametrize("size", [1, SECTOR, 3 * SECTOR])
def test_sectors_of_a_write_are_all_of_it(offset, size):
    data = bytes(number % 251 for number in range(size))

    parts = sectors(Written(1, offset, data))

    assert b"".join(part.data for part in parts) == data
    assert [part.offset % SECTOR for part in parts[1:]] == [0] * (len(parts) - 1)
    assert max(len(part.data) for part in parts) <= SECTOR


def test_truncation_may_be_missing_until_it_is_synced():
    steps = Opened(1, "file", b"long"), Truncated(1, 2)

    assert outcomes(*steps) == {file(b"long"), file(b"lo")}
    assert outcomes(*steps, Synced(1, 2, with_folder=False)) == {file(b"lo")}


def test_new_file_may_be_missing_until_its_folder_is_synced():
    steps = Opened(1, "file", None), Written(1, 0, b"new"), Synced(1, 2, with_folder=False)

    assert outcomes(*steps) == {(), file(b"new")}
    assert outcomes(*steps, Synced(1, 3, with_folder=True)) == {file(b"new")}


def test_removed_file_may_be_back_until_its_folder_is_synced():
    opened = Opened(1, "file", b"old")

    assert outcomes(opened, Removed("file", with_folder=False)) == {(), file(b"old")}
    assert outcomes(opened, Removed("file", with_folder=True)) == {()}


def test_file_made_anew_is_not_the_one_that_was_removed():
    steps = [
        Opened(1, "file", b"old"),
        Removed("file", with_folder=False),
        Opened(2, "file", None),
        Written(2, 0, b"new"),
        Synced(2, 4, with_folder=False),
    ]

    assert outcomes(*steps) == {(), file(b"old"), file(b"new")}
