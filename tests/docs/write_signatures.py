"""Writes the tables of docs/reference/signatures.md from the data: ``python -m`` this module."""

from hookkit.core.scheme import SigningScheme, lifetime_of
from hookkit.senders import SENDERS
from hookkit.senders.sender import DAY_S, DELAY_S, HOUR_S, MINUTE_S, is_signed
from hookkit.signatures.hashed_token import HashedToken
from hookkit.signatures.keyed_hash import SignedFields
from hookkit.signatures.public_key import KeyedSignature
from hookkit.signatures.shared_secret import BasicCredentials, SharedSecretHeader
from hookkit.signatures.standard_webhooks import StandardWebhooks
from tests.docs.pages import ROOT

PAGE = ROOT / "docs" / "reference" / "signatures.md"
START, END = "<!-- written from the data -->", "<!-- end of what is written -->"


def table():
    lines = [
        "| provider | sender | how it signs | event id | vendor type | sample |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| `{each.name}` | [{each.title}]({each.docs}) | {described(each.scheme)} |"
        f" {places(each.event_id, each.scheme)} | {places(each.event_type)} |"
        f" `{each.sample.name}` |"
        for each in SENDERS.values()
    ]
    lines += ["", "| provider | tries again | equal content again | handshake | published vector |"]
    lines += ["| --- | --- | --- | --- | --- |"]
    lines += [
        f"| `{each.name}` | {each.retries} | {again(each)} | {handshake(each)} |"
        f" {each.vector or 'no public vector'} |"
        for each in SENDERS.values()
    ]
    return "\n".join(lines)


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
    return " or ".join(shaken) or "none"


def written(text):
    before, _, rest = text.partition(START)
    return f"{before}{START}\n\n{table()}\n\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
