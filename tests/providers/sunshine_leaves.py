"""Where each leaf of Sunshine's bodies is in the unified event; see ``completeness``."""

from collections.abc import Mapping

from tests.providers.completeness import OneOf, OnlyRaw, Place, Sometimes, Table

STARTED = "whether the user has ever written; a conversation and its messages say so themselves"
PAYS = "about a way to pay that the vendor has taken away"
REPEATED = "said again by the client's _id or platform"
STATUS = "said again by the status, which replaced it"
OTHER = "an OtherEvent is read from raw"
EVENT_ID = "the id of the event itself"
READ = "the type of the event says the same"
NEW = "a mark of the vendor's own housekeeping"
PART_ID = "an id that v2 does not have, and that nothing takes"
INTERNAL = "an id that only the vendor uses"
PRESSED = "only buttons of one kind are pressed: postback"
QUOTED = "what is quoted says so itself"
QUOTED_USER = "the author of what is quoted has the user's id"
MEMBER = "of participants, the event has the user's id and what they have read"
ONLY_SDK = "only the clients of an SDK have a device"
LONE = "another spelling of the type, which comes first"
FALLBACK = "a text that is shown where the content cannot be, and replaced by textFallback"


def moved(place: Place, to: tuple[str, ...]) -> Place:
    """Return *place* below each of *to*, of which an event has one."""
    match place:
        case OnlyRaw():
            return place
        case Sometimes(inner, why):
            return Sometimes(moved(inner, to), why)
        case OneOf(attributes):
            return OneOf(tuple(f"{each}.{name}" for each in to for name in attributes))
    return OneOf(tuple(f"{each}.{place}" for each in to))


def under(path: str, table: Table, *to: str) -> dict[str, Place]:
    """Return *table* for objects at *path*, which are at one of *to* in the event."""
    return {f"{path}.{key}": moved(place, to) for key, place in table.items()}


def anywhere(paths: Mapping[str, tuple[str, ...]], table: Table) -> dict[str, Place]:
    return {
        key: place for path, to in paths.items() for key, place in under(path, table, *to).items()
    }


# What all versions have

ACTION = {
    "_id": OnlyRaw(PART_ID),
    "amount": "amount",
    "currency": "currency",
    "default": "default",
    "extraChannelOptions.**": "options",
    "fallback": "fallback_url",
    "iconUrl": "icon_url",
    "metadata.**": "metadata",
    "openOnReceive": "open_on_receive",
    "payload": "payload",
    "size": "size",
    "state": "state",
    "text": "text",
    "type": "type",
    "uri": "uri",
}
ITEM = {
    "_id": OnlyRaw(PART_ID),
    "altText": "alt_text",
    "description": "description",
    "mediaType": "media_type",
    "mediaUrl": "media_url",
    "metadata.**": "metadata",
    "size": "size",
    "title": "title",
    **under("actions.*", ACTION, "actions"),
}
FIELD = {
    "_id": OnlyRaw(PART_ID),
    "email": "value",
    "format": "format",
    "label": "label",
    "maxSize": "max_size",
    "minSize": "min_size",
    "name": "name",
    "options.*._id": OnlyRaw(PART_ID),
    "options.*.label": "options.label",
    "options.*.name": "options.name",
    "placeholder": "placeholder",
    "select.*._id": OnlyRaw(PART_ID),
    "select.*.label": "selected.label",
    "select.*.name": "selected.name",
    "selectSize": "select_size",
    "text": "value",
    "type": "type",
}
CONTENT = {
    "altText": "alt_text",
    "attachmentId": "attachment_id",
    "blockChatInput": "block_chat_input",
    "coordinates._id": OnlyRaw(PART_ID),
    "coordinates.lat": "lat",
    "coordinates.long": "long",
    "displaySettings.**": "display",
    "htmlText": "html",
    "location.address": "address",
    "location.name": "name",
    "mediaSize": "media_size",
    "mediaType": "media_type",
    "mediaUrl": "media_url",
    "payload": "payload",
    "submitted": "submitted",
    "template.**": "body",
    "text": "text",
    "textFallback": "text",
    "type": "type",
    **under("actions.*", ACTION, "actions"),
    **under("items.*", ITEM, "items"),
    **under("fields.*", FIELD, "fields"),
}
DESTINATION = {
    "destinationId": "destination_id",
    "integrationId": "integration_id",
    "integrationType": OnlyRaw(LONE),
    "type": "type",
}
ERROR = {
    "code": "code",
    "message": "message",
    "reason": "raw.reason",
    "status": "code",
    "title": "message",
    "underlyingError.**": "underlying",
}
REFERRAL = {
    "code": "code",
    "details.adId": "ad_id",
    "details.source": "source",
    "details.type": "type",
}

