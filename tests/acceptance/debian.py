"""Servers that Python's index does not have, and Debian's does."""

from __future__ import annotations

import os
import shutil

import pytest

#: program -> the package that it is in
PACKAGES = {"nginx": "nginx", "pgbouncer": "pgbouncer", "rabbitmq-server": "rabbitmq-server"}

#: Programs of the system lie here, where not every user's PATH looks.
_FOLDERS = ("/usr/lib/rabbitmq/bin", "/usr/sbin", "/usr/local/sbin")


def program(name: str) -> str:
    """Return the path of the program *name*.

    Where it is missing the test is skipped and says how to get it; in CI it fails.
    """
    path = os.pathsep.join([*_FOLDERS, os.environ.get("PATH", "")])
    found = shutil.which(name, path=path)
    if found is None:
        message = f"apt-get install --no-install-recommends {PACKAGES[name]}"
        if os.environ.get("CI") == "true":
            pytest.fail(f"{name} is missing: {message}")
        pytest.skip(f"{name} is missing: {message}")
    return found
