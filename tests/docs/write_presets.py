"""Writes the tables of docs/providers/presets.md from the data: ``python -m`` this module."""

from hookkit.core.scheme import SigningScheme, lifetime_of
from hookkit.senders import SENDERS
from hookkit.senders.sender import DAY_S, DELAY_S, HOUR_S, MINUTE_S, is_signed
from hookkit.signatures.hashed_token import HashedToken
from hookkit.signatures.keyed_hash import SignedFields
from hookkit.signatures.public_key import KeyedSignature
from hookkit.signatures.shared_secret import BasicCredentials, SharedSecretHeader
from hookkit.signatures.signed_items import SignedItems
from hookkit.signatures.standard_webhooks import StandardWebhooks
from tests.docs.pages import ROOT
from tests.docs.written import write

PAGE = ROOT / "docs" / "providers" / "presets.md"


def proofs():
    yield "| provider | sender | how it signs | published vector |"
    yield "| --- | --- | --- | --- |"
    for each in SENDERS.values():
        sender, vector = f"[{each.title}]({each.docs})", each.vector or "no public vector"
        yield f"| {named(each)} | {sender} | {described(each.scheme)} | {vector} |"


def ids():
    yield "| provider | event id | vendor type | equal content again |"
    yield "| --- | --- | --- | --- |"
    for each in SENDERS.values():
        at = f"{places(each.event_id, each.scheme)} | {places(each.event_type)}"
        yield f"| {named(each)} | {at} | {again(each)} |"


def retries():
    yield "| provider | tries again | where that is written |"
    yield "| --- | --- | --- |"
    for each in SENDERS.values():
        yield f"| {named(each)} | {each.retries} | {read_at(each)} |"


def handshakes():
    yield "| provider | handshake |"
    yield "| --- | --- |"
    for each in SENDERS.values():
        if handshake(each):
            yield f"| {named(each)} | {handshake(each)} |"


def samples():
    yield "| provider | sample |"
    yield "| --- | --- |"
    for each in SENDERS.values():
        yield f"| {named(each)} | `{each.sample.name}` |"


def named(sender):
    return f"`{sender.name}`"


def described(scheme):
    if isinstance(scheme, StandardWebhooks):
        return "`webhook-signature`, `svix-signature`: HMAC-SHA-256 or Ed25519 of id, time, body"
    if isinstance(scheme, HashedToken):
        of = "the body and of the URL" if scheme.url_claim else "the body"
        return f"`{scheme.header}`: a token ({scheme.algorithm}) with the SHA-256 of {of}"
    if isinstance(scheme, BasicCredentials):
        return "Basic credentials, `user:password`; nothing of the body"
    if isinstance(scheme, SharedSecretHeader):
        return f"`{scheme.header}`: the secret itself; nothing of the body"
    if isinstance(scheme, SignedFields):
        return (
            f"`{scheme.holder}` in the body: HMAC-sha256, hex, of its `{scheme.timestamp}` and"
            f" `{scheme.token}`; nothing else of the body"
        )
    if isinstance(scheme, SignedItems):
        names = ", ".join(f"`{each.removesuffix('?')}`" for each in scheme.fields.split(","))
        return (
            f"`{scheme.signature}` in each item: HMAC-{scheme.algorithm}, {scheme.encoding}, of its"
            f" {names} with `{scheme.separator}` between them; nothing else of the body"
        )
    weak = " (weak)" if scheme.algorithm == "sha1" else ""
    kind = "" if isinstance(scheme, KeyedSignature) else "HMAC-"
    return (
        f"`{scheme.header}`: {kind}{scheme.algorithm}{weak}, {scheme.encoding},"
        f" of `{scheme.signed.template}`"
    )


def places(where, scheme=None):
    told = ", ".join(f"`{each}`" for each in where)
    if isinstance(scheme, SigningScheme) and any(not is_signed(each, [scheme]) for each in where):
        return f"the content; {told} is not signed"
    names = getattr(getattr(scheme, "signed", None), "names", ())
    return told or ("the signed text" if "form" in names else "the content")


def again(sender):
    span = spelt(sender.retry_span_s + DELAY_S)
    lifetime_s = lifetime_of([sender.scheme])
    if lifetime_s is None:
        told = "a duplicate"
        if any(place.startswith("header:") for place in sender.event_type):
            told += f"; under another type an event, for {span}"
    else:
        told = f"a new event after {spelt(max(sender.retry_span_s + DELAY_S, lifetime_s))}"
    named = any(is_signed(place, [sender.scheme]) for place in sender.event_id)
    return f"as its id says; without one, {told}" if named else told


def read_at(sender):
    return f"[page]({sender.retries_docs})" if sender.retries_docs else "*no page found*"


def spelt(seconds):
    if seconds < 2 * HOUR_S:
        return f"{seconds / MINUTE_S:.3g} minutes"
    return f"{seconds / HOUR_S:.3g} hours" if seconds < 2 * DAY_S else f"{seconds / DAY_S:.3g} days"


def handshake(sender):
    if sender.challenge is not None:
        return f"GET with `{sender.challenge.challenge}`"
    if sender.is_test_if_empty:
        return f"an empty list `{sender.each}`, which is a `test` event"
    shaken = [
        f"`{each.field}` is {'there' if each.value is None else f'`{each.value}`'}"
        for each in sender.handshakes
    ]
    return " or ".join(shaken)


TABLES = {each.__name__: each for each in (proofs, ids, retries, handshakes, samples)}

if __name__ == "__main__":
    write(PAGE, TABLES)
