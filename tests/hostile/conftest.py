"""What tests of hostile input without a server have in common."""

import socket

import pytest


@pytest.fixture
def no_way_out(monkeypatch):
    """Whatever a request holds, nothing is looked up or connected to because of it."""

    def refuse(*arguments, **_):
        pytest.fail(f"a request had hookkit ask for {arguments[1:]}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
