"""The page about bad input names tests that are there, and every item."""

import ast
from collections import Counter

import pytest

from tests.docs.catalogue import ITEMS
from tests.docs.pages import ROOT
from tests.docs.write_hardening import PAGE, path_of, written
from tests.hostile.test_catalogue import CASES


def test_page_is_what_the_catalogue_says():
    assert written() in PAGE.read_text(encoding="utf-8"), "python -m tests.docs.write_hardening"


def test_every_item_is_there_once():
    assert [each.number for each in ITEMS] == list(range(1, 126))


def test_every_item_has_a_test_or_says_why_it_has_none():
    cases = Counter(each.item for each in CASES)
    bare = [
        each.number
        for each in ITEMS
        if bool(each.why_open) == bool(each.tests or cases[each.number])
    ]
    assert bare == []


@pytest.mark.parametrize("file", sorted({t.split("::")[0] for each in ITEMS for t in each.tests}))
def test_every_test_that_is_named_is_there(file):
    tree = ast.parse((ROOT / path_of(file)).read_text(encoding="utf-8"))
    there = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    named = {t.split("::")[1] for each in ITEMS for t in each.tests if t.split("::")[0] == file}
    assert {f"test_{name}" for name in named} <= there
