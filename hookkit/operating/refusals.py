"""What a person does with refused deliveries: look at them, ask what is wrong, release them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from hookkit import crash_points
from hookkit.core.delivery import Delivery
from hookkit.core.entry import Receipt
from hookkit.core.errors import ConfigurationError, Rejected, not_known
from hookkit.inbox.inbox import Inbox
from hookkit.inbox.records import Refused
from hookkit.receiving.doctor import diagnose
from hookkit.receiving.endpoint import Endpoint
from hookkit.receiving.receiver import Receiver
from hookkit.receiving.verification import verify


class Outcome(StrEnum):
    """What came of the release of a refused delivery."""

    #: It is proven now, and stored.
    RELEASED = "released"
    #: It is proven now, and what it holds was received before.
    DUPLICATE = "duplicate"
    #: Somebody has released it before.
    ALREADY_RELEASED = "already_released"
    #: It is still not proven.
    REFUSED = "refused"
    #: It is not there, or cannot be read.
    GONE = "gone"


#: Those after which nothing is left to do.
ENDED = frozenset({Outcome.RELEASED, Outcome.DUPLICATE, Outcome.ALREADY_RELEASED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One refused delivery that was to be released.

    Attributes:
        id: Its number in the quarantine.
        outcome: What came of it.
        text: The same as a sentence.
        cause: The machine word for why it is refused, see ``Diagnosis``; empty if it is not.
        entry_ids: The entries of its events.
    """

    id: int
    outcome: Outcome
    text: str
    cause: str = ""
    entry_ids: Sequence[int] = ()


class _Unusable(Exception):
    """A refused delivery cannot be verified again; ``outcome`` and the message say why."""

    def __init__(self, outcome: Outcome, text: str) -> None:
        self.outcome = outcome
        super().__init__(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusals:
    """The refused deliveries of one application. Every method may raise ``Unavailable``.

    Attributes:
        inbox: Returns the inbox; may raise ``Unavailable``.
        clock: Returns the time as aware UTC.
        endpoints: Those of the application, by name, as the settings have them now.
        receiver: Verifies and stores.
        run_soon: Has entries run that became due, given their ids.
    """

    inbox: Callable[[], Inbox]
    clock: Callable[[], datetime]
    endpoints: Mapping[str, Endpoint]
    receiver: Receiver
    run_soon: Callable[[Sequence[int]], None]

    def find(
        self,
        *,
        endpoint: str | None = None,
        since: datetime | None = None,
        below_id: int | None = None,
        limit: int | None = 100,
    ) -> Sequence[Refused]:
        """Return refused deliveries, newest first; those that were released are among them.

        Raises:
            ConfigurationError: The settings have no such endpoint.
        """
        if endpoint is not None and endpoint not in self.endpoints:
            raise ConfigurationError(f"the endpoint {not_known(endpoint, self.endpoints)}")
        return self.inbox().quarantine.find(
            endpoint=endpoint, since=since, below_id=below_id, limit=limit
        )

    def diagnose(self, refused_id: int) -> Release:
        """Return what is wrong with a refused delivery, by the settings of today.

        Nothing is stored: ``RELEASED`` says that it would be.
        """
        try:
            endpoint, delivery = self._usable(refused_id)
            verify(endpoint, delivery)
        except _Unusable as why:
            return Release(id=refused_id, outcome=why.outcome, text=str(why))
        except Rejected as refusal:
            return self._refused(refused_id, endpoint, delivery, refusal)
        text = (
            f"it is proven by the settings of today: flask hookkit quarantine release {refused_id}"
        )
        return Release(id=refused_id, outcome=Outcome.RELEASED, text=text)

    def release(self, refused_ids: Collection[int]) -> Iterator[Release]:
        """Verify refused deliveries again and store those that are proven; yield what came of each.

        A process that dies between the two steps leaves a delivery that is stored and not marked:
        released again, it is a duplicate.
        """
        try:
            for refused_id in refused_ids:
                yield self._release(refused_id)
        finally:
            self.receiver.report.minutes.write()

    def _release(self, refused_id: int) -> Release:
        try:
            endpoint, delivery = self._usable(refused_id)
            receipt = self.receiver.readmit(endpoint, delivery)
        except _Unusable as why:
            return Release(id=refused_id, outcome=why.outcome, text=str(why))
        except Rejected as refusal:
            return self._refused(refused_id, endpoint, delivery, refusal)
        self.inbox().quarantine.release(refused_id, self.clock())
        crash_points.reach("released")
        self.run_soon(receipt.new_ids)
        return _admitted(refused_id, receipt)

    def _usable(self, refused_id: int) -> tuple[Endpoint, Delivery]:
        """Return a refused delivery and its endpoint, or raise ``_Unusable``."""
        found = self.inbox().quarantine.read(refused_id)
        if found is None:
            text = f"there is no refused delivery {refused_id}; it may have made room for others"
            raise _Unusable(Outcome.GONE, text)
        refused = found.refused
        if refused.released_at is not None:
            text = f"it was released at {refused.released_at:%Y-%m-%d %H:%M:%S} UTC"
            raise _Unusable(Outcome.ALREADY_RELEASED, text)
        if refused.endpoint not in self.endpoints:
            text = f"the settings have no endpoint {refused.endpoint!r} any more"
            raise _Unusable(Outcome.GONE, text)
        if found.delivery is None:
            text = "it cannot be read: no key in HOOKKIT_ENCRYPTION_KEYS fits, or it is damaged"
            raise _Unusable(Outcome.GONE, text)
        return self.endpoints[refused.endpoint], found.delivery

    def _refused(
        self, refused_id: int, endpoint: Endpoint, delivery: Delivery, refusal: Rejected
    ) -> Release:
        others = [each for each in self.endpoints.values() if each is not endpoint]
        cause, text = diagnose(endpoint, delivery, refusal, others)
        return Release(
            id=refused_id,
            outcome=Outcome.REFUSED,
            text=f"{refusal.code}: {text}",
            cause=cause,
        )


def _admitted(refused_id: int, receipt: Receipt) -> Release:
    entry_ids = [one.entry_id for one in receipt.admitted]
    named = ", ".join(map(str, entry_ids))
    if receipt.reply is not None:
        outcome, text = Outcome.RELEASED, "it was a question of the vendor's, which holds no event"
    elif receipt.new_count:
        outcome, text = Outcome.RELEASED, f"it is admitted, as {_entries(entry_ids)} {named}"
    else:
        outcome = Outcome.DUPLICATE
        text = f"a duplicate: its events were received before, as {_entries(entry_ids)} {named}"
    return Release(id=refused_id, outcome=outcome, text=text, entry_ids=entry_ids)


def _entries(entry_ids: Sequence[int]) -> str:
    return "entry" if len(entry_ids) == 1 else "entries"