# v1 and v1.1

#: What is in the client, and in the device behind it.
CLIENT_V1 = {
    "_id": OneOf(("id", "device.id")),
    "active": Sometimes("status", STATUS),
    "appVersion": Sometimes("device.app_version", ONLY_SDK),
    "avatarUrl": "avatar_url",
    "blocked": OnlyRaw(STATUS),
    "deviceId": OnlyRaw(REPEATED),
    "displayName": "display_name",
    "externalId": "external_id",
    "id": Sometimes(OneOf(("id", "device.guid", "device.id")), REPEATED),
    "info.**": OneOf(("info", "device.info")),
    "integrationId": OneOf(("integration_id", "device.integration_id")),
    "lastSeen": "last_seen",
    "linkedAt": "linked_at",
    "platform": OneOf(("type", "device.type")),
    "primary": "primary",
    "pushNotificationToken": Sometimes("device.push_token", ONLY_SDK),
    "raw.**": "raw",
    "status": Sometimes("status", "a client that is pending is in a list of its own"),
}
USER_V1 = {
    "_id": "id",
    "avatarUrl": "avatar_url",
    "conversationStarted": OnlyRaw(STARTED),
    "credentialRequired": OnlyRaw(NEW),
    "email": "email",
    "givenName": "given_name",
    "hasPaymentInfo": OnlyRaw(PAYS),
    "locale": "locale",
    "properties.**": "metadata",
    "signedUpAt": "signed_up_at",
    "surname": "surname",
    "userId": "external_id",
    **anywhere(
        {f"{each}.*": ("clients",) for each in ("clients", "devices", "pendingClients")}, CLIENT_V1
    ),
}
SOURCE_V1 = {
    "id": OnlyRaw(INTERNAL),
    "integrationId": "integration_id",
    "originalMessageId": "original_message_id",
    "originalMessageTimestamp": "original_message_at",
    "type": "type",
}
SAID_V1 = {
    "_id": "id",
    "authorId": "author.user_id",
    "avatarUrl": "author.avatar_url",
    "deleted": "deleted",
    "email": "author.email",
    "messageSchema": "schema",
    "metadata.**": "metadata",
    "name": "author.display_name",
    "override.**": "override",
    "received": "received_at",
    "role": "author.type",
    "subroles.*": "author.subtypes",
    **under("source", SOURCE_V1, "source"),
    **{key: moved(place, ("content",)) for key, place in CONTENT.items()},
}
MESSAGE_V1 = {
    **SAID_V1,
    "quotedMessage.externalMessageId": "quoted.source.original_message_id",
    "quotedMessage.type": OnlyRaw(QUOTED),
    **under("quotedMessage.content", SAID_V1, "quoted"),
}
CONVERSATION_V1 = {
    "_id": "id",
    "appMakerLastRead": "business_last_read",
    "description": "description",
    "displayName": "display_name",
    "lastRead": "participants",
    "metadata.**": "metadata",
    "unreadCount": "participants",
}

# v2

