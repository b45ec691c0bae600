"""The databases that the inboxes are tested on."""

import sys

import pytest

from hookkit.inbox.opening import open_inbox


@pytest.fixture
def eager_threads():
    """Have threads interrupt each other as often as the interpreter can."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


@pytest.fixture(params=["sqlite", "postgresql"])
def inbox(request):
    names = {"sqlite": "sqlite_url", "postgresql": "postgres_url"}
    opened = open_inbox(request.getfixturevalue(names[request.param]))
    yield opened
    opened.close()


@pytest.fixture
def sql_inbox(sql_url):
    opened = open_inbox(sql_url)
    yield opened
    opened.close()


@pytest.fixture
def sqlite_inbox(sqlite_url):
    opened = open_inbox(sqlite_url)
    yield opened
    opened.close()
