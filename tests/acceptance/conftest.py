"""The databases that real servers are tested on."""

import pytest

pytest.register_assert_rewrite("tests.acceptance.load", "tests.acceptance.fleet")


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/inbox.db"
    return request.getfixturevalue("postgres_url")
