"""Senders known by how they sign, and by where they name their events: data, a few lines each.

Their payloads are not read into the unified model: an event is ``other``, and has the payload.
Who is read into it has a package in ``hookkit.providers``, with code of its own.
"""

from __future__ import annotations

from collections.abc import Mapping

from hookkit.senders.messengers import MESSENGERS
from hookkit.senders.sender import Sender
from hookkit.senders.services import SERVICES

#: By name.
SENDERS: Mapping[str, Sender] = {each.name: each for each in (*SERVICES, *MESSENGERS)}
