"""The triggers that a webhook can be registered for, by version, and their later names.

v1 and v1.1 also accept ``*``. v2 has no wildcard: each trigger is chosen by itself.
https://developer.zendesk.com/api-reference/conversations/ ("API versioning")
"""

from __future__ import annotations

_V1_X = (
    "message:appUser",
    "message:appMaker",
    "conversation:read",
    "conversation:start",
    "conversation:referral",
    "postback",
    "typing:appUser",
    "client:add",
    "client:remove",
    "client:block",
    "link:match",
    "link:success",
    "link:failure",
    "merge:appUser",
    "appUser:delete",
    "payment:success",
)
V1 = ("message", *_V1_X, "delivery:success", "delivery:failure")
V1_1 = (
    *_V1_X,
    "message:delivery:channel",
    "message:delivery:user",
    "message:delivery:failure",
    "notification:delivery:channel",
    "notification:delivery:user",
    "notification:delivery:failure",
    "request:success",
    "request:failure",
    "passthrough:apple:extension",
    "passthrough:apple:interactive",
)
V2 = (
    "conversation:create",
    "conversation:join",
    "conversation:leave",
    "conversation:remove",
    "conversation:message",
    "conversation:message:delivery:channel",
    "conversation:message:delivery:user",
    "conversation:message:delivery:failure",
    "conversation:postback",
    "conversation:read",
    "conversation:typing",
    "conversation:referral",
    "client:add",
    "client:update",
    "client:remove",
    "user:merge",
    "user:update",
    "user:remove",
    "switchboard:acceptControl",
    "switchboard:acceptControl:failure",
    "switchboard:offerControl",
    "switchboard:offerControl:failure",
    "switchboard:passControl",
    "switchboard:passControl:failure",
    "switchboard:releaseControl",
    "passthrough:apple:extension",
    "passthrough:apple:interactive",
    "passthrough:messaging",
)

_MESSAGES = ("message", "message:appUser", "message:appMaker", "conversation:message")
_CHANNEL = ("message:delivery:channel", "conversation:message:delivery:channel")
_FAILURE = ("message:delivery:failure", "conversation:message:delivery:failure")

#: word -> the words of other versions that report the same; each pair holds both ways.
RENAMES: dict[str, tuple[str, ...]] = {
    "message": ("message:appUser", "message:appMaker", "conversation:message"),
    "message:appUser": ("conversation:message",),
    "message:appMaker": ("conversation:message",),
    # Seen, not documented.
    "conversation:message:delete": _MESSAGES,
    "delivery:success": _CHANNEL,
    "delivery:failure": _FAILURE,
    "message:delivery:channel": ("conversation:message:delivery:channel",),
    "message:delivery:user": ("conversation:message:delivery:user",),
    "message:delivery:failure": ("conversation:message:delivery:failure",),
    "postback": ("conversation:postback",),
    # v2 reports the start of an existing conversation as a referral.
    "conversation:start": ("conversation:create", "conversation:referral"),
    "typing:appUser": ("conversation:typing",),
    "client:block": ("client:update",),
    "link:match": ("client:update",),
    "link:success": ("client:update",),
    "link:failure": ("client:remove",),
    "merge:appUser": ("user:merge",),
    "appUser:delete": ("user:remove", "user:delete"),
    "user:delete": ("user:remove",),
}