CLIENT_V2 = {
    "avatarUrl": "avatar_url",
    "displayName": "display_name",
    "externalId": "external_id",
    "id": "id",
    "info.**": "info",
    "integrationId": "integration_id",
    "lastSeen": "last_seen",
    "linkedAt": "linked_at",
    "raw.**": "raw",
    "status": "status",
    "type": "type",
}
SOURCE_V2 = {
    "campaign.id": "campaign_id",
    "device.appVersion": "device.app_version",
    "device.clientId": "device.client_id",
    "device.guid": "device.guid",
    "device.id": "device.id",
    "device.info.**": "device.info",
    "device.integrationId": "device.integration_id",
    "device.lastSeen": "device.last_seen",
    "device.pushNotificationToken": "device.push_token",
    "device.status": "device.status",
    "device.type": "device.type",
    "integrationId": "integration_id",
    "originalMessageId": "original_message_id",
    "originalMessageTimestamp": "original_message_at",
    "type": "type",
    **under("client", CLIENT_V2, "client"),
}
USER_V2 = {
    "authenticated": "authenticated",
    "brandId": "brand_id",
    "externalId": "external_id",
    "hasPaymentInfo": OnlyRaw(PAYS),
    "id": "id",
    "identities.*.type": "identities.type",
    "identities.*.value": "identities.value",
    "identities.*.verification": "identities.verification",
    "metadata.**": "metadata",
    "profile.avatarUrl": "avatar_url",
    "profile.email": "email",
    "profile.givenName": "given_name",
    "profile.locale": "locale",
    "profile.localeOrigin": OnlyRaw(NEW),
    "profile.surname": "surname",
    "signedUpAt": "signed_up_at",
    "toBeRetained": OnlyRaw(NEW),
    "zendeskId": "zendesk_id",
}
AUTHOR_V2 = {
    "avatarUrl": "avatar_url",
    "displayName": "display_name",
    "subtypes.*": "subtypes",
    "type": "type",
    "userId": "user_id",
}
SAID_V2 = {
    "deleted": "deleted",
    "id": "id",
    "metadata.**": "metadata",
    "override.**": "override",
    "received": "received_at",
    "schema": "schema",
    **under("author", AUTHOR_V2, "author"),
    **under("content", CONTENT, "content"),
    **under("destination", DESTINATION, "destination"),
    **under("source", SOURCE_V2, "source"),
}
MESSAGE_V2 = {
    **SAID_V2,
    "quotedMessage.externalMessageId": "quoted.source.original_message_id",
    "quotedMessage.type": OnlyRaw(QUOTED),
    "quotedMessage.message.author.user.**": OnlyRaw(QUOTED_USER),
    **under("quotedMessage.message", SAID_V2, "quoted"),
}
CONVERSATION_V2 = {
    "brandId": "brand_id",
    "businessLastRead": "business_last_read",
    "description": "description",
    "displayName": "display_name",
    "id": "id",
    "lastUpdatedAt": "last_updated_at",
    "metadata.**": "metadata",
    "participants.*.clientAssociations.**": OnlyRaw(MEMBER),
    "participants.*.id": OnlyRaw(MEMBER),
    "participants.*.lastRead": "participants.last_read",
    "participants.*.unreadCount": "participants.unread_count",
    "participants.*.userExternalId": OnlyRaw(MEMBER),
    "participants.*.userId": "participants.user_id",
    "type": "type",
    **{
        f"{side}SwitchboardIntegration.{key}": f"{side}_control.{name}"
        for side in ("active", "pending")
        for key, name in {
            "id": "id",
            "integrationId": "integration_id",
            "integrationType": "integration_type",
            "name": "name",
        }.items()
    },
}
SIDES = ("surviving", "discarded")

