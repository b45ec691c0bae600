"""Trials of the body: what the sender may have signed in place of what arrived."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from hookkit.core.delivery import Delivery
from hookkit.core.scheme import ProofInBody
from hookkit.receiving.endpoint import Endpoint
from hookkit.receiving.trials.altered_bodies import guesses
from hookkit.receiving.trials.trial import Found, Trial, schemes_of
from hookkit.signatures.shared_secret import (
    BasicCredentials,
    SharedSecretHeader,
    SharedSecretQuery,
)

#: Schemes that do not look into the body.
NOT_IN_BODY = (SharedSecretHeader, SharedSecretQuery, BasicCredentials)


def body_trials(endpoint: Endpoint, delivery: Delivery) -> Iterator[Trial]:
    """Yield what the sender may have sent in place of the body that arrived."""
    schemes = [each for each in schemes_of(endpoint) if not isinstance(each, NOT_IN_BODY)]
    if not schemes:
        return
    is_bytewise = not all(isinstance(each, ProofInBody) for each in schemes)
    for guess in guesses(delivery.body, is_bytewise=is_bytewise):
        text = (
            f"the body was {guess.how} before hookkit read it; the sender signs the bytes that it"
            " sends, so take out what changes them on the way: a proxy, a gateway, a middleware"
        )
        yield Trial(Found(guess.cause, text), endpoint, replace(delivery, body=guess.body))
