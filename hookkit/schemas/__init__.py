"""Marshmallow: tolerant fields for what vendors send, and the schema of the unified event."""

from __future__ import annotations

from hookkit.schemas.event import EventSchema

__all__ = ["EventSchema"]
