"""Users, their clients and devices in Sunshine Conversations v2, key by key.

https://github.com/zendesk/sunshine-conversations-api-spec (Webhooks, ``x-webhooks``)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookkit.core.parts import Client, Device, Identity, User
from hookkit.providers.sunshine.shapes import channel
from hookkit.schemas import fields
from hookkit.schemas.shape import Many, Part, Shape


class ProfileShape(Shape):
    """The person behind a user; sent with ``includeFullUser``."""

    given_name = fields.Text(data_key="givenName")
    surname = fields.Text()
    email = fields.Text()
    avatar_url = fields.Text(data_key="avatarUrl")
    locale = fields.Text()


class IdentityShape(Shape):
    """An address of a user."""

    type = fields.Text()
    value = fields.Text()
    verification = fields.Text()


class UserShape(Shape):
    """A user; official examples send ``externalId`` as a number too."""

    id = fields.Id()
    external_id = fields.Id(data_key="externalId")
    authenticated = fields.Truth()
    signed_up_at = fields.Instant(data_key="signedUpAt")
    profile = Part(dict, ProfileShape)
    metadata = fields.Object()
    identities = Many(Part(Identity, IdentityShape))


def _user(profile: Mapping[str, Any] | None = None, **attributes: Any) -> User:
    return User(**attributes, **(profile or {}))


USER = Part(_user, UserShape)


class ClientShape(Shape):
    """A channel of a user."""

    id = fields.Id()
    type = channel()
    status = fields.Text()
    integration_id = fields.Id(data_key="integrationId")
    external_id = fields.Id(data_key="externalId")
    display_name = fields.Text(data_key="displayName")
    avatar_url = fields.Text(data_key="avatarUrl")
    last_seen = fields.Instant(data_key="lastSeen")
    linked_at = fields.Instant(data_key="linkedAt")
    info = fields.Object()


CLIENT = Part(Client, ClientShape)


class DeviceShape(Shape):
    """A device behind an ``sdk`` client; sent with ``includeFullSource``."""

    id = fields.Id()
    type = channel()
    guid = fields.Id()
    client_id = fields.Id(data_key="clientId")
    status = fields.Text()
    integration_id = fields.Id(data_key="integrationId")
    last_seen = fields.Instant(data_key="lastSeen")
    push_token = fields.Text(data_key="pushNotificationToken")
    app_version = fields.Text(data_key="appVersion")
    info = fields.Object()


DEVICE = Part(Device, DeviceShape)
