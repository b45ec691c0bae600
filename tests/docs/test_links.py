"""Links lead somewhere, and every page can be reached."""

import re

import pytest

from tests.docs.pages import PAGES, ROOT, anchors, prose

FURTHER = [ROOT / name for name in ("CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")]


def targets(page):
    """Yield the file and the anchor of each relative link of a page."""
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if "://" not in target:
            path, _, anchor = target.partition("#")
            yield ((page.parent / path).resolve() if path else page), anchor


@pytest.mark.parametrize("page", [*PAGES, *FURTHER], ids=lambda each: str(each.relative_to(ROOT)))
def test_every_relative_link_resolves(page):
    broken = [
        (str(path), anchor)
        for path, anchor in targets(page)
        if not path.exists() or (anchor and anchor not in anchors(path))
    ]

    assert broken == []


def test_every_page_can_be_reached_from_the_readme():
    reached, new = set(), {ROOT / "README.md"}
    while new:
        reached |= new
        new = {path for page in new for path, _ in targets(page) if path.suffix == ".md"} - reached

    assert set(PAGES) - reached == set()


def test_every_page_is_in_the_menu_of_the_site():
    index = ROOT / "docs" / "index.md"
    listed = {path for path, _ in targets(index)} | {index, ROOT / "README.md"}

    # docs/conf.py adds the numbered pages of the tutorial.
    assert {page for page in PAGES if page.parent.name != "tutorial"} - listed == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda each: str(each.relative_to(ROOT)))
def test_no_two_headings_of_a_page_have_one_anchor(page):
    headings = re.findall(r"^#+ (.+)$", prose(page), flags=re.MULTILINE)

    assert len(anchors(page)) == len(headings)
