"""When a failed attempt is tried again: a policy that returns decisions and takes none."""

from __future__ import annotations

from dataclasses import dataclass

from hookkit.core.errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often and how far apart a handler is tried.

    The default tries 23 times over at least 12 hours, so that what breaks in the evening
    can be mended in the morning.

    Attributes:
        max_attempts: Attempts in all, the first included.
        first_delay_s: Seconds between the first attempt and the second.
        factor: What each delay is multiplied by to get the next.
        max_delay_s: No delay is longer, in seconds, before jitter.
        jitter: Each delay is spread by up to this fraction, either way.
        permanent: Exceptions that no further attempt would mend: the handler gives up at once.
    """

    max_attempts: int = 23
    first_delay_s: float = 5.0
    factor: float = 2.0
    max_delay_s: float = 3600.0
    jitter: float = 0.1
    permanent: tuple[type[BaseException], ...] = ()

    def __post_init__(self) -> None:
        mistakes = [
            f"RetryPolicy: {rule}"
            for holds, rule in (
                (self.max_attempts >= 1, "max_attempts must be at least 1"),
                (self.first_delay_s >= 0, "first_delay_s must not be negative"),
                (1 <= self.factor <= 100, "factor must be between 1 and 100"),
                (self.max_delay_s >= self.first_delay_s, "max_delay_s is below first_delay_s"),
                (0 <= self.jitter < 1, "jitter must be at least 0 and below 1"),
                (_are_exceptions(self.permanent), "permanent must be a tuple of exceptions"),
            )
            if not holds
        ]
        if mistakes:
            raise ConfigurationError(*mistakes)

    def delay_s(self, attempt: int, jitter: float) -> float | None:
        """Return the seconds to wait after failed *attempt*, or None to give up.

        Args:
            attempt: Which attempt failed, the first is 1.
            jitter: A random number in [-1, 1], made outside so that this stays pure.
        """
        if attempt >= self.max_attempts:
            return None
        # The exponent is bounded: the delay stopped growing long before a float overflows.
        delay_s = min(self.max_delay_s, self.first_delay_s * self.factor ** min(attempt - 1, 64))
        return delay_s * (1 + self.jitter * jitter)

    @property
    def shortest_span_s(self) -> float:
        """Seconds between the first attempt and the last when every jitter shortens."""
        return sum(self.delay_s(attempt, -1.0) or 0.0 for attempt in range(1, self.max_attempts))


def _are_exceptions(classes: object) -> bool:
    return isinstance(classes, tuple) and all(
        isinstance(each, type) and issubclass(each, BaseException) for each in classes
    )
