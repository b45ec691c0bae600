"""Starts and ends the runner of an application, only in processes that serve.

Rule 1: A server's worker process starts it when it loads the application, so that entries left
        by an earlier process do not wait for a delivery.
Rule 2: A master process that loads the application and then forks starts nothing; its children
        start it.
Rule 3: Otherwise the first request of any kind starts it. An import, a shell, a ``flask``
        command and a test collection serve no requests, and start nothing.
Rule 4: A child of a process with a runner has none until it serves a request itself: most
        children of a server compute something, or become another program.
"""

from __future__ import annotations

import atexit
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from threading import Timer
from typing import Any
from weakref import WeakSet

from flask import Flask, request_started

from hookkit.application.app_state import AppState
from hookkit.application.gunicorn import ADVICE, BodyWatch, killing_timeout_s
from hookkit.core.errors import Unavailable

_logger = logging.getLogger("hookkit")

#: Modules on the call stack when a server's worker process loads an application.
_WORKERS = ("gunicorn.workers.", "waitress.runner", "granian.server.", "cheroot.")

#: The same for a master process that loads it before it forks.
_MASTERS = ("gunicorn.arbiter",)

#: gunicorn also forks to start its new program, which happens sooner than this.
_AFTER_FORK_S = 0.5

_states: WeakSet[AppState] = WeakSet()

#: Those whose applications have served no request in this process.
_awaiting: WeakSet[AppState] = WeakSet()


def serve(state: AppState) -> None:
    """Have *state*'s runner started in each process where its application serves."""
    _states.add(state)
    _await_request(state)
    timeout_s = killing_timeout_s()
    if timeout_s is not None:
        state.body_watch = BodyWatch(timeout_s / 2)
        _warn_of_killing(state, timeout_s)
    callers = list(_calling_modules())
    if any(caller.startswith(_WORKERS) for caller in callers):
        _prepare(state)
        state.start()
    elif any(caller.startswith(_MASTERS) for caller in callers):
        state.starts_in_children = True


def _warn_of_killing(state: AppState, timeout_s: float) -> None:
    if state.runner_name == "thread":
        _logger.warning(
            "one client that sends slowly gets this worker of gunicorn killed after %g s,"
            " and the handlers that run in it: %s",
            timeout_s,
            ADVICE,
            extra={"action": "worker_can_be_killed"},
        )


def _prepare(state: AppState) -> None:
    """Open the inbox: a wrong setting stops the start, a database that is away does not."""
    if callable(state.settings.database):
        return  # the callable may need extensions that are set up later
    try:
        state.opening.prepare()
    except Unavailable as error:
        _logger.warning(
            "the inbox cannot be opened yet: %s", error, extra={"action": "inbox_unavailable"}
        )


def _calling_modules() -> Iterator[str]:
    frame = sys._getframe()  # noqa: SLF001  # inspect.stack() reads every source file
    while frame.f_back is not None:
        frame = frame.f_back
        yield frame.f_globals.get("__name__", "")


def _await_request(state: AppState) -> None:
    _awaiting.add(state)
    request_started.connect(_on_first_request, state.app)


def note_request(state: AppState) -> None:
    """Start the runner if this is the first request; for requests that Flask does not see."""
    if state in _awaiting:
        _on_first_request(state.app)


def _on_first_request(app: Flask, **_: Any) -> None:
    state: AppState = app.extensions["hookkit"]
    # By the first request Flask-WTF is set up, if it is used.
    csrf = app.extensions.get("csrf")
    if csrf is not None:
        for view in ("deliver", "refuse_unknown"):
            csrf.exempt(f"hookkit.web.views.{view}")
    state.start()
    # Last: requests that come at the same time must not go on before the runner has started.
    request_started.disconnect(_on_first_request, app)
    _awaiting.discard(state)


def _after_fork_in_child() -> None:
    for state in list(_states):
        state.after_fork()
        _await_request(state)
        if state.starts_in_children:
            state.starts_in_children = False  # the children of this child do not serve
            timer = Timer(_AFTER_FORK_S, state.start)
            timer.daemon = True
            timer.start()


def _at_exit() -> None:
    for state in list(_states):
        # After a second Ctrl-C nobody wants to wait.
        with suppress(KeyboardInterrupt):
            state.stop()


os.register_at_fork(after_in_child=_after_fork_in_child)
atexit.register(_at_exit)
