"""The databases that real servers are tested on."""

import pytest

pytest.register_assert_rewrite("tests.acceptance.load", "tests.acceptance.fleet")


@pytest.fixture(autouse=True)
def processes_are_not_measured(monkeypatch):
    """Have what a test starts run at its usual pace, without coverage."""
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/inbox.db"
    return request.getfixturevalue("postgres_url")
