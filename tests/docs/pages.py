"""The pages, taken apart: code blocks, tables and headings.

A comment above a code block says what is done with it; it does not show on the page:

* ``run``: the block is a whole program, and runs.
* ``file: NAME``: it is saved under this name for the commands that follow.
* ``serve``, ``send``, ``inspect``, ``cli``: it holds commands, which are executed.
* ``printed``, ``inspected``: it is what they print, among other lines.
* ``night``: it holds commands after ``$``, and what they print; tests/acceptance runs them.
* ``terminal``, ``enter``, ``install``, ``stop``, ``append: NAME``, ``replace: NAME``, ``seen: X``:
  steps of the tutorial; tests/acceptance/test_tutorial.py takes them.
* ``sql``: it runs on an inbox of SQLite.
* ``sample: NAME``: it is this sample of the provider.

A comment ``index: WORD, WORD`` anywhere names what the search of the site finds there.
"""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]

_BLOCK = re.compile(
    r"(?:^<!-- (?P<use>[a-z]+)(?:: (?P<name>\S+))? -->\n)?"
    r"^```(?P<language>[a-z]*|\{[a-z-]+\})\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Block:
    page: Path
    line: int
    use: str | None
    name: str | None
    language: str
    text: str

    def __str__(self):
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def commands(self):
        return [line.removeprefix("$ ") for line in self.text.splitlines()]


@cache
def read(page):
    return page.read_text(encoding="utf-8")


def blocks(page=None, *, use=None, language=None):
    found = [
        Block(
            page=each,
            line=read(each).count("\n", 0, match.start("text")) + 1,
            use=match["use"],
            name=match["name"],
            language=match["language"],
            text=match["text"],
        )
        for each in ([page] if page is not None else PAGES)
        for match in _BLOCK.finditer(read(each))
    ]
    return [
        block for block in found if use in (None, block.use) and language in (None, block.language)
    ]


def prose(page):
    """Return the page without its code blocks."""
    return _BLOCK.sub("", read(page))


def tables(page, heading=None):
    """Return the rows of the tables of a page, or of one of its sections, as lists of cells."""
    text = "\n" + prose(page)
    if heading is not None:
        level, _, _ = heading.partition(" ")
        start = text.index(f"\n{heading}\n") + len(heading) + 2
        end = re.compile(rf"^#{{1,{len(level)}}} ", re.MULTILINE).search(text, start)
        text = text[start : end.start() if end else None]
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("|") and not line.startswith("| ---")
    ]


def words(cell):
    """Return what stands in backticks."""
    return re.findall(r"`([^`]+)`", cell)


def anchors(page):
    """Return what a link to a heading of the page may say after its #."""
    headings = re.findall(r"^#+ (.+)$", prose(page), flags=re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings
    }
