"""The log of hookkit: lines that no sender can forge, and no stranger can multiply.

Each line has a machine word, as the attribute ``action`` of its record.
"""

from __future__ import annotations

import logging
import os
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any, NamedTuple
from weakref import WeakSet

from hookkit.core.text import counted, visible

#: Lines of one kind that are written at once within ``PERIOD_S``; the others are counted.
FIRST_LINES = 10
PERIOD_S = 60

#: So many lines of one kind, and of all kinds, are completed by a detail within ``PERIOD_S``: to
#: find one costs something.
DETAILS_OF_KIND = 3
DETAILS = 30

#: What a chunk of a traceback begins with that Python wrote, and no exception's message.
_OF_PYTHON = (" ", "\n", "Traceback ")


class _Visible(logging.Filter):
    """Makes visible what would forge a line or steer the terminal that shows it."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(map(_visible_argument, record.args))
        if isinstance(record.exc_info, tuple) and record.exc_info[1] is not None:
            record.exc_text = _visible_traceback(record.exc_info[1])
        return True


def _visible_argument(argument: object) -> object:
    return argument if isinstance(argument, int | float) else visible(str(argument))


def _visible_traceback(error: BaseException) -> str:
    lines: list[str] = []
    for chunk in traceback.format_exception(error):
        text = chunk.removesuffix("\n")
        lines += text.split("\n") if chunk.startswith(_OF_PYTHON) else [text]
    return "\n".join(map(visible, lines))


logger: logging.Logger = logging.getLogger("hookkit")
logger.addFilter(_Visible())


def disabled_loggers() -> list[logging.Logger]:
    """Return those of hookkit's loggers that somebody has switched off.

    ``logging.config`` does so by default with every logger that was there before:
    https://docs.python.org/3/library/logging.config.html#logging-config-dictschema
    """
    known = logging.Logger.manager.loggerDict
    ours = [each for name, each in known.items() if name.split(".")[0] == "hookkit"]
    return [each for each in ours if isinstance(each, logging.Logger) and each.disabled]


def enable() -> None:
    """Switch hookkit's loggers on again; their level stays the user's."""
    for each in disabled_loggers():
        each.disabled = False


@dataclass(slots=True)
class _Kind:
    """The lines of one kind since the first of them.

    Attributes:
        left_out: How many were counted and not written.
    """

    began_at_s: float
    level: int
    sentence: str
    extra: Mapping[str, Any]
    written: int = 0
    left_out: int = 0


class Detail(NamedTuple):
    """What completes a line, if the line is written.

    Attributes:
        sentence: Follows the line's own after a colon.
        extra: Further attributes of the record.
    """

    sentence: str
    extra: Mapping[str, Any]


class BoundedLog:
    """Writes the first lines of each kind at once, and how many more there were once a minute.

    The count is written with the first line of any kind after the minute, or by ``flush``.

    Args:
        clock: Returns seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kinds: dict[tuple[str, ...], _Kind] = {}
        self._details_since_s, self._details = clock(), 0
        self._lock = Lock()
        _logs.add(self)

    def write(
        self,
        level: int,
        kind: tuple[str, ...],
        sentence: str,
        *arguments: object,
        extra: Mapping[str, Any],
        error: BaseException | None = None,
        at_once: int = FIRST_LINES,
        detail: Callable[[], Detail] | None = None,
    ) -> None:
        """Write a line, unless there were enough of its kind.

        Args:
            kind: What the line is about, beside its action: names out of the settings and the
                code, never a text of a sender, since each kind has lines of its own.
            extra: The attributes of the record, with ``action`` among them.
            error: Whose traceback to write.
            at_once: So many lines of the kind are written before the others are counted.
            detail: Returns what completes the line. It is called only if the line is written, and
                for the first ``DETAILS_OF_KIND`` lines of a kind.
        """
        if not logger.isEnabledFor(level):
            return
        self.flush(older_than_s=PERIOD_S)
        kind = (extra["action"], *kind)
        with self._lock:
            found = self._kinds.get(kind)
            if found is None:
                found = _Kind(self._clock(), level, sentence % arguments, extra)
                self._kinds[kind] = found
            is_written = found.written < at_once
            if is_written:
                found.written += 1
            else:
                found.left_out += 1
            is_first = is_written and found.written <= DETAILS_OF_KIND
            is_completed = is_first and detail is not None and self._may_complete()
        if is_completed and detail is not None:
            more, fields = detail()
            sentence, arguments, extra = f"{sentence}: %s", (*arguments, more), {**extra, **fields}
        if is_written:
            logger.log(level, sentence, *arguments, extra=extra, exc_info=error, stacklevel=2)

    def _may_complete(self) -> bool:
        """Count a detail, and tell whether there were few enough of them."""
        now_s = self._clock()
        if now_s - self._details_since_s >= PERIOD_S:
            self._details_since_s, self._details = now_s, 0
        self._details += 1
        return self._details <= DETAILS

    def flush(self, *, older_than_s: float = 0) -> None:
        """Write how many lines were left out, of the kinds that began so long ago."""
        with self._lock:
            limit_s = self._clock() - older_than_s
            over = [kind for kind, each in self._kinds.items() if each.began_at_s <= limit_s]
            ended = [self._kinds.pop(kind) for kind in over]
        for each in ended:
            if each.left_out:
                logger.log(
                    each.level,
                    "%s like this within %d seconds: %s",
                    counted(each.left_out, "more line", "more lines"),
                    PERIOD_S,
                    each.sentence,
                    extra={**each.extra, "left_out": each.left_out},
                )

    def after_fork(self) -> None:
        """Forget in a child process what its parent has counted, and who held the lock."""
        self._lock = Lock()
        self._kinds = {}


_logs: WeakSet[BoundedLog] = WeakSet()


def flush_all() -> None:
    """Write what every bounded log of this process has left out: it ends."""
    for log in list(_logs):
        log.flush()


def _after_fork_in_child() -> None:
    for log in list(_logs):
        log.after_fork()


os.register_at_fork(after_in_child=_after_fork_in_child)
