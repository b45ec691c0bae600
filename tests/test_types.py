"""The public names promise types: ``typing_api.py`` uses them, and mypy reads it."""

import inspect
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from hookkit import HookKit
from hookkit.core.event import EVENT_CLASSES, EventType
from hookkit.core.triggers import explain
from hookkit.web import typed_handlers

FOLDER = Path(__file__).parent

# The runtime's own extras do not bring a type checker.
pytest.importorskip("mypy")


def test_public_names_have_the_types_that_users_rely_on():
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--config-file="]
    # As of an installed package: what its own modules import is not the user's affair.
    options = ["--warn-unused-ignores", "--follow-imports=silent"]
    checked = subprocess.run(
        [*command, *options, str(FOLDER / "typing_api.py")],
        check=False,
        capture_output=True,
        text=True,
        cwd=FOLDER.parent,
    )

    assert checked.stdout == ""
    assert checked.stderr == ""
    assert checked.returncode == 0


WORDS = {
    name.removesuffix("Word"): get_args(value)
    for name, value in vars(typed_handlers).items()
    if name.endswith("Word") and name != "AuthorWord"
}


@pytest.mark.parametrize("family", WORDS)
def test_words_of_a_class_hand_over_no_other(family):
    handed_over = {
        EVENT_CLASSES[kind].__name__ for word in WORDS[family] for kind in explain(word, {}).types
    }

    assert handed_over == {f"{family}Event"}


def test_every_event_type_with_parts_of_its_own_is_a_word_of_its_class():
    words = {word for each in WORDS.values() for word in each if not word.endswith("*")}

    assert set(EventType) - words == {EventType.TEST, EventType.OTHER, EventType.UNKNOWN}


def test_options_for_a_type_checker_are_those_of_the_function():
    parameters = inspect.signature(HookKit.on).parameters.values()
    keywords = [each.name for each in parameters if each.kind is each.KEYWORD_ONLY]

    assert list(typed_handlers.HandlerOptions.__annotations__) == keywords
