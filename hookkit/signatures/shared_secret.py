"""The sender proves itself by sending a secret along: in a header, in the body, in the URL.

Such a secret proves who sent the request, and nothing about the body: TLS alone protects that,
so ``body_authenticated`` is False for every scheme here.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from urllib.parse import urlencode

from hookkit.core.body import decode_body, encode_body
from hookkit.core.delivery import Delivery, VerifiedDelivery, sent_header
from hookkit.core.errors import (
    BodyUnreadable,
    MalformedHeader,
    SignatureMismatch,
    SignatureMissing,
)
from hookkit.core.form import decode_form
from hookkit.core.ids import hidden_secret
from hookkit.signatures.in_body import MAX_SECRET_BYTES, read_document, texts_under

#: The message of ``sign`` in schemes that have no header to return.
PROOF_IN_BODY = (
    "the proof lies in the body: hookkit.testing.sign(provider, body, secret=...) returns the"
    " body with its proof"
)

#: The same, where it lies in the URL.
PROOF_IN_URL = "the proof is the query parameter {} of the URL, and no header holds it"


def sent_parameter(query: str, name: str) -> str:
    """Return the parameter *name* of *query*, each byte of it as a character.

    Raises:
        SignatureMissing: It is absent or empty.
        SignatureMismatch: It is there twice.
        MalformedHeader: The query is written as no form may be.
    """
    try:
        pairs = decode_form(query.encode("latin-1"))  # as WSGI decodes URLs
    except (BodyUnreadable, UnicodeEncodeError) as error:
        raise MalformedHeader("the query is not written as a form") from error
    sent = [value for each, value in pairs if each == name.encode()]
    if not sent or not sent[0]:
        raise SignatureMissing(f"query parameter {name} is missing")
    if len(sent) > 1:
        raise SignatureMismatch(f"query parameter {name} is there twice")
    return sent[0].decode("latin-1")


@dataclass(frozen=True, slots=True)
class SharedSecretHeader:
    """Compare a header with the endpoint's secrets.

    Attributes:
        header: The header's name in lower case.
    """

    header: str

    def verify(self, delivery: Delivery, secrets: Sequence[bytes]) -> VerifiedDelivery:
        """Return *delivery* as verified by the first secret that fits.

        Raises:
            SignatureMissing: The header is absent or empty.
            SignatureMismatch: No secret fits.
        """
        return _verified(delivery, self._sent(delivery), secrets, where=f"header {self.header}")

    def conceal(self, delivery: Delivery) -> Delivery:
        """Return *delivery* with the header hidden, see ``SendsSecret``.

        Raises:
            Rejected: It is absent.
        """
        hidden = _hidden(delivery, self._sent(delivery)).decode()
        return _with_header(delivery, self.header, hidden)

    def _sent(self, delivery: Delivery) -> bytes:
        sent = sent_header(delivery.headers, self.header)
        try:
            return sent.encode("latin-1")  # as WSGI decodes headers
        except UnicodeEncodeError as error:
            raise SignatureMismatch(f"header {self.header} is none that HTTP can send") from error

    def sign(
        self, body: bytes, secret: bytes, signed_at: datetime | None = None, event_id: str = ""
    ) -> dict[str, str]:
        """Return the header that ``verify`` accepts; it is the same for every body."""
        return {self.header: secret.decode("latin-1")}


@dataclass(frozen=True, slots=True)
class SharedSecretQuery:
    """Compare a parameter of the URL's query with the endpoint's secrets.

    URLs are written into the logs of servers and proxies: prefer a header where there is a choice.

    Attributes:
        parameter: Its name, which must be there once.
    """

    parameter: str

    def verify(self, delivery: Delivery, secrets: Sequence[bytes]) -> VerifiedDelivery:
        """Return *delivery* as verified by the first secret that fits.

        Raises:
            SignatureMissing: The parameter is absent or empty.
            SignatureMismatch: No secret fits, or the parameter is there twice.
            MalformedHeader: The query is not written as a form.
        """
        sent = sent_parameter(delivery.query, self.parameter).encode("latin-1")
        return _verified(delivery, sent, secrets, where=f"query parameter {self.parameter}")

    def conceal(self, delivery: Delivery) -> Delivery:
        """Return *delivery* with nothing in its query but the parameter, hidden.

        Raises:
            Rejected: The parameter is not there once.
        """
        sent = sent_parameter(delivery.query, self.parameter).encode("latin-1")
        query = urlencode({self.parameter: _hidden(delivery, sent).decode()})
        return replace(delivery, query=query)

    def sign(
        self, body: bytes, secret: bytes, signed_at: datetime | None = None, event_id: str = ""
    ) -> dict[str, str]:
        """Raise ``TypeError``: no header proves the body."""
        raise TypeError(PROOF_IN_URL.format(self.parameter))


@dataclass(frozen=True, slots=True)
class SharedSecretField:
    """Compare a field of the JSON object in the body with the endpoint's secrets.

    The secret is looked for in the body before the body is decoded if it is large, see
    ``in_body``. The decoded object is passed on.

    Attributes:
        field: The key, at the top of the object.
    """

    field: str

    def verify(self, delivery: Delivery, secrets: Sequence[bytes]) -> VerifiedDelivery:
        """Return *delivery* as verified by the first secret that fits, its document read.

        Raises:
            MalformedBody: The body is not a JSON object, so the secret cannot be looked for.
            SignatureMissing: The field is absent, empty or no text.
            SignatureMismatch: No secret fits.
        """

        def prove(sent: object, found: Delivery = delivery) -> VerifiedDelivery:
            if not isinstance(sent, str) or not sent:
                raise SignatureMissing(f"field {self.field} is missing")
            # JSON can hold lone surrogates, which no secret has.
            sent_bytes = sent.encode(errors="surrogatepass")
            return _verified(found, sent_bytes, secrets, where=f"field {self.field}")

        document = read_document(delivery, self.field, texts_under, prove)
        return prove(document.get(self.field), replace(delivery, document=document))

    def check_secret(self, secret: bytes) -> None:
        """Raise ``ValueError`` if *secret* is longer than what is looked for in a body."""
        if len(secret) > MAX_SECRET_BYTES:
            raise ValueError(f"is longer than {MAX_SECRET_BYTES} bytes, so it is not looked for")

    def sign(
        self, body: bytes, secret: bytes, signed_at: datetime | None = None, event_id: str = ""
    ) -> dict[str, str]:
        """Raise ``TypeError``: no header proves the body."""
        raise TypeError(PROOF_IN_BODY)

    def enclose(self, body: bytes, secret: bytes, signed_at: datetime | None = None) -> bytes:
        """Return *body* with the field that ``verify`` accepts.

        Raises:
            BodyUnreadable: The body is not a JSON object, and has no room for the field.
        """
        return encode_body({**decode_body(body), self.field: secret.decode()})


@dataclass(frozen=True, slots=True)
class BasicCredentials:
    """Compare HTTP Basic credentials with the endpoint's, each written ``user:password``.

    https://www.rfc-editor.org/rfc/rfc7617
    """

    def verify(self, delivery: Delivery, secrets: Sequence[bytes]) -> VerifiedDelivery:
        """Return *delivery* as verified by the first credentials that fit.

        Raises:
            SignatureMissing: There is no ``Authorization: Basic``.
            SignatureMismatch: No credentials fit.
        """
        sent = _credentials_in(delivery)
        return _verified(delivery, sent, secrets, where="header authorization")

    def conceal(self, delivery: Delivery) -> Delivery:
        """Return *delivery* with the credentials hidden, see ``SendsSecret``.

        Raises:
            Rejected: There are none.
        """
        hidden = _hidden(delivery, _credentials_in(delivery))
        return _with_header(delivery, "authorization", self.sign(b"", hidden)["authorization"])

    def sign(
        self, body: bytes, secret: bytes, signed_at: datetime | None = None, event_id: str = ""
    ) -> dict[str, str]:
        """Return the header that ``verify`` accepts; it is the same for every body."""
        return {"authorization": f"Basic {base64.b64encode(secret).decode()}"}


@dataclass(frozen=True, slots=True)
class PathToken:
    """Compare the part of the URL after the endpoint's name with the endpoint's tokens.

    There is no ``sign``: a sender proves itself by posting to the URL.
    """

    def verify(self, delivery: Delivery, secrets: Sequence[bytes]) -> VerifiedDelivery:
        """Return *delivery* as verified by the first token that fits.

        Raises:
            SignatureMissing: The URL ends with the endpoint's name.
            SignatureMismatch: No token fits.
        """
        if not delivery.path_token:
            raise SignatureMissing("the URL has no token")
        sent = delivery.path_token.encode(errors="surrogatepass")
        return _verified(delivery, sent, secrets, where="the URL's token")

    def conceal(self, delivery: Delivery) -> Delivery:
        """Return *delivery* with the token hidden, see ``SendsSecret``.

        Raises:
            SignatureMissing: The URL ends with the endpoint's name.
        """
        if not delivery.path_token:
            raise SignatureMissing("the URL has no token")
        sent = delivery.path_token.encode(errors="surrogatepass")
        return replace(delivery, path_token=_hidden(delivery, sent).decode())


def _credentials_in(delivery: Delivery) -> bytes:
    """Return the credentials as ``user:password``.

    Raises:
        SignatureMissing: There is no ``Authorization: Basic``.
        SignatureMismatch: What follows it is not base64.
    """
    method, _, encoded = delivery.headers.get("authorization", "").partition(" ")
    if method.lower() != "basic":
        raise SignatureMissing("header authorization has no Basic credentials")
    try:
        return base64.b64decode(encoded.strip(" "), validate=True)
    except (binascii.Error, ValueError) as error:  # not base64, not ASCII
        raise SignatureMismatch("header authorization is not base64") from error


def _with_header(delivery: Delivery, name: str, value: str) -> Delivery:
    return replace(delivery, headers={**delivery.headers, name: value})


def _hidden(delivery: Delivery, sent: bytes) -> bytes:
    return hidden_secret(sent, delivery.salt or b"").encode()


def _verified(
    delivery: Delivery, sent: bytes, secrets: Sequence[bytes], *, where: str
) -> VerifiedDelivery:
    """Return *delivery* as verified by the first of *secrets* that equals *sent*.

    Every secret is compared, so that the time taken does not reveal which one fitted. Digests
    are compared, since they are equally long: the time does not reveal a secret's length.

    Raises:
        SignatureMismatch: None is equal; the message says *where* the sent one was.
    """
    if delivery.salt is not None:
        secrets = [_hidden(delivery, secret) for secret in secrets]
    sent_digest = sha256(sent).digest()
    fitting = [
        index
        for index, secret in enumerate(secrets)
        if hmac.compare_digest(sent_digest, _digest(secret))
    ]
    if not fitting:
        raise SignatureMismatch(f"{where} fits no configured secret")
    return VerifiedDelivery(delivery=delivery, secret_index=fitting[0], body_authenticated=False)


@lru_cache(maxsize=256)
def _digest(secret: bytes) -> bytes:
    return sha256(secret).digest()
