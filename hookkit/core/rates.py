"""How much strangers may cause: so many at once, so many a second, and whose each of them is."""

from __future__ import annotations

import ipaddress
from typing import TypeVar

_IPV6_SITE_BITS = 48

_Value = TypeVar("_Value")


class Bucket:
    """So many at once, and so many in each second after that."""

    def __init__(self, size: int, per_s: float, now_s: float) -> None:
        self._size = float(size)
        self._per_s = per_s
        self._left = self._size
        self._counted_at_s = now_s

    def take(self, now_s: float, *, count: int = 1, leaving: float = 0.0) -> bool:
        """Take so many, unless that would leave less than *leaving* for others."""
        refill = (now_s - self._counted_at_s) * self._per_s
        self._left = min(self._left + refill, self._size)
        self._counted_at_s = now_s
        if self._left - count < leaving:
            return False
        self._left -= count
        return True

    def give_back(self) -> None:
        """Return one that was taken and does not count."""
        self._left = min(self._left + 1, self._size)


def remember(remembered: dict[str, _Value], name: str, value: _Value, most: int) -> None:
    """Remember *value* as the last, and forget the first if there are too many."""
    remembered[name] = value
    if len(remembered) > most:
        del remembered[next(iter(remembered))]


def network_of(address: str) -> str:
    """Return whom *address* belongs to: of IPv6 the site, for one has any number of addresses."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:  # of a socket that is no network's
        return address[:64]
    if isinstance(found, ipaddress.IPv4Address):
        return address
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(found), _IPV6_SITE_BITS), strict=False))
