"""Targets that coverage guides, one for each scheme and provider.

``python -m tests.fuzz.guided`` runs every target for some seconds, each in a process of its own;
``python -m tests.fuzz.guided --target read:sunshine -max_total_time=60`` runs one, with the
options of libFuzzer. It needs the extra ``fuzz``.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["hookkit"]):
    import hookkit
    from hookkit import Rejected
    from hookkit.core.provider import normalize, split
    from hookkit.core.scheme import ProofInBody, SigningScheme
    from hookkit.providers import load_providers

from hookkit.testing import list_samples
from tests.fuzz.targets import URL, pair_of

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
BODY = b"type=a&id=1"  # which is a form, for the scheme that signs one


def reader(name: str) -> Callable[[bytes], None]:
    """Return what reads a proven body, which must never raise."""
    provider = load_providers()[name]

    def read(data: bytes) -> None:
        for item in split(provider, endpoint="e", body=data, headers={}, received_at=NOW):
            normalize(provider, item)

    return read


def verifier(name: str) -> Callable[[bytes], None]:
    """Return what verifies headers and a body, which must prove nothing that was not signed."""
    scheme = load_providers()[name].scheme
    private, public = pair_of(name)
    url = {"public_url": URL + name} if getattr(scheme, "signs_url", False) else {}
    signed = hookkit.sign(name, BODY, private, event_id="msg_1", now=NOW, **url)
    covers_body = isinstance(scheme, SigningScheme) and scheme.covers_body

    def verify(data: bytes) -> None:
        provider = atheris.FuzzedDataProvider(data)
        headers = {
            key: value if provider.ConsumeBool() else provider.ConsumeUnicode(200)
            for key, value in signed.items()
        }
        query = provider.ConsumeUnicode(50)
        body = BODY if provider.ConsumeBool() else provider.ConsumeBytes(1000)
        try:
            hookkit.verify(name, headers, body, [public], now=NOW, query=query, **url)
        except Rejected:
            return
        if covers_body and body != BODY:
            raise AssertionError(f"{name} has accepted another body")

    return verify


def targets() -> dict[str, Callable[[str], Callable[[bytes], None]]]:
    """Return every target's name, and what makes it of its provider's."""
    providers = load_providers()
    reading = {f"read:{name}": reader for name, each in providers.items() if not each.samples}
    # A proof that lies in the body is read with it.
    verifying = {
        f"verify:{name}": verifier
        for name, each in providers.items()
        if not isinstance(each.scheme, ProofInBody)
    }
    return reading | verifying


def run_all(seconds: int) -> int:
    """Run every target for so long; return 1 if any has found something."""
    failed = []
    for name in targets():
        with tempfile.TemporaryDirectory() as corpus:
            provider = name.partition(":")[2]
            for number, sample in enumerate(list_samples(load_providers()[provider])):
                Path(corpus, str(number)).write_bytes(sample.body)
            options = [f"-max_total_time={seconds}", "-verbosity=0", "-print_final_stats=1"]
            # What fails is printed as Base64.
            options.append(f"-artifact_prefix={corpus}/")
            command = [sys.executable, "-m", "tests.fuzz.guided", "--target", name, corpus]
            done = subprocess.run(
                [*command, *options], check=False, capture_output=True, text=True, cwd=Path.cwd()
            )
        stats = [line for line in done.stderr.splitlines() if "number_of_executed_units" in line]
        print(name, done.returncode, *stats, flush=True)  # noqa: T201  # for whoever has started it
        if done.returncode:
            failed.append(name)
            print(done.stderr[-3000:])  # noqa: T201
    return int(bool(failed))


def main() -> int:
    """Run one target, or all of them."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.guided")
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--target", choices=list(targets()))
    given, rest = parser.parse_known_args()
    if given.target is None:
        return run_all(given.seconds)
    make = targets()[given.target]
    atheris.Setup([sys.argv[0], *rest], make(given.target.partition(":")[2]))
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
