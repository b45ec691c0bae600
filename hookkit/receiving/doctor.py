"""Say why a delivery was refused: the usual causes are tried one after another.

A cause is named only if it is shown: with that one thing put right, the delivery verifies. Some
causes show by themselves, such as a header that is missing. Every other cause is reported as
unknown.

What is found is for the log and for operators. No answer to a sender depends on it, and no text
holds a secret, a part of one, its length or a signature.

Cost: some 40 MACs over the body at most, and up to 64 KiB of it are parsed and written anew. A
stranger can ask for it by a refused delivery, so the receiver asks only for lines of the log that
are written, see ``BoundedLog``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from itertools import chain, islice
from typing import NamedTuple

from hookkit.core.body import decode_body, dig_text
from hookkit.core.delivery import Delivery
from hookkit.core.errors import (
    BodyTooLarge,
    BodyUnreadable,
    HookkitError,
    Rejected,
    SignatureMissing,
    TimestampExpired,
    TimestampInFuture,
)
from hookkit.receiving.endpoint import Endpoint
from hookkit.receiving.trials.altered_bodies import MAX_PARSED_BYTES
from hookkit.receiving.trials.bodies import NOT_IN_BODY, body_trials
from hookkit.receiving.trials.headers import header_trials, proof_headers
from hookkit.receiving.trials.schemes import scheme_trials, unit_trials
from hookkit.receiving.trials.secrets import secret_trials, secrets_of
from hookkit.receiving.trials.spellings import is_variable_name
from hookkit.receiving.trials.trial import Found, Trial, schemes_of, settled, tolerant
from hookkit.receiving.trials.urls import url_trials
from hookkit.senders import SENDERS
from hookkit.signatures.shared_secret import SharedSecretField, SharedSecretHeader

#: A longer text is not taken for a secret.
MAX_SECRET_CHARS = 256

#: No more trials than this are run for one delivery.
MAX_TRIALS = 80

UNKNOWN = "unknown"


class Diagnosis(NamedTuple):
    """Why a delivery was refused.

    Attributes:
        cause: The machine word for it; ``unknown`` if nothing could be shown.
        text: One sentence for people: the cause, and how to mend it.
    """

    cause: str
    text: str


def diagnose(
    endpoint: Endpoint,
    delivery: Delivery,
    refusal: Rejected,
    others: Iterable[Endpoint] = (),
    old_fingerprints: Callable[[], Collection[str]] = tuple,
) -> Diagnosis:
    """Return why *delivery* was refused.

    Args:
        endpoint: Where it arrived.
        delivery: As it arrived; its time is the time of arrival.
        refusal: What ``verify`` has raised.
        others: The other endpoints of the application, whose secrets are tried.
        old_fingerprints: Returns the fingerprints of the secrets that have proved deliveries to
            the endpoint before. They recognize a secret that was sent along, never one that signs.
            It is called only if nothing else is found.
    """
    if isinstance(refusal, BodyTooLarge):
        text = f"{refusal}; raise max_body or max_unproven_bytes if the sender sends such bodies"
        return Diagnosis("body_too_large", text)
    try:
        endpoint = settled(endpoint, delivery)
    except HookkitError:
        found = None
    else:
        found = _found_by_trial(endpoint, delivery, refusal, others)
    found = found or _found_by_sight(endpoint, delivery, refusal, old_fingerprints)
    return Diagnosis(*found) if found is not None else Diagnosis(UNKNOWN, _NOTHING)


_NOTHING = (
    "the cause is unknown: with other bytes of the body, another URL, other spellings of the"
    " secret, other endpoints' secrets, other headers, times and schemes it does not verify either;"
    " most often the vendor has another secret: compare it there, then look for what changes the"
    " body on the way"
)


def _found_by_trial(
    endpoint: Endpoint, delivery: Delivery, refusal: Rejected, others: Iterable[Endpoint]
) -> Found | None:
    """Return the cause that a trial shows."""
    given, late = endpoint, ""
    if isinstance(refusal, TimestampExpired | TimestampInFuture):
        endpoint = tolerant(endpoint)
        late = _lateness(refusal)
        found = Trial(_clock(refusal), endpoint, delivery).run()
        if found is not None:
            return _first(unit_trials(given, delivery)) or found
    found = _first(islice(_trials(endpoint, delivery, refusal, others), MAX_TRIALS))
    if found is not None and late:
        return found._replace(text=f"{found.text}; besides, {late}")
    return found


def _trials(
    endpoint: Endpoint, delivery: Delivery, refusal: Rejected, others: Iterable[Endpoint]
) -> Iterator[Trial]:
    missing = refusal.header if isinstance(refusal, SignatureMissing) else ""
    return chain(
        header_trials(endpoint, delivery, missing),
        secret_trials(endpoint, delivery, others),
        url_trials(endpoint, delivery),
        body_trials(endpoint, delivery),
        unit_trials(endpoint, delivery),
        scheme_trials(endpoint, delivery),
    )


def _first(trials: Iterable[Trial]) -> Found | None:
    return next(filter(None, (trial.run() for trial in trials)), None)


# What shows by itself


def _found_by_sight(
    endpoint: Endpoint,
    delivery: Delivery,
    refusal: Rejected,
    old_fingerprints: Callable[[], Collection[str]],
) -> Found | None:
    """Return the cause that shows without a proof."""
    return (
        _missing_proof(endpoint, delivery, refusal)
        or _broken_body(endpoint, delivery)
        or _named_variable(endpoint)
        or _unproven_time(refusal)
        or _old_secret(endpoint, delivery, old_fingerprints)
    )


def _old_secret(
    endpoint: Endpoint, delivery: Delivery, old_fingerprints: Callable[[], Collection[str]]
) -> Found | None:
    sent = list(_sent_secrets(endpoint, delivery))
    old = old_fingerprints() if sent else ()
    if not any(endpoint.fingerprint(each) in old for each in sent):
        return None
    text = (
        "the secret that was sent has proved deliveries before and is no longer in the settings;"
        " put it back behind the new one until the vendor has the new one"
    )
    return Found("secret_old", text)


def _sent_secrets(endpoint: Endpoint, delivery: Delivery) -> Iterator[bytes]:
    """Yield what was sent along as a secret, if it can be one."""
    for scheme in schemes_of(endpoint):
        sent: str | None = None
        if isinstance(scheme, SharedSecretHeader):
            sent = delivery.headers.get(scheme.header)
        elif isinstance(scheme, SharedSecretField) and len(delivery.body) <= MAX_PARSED_BYTES:
            with suppress(BodyUnreadable):
                sent = dig_text(decode_body(delivery.body), scheme.field)
        if sent and len(sent) <= MAX_SECRET_CHARS:
            yield sent.encode(errors="replace")


def _missing_proof(endpoint: Endpoint, delivery: Delivery, refusal: Rejected) -> Found | None:
    """Return what is there in the place of a proof that is missing."""
    if not isinstance(refusal, SignatureMissing):
        return None
    name = endpoint.provider.name
    if refusal.is_unconfigured:
        text = (
            "the settings have nothing that proves this payload version; add it to versions, or"
            " give the endpoint secrets"
        )
        return Found("version_unknown", text)
    foreign = _foreign_header(endpoint, delivery)
    if foreign is not None:
        header, senders = foreign
        text = (
            f"it carries the header {header}, as deliveries of {senders} do, and no proof of"
            f" {name}; give that vendor the URL of another endpoint, or set its provider here"
        )
        return Found("other_sender", text)
    if refusal.header:
        hint = ""
        if "_" in refusal.header:
            hint = "; nginx and gunicorn drop headers whose names have an underscore"
        text = (
            f"the header {refusal.header} did not arrive; either the webhook has no secret at the"
            f" vendor, or something on the way drops the header{hint}"
        )
        return Found("header_missing", text)
    text = f"{refusal}; check that the webhook has a secret at the vendor, and its payload version"
    return Found("proof_missing", text)


#: Header -> the vendor that it belongs to, of the vendors whose schemes are not presets.
_VENDOR_HEADERS = {"x-8x8-signature": "8x8", "x-api-key": "sunshine"}


def _foreign_header(endpoint: Endpoint, delivery: Delivery) -> tuple[str, str] | None:
    """Return a header of the delivery that proves another sender's, and who sends it."""
    own = {name for scheme in schemes_of(endpoint) for name in proof_headers(scheme)}
    known: dict[str, list[str]] = {name: [vendor] for name, vendor in _VENDOR_HEADERS.items()}
    for sender in SENDERS.values():
        for name in proof_headers(sender.scheme):
            known.setdefault(name, []).append(sender.name)
    del known["authorization"]  # too many send it
    for name, senders in known.items():
        if name not in own and endpoint.provider.name not in senders and name in delivery.headers:
            return name, " or ".join(senders[:4])
    return None


