"""Which entries are this application's, where several applications share a database.

Endpoints of two applications may have the same name. An application is recognized there by its
secrets and by Flask's ``SECRET_KEY``: an application that still has one of those that were known
before is the same one. So what a secret has proved is still handled after the secret was removed
from its list, or was replaced at once while the ``SECRET_KEY`` stayed. An application that gets its
first ``SECRET_KEY`` is recognized by its secrets once more.
"""

from __future__ import annotations

import hmac
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hookkit.core.errors import ConfigurationError, Unavailable
from hookkit.core.ids import BY_KEY, fingerprint_of, read_key
from hookkit.core.text import counted
from hookkit.inbox.inbox import Inbox
from hookkit.inbox.sql.applications import Others
from hookkit.receiving.endpoint import Endpoint

_logger = logging.getLogger("hookkit")

#: An endpoint with more secrets, such as one for each customer, is recognized by the
#: ``SECRET_KEY`` alone: to name a secret without it takes some 40 ms.
MAX_NAMED_SECRETS = 20

_BY_SECRET = "secret:"  # noqa: S105  # what a name begins with

#: Sets the names apart from whatever else the same key is used for.
_PURPOSE = b"hookkit.application\0"


@dataclass(frozen=True, slots=True, kw_only=True)
class ThisApplication:
    """Tells an inbox who this application is.

    Attributes:
        endpoints: By name.
        secret_keys: Flask's ``SECRET_KEY`` and ``SECRET_KEY_FALLBACKS``.
    """

    endpoints: Mapping[str, Endpoint]
    secret_keys: Sequence[object]

    def names(self) -> dict[str, set[str]]:
        """Return by endpoint the names of this application; none where no secret is asked for."""
        keys = [read_key(each) for each in self.secret_keys]
        by_key = {
            f"{BY_KEY}{hmac.digest(key, _PURPOSE, 'sha256').hex()[:32]}" for key in keys if key
        }
        named: dict[str, set[str]] = {}
        for name, endpoint in self.endpoints.items():
            secrets = _secrets(endpoint)
            named[name] = set(by_key) if secrets else set()
            if len(secrets) <= MAX_NAMED_SECRETS:
                named[name] |= {f"{_BY_SECRET}{endpoint.fingerprint(each)}" for each in secrets}
        return named

    def names_without_key(self, endpoint: str) -> set[str]:
        """Return the names that this application has at *endpoint* while it has no key."""
        secrets = _secrets(self.endpoints[endpoint])
        if len(secrets) > MAX_NAMED_SECRETS:
            return set()
        return {f"{_BY_SECRET}{fingerprint_of(b'', each)}" for each in secrets}

    def recognize(self, inbox: Inbox) -> None:
        """Have *inbox* hand out this application's entries alone, and warn of others'."""
        inbox.applications.recognize(self.names(), self.names_without_key)
        for each in self.others(inbox):
            _logger.warning(
                "%s",
                describe(each.endpoint, each.unsettled),
                extra={
                    "action": "endpoint_shared",
                    "endpoint": each.endpoint,
                    "entries": each.unsettled,
                },
            )

    def others(self, inbox: Inbox) -> list[Others]:
        """Return the endpoints of this application that others use as well."""
        return inbox.applications.others(self.names(), self.names_without_key)

    def adopt(self, inbox: Inbox, endpoint: str) -> None:
        """Have *inbox* hand out what any application was sent at *endpoint*.

        Raises:
            ConfigurationError: This application cannot be recognized at *endpoint*.
        """
        if not self.names().get(endpoint):
            raise ConfigurationError(
                f"{endpoint}: no endpoint of this application, or one that asks for no secret"
            )
        inbox.applications.adopt(endpoint)


def describe(endpoint: str, unsettled: int) -> str:
    """Return a sentence about another application at *endpoint*."""
    left = counted(unsettled, "entry", "entries")
    return (
        f"endpoint {endpoint}: an application with other secrets has used this name in the same"
        f" database; {left} that its secrets have proved, and that nobody has handled yet, must"
        " wait for it. If that was this application, before its secrets or its SECRET_KEY changed,"
        f" `flask hookkit adopt {endpoint}` takes them over; if not, give one of the two endpoints"
        " another name"
    )


def _secrets(endpoint: Endpoint) -> set[bytes]:
    found: set[bytes] = set()
    for protection in endpoint.protections:
        for setting, _ in protection.configured():
            try:
                for each in endpoint.secret_lists(protection, setting):
                    found.update(each)
            except Unavailable:  # what cannot be had now is not needed now
                continue
    return found
