"""Senders as data: how each signs, and where it puts the ids and types of its events.

Their payloads are not read into the unified model: every event is of type ``other``, with the
payload in ``raw``. A vendor whose payloads are read has a package in ``hookkit.providers``.
"""

from __future__ import annotations

from collections.abc import Mapping

from hookkit.senders.messengers import MESSENGERS
from hookkit.senders.sender import Sender
from hookkit.senders.services import SERVICES
from hookkit.senders.workplace import WORKPLACE

#: By name.
SENDERS: Mapping[str, Sender] = {each.name: each for each in (*SERVICES, *MESSENGERS, *WORKPLACE)}