def _broken_body(endpoint: Endpoint, delivery: Delivery) -> Found | None:
    body = delivery.body
    declared = delivery.headers.get("content-length", "")
    if declared.isascii() and declared.isdigit() and int(declared[:12]) > len(body):
        text = "the body is shorter than its Content-Length; it was cut off on the way"
        return Found("body_truncated", text)
    if all(isinstance(each, NOT_IN_BODY) for each in schemes_of(endpoint)):
        return None
    if not body:
        text = (
            "the body arrived empty, and no sender signs an empty one; look for what reads it or"
            " drops it on the way (a redirect, a middleware)"
        )
        return Found("body_empty", text)
    if body[:1] in (b"{", b"[") and len(body) <= MAX_PARSED_BYTES and _ends_early(body):
        text = (
            "the body ends before its JSON does; it was cut off on the way, so look for a proxy's"
            " or a server's limit on the size of bodies"
        )
        return Found("body_truncated", text)
    return None


def _ends_early(body: bytes) -> bool:
    """Tell whether *body* would be JSON if it went on."""
    text = body.decode(errors="replace")
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated string")
    except (ValueError, RecursionError):
        return False
    return False


def _named_variable(endpoint: Endpoint) -> Found | None:
    for number, secret in enumerate(secrets_of(endpoint)):
        if is_variable_name(secret):
            text = (
                f"secret #{number} in the settings reads as the name of a variable and not as its"
                " value; put the value there, os.environ[...] in Python"
            )
            return Found("secret_form", text)
    return None


