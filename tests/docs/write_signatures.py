"""Writes the tables of docs/reference/signatures.md from the data: ``python -m`` this module."""

from hookkit.core.scheme import SigningScheme
from hookkit.senders import SENDERS
from hookkit.signatures.keyed_hash import SignedFields
from hookkit.signatures.public_key import KeyedSignature
from hookkit.signatures.shared_secret import SharedSecretHeader
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
    lines += ["", "| provider | tries again | handshake | published vector |"]
    lines += ["| --- | --- | --- | --- |"]
    lines += [
        f"| `{each.name}` | {each.retries} | {handshake(each)} |"
        f" {each.vector or 'no public vector'} |"
        for each in SENDERS.values()
    ]
    return "\n".join(lines)


def described(scheme):
    if isinstance(scheme, StandardWebhooks):
        return "`webhook-signature`, `svix-signature`: HMAC-SHA-256 or Ed25519 of id, time, body"
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
    if isinstance(scheme, SigningScheme) and any(
        each.startswith("header:") and each[7:] not in scheme.signed_headers for each in where
    ):
        return f"the content; {told} is not signed"
    return told or "the content"


def handshake(sender):
    if sender.challenge is not None:
        return f"GET with `{sender.challenge.challenge}`"
    shaken = sender.handshake
    return "none" if shaken is None else f"`{shaken.field}` is `{shaken.value}`"


def written(text):
    before, _, rest = text.partition(START)
    return f"{before}{START}\n\n{table()}\n\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
