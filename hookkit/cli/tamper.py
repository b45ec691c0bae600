"""A small acceptance test of a receiver: deliveries that are not as they should be.

What the answer should be, the vendor's own scheme says: each delivery is verified here, with the
same secret. A scheme that sends the secret along signs no body and no time, so that a changed or
an old delivery is then rightly accepted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import click

from hookkit.cli.deliveries import Maker
from hookkit.cli.posting import Answer
from hookkit.cli.terminal import click_errors
from hookkit.core.errors import Rejected, SignatureMismatch
from hookkit.core.scheme import ProofInBody
from hookkit.standalone import verify
from hookkit.testing import SignedDelivery
from hookkit.testing.signing import counterpart

#: No tolerance of a vendor is as long.
LONG_AGO = timedelta(days=30)

#: Statuses by which receivers refuse a sender that is not proven.
REFUSING = (400, 401, 403)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What the answer should be.

    Attributes:
        code: Of the refusal; empty if the delivery should be accepted.
        status: The HTTP status that goes with it.
        is_new: Whether the event should be new; None if that is not known.
    """

    code: str = ""
    status: int = 200
    is_new: bool | None = None

    def fits(self, answer: Answer) -> bool:
        """Tell whether *answer* is as it should be, as far as it can be read."""
        if self.code:
            return answer.status in REFUSING and answer.code in ("", self.code)
        if self.is_new is not None and answer.new is not None and (answer.new > 0) != self.is_new:
            return False
        return answer.is_success

    def __str__(self) -> str:
        """Return it in the words of an answer."""
        if self.code:
            return f"{self.status} {self.code}"
        new = {True: ", new", False: ", not new", None: ""}[self.is_new]
        return f"{self.status}{new}"


#: A delivery, and what its answer should be.
Try = tuple[SignedDelivery, Expected]


def tries(kind: str, maker: Maker) -> Iterator[Try]:
    """Yield the deliveries of one of ``KINDS``, in the order in which they are to be sent.

    Raises:
        click.UsageError: They cannot be made.
    """
    return KINDS[kind](maker)


def _body(maker: Maker) -> Iterator[Try]:
    delivery = maker.make()
    changed = replace(delivery, body=delivery.body + b"\n")
    yield changed, _expected(maker, changed)


def _signature(maker: Maker) -> Iterator[Try]:
    changed = _with_wrong_proof(maker, maker.make())
    yield changed, _expected(maker, changed)


def _missing(maker: Maker) -> Iterator[Try]:
    delivery = maker.unsigned().make()
    yield delivery, _expected(maker, delivery)


def _stale(maker: Maker) -> Iterator[Try]:
    delivery = maker.make(signed_at=datetime.now(UTC) - LONG_AGO)
    yield delivery, _expected(maker, delivery)


def _replayed(maker: Maker) -> Iterator[Try]:
    delivery = maker.make()
    accepted = _expected(maker, delivery)
    yield delivery, replace(accepted, is_new=True if maker.is_new else None)
    yield delivery, replace(accepted, is_new=False)


def _reordered(maker: Maker) -> Iterator[Try]:
    now = datetime.now(UTC)
    ages_s = (0, 60, 120)  # the newest arrives first
    for age_s in ages_s:
        delivery = maker.make(happened_at=now - timedelta(seconds=age_s))
        is_new = True if maker.is_new else None
        yield delivery, replace(_expected(maker, delivery), is_new=is_new)


#: By the word of the option: what makes the deliveries.
KINDS: Mapping[str, Callable[[Maker], Iterator[Try]]] = {
    "body": _body,
    "signature": _signature,
    "missing": _missing,
    "stale": _stale,
    "replayed": _replayed,
    "reordered": _reordered,
}


def _expected(maker: Maker, delivery: SignedDelivery) -> Expected:
    refusal = _refusal(maker, delivery)
    return Expected() if refusal is None else Expected(code=refusal.code, status=refusal.status)


def _refusal(maker: Maker, delivery: SignedDelivery) -> Rejected | None:
    """Return why the scheme refuses *delivery*; None if it does not."""
    signer = maker.signer
    with click_errors(click.UsageError):
        try:
            verify(
                signer.provider,
                delivery.headers,
                delivery.body,
                [counterpart(signer.provider, signer.required_proof())],
                public_url=signer.public_url or maker.url,
            )
        except Rejected as error:
            return error
    return None


def _with_wrong_proof(maker: Maker, delivery: SignedDelivery) -> SignedDelivery:
    """Return *delivery* with a proof of the right form that fits no secret."""
    if isinstance(maker.signer.provider.scheme, ProofInBody):
        wrong = replace(maker.signer, proof=_changed(maker.signer.required_proof()))
        payload, headers = maker.source(datetime.now(UTC))
        return replace(maker, signer=wrong).prove(payload, headers)
    for name, value in delivery.headers.items():
        changed = replace(delivery, headers={**delivery.headers, name: _changed(value)})
        if isinstance(_refusal(maker, changed), SignatureMismatch):
            return changed
    raise click.UsageError(f"{maker.signer.provider.name} sends no signature to change")


def _changed(text: str) -> str:
    """Return *text* with another character near its end, of those that every encoding has."""
    place = max(len(text) - 8, 0)
    return f"{text[:place]}{'1' if text[place : place + 1] == '0' else '0'}{text[place + 1 :]}"