#: What ``events.*.payload`` of v2 holds.
PAYLOAD = {
    "activity.type": Sometimes("state", READ),
    "apple.**": OnlyRaw(OTHER),
    "creationReason": "reason",
    "discardedMetadata.**": "metadata",
    "externalMessages.*.id": "delivery.external_ids",
    "isFinalEvent": "delivery.is_final",
    "message.activity.**": "extra.activity",
    "message.references.**": "extra.references",
    "metadata.**": "metadata",
    "postback.metadata.**": "postback.metadata",
    "postback.payload": "postback.payload",
    "reason": "reason",
    "recentNotifications.**": "extra.recent_notifications",
    **under("activity.author", AUTHOR_V2, "actor"),
    **under("activity.author.user", USER_V2, "user"),
    **under("activity.source", SOURCE_V2, "source"),
    **under("client", CLIENT_V2, "client"),
    **under("conversation", CONVERSATION_V2, "conversation"),
    **under("destination", DESTINATION, "delivery.destination"),
    **under("error", ERROR, "error", "delivery.error"),
    **under("message.author.user", USER_V2, "user"),
    **under("message", MESSAGE_V2, "message"),
    **under("referral", REFERRAL, "referral"),
    **under("source", SOURCE_V2, "source"),
    **under("user", USER_V2, "user"),
    **{
        path: place
        for side in SIDES
        for path, place in (
            under(f"mergedClients.{side}", CLIENT_V2, f"{side}_client")
            | under(f"mergedConversations.{side}", CONVERSATION_V2, f"{side}_conversation")
            | under(f"mergedUsers.{side}", USER_V2, side)
        ).items()
    },
}

CLIENT_PLACES = ("client", "source.client", "message.source.client")

LEAVES: Table = {
    "activity.type": "state",
    "app._id": "tenant_id",
    "app.id": "tenant_id",
    "channel": Sometimes("client.type", REPEATED),
    "criteria.**": "extra.criteria",
    "discardedProperties.**": "metadata",
    "error.**": Sometimes(OneOf(("error", "delivery.error")), OTHER),
    "events.*.createdAt": "occurred_at",
    "events.*.id": OnlyRaw(EVENT_ID),
    "events.*.type": "type",
    "externalMessages.*.id": "delivery.external_ids",
    "isFinalEvent": "delivery.is_final",
    "message._id": "message.id",
    "message.metadata.**": "message.metadata",
    "notification._id": "message.id",
    "payload.apple.**": OnlyRaw(OTHER),
    "payments.**": OnlyRaw(OTHER),
    "postbacks.*.action._id": OnlyRaw(PART_ID),
    "postbacks.*.action.metadata.**": "postback.metadata",
    "postbacks.*.action.payload": "postback.payload",
    "postbacks.*.action.text": "postback.text",
    "postbacks.*.action.*": OnlyRaw(PRESSED),
    "postbacks.*.action.extraChannelOptions.**": OnlyRaw(PRESSED),
    "timestamp": "occurred_at",
    "trigger": "type",
    "version": "version",
    "webhook.id": "webhook_id",
    "webhook.version": "version",
    **anywhere({"client": CLIENT_PLACES, "clients.*": ("client",)}, CLIENT_V1),
    **anywhere(
        {
            "appUser": ("user",),
            "discarded.*": ("discarded",),
            "matchResult.appUser": ("user",),
            "surviving": ("surviving",),
        },
        USER_V1,
    ),
    **anywhere(
        dict.fromkeys(("conversation", "matchResult.conversation"), ("conversation",)),
        CONVERSATION_V1,
    ),
    **under("destination", DESTINATION, "delivery.destination"),
    **under("messages.*", MESSAGE_V1, "message"),
    **under("postbacks.*.message", MESSAGE_V1, "postback.message"),
    **under("referral", REFERRAL, "referral"),
    **under("source", SOURCE_V1, "source"),
    **{f"events.*.payload.{path}": place for path, place in PAYLOAD.items()},
}

#: Rows that are the same wherever the object may be.
SHARED = frozenset(
    key
    for table in (
        *(ACTION, ITEM, FIELD, CONTENT, DESTINATION, ERROR, REFERRAL),
        *(CLIENT_V1, USER_V1, SOURCE_V1, SAID_V1, MESSAGE_V1, CONVERSATION_V1),
        *(CLIENT_V2, SOURCE_V2, USER_V2, AUTHOR_V2, SAID_V2, MESSAGE_V2, CONVERSATION_V2),
    )
    for key in table
)
