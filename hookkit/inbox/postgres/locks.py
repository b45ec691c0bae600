"""The numbers of our advisory locks, which all programs on a database share."""

from __future__ import annotations

from zlib import crc32

from hookkit.inbox.sql.transactions import Exclusive

# An arbitrary number, which no other program is likely to use.
_FIRST = 0x686F6F6B6B6974

# Subjects share a few locks: a server has room for some thousands, and a body may have as many.
_FIRST_OF_SUBJECTS = _FIRST + 0x100
_SUBJECT_LOCKS = 64


def lock_of(what: Exclusive) -> int:
    """Return the number of the lock that is held for *what*."""
    return _FIRST + what.value


def lock_of_subject(endpoint: str, subject: str) -> int:
    """Return the number of the lock that is held to admit what is about *subject*."""
    return _FIRST_OF_SUBJECTS + crc32(f"{endpoint}\0{subject}".encode()) % _SUBJECT_LOCKS
