"""Writes docs/reference/hardening.md from the catalogue: ``python -m`` this module."""

from collections import Counter

from tests.docs.catalogue import ITEMS, TOPICS
from tests.docs.pages import ROOT
from tests.hostile.test_catalogue import CASES

PAGE = ROOT / "docs" / "reference" / "hardening.md"
CASES_FILE = "tests/hostile/test_catalogue.py"
START, END = "<!-- written from the catalogue -->", "<!-- end of what is written -->"


def table():
    lines = []
    cases = Counter(each.item for each in CASES)
    for item in ITEMS:
        if item.number in TOPICS:
            lines += ["", f"### {TOPICS[item.number]}", ""]
            lines += ["| | what is sent, or happens | what becomes of it | tests |"]
            lines += ["| --- | --- | --- | --- |"]
        if item.why_open:
            outcome, tests = f"open: {item.why_open}", ""
        else:
            outcome, tests = item.outcome, ", ".join(places(item, cases[item.number]))
        lines.append(f"| {item.number} | {item.what} | {outcome} | {tests} |")
    return "\n".join(lines)


def places(item, count):
    """Yield where the tests of an item are, for people."""
    if count:
        yield f"[{count} {'case' if count == 1 else 'cases'}](../../{CASES_FILE})"
    for each in item.tests:
        file, _, name = each.partition("::")
        yield f"[{name.replace('_', ' ')}](../../{path_of(file)})"


def path_of(file):
    folder, _, name = file.rpartition("/")
    return f"tests/{folder}/test_{name}.py" if folder else f"tests/test_{name}.py"


def summary():
    states = Counter(each.state for each in ITEMS)
    return (
        f"{len(ITEMS)} items: {states['held']} are held by hookkit and"
        f" {states['by the server']} by the server under it; {states['open']} are open."
    )


def written():
    return f"{START}\n\n{summary()}\n{table()}\n\n{END}"


if __name__ == "__main__":
    page = PAGE.read_text(encoding="utf-8")
    before, rest = page.split(START)
    PAGE.write_text(before + written() + rest.split(END)[1], encoding="utf-8")
