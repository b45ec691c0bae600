"""Runs in processes of their own, started by the tests."""

import fcntl
from concurrent.futures import ThreadPoolExecutor

from hookkit.core.errors import HookkitError
from hookkit.core.modes import Mode
from hookkit.inbox.opening import open_inbox
from tests.inbox.making import deliver, item, payload
from tests.waiting import DEADLINE_S


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


def deliver_facts(url, version, count, start, results):
    """Deliver so many facts in *version*, beside processes that do the same in another."""
    inbox = open_inbox(url)
    start.wait()
    for number in range(count):
        of = payload(version=version)
        told = item(f"{version} {number}", of=of, fact=f"fact-{number}")
        inbox.admit(deliver(told, modes={"v1.1": Mode.LIVE, "v2": Mode.SHADOW}))
    inbox.close()
    results.put(version)


def admit_all_at_once(url, event_ids, threads, start, results):
    """Deliver each event in every thread; tell how many were new, and the ids of the entries."""
    inbox = open_inbox(url)
    start.wait()

    def admit_all(_):
        return [inbox.admit(deliver(item(event_id))) for event_id in event_ids]

    with ThreadPoolExecutor(threads) as pool:
        receipts = [receipt for each in pool.map(admit_all, range(threads)) for receipt in each]
    inbox.close()
    admitted = [one for receipt in receipts for one in receipt.admitted]
    results.put(
        (
            sum(one.is_new for one in admitted),
            sorted({(one.event_id, one.entry_id) for one in admitted}),
        )
    )


def hold(path, is_held, let_go):
    """Hold the lock file until it is let go."""
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        is_held.set()
        let_go.wait(DEADLINE_S)
