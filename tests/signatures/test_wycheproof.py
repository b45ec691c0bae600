"""Wycheproof's signatures, made to find what verifiers get wrong; see ``wycheproof/README.md``."""

import base64
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hookkit.core.delivery import Delivery
from hookkit.core.errors import Rejected
from hookkit.signatures.public_key import KeyedSignature

FOLDER = Path(__file__).parent / "wycheproof"
NOW = datetime(2026, 3, 1, tzinfo=UTC)

#: file -> the algorithm, how many of its signatures are accepted and how many are refused.
FILES = {
    "ed25519": ("ed25519", 117, 64),
    "ecdsa_p256": ("ecdsa-p256", 174, 310),
    "rsa_2048": ("rsa-sha256", 9, 249),
}


def verdict(scheme, key, message, signature):
    delivery = Delivery(
        endpoint="e",
        body=bytes.fromhex(message),
        headers={"x-signature": signature},
        received_at=NOW,
    )
    try:
        scheme.verify(delivery, [key])
    except Rejected:  # whatever else is raised fails the test
        return "invalid"
    return "valid"


def is_key(scheme, key):
    try:
        scheme.check_secret(key)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("encoding", ["hex", "base64"])
@pytest.mark.parametrize("name", FILES)
def test_every_signature_is_judged_as_it_should_be(name, encoding):
    algorithm, *expected_counts = FILES[name]
    scheme = KeyedSignature(header="x-signature", algorithm=algorithm, encoding=encoding)
    wrong, counts = [], {"valid": 0, "invalid": 0}
    for group in json.loads((FOLDER / f"{name}.json").read_text()):
        key = base64.b64encode(bytes.fromhex(group["key"]))
        if not is_key(scheme, key):  # one of small order, which settings refuse
            assert {result for _, result, *_ in group["tests"]} == {"acceptable"}
            continue
        for number, result, comment, message, signature in group["tests"]:
            sent = signature
            if encoding == "base64":
                sent = base64.b64encode(bytes.fromhex(signature)).decode()
            found = verdict(scheme, key, message, sent)
            # What is "acceptable" is left to the library.
            if result in counts:
                counts[result] += 1
                if found != result:
                    wrong.append((number, comment, found))

    assert wrong == []
    assert list(counts.values()) == expected_counts
