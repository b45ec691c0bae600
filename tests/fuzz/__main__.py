"""``python -m tests.fuzz``: hostile requests by the million, in several processes."""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from tests.fuzz.fuzzer import Fuzzer, Report


def _run(seed: int, *, requests: int | None, seconds: float | None) -> Report:
    logging.disable()
    return Fuzzer(seed).run(requests=requests, seconds=seconds)


def main() -> int:
    """Run, print what was found, and return 1 if anything was."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--seconds", type=float, help="how long")
    parser.add_argument("--requests", type=int, help="how many, in all processes together")
    parser.add_argument("--seed", type=int, default=None, help="default: the time")
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args()
    if given.seconds is None and given.requests is None:
        given.seconds = 60.0
    first = int(time.time()) if given.seed is None else given.seed
    each = None if given.requests is None else -(-given.requests // given.processes)
    run = partial(_run, requests=each, seconds=given.seconds)
    with ProcessPoolExecutor(given.processes) as pool:
        reports = list(pool.map(run, range(first, first + given.processes)))
    for report in reports:
        print(*report.lines(), sep="\n")  # noqa: T201  # for whoever has started it
    statuses = sum((report.statuses for report in reports), Counter[int]())
    faults = sum(count for status, count in statuses.items() if status >= 500)
    total, forged = statuses.total(), sum(report.forged for report in reports)
    print(f"{total} requests: {faults} answers of 5xx, {forged} forged")  # noqa: T201
    return int(any(report.findings for report in reports))


if __name__ == "__main__":
    sys.exit(main())
