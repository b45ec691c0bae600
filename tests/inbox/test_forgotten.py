"""What an inbox on SQLite leaves open when nobody holds it any more."""

import gc

import pytest
from sqlalchemy import event

from hookkit.inbox.opening import MEMORY, open_inbox
from tests.inbox.making import admit


@pytest.mark.parametrize("where", ["file", "memory"])
def test_forgotten_inbox_closes_its_connections(where, sqlite_url):
    inbox = open_inbox(sqlite_url if where == "file" else MEMORY)
    engine = inbox._transactions.engine
    inbox.close()
    still_open = set()
    event.listen(engine, "connect", lambda driver, _: still_open.add(id(driver)))
    event.listen(engine, "close", lambda driver, _: still_open.discard(id(driver)))
    admit(inbox, "m-1")
    assert inbox.find() != []
    assert still_open != set()

    del inbox
    gc.collect()

    assert still_open == set()
