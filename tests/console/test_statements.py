"""No page asks the inbox much: each look is a statement or two, however much is stored."""

import pytest
from sqlalchemy import event

from tests.console.pages import PAGES_TO_VISIT

MOST_STATEMENTS = 8

#: What else some pages ask. The first: once in 10 seconds when endpoints were heard last, and which
#: secret proved what, where one is one of several. One event: its twin, or what it is today.
MORE = {"/": 5, "/events/1": 2}


@pytest.fixture
def many_ops(make_ops, sql_url):
    ops = make_ops(HOOKKIT_DATABASE=sql_url)
    ops.receive_all()
    ops.receive(*(f"more-{number}" for number in range(5)))
    ops.client.post("/hooks/support", json={})
    return ops


def statements_of(ops, path):
    said = []

    def note(connection, cursor, statement, *_):
        if "set_config('statement_timeout'" not in statement:  # this begins a transaction
            said.append(statement)

    engine = ops.inbox._transactions.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        assert ops.get(path).status_code < 500
    finally:
        event.remove(engine, "before_cursor_execute", note)
    return said


def test_every_page_takes_few_statements(many_ops):
    many_ops.as_user("reveal", "switch")
    paths = [path for path, _ in PAGES_TO_VISIT]
    paths += ["/events?since=24h&until=1m&state=done&type=x", "/events?q=error:KeyError+handler:x"]

    counts = {path: len(statements_of(many_ops, path)) for path in paths}

    too_many = {
        path: count
        for path, count in counts.items()
        if count > MOST_STATEMENTS + MORE.get(path.partition("?")[0], 0)
    }
    assert too_many == {}
