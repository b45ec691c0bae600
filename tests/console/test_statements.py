"""No page asks the inbox much: each look is a statement or two, however much is stored."""

import pytest
from sqlalchemy import event

from hookkit.core.entry import State
from tests.console.pages import PAGES_TO_VISIT, fill

MOST_STATEMENTS = 8


@pytest.fixture
def many_ops(make_ops, sql_url):
    """Return an application with something in every part of every page."""
    ops = make_ops(HOOKKIT_DATABASE=sql_url)
    fill(ops)
    return ops


def statements_of(ops, path):
    said = []

    def note(connection, cursor, statement, *_):
        if "set_config('statement_timeout'" not in statement:  # this begins a transaction
            said.append(statement)

    engine = ops.inbox._transactions.engine
    event.listen(engine, "before_cursor_execute", note)
    ops.as_user("reveal", "switch", user=path)  # one user may not ask so often
    try:
        assert ops.get(path).status_code in {200, 400, 404}
    finally:
        event.remove(engine, "before_cursor_execute", note)
    return said


def test_every_page_takes_few_statements(many_ops):
    paths = [path for path, _ in PAGES_TO_VISIT]
    paths += ["/events?since=24h&until=1m&state=done&type=x", "/events?q=error:KeyError+handler:x"]
    paths += ["/events?q=event-1&state=dead", "/live/changes"]
    paths += ["/replays/new?event=event-1", "/replays/new?state=dead&type=x&since=2h&until=1m"]
    paths += [f"/events/{each.id}?try=1" for each in many_ops.inbox.find()]
    assert {each.state for each in many_ops.inbox.find()} >= {State.DEAD, State.DONE, State.SHADOW}

    counts = {path: len(statements_of(many_ops, path)) for path in paths}

    too_many = {path: count for path, count in counts.items() if count > MOST_STATEMENTS}
    assert too_many == {}
