"""Users and their clients in Sunshine Conversations v1 and v1.1, key by key.

https://github.com/zendesk/sunshine-conversations-api-spec (branch v1-master)
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

from hookkit.core.parts import Client, Device, User
from hookkit.providers.sunshine.shapes import SDK_PLATFORMS, channel
from hookkit.schemas import fields
from hookkit.schemas.shape import Many, Part, Shape


class ClientShape(Shape):
    """A client, and the device that v2 makes an object of its own."""

    id = fields.Id(data_key="_id")
    device_guid = fields.Id(data_key="id")
    platform = channel()
    status = fields.Text()
    active = fields.Truth()
    blocked = fields.Truth()
    integration_id = fields.Id(data_key="integrationId")
    external_id = fields.Id(data_key="externalId")
    display_name = fields.Text(data_key="displayName")
    avatar_url = fields.Text(data_key="avatarUrl")
    last_seen = fields.Instant(data_key="lastSeen")
    linked_at = fields.Instant(data_key="linkedAt")
    primary = fields.Truth()
    info = fields.Object()
    device_id = fields.Id(data_key="deviceId")
    push_token = fields.Text(data_key="pushNotificationToken")
    app_version = fields.Text(data_key="appVersion")


class Reached(NamedTuple):
    """A client, and the device behind it when it is of a kind that has one."""

    client: Client
    device: Device | None


def _reached(
    *,
    id: str | None = None,  # noqa: A002  # the payload's word
    device_guid: str | None = None,
    platform: str | None = None,
    device_id: str | None = None,
    push_token: str | None = None,
    app_version: str | None = None,
    active: bool | None = None,
    blocked: bool | None = None,
    **attributes: Any,
) -> Reached:
    attributes["status"] = attributes.get("status") or _status(active=active, blocked=blocked)
    if platform not in SDK_PLATFORMS:
        # A client of a channel repeats its id as ``id``, and old bodies have nothing else.
        return Reached(Client(id=id or device_guid, type=platform, **attributes), None)
    # v2's unified sdk client has an id that v1.x does not know; its device keeps this one.
    moved = {
        name: attributes.pop(name) for name in ("info", "integration_id") if name in attributes
    }
    device = Device(
        id=id or device_id,
        type=platform,
        guid=device_guid,
        last_seen=attributes.get("last_seen"),
        push_token=push_token,
        app_version=app_version,
        **moved,
    )
    return Reached(Client(type="sdk", **attributes), device)


def _status(*, active: bool | None, blocked: bool | None) -> str | None:
    """Return v2's status for "blocked and active, which were marked as deprecated in v1.1"."""
    if blocked:
        return "blocked"
    return None if active is None else ("active" if active else "inactive")


REACHED = Part(_reached, ClientShape)


class UserShape(Shape):
    """An appUser: full or truncated, by trigger and by the webhook's options."""

    id = fields.Id(data_key="_id")
    external_id = fields.Id(data_key="userId")
    given_name = fields.Text(data_key="givenName")
    surname = fields.Text()
    email = fields.Text()
    avatar_url = fields.Text(data_key="avatarUrl")
    locale = fields.Text()
    metadata = fields.Object(data_key="properties")
    signed_up_at = fields.Instant(data_key="signedUpAt")
    clients = Many(REACHED)
    devices = Many(REACHED)  # "renamed to clients long ago and kept for compatibility only"
    pending_clients = Many(REACHED, data_key="pendingClients")


def _user(
    clients: tuple[Reached, ...] = (),
    devices: tuple[Reached, ...] = (),
    pending_clients: tuple[Reached, ...] = (),
    **attributes: Any,
) -> User:
    linked = tuple(reached.client for reached in clients or devices)
    pending = tuple(_pending(reached.client) for reached in pending_clients)
    return User(clients=linked + pending, **attributes)


def _pending(client: Client) -> Client:
    """Return *client* with the status that v2 has for "previously called pendingClients"."""
    return client if client.status == "pending" else replace(client, status="pending")


def user_field(**kwargs: Any) -> Part:
    """Return a field for an appUser."""
    return Part(_user, UserShape, **kwargs)
