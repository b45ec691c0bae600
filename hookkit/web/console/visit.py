"""What the pages of the console are made of: a page, and somebody's visit to it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import redirect, request, url_for
from werkzeug.wrappers import Response

from hookkit.application.app_state import AppState
from hookkit.core.entry import Filter
from hookkit.core.errors import HookkitError
from hookkit.web.console.access import Access, Right
from hookkit.web.console.forgery import Signer

#: The most characters of a reason that somebody gives.
LONGEST_REASON = 500

THEMES = ("auto", "light", "dark")
TIMES = ("utc", "local")


class PageRefused(HookkitError):
    """A page that cannot be shown, or an action that cannot be done: one sentence says why."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A request of somebody who may see the console.

    Attributes:
        state: The application's.
        now: Aware UTC.
        theme: One of ``THEMES``.
        times: One of ``TIMES``: whose time the browser shows.
        tokens: Signs the tokens of forms.
        reveals: Signs which entry somebody may see whole.
        nonce: For the tags of script and style; None without one.
        logout_url: Where to log out; None if the application did not say.
    """

    access: Access
    state: AppState
    now: datetime
    theme: str
    times: str
    tokens: Signer
    reveals: Signer
    nonce: str | None = None
    logout_url: str | None = None

    def may(self, right: Right) -> bool:
        """Tell whether the visitor has this right here."""
        is_off = right == Right.REVEAL and self.state.settings.console_reveal == "never"
        return self.access.may(right) and not is_off

    @property
    def rights(self) -> list[str]:
        """What the visitor may do, from the least to the most."""
        return [right.value for right in Right if self.may(right)]

    def token(self, page: str, **values: Any) -> str:
        """Return the token of a form that is sent to *page*, for this user alone."""
        return self.tokens.sign(self.access.user, page, values)

    def acting(
        self,
        right: Right,
        action: str,
        *,
        target: str = "",
        wanted: Filter | None = None,
        reason: str = "",
    ) -> AbstractContextManager[None]:
        """Record that the visitor does *action*, before it is done and when it has ended.

        Args:
            target: What it is done to.
            wanted: The entries that it is done to, if they are chosen by a filter.
            reason: Why, in the visitor's words.
        """
        return self.state.auditing.acting(
            action,
            who=self.access.user,
            right=right.value,
            target=target,
            wanted=wanted,
            reason=reason,
            address=request.remote_addr or "",
        )

    def to(self, page: str, **values: Any) -> Response:
        """Return a redirection to *page*, after an action."""
        return redirect(url_for(f".{page}", **values), 303)


@dataclass(frozen=True, slots=True)
class Page:
    """A page, or an action, of the console.

    Attributes:
        rule: The address below the console's own.
        name: What ``url_for`` calls it.
        view: Is called with the visit and what the rule holds.
        right: What it takes to see or do it.
        title: What the navigation calls it; None leaves it out there.
        is_action: Whether it is a POST that does something; otherwise it is a GET.
        is_counted: Whether requests for it are limited.
    """

    rule: str
    name: str
    view: Callable[..., Response]
    right: Right = Right.VIEW
    title: str | None = None
    is_action: bool = False
    is_counted: bool = True
