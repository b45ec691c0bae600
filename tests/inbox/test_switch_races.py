"""Real processes deliver both versions of every event, and another one switches amid them."""

import time
from collections import Counter

from hookkit.core.modes import Change, Mode, modes_after, switch_changes
from tests.acceptance.forking import fork, forks
from tests.inbox.making import LEASE_S, NOW, after
from tests.inbox.racing import deliver_facts
from tests.scale import SCALE

WINDOW_S = 60
MODES = {"v1.1": Mode.LIVE, "v2": Mode.SHADOW}


def test_switches_amid_processes_lose_and_double_nothing(sql_inbox, sql_url):
    count = 200 * SCALE
    start, results = forks.Barrier(3), forks.Queue()
    senders = [fork(deliver_facts, sql_url, version, count, start, results) for version in MODES]
    for process in senders:
        process.start()
    start.wait(timeout=60)
    switched = 0
    while any(process.is_alive() for process in senders) and switched < 20:
        time.sleep(0.05)
        switch(sql_inbox, "v1.1" if switched % 2 else "v2")
        switched += 1
    for process in senders:
        process.join()
        process.close()
    results.close()
    results.join_thread()
    sql_inbox.switches.promote_orphans(now=after(WINDOW_S), window_s=WINDOW_S)

    ran = Counter(
        entry.event_id.partition(" ")[2]
        for entry in sql_inbox.claim(
            now=after(WINDOW_S), lease_s=LEASE_S, limit=10_000, endpoints=["support"]
        )
    )

    assert ran == {str(number): 1 for number in range(count)}
    assert switched > 1


def switch(inbox, target):
    log = [Change(*one[:3]) for one in inbox.switches.log("support")]
    changes = switch_changes(target, modes_after(MODES, log), {})
    inbox.switches.change("support", changes, who="ada", now=NOW, window_s=WINDOW_S)