def _unproven_time(refusal: Rejected) -> Found | None:
    if not isinstance(refusal, TimestampExpired | TimestampInFuture):
        return None
    text = (
        f"{_lateness(refusal)}, and its signature could not be shown to be right; synchronize the"
        " clock first, then look at the secret"
    )
    return Found("clock", text)


def _clock(refusal: TimestampExpired | TimestampInFuture) -> Found:
    """Return what it means that the time alone is wrong."""
    hours = abs(refusal.age_s or 0) / 3600
    is_zone = 1 <= round(hours) <= 14 and abs(hours - round(hours)) < 0.05
    if is_zone:
        mend = "that is whole hours, as of a clock that is set to local time: compare it with UTC"
    elif isinstance(refusal, TimestampInFuture):
        mend = "the clock of this machine is behind: synchronize it"
    else:
        mend = (
            "synchronize the clock of this machine; if it is right, the delivery waited on the way"
            " or somebody sent an old one again"
        )
    return Found("clock", f"the signature is right, but {_lateness(refusal)}; {mend}")


def _lateness(refusal: TimestampExpired | TimestampInFuture) -> str:
    """Return how far the signed time is from the time of arrival, in words."""
    if refusal.age_s is None:
        return "it has expired by its own account"
    side = "before" if refusal.age_s > 0 else "after"
    return f"it was signed {_spelt(abs(refusal.age_s))} {side} it arrived"


def _spelt(seconds: float) -> str:
    whole = round(seconds)
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if whole >= 2 * size:
            return f"{whole // size} {unit}"
    return f"{whole} s"
