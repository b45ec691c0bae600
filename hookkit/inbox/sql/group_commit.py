"""Lets the threads of a process share one commit, without a thread of its own.

Strategy: the first thread that comes leads. It opens the transaction, takes everything that
queued up until then, and answers each of them; whoever comes meanwhile queues, and the first
in the queue leads next. Where the database commits side by side, two may lead at once. A lone
thread leads at once and hands nothing over, so it pays for nothing. Every other one sleeps on
a lock of its own: with one for all, each commit would wake everybody to let a few through.

Rule 1: whatever happens to a leader, the next in the queue leads.
Rule 2: nobody waits longer than the timeout for its turn. One that gives up while another
        thread is committing for it cannot be called back: its work may be done all the
        same. For a delivery that does no harm: the vendor hears 503 and sends it again, and
        it is a duplicate then.
Rule 3: an error belongs to the work that caused it. When a commit of several fails, each is
        committed again by itself. A savepoint around each would cost every good batch two
        statements per delivery; this costs the rare bad one.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Generic, Protocol, TypeVar

from hookkit.core.errors import Unavailable

#: Most that one transaction takes: the others wait for it, and it is held in memory.
MAX_COUNT = 64
MAX_BYTES = 4 * 1024 * 1024

_Work = TypeVar("_Work")
_Answer = TypeVar("_Answer")
_Work_contra = TypeVar("_Work_contra", contravariant=True)
_Answer_co = TypeVar("_Answer_co", covariant=True)


class Commit(Protocol[_Work_contra, _Answer_co]):
    """Opens a transaction, calls ``take`` once in it, and answers what that returned."""

    def __call__(
        self, take: Callable[[], Sequence[_Work_contra]], *, timeout_s: float
    ) -> Sequence[_Answer_co]:
        """Return one answer per taken work, in its order, when all of it is durable."""


class _Place(Generic[_Work, _Answer]):
    """Where one thread stands in the queue.

    Attributes:
        is_queued: Whether nobody has taken its work yet.
        leads: Whether it is this thread's turn to commit.
        woken: Held until the thread leads, or ``outcome`` is there.
        outcome: The answer, or what is to be raised.
    """

    __slots__ = ("give_up_at", "is_queued", "leads", "outcome", "size", "woken", "work")

    def __init__(self, work: _Work, size: int, give_up_at: float) -> None:
        self.work = work
        self.size = size
        self.give_up_at = give_up_at
        self.is_queued = True
        self.leads = False
        self.outcome: tuple[_Answer] | Exception | None = None
        self.woken = Lock()
        self.woken.acquire()


class GroupCommit(Generic[_Work, _Answer]):
    """Commits what several threads submit at once together.

    Not to be carried over a fork: a child makes a new one.

    Args:
        commit: Commits one batch. What it raises counts for the whole batch.
        timeout_s: How long a thread waits before it hears ``Unavailable``, asked anew for
            each.
        max_leaders: How many threads may commit at once.
        max_count: The most that one transaction takes; None is ``MAX_COUNT``.
    """

    def __init__(
        self,
        commit: Commit[_Work, _Answer],
        *,
        timeout_s: Callable[[], float],
        max_leaders: int = 1,
        max_count: int | None = None,
    ) -> None:
        self._commit = commit
        self._timeout_s = timeout_s
        self._max_leaders = max_leaders
        self._max_count = max_count
        # Guards the two below. As many lead as may while the queue is not empty, and a leader
        # that has not taken its batch yet is still in it.
        self._mutex = Lock()
        self._queue: deque[_Place[_Work, _Answer]] = deque()
        self._leader_count = 0

    def submit(self, work: _Work, size: int = 0) -> _Answer:
        """Return the answer to *work* when it is durable, or raise what it came to.

        Args:
            size: How many bytes it holds, about.

        Raises:
            Unavailable: The turn did not come in time.
        """
        # ``_Place[...](...)`` would look its types up in each call.
        give_up_at = time.monotonic() + self._timeout_s()
        place: _Place[_Work, _Answer] = _Place(work, size, give_up_at)
        try:
            with self._mutex:
                self._queue.append(place)
                if self._leader_count < self._max_leaders:
                    self._leader_count += 1
                    place.leads = True
            if not place.leads:
                self._wait(place)
            if place.leads:
                self._lead(place)
        finally:
            # Also when this thread is interrupted: see rule 1.
            self._leave(place)
        outcome = place.outcome
        if isinstance(outcome, tuple):
            return outcome[0]
        if outcome is None:
            raise Unavailable("the inbox was busy for too long")
        raise outcome

    def _wait(self, place: _Place[_Work, _Answer]) -> None:
        """Return when *place* leads, has its outcome, or has waited too long."""
        if not place.woken.acquire(timeout=max(0.0, place.give_up_at - time.monotonic())):
            # Too late to lead, even if the turn comes this very moment.
            self._leave(place)

    def _lead(self, place: _Place[_Work, _Answer]) -> None:
        """Commit *place* together with those behind it, and wake them."""
        taken: list[_Place[_Work, _Answer]] = []

        def take() -> list[_Work]:
            taken.extend(self._next_batch(place))
            return [one.work for one in taken]

        try:
            answers = self._commit(take, timeout_s=_seconds_until(place.give_up_at))
        except Exception as error:  # noqa: BLE001 - it is raised in the thread whose work it is
            if len(taken) <= 1:
                place.outcome = error
            else:
                for one in taken:
                    one.outcome = self._outcome_alone(one, place.give_up_at)
        else:
            for one, answer in zip(taken, answers, strict=True):
                one.outcome = (answer,)
        finally:
            # The next commit begins while the outcomes are handed out.
            self._leave(place)
            for one in taken:
                if one.outcome is None:
                    one.outcome = Unavailable("the thread that committed was stopped")
                if one is not place:
                    one.woken.release()

    def _outcome_alone(
        self, place: _Place[_Work, _Answer], give_up_at: float
    ) -> tuple[_Answer] | Exception:
        timeout_s = _seconds_until(give_up_at)
        if not timeout_s:
            return Unavailable("the inbox was busy for too long")
        try:
            (answer,) = self._commit(lambda: [place.work], timeout_s=timeout_s)
        except Exception as error:  # noqa: BLE001 - the same
            return error
        return (answer,)

    def _next_batch(self, leader: _Place[_Work, _Answer]) -> list[_Place[_Work, _Answer]]:
        """Return *leader*, however large its work is, and those that may share its commit."""
        batch = [leader]
        size, max_count = leader.size, self._max_count or MAX_COUNT
        with self._mutex:
            self._queue.remove(leader)
            leader.is_queued = False
            for one in [each for each in self._queue if not each.leads][: max_count - 1]:
                size += one.size
                if size > MAX_BYTES:
                    break
                self._queue.remove(one)
                one.is_queued = False
                batch.append(one)
        return batch

    def _leave(self, place: _Place[_Work, _Answer]) -> None:
        """Take *place* out of the queue; when it leads, the next does."""
        with self._mutex:
            if place.is_queued:
                place.is_queued = False
                self._queue.remove(place)
            if not place.leads:
                return
            place.leads = False
            next_leader = next((each for each in self._queue if not each.leads), None)
            if next_leader is None:
                self._leader_count -= 1
            else:
                next_leader.leads = True
                next_leader.woken.release()


def _seconds_until(moment: float) -> float:
    return max(0.0, moment - time.monotonic())
