"""Whom a client holds up that sends its body slowly: what docs/how-to/deploy.md says."""

import pytest

from tests.hostile.items import body_of, head, length
from tests.hostile.responses import read_answers
from tests.hostile.servers import COMMANDS, DOORS, serving
from tests.waiting import wait_until

#: With one worker, these take one request at a time.
HELD_UP = {"gunicorn-lowest-sync", "gunicorn-sync"}


@pytest.mark.parametrize("name", COMMANDS)
def test_client_that_sends_slowly_holds_up_others_under_a_sync_worker_only(name, tmp_path):
    slow, other = body_of("event-slow"), body_of("event-other")

    with serving(name, tmp_path) as server, server.connect() as dripping:
        dripping.sendall(head(length(slow)) + slow[:-10])
        with server.connect() as connection:
            connection.sendall(head(length(other)) + other)
            if name in HELD_UP:
                connection.settimeout(0.5)
                with pytest.raises(TimeoutError):
                    connection.recv(1)
                connection.settimeout(None)
            else:
                assert status_on(connection) == 200
            dripping.sendall(slow[-10:])
            statuses = [status_on(dripping)]
            statuses += [status_on(connection)] if name in HELD_UP else []

        assert set(statuses) == {200}
        assert len(server.bodies()) == 2


def test_headers_that_come_slowly_end_a_sync_worker(tmp_path):
    with (
        serving("gunicorn-sync", tmp_path, "--timeout=1") as server,
        server.connect() as dripping,
    ):
        dripping.sendall(head(length(body_of("event-slow")))[:-2])
        wait_until(lambda: "WORKER TIMEOUT" in server.log())

        assert server.bodies() == []


@pytest.mark.parametrize("door", DOORS)
def test_body_that_comes_slowly_is_given_up_before_it_ends_a_sync_worker(tmp_path, door):
    body = body_of("event-slow")

    with (
        serving("gunicorn-sync", tmp_path, "--timeout=2", door=door) as server,
        server.connect() as dripping,
    ):
        dripping.sendall(head(length(body)) + body[:-10])

        assert status_on(dripping) == 400
        assert server.bodies() == []
        assert "WORKER TIMEOUT" not in server.log()


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("name", sorted(HELD_UP))
def test_client_that_never_sends_its_large_body_holds_up_others_for_a_moment_only(
    name, door, tmp_path
):
    body = body_of("event-other")

    with serving(name, tmp_path, door=door) as server, server.connect() as silent:
        silent.sendall(head(b"Content-Length: 1000000000"))
        assert status_on(silent) == 413
        with server.connect() as connection:
            connection.sendall(head(length(body)) + body)
            assert status_on(connection) == 200


def status_on(connection):
    received = b""
    while piece := connection.recv(65_536):
        received += piece
    (answer,) = read_answers(received)
    return answer.status
