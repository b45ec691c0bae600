"""Who may see the console, and what they may do there. By default nobody may see it."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

from flask import Request, current_app
from werkzeug.wrappers import Response


class Right(StrEnum):
    """What somebody may do."""

    #: See every page, without personal data.
    VIEW = "view"
    #: See personal data, too.
    REVEAL = "reveal"
    #: Run entries again.
    OPERATE = "operate"
    #: Switch payload versions.
    SWITCH = "switch"


_INCLUDED: Mapping[Right, Collection[Right]] = {
    Right.VIEW: (),
    Right.REVEAL: (Right.VIEW,),
    Right.OPERATE: (Right.VIEW,),
    Right.SWITCH: (Right.VIEW, Right.OPERATE),
}

#: Headers that a proxy sets. Behind one, the address of a request says nothing of its sender.
_PROXY_HEADERS = ("Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP")
_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})


@dataclass(frozen=True, slots=True)
class Access:
    """Somebody who may see the console.

    Attributes:
        user: Who it is, for the record.
        rights: ``view``, ``reveal``, ``operate``, ``switch``. Each includes ``view``, and
            ``switch`` includes ``operate``.

    Raises:
        TypeError: *user* is no text.
        ValueError: *user* is empty, or a right is not known.
    """

    user: str
    rights: Collection[str] = (Right.VIEW,)

    def __post_init__(self) -> None:
        user: object = self.user
        if not isinstance(user, str) or isinstance(self.rights, str):
            raise TypeError('Access(user="me@example.com", rights={"view"}) names who looks')
        if not user.strip():
            raise ValueError("Access(user=...) is empty; it must name who looks")
        given = [Right(each) for each in self.rights]
        every = frozenset(given).union(*(_INCLUDED[each] for each in given))
        object.__setattr__(self, "rights", every)

    def may(self, right: Right) -> bool:
        """Tell whether this right is among theirs."""
        return right in self.rights

    @staticmethod
    def local() -> Permission:
        """Return a permission for development: everything, for this machine, in debug mode.

        A request that came through a proxy, or by another name than this machine's, gets none.
        """
        return _allow_local


#: Is called with each request. None answers it 404, as if there were no console; a response is
#: sent as it is.
Permission = Callable[[Request], Access | Response | None]


def access_of(permission: Permission, request: Request) -> Access | Response | None:
    """Return what *permission* answers.

    Raises:
        TypeError: It answers something else; that opens nothing.
    """
    answer: object = permission(request)
    if answer is None or isinstance(answer, Access | Response):
        return answer
    raise TypeError(
        f"the permission of the console answered {type(answer).__name__}: return an Access, which"
        " names the user, a response, or None"
    )


def _allow_local(request: Request) -> Access | None:
    is_behind_proxy = (
        any(name in request.headers for name in _PROXY_HEADERS)
        or "werkzeug.proxy_fix.orig" in request.environ
    )
    name = request.host.lower().rsplit(":", 1)[0] if request.host[-1:] != "]" else request.host
    if not current_app.debug or is_behind_proxy or name not in _LOCAL_NAMES:
        return None
    return Access("local", frozenset(Right)) if _is_loopback(request.remote_addr) else None


def _is_loopback(address: str | None) -> bool:
    try:
        return ipaddress.ip_address(address or "").is_loopback
    except ValueError:
        return False
