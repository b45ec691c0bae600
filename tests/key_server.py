"""A key server on this machine, with a certificate of its own, that can be made to misbehave."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import socket
import ssl
import threading
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from hookkit.signatures.encodings import encode


def private_key(bits=2048, exponent=65537):
    return rsa.generate_private_key(public_exponent=exponent, key_size=bits)


_SHARED = defaultdict(private_key)


def shared_key(number=0):
    """Return a key that all tests of a process share, or another: to make one takes long."""
    return _SHARED[number]


def pem_of(key):
    """Return a private key as the bytes of a file."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def public_pem_of(key):
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


def jwk_of(key, key_id=None):
    """Return the public half of *key* as a JWK."""
    numbers = key.public_key().public_numbers()
    jwk = {"kty": "RSA", "n": _number(numbers.n), "e": _number(numbers.e)}
    return jwk if key_id is None else jwk | {"kid": key_id}


def ec_jwk_of(key, key_id=None):
    """Return the public half of a key of P-256 as a JWK."""
    numbers = key.public_key().public_numbers()
    x, y = (encode(each.to_bytes(32)) for each in (numbers.x, numbers.y))
    jwk = {"kty": "EC", "crv": "P-256", "x": x, "y": y}
    return jwk if key_id is None else jwk | {"kid": key_id}


def private_jwk_of(key, key_id=None):
    numbers = key.private_numbers()
    parts = {
        "d": numbers.d,
        "p": numbers.p,
        "q": numbers.q,
        "dp": numbers.dmp1,
        "dq": numbers.dmq1,
        "qi": numbers.iqmp,
    }
    return jwk_of(key, key_id) | {name: _number(part) for name, part in parts.items()}


def _number(number):
    return encode(number.to_bytes((number.bit_length() + 7) // 8))


#: What stands for a key id in the address of a JWK Set.
SET = "set"


class KeyServer:
    """Answers ``GET /<base>/<key id>/public`` over TLS, each connection in a thread.

    A JWK Set has the address ``set_url``, and ``SET`` for its key id.

    ``answers`` maps a key id to a JWK, or to a function that is given the connection.
    """

    def __init__(self, folder):
        self.answers = {}
        self.asked = Counter()
        self.ca_file = folder / "ca.pem"
        self._context = _server_context(folder, self.ca_file)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.base = f"https://127.0.0.1:{self.port}/jwk"
        self.set_url = f"{self.base}/{SET}/keys.json"
        self.closing = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def client_context(self):
        return ssl.create_default_context(cafile=self.ca_file)

    def close(self):
        self.closing.set()
        self._listener.close()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, bare):
        with (
            contextlib.suppress(OSError),
            bare,
            self._context.wrap_socket(bare, server_side=True) as connection,
        ):
            path = connection.recv(65536).split(b" ")[1].decode()
            key_id = path.split("/")[-2]
            self.asked[key_id] += 1
            answer = self.answers.get(key_id)
            if callable(answer):
                answer(connection)
            elif answer is None:
                connection.sendall(response(404, b'{"title": "Not Found"}'))
            else:
                connection.sendall(response(200, json.dumps(answer).encode()))


def response(status, body, **headers):
    lines = [f"HTTP/1.1 {status} -", f"Content-Length: {len(body)}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def _server_context(folder, ca_file):
    ca_key, ca = _certificate("hookkit test CA", None, None)
    key, certificate = _certificate("localhost", ca_key, ca)
    ca_file.write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    chain = folder / "server.pem"
    chain.write_bytes(pem_of(key) + certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    return context


def _certificate(name, issuer_key, issuer):
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                key_cert_sign=issuer is None,
                crl_sign=issuer is None,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key((issuer_key or key).public_key()),
            critical=False,
        )
    )
    if issuer is not None:
        address = ipaddress.ip_address("127.0.0.1")
        names = [x509.DNSName("localhost"), x509.IPAddress(address)]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return key, builder.sign(issuer_key or key, hashes.SHA256())
