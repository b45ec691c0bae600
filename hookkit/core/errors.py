"""Every error of hookkit, in one tree; and the words for mistakes that a person has written."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import timedelta
from typing import ClassVar
from urllib.parse import SplitResult, urlsplit


class HookkitError(Exception):
    """The base of every error that hookkit raises on purpose."""


class ConfigurationError(HookkitError):
    """A setting or a registration is wrong; the application must not start.

    Attributes:
        mistakes: One sentence per mistake, each naming its setting.
    """

    def __init__(self, *mistakes: str) -> None:
        self.mistakes: Sequence[str] = mistakes
        lines = mistakes if len(mistakes) == 1 else ["", *(f"- {line}" for line in mistakes)]
        super().__init__("\n".join(lines))


class Unavailable(HookkitError):
    """Our side cannot do its part now; the vendor should send the delivery again."""


class StoreRefused(Unavailable):
    """The inbox refuses what was to be written, and would refuse it again."""


class TookTooLong(Unavailable):
    """What was asked of the inbox took longer than it may, and was given up."""


class KeyPending(Unavailable):
    """A vendor's key is not known yet, and this delivery does not wait for it.

    A stranger can cause it by naming a key that does not exist, so it is not logged each time.
    """


class ReplayRefused(HookkitError):
    """The entry cannot be replayed: it does not exist, or it is running or about to run."""


#: The longest that an attempt may be put off. A time beyond the calendar could not be read back.
LONGEST_DELAY = timedelta(days=365)


class RetryLater(HookkitError):
    """Raise it in a handler that cannot do its part yet: the attempt counts, and is repeated.

    Attributes:
        after: How long to wait, in place of the policy's delay; at most a year. None, as of a
            class of yours that does not call this ``__init__``, leaves it to the policy.
    """

    after: timedelta | None = None

    def __init__(self, after: timedelta, reason: str = "") -> None:
        if not isinstance(after, timedelta):
            raise TypeError(
                f"RetryLater: after={after!r} must be a timedelta, such as timedelta(minutes=5)"
            )
        if not timedelta(0) <= after <= LONGEST_DELAY:
            raise ValueError("RetryLater: after must not be negative, and at most a year")
        self.after = after
        super().__init__(reason or f"asked to be run again after {after}")


class Discard(HookkitError):
    """Raise it in a handler that has nothing to do for an event, now or ever."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class SwitchRefused(HookkitError):
    """A payload version cannot be switched or retired; the message gives the reasons."""

    def __init__(self, *reasons: str) -> None:
        super().__init__("; ".join(reasons))


class BodyUnreadable(HookkitError):
    """A body cannot be decoded to the object that a payload must be; the message says why."""


class Rejected(HookkitError):
    """The delivery is refused before its sender is proven.

    Attributes:
        code: The machine-readable word in the answer.
        status: The HTTP status of the answer.
    """

    code: ClassVar[str]
    status: ClassVar[int]


class SignatureMissing(Rejected):
    """The delivery carries nothing that could prove its sender.

    Attributes:
        header: The header that is missing, in lower case; empty if something else is.
        is_unconfigured: Whether the settings have nothing that could prove the delivery.
    """

    code = "signature_missing"
    status = 401

    def __init__(self, message: str, *, header: str = "", is_unconfigured: bool = False) -> None:
        super().__init__(message)
        self.header = header
        self.is_unconfigured = is_unconfigured


class SignatureMismatch(Rejected):
    """No configured secret or key fits what was sent."""

    code = "signature_mismatch"
    status = 401


class _FarOff(HookkitError):
    """The signed time is too far from the time of arrival.

    Attributes:
        age_s: How long before the arrival it was signed, in seconds; negative if it is later.
            None if that is not known.
    """

    def __init__(self, message: str, *, age_s: float | None = None) -> None:
        super().__init__(message)
        self.age_s = age_s


class TimestampExpired(_FarOff, Rejected):
    """The delivery was signed longer ago than the endpoint tolerates."""

    code = "timestamp_expired"
    status = 401


class TimestampInFuture(_FarOff, Rejected):
    """The signed time is later than now, by more than the endpoint tolerates."""

    code = "timestamp_in_future"
    status = 401


class MalformedHeader(Rejected):
    """A header that verification needs is not written as it must be."""

    code = "malformed_header"
    status = 400


class MalformedBody(Rejected):
    """The body did not arrive whole, or cannot be searched for the proof that it should hold."""

    code = "malformed_body"
    status = 400


class BodyTooLarge(Rejected):
    """The body is larger than the endpoint accepts."""

    code = "body_too_large"
    status = 413


def not_known(name: object, known: Iterable[str]) -> str:
    """Return the end of a message about a *name* that is none of *known*."""
    return f"{name!r} is not known; known are {', '.join(known)}"


def split_url(url: str, schemes: Collection[str] = ("http", "https")) -> SplitResult | None:
    """Return the parts of *url*; None unless it names a host, by one of *schemes*.

    A URL with a character that cannot be sent as it is counts as none.
    """
    try:
        parts = urlsplit(url)
        is_usable = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:  # the port is no number, or a bracket of the address is missing
        return None
    is_usable = is_usable and url.isascii() and url.isprintable() and " " not in url
    return parts if is_usable else None
