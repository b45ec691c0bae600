"""A real PgBouncer in transaction mode, in front of a PostgreSQL."""

import os
import subprocess
import tempfile
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from socket import create_connection

from sqlalchemy import make_url

from tests.acceptance.servers import free_port
from tests.waiting import wait_until

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
            wait_until(lambda: process.poll() is not None or _takes_connections(port))
            yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
        finally:
            process.terminate()
            process.wait()


def _takes_connections(port):
    with suppress(OSError), closing(create_connection(("127.0.0.1", port), timeout=1)):
        return True
    return False
