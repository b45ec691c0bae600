"""No mutated request makes a fault, proves what was not signed, or leaves anything in memory."""

import pytest

import hookkit
from hookkit import Rejected
from tests.fuzz.fuzzer import Fuzzer
from tests.fuzz.known import KNOWN
from tests.fuzz.targets import URL

#: ``make fuzz`` sends millions.
REQUESTS = 10_000
#: What the allocator and the caches of a process vary by.
MOST_GROWN_MIB = 10


def test_mutated_requests_cost_nothing_and_prove_nothing(record_property):
    report = Fuzzer(1).run(requests=REQUESTS)
    record_property("report", "\n".join(report.lines()))

    assert {kind: example for kind, example in report.findings.items() if kind not in KNOWN} == {}
    assert KNOWN.keys() - report.findings.keys() == set()
    assert report.forged == 0
    assert report.grown_mib < MOST_GROWN_MIB
    # The mutations lead somewhere: every door was reached.
    assert min(report.statuses[status] for status in (200, 400, 401, 404, 405, 413)) > 50


@pytest.mark.parametrize("name", ["square", "twilio"])
def test_query_that_is_no_text_is_refused(name):
    headers = hookkit.sign(name, b"a=1", "secret", public_url=URL)

    with pytest.raises(Rejected):
        hookkit.verify(name, headers, b"a=1", ["secret"], query="a=\ud800", public_url=URL)


def test_fuzzer_finds_a_forgery(monkeypatch):
    monkeypatch.setattr("hookkit.signatures.keyed_hash.hmac.compare_digest", lambda *_: True)

    assert Fuzzer(3).run(requests=500).forged > 0
