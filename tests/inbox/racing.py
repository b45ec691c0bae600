"""Runs in processes of their own, started by the tests."""

from hookkit.core.errors import HookkitError
from hookkit.inbox.database import open_inbox
from tests.inbox.making import deliver, item


def open_and_admit(url, number, start, results):
    """Open the inbox and admit one event, at the same moment as the other processes."""
    start.wait()
    try:
        inbox = open_inbox(url)
        receipt = inbox.admit(deliver(item("m-1"), body=b"%d" % number))
        inbox.close()
    except HookkitError as error:
        results.put(repr(error))
    else:
        results.put(receipt.new_count)
