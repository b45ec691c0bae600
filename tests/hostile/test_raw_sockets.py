"""No server under hookkit makes a 5xx, a cut body or an answer without JSON of a bad request."""

import json

import pytest

from tests.applications import SECRET, message
from tests.folding import in_one
from tests.hostile.items import EITHER, ITEMS, KEPT, REFUSED, Item, head, length
from tests.hostile.known import KNOWN
from tests.hostile.responses import read_all, read_answers, send
from tests.hostile.servers import COMMANDS, DOORS, serving


@pytest.fixture(scope="module")
def server(request, tmp_path_factory):
    name, door = request.param
    with serving(name, tmp_path_factory.mktemp(name), door=door) as running:
        yield running


def behind_each_door(names):
    """Have ``server`` serve each of *names* with an application of each kind."""
    pairs = [pytest.param((name, door), id=f"{name}-{door}") for name in names for door in DOORS]
    return pytest.mark.parametrize("server", pairs, indirect=True, scope="module")


@behind_each_door(COMMANDS)
@in_one("name", ITEMS)
def test_hostile_request_is_kept_whole_or_refused(server, name):
    if (server.name, name) in KNOWN:
        with pytest.raises(AssertionError):
            assert_kept_whole_or_refused(server, name)
    else:
        assert_kept_whole_or_refused(server, name)


def assert_kept_whole_or_refused(server, name):
    item = ITEMS[name]
    said_before = len(server.log())

    answers = send(server, item)
    if item.leaves:
        assert_still_serves(server, name)

    statuses = [each.status for each in answers]
    kept = server.bodies(item.marker)
    told = [(each.status, each.body[:200]) for each in answers]
    assert [each.status for each in answers if is_fault(each)] == [], told
    assert set(kept) <= set(item.whole), f"kept {[len(body) for body in kept]}, told {told}"
    if item.outcome == KEPT:
        assert (statuses, kept) == ([200], [*item.whole]), told
    if item.outcome == REFUSED:
        assert all(status >= 400 for status in statuses), told
    if item.outcome == EITHER:
        assert (200 in statuses) <= bool(kept), told
    for each in answers:
        assert SECRET.encode() not in each.body
        if each.is_ours and not is_cut(server, item, each):
            assert is_plain(name, each), (each.headers.items(), each.body)
    assert SECRET not in server.log()[said_before:]


def is_fault(answer):
    """Tell whether it is a 5xx; two of them only say that a server knows no such HTTP."""
    return answer.status >= 500 and (answer.is_ours or answer.status not in (501, 505))


def is_cut(server, item, answer):
    """Tell whether it is granian that broke off: it may, once the client has closed its half."""
    is_short = len(answer.body) < int(answer.headers.get("Content-Length", 0))
    return is_short and item.half_closes and server.name == "granian"


def is_plain(name, answer):
    """Tell whether it is one of hookkit's: JSON with a code, or an answer without a body."""
    if name.startswith("challenge-") and answer.status == 200:
        content_type = answer.headers["Content-Type"]
        return (content_type, answer.headers["X-Content-Type-Options"]) == (
            "text/plain; charset=utf-8",
            "nosniff",
        )
    if name == "method-HEAD":
        return answer.body == b""
    return answer.headers["Content-Type"] == "application/json" and "code" in json.loads(
        answer.body
    )


def assert_still_serves(server, name):
    body = json.dumps(message(f"after-{name}")).encode()
    parts = [head(length(body)), body]
    after = Item(name="after", parts=parts, outcome=KEPT, whole=[body], marker=b"")
    assert [each.status for each in send(server, after)] == [200]


#: Far more than the buffers of a connection hold: the client is still sending when it is answered.
UNREAD = b" " * 8_000_000

#: What becomes of such a connection is up to these servers, and they mostly break it.
BREAKS_OFF = {"cheroot", "granian", "uwsgi"}


@pytest.mark.parametrize(
    ("path", "code"), [(b"/hooks/support", "body_too_large"), (b"/hooks/x", "unknown_endpoint")]
)
@behind_each_door([each for each in COMMANDS if each not in BREAKS_OFF])
def test_answer_reaches_a_client_whose_body_is_not_read(server, path, code):
    for _ in range(10):
        with server.connect() as connection:
            connection.sendall(head(length(UNREAD), path=path) + UNREAD)
            (answer,) = read_answers(read_all(connection))

        assert json.loads(answer.body) == {"code": code}
