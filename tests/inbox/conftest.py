"""The databases that the inboxes are tested on."""

import sys

import pytest

from hookkit.inbox.opening import open_inbox
from tests.inbox.tables import copy_file, make_empty_file, make_in_postgres


@pytest.fixture
def eager_threads():
    """Have threads interrupt each other as often as the interpreter can."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


@pytest.fixture(scope="session")
def empty_file(tmp_path_factory):
    return make_empty_file(tmp_path_factory.mktemp("empty"))


@pytest.fixture
def sqlite_inbox(sqlite_url, empty_file):
    copy_file(empty_file, sqlite_url)
    opened = open_inbox(sqlite_url)
    yield opened
    opened.close()


@pytest.fixture
def postgres_inbox(postgres_url, postgres_owner):
    make_in_postgres(postgres_owner, postgres_url)
    opened = open_inbox(postgres_url)
    yield opened
    opened.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def inbox(request):
    names = {"sqlite": "sqlite_inbox", "postgresql": "postgres_inbox"}
    return request.getfixturevalue(names[request.param])


@pytest.fixture
def sql_inbox(sql_url):
    """Return an inbox in the database that ``sql_url`` names, whose tables it makes itself."""
    opened = open_inbox(sql_url)
    yield opened
    opened.close()
