"""The inbox behind a real PgBouncer in transaction mode, by hand.

``python -m tests.acceptance.pgbouncer /usr/sbin/pgbouncer`` sends events through it with and
without prepared statements, and tells how many errors there were. It is no test of the suite,
because no package of Python's holds PgBouncer.
"""

import os
import subprocess
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from socket import create_connection

from sqlalchemy import make_url

from hookkit import Unavailable
from hookkit.inbox.opening import open_inbox
from tests.acceptance.servers import free_port
from tests.applications import admit, message
from tests.inbox.making import attempt, done
from tests.postgres_server import own_server
from tests.waiting import wait_until

EVENTS = 600
THREADS = 8

SETTINGS = """
[databases]
postgres = host={host} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
auth_type = any
auth_file = {folder}/users
pool_mode = transaction
default_pool_size = 3
unix_socket_dir =
"""


@contextmanager
def pgbouncer(program, server_url):
    """Run PgBouncer in front of a server until the end of the block; yield its URL."""
    with tempfile.TemporaryDirectory() as made:
        folder, port = Path(made), free_port()
        folder.chmod(0o755)
        (folder / "users").write_text('"postgres" ""\n')
        host = make_url(server_url).query["host"]
        (folder / "ini").write_text(SETTINGS.format(host=host, port=port, folder=folder))
        # It refuses to run as root; the user is the one whose server it is.
        user = ["--user", "pgserver"] if os.geteuid() == 0 else []
        process = subprocess.Popen([program, "--quiet", *user, str(folder / "ini")])
        try:
            wait_until(lambda: process.poll() is not None or takes_connections(port))
            yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
        finally:
            process.terminate()
            process.wait()


def takes_connections(port):
    with suppress(OSError), closing(create_connection(("127.0.0.1", port), timeout=1)):
        return True
    return False


def errors_through(url, prefix):
    """Admit, claim in lanes and settle by several threads; return the errors by their start."""
    errors = Counter()

    def handle_one(number):
        try:
            admit(inbox, message(f"{prefix}-{number}"), datetime.now(UTC))
            how = {"now": datetime.now(UTC), "lease_s": 60, "limit": 1, "in_lanes": True}
            for entry in inbox.claim(endpoints=["support"], **how):
                inbox.settle(entry, done(attempt()), now=datetime.now(UTC), in_lanes=True)
        except Unavailable as error:
            errors[str(error)[:90]] += 1

    with closing(open_inbox(url)) as inbox, ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(handle_one, range(EVENTS)))
    return errors


if __name__ == "__main__":
    with own_server() as server, pgbouncer(sys.argv[1], server.url) as url:
        for query in ("", "?prepare_threshold=none"):
            errors = errors_through(url + query, query or "prepared")
            print(f"{query or 'as it is':24} {errors.total()} errors", *errors.most_common(2))  # noqa: T201
