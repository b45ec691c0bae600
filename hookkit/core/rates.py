"""Bounds what strangers may cause: token buckets, and the network that an address belongs to."""

from __future__ import annotations

import ipaddress
from typing import TypeVar

_IPV6_SITE_BITS = 48

_Value = TypeVar("_Value")


class Bucket:
    """A token bucket: lets *size* things happen at once, and then *per_s* in each second.

    Times are seconds that only grow.
    """

    def __init__(self, size: int, per_s: float, now_s: float) -> None:
        self._size = float(size)
        self._per_s = per_s
        self._left = self._size
        self._counted_at_s = now_s

    def take(self, now_s: float, *, count: int = 1, leaving: float = 0.0) -> bool:
        """Take *count* tokens, and tell whether that was possible.

        Args:
            leaving: How many tokens must be left for others.
        """
        refill = (now_s - self._counted_at_s) * self._per_s
        self._left = min(self._left + refill, self._size)
        self._counted_at_s = now_s
        if self._left - count < leaving:
            return False
        self._left -= count
        return True

    def give_back(self) -> None:
        """Give back a token that was taken for something that did not happen."""
        self._left = min(self._left + 1, self._size)


def remember(remembered: dict[str, _Value], name: str, value: _Value, most: int) -> None:
    """Put *value* last into *remembered*, and drop the first if there are more than *most*."""
    remembered[name] = value
    if len(remembered) > most:
        del remembered[next(iter(remembered))]


def network_of(address: str) -> str:
    """Return the network of an address: of IPv6 the site, which has any number of addresses."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:  # the server listens on a Unix socket
        return address[:64]
    if isinstance(found, ipaddress.IPv4Address):
        return address
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(found), _IPV6_SITE_BITS), strict=False))
