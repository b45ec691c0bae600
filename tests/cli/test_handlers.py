"""``flask hookkit handlers``."""

import json
import re

import pytest

from hookkit import HookKit, RetryPolicy
from tests.applications import ENDPOINTS, make_app


def greet(event, run):
    """Do nothing."""


def is_meant(event):
    return True


@pytest.fixture
def hooks():
    return HookKit()


def run(hooks, *arguments, exit_code=0):
    endpoints = ENDPOINTS | {"calls": {"provider": "8x8", "region": "us"}}
    app = make_app(hooks, HOOKKIT_ENDPOINTS=endpoints)
    result = app.test_cli_runner().invoke(args=["hookkit", "handlers", *arguments])
    assert result.exit_code == exit_code, result.output
    return result.output


def notes_of(printed):
    """Return the sentences below the list, each on one line again."""
    lines = re.sub(r"\n  (?=\S)(?!(words|only|retry|flags|function) )", " ", printed).splitlines()
    return [line for line in lines if re.match(r"\S+: ", line)]


def test_nothing_is_registered(hooks):
    assert run(hooks) == "no handler is registered\n"


def test_handler_is_listed_with_all_that_was_said_of_it(hooks):
    hooks.on(
        "conversation:message",
        "user:*",
        name="greet",
        author="user",
        endpoint="support",
        when=is_meant,
        retry=RetryPolicy(max_attempts=3, first_delay_s=10, jitter=0),
        ordered=True,
    )(greet)
    hooks.fallback(lambda event: None)

    printed = run(hooks).splitlines()

    assert printed[:5] == [
        "greet",
        "  words     conversation:message, user:*",
        "  only      author=user, endpoint=support, when=is_meant",
        "  retry     3 attempts, 30 s",
        "  flags     ordered, takes_run",
    ]
    assert printed[5].startswith("  function  tests.cli.test_handlers.greet:")
    assert printed[7] == "  words     (fallback)"
    assert printed[8].endswith("(default)")


def test_list_fits_the_screen(hooks):
    words = [f"sunshine/conversation:{'long' * 5}{number}" for number in range(9)]
    hooks.on(*words, name="h" * 90, retry=RetryPolicy(max_attempts=3))(greet)
    hooks.on("sunshine/postback", name="press")(greet)

    printed = run(hooks, exit_code=1)

    assert max(map(len, printed.splitlines())) <= 100
    assert notes_of(printed)[-1] == (
        "press: sunshine/postback is a word of v1, v1.1 and matches no other; v2 says"
        " conversation:postback: register that, too"
    )


def test_list_for_machines(hooks):
    hooks.on("postback", name="press", retry=RetryPolicy(max_attempts=1))(lambda event: None)

    (printed,) = json.loads(run(hooks, "--json"))

    assert (printed["name"], printed["words"], printed["retry"]) == (
        "press",
        ["postback"],
        "1 attempt",
    )
    assert printed["notes"][0]["renamed"] == ["conversation:postback"]
    assert printed["notes"][0]["is_exact"] is False


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        (
            "message:appUser",
            (
                "message:appUser is a word of v1, v1.1; it goes on matching in v2, which says"
                " conversation:message"
            ),
        ),
        (
            "sunshine/message:appUser",
            (
                "sunshine/message:appUser is a word of v1, v1.1 and matches no other; v2 says"
                " conversation:message: register that, too"
            ),
        ),
        ("payment:success", "payment:success is a word of v1, v1.1; v2 has none for it"),
        (
            "TEXT",
            (
                "TEXT is a word of v1.0, v2.0; it goes on matching in Chat Gateway v1.0, which says"
                " MESSAGE"
            ),
        ),
    ],
)
def test_word_of_an_old_version_gets_a_note(hooks, word, sentence):
    hooks.on(word, name="h")(lambda event: None)

    assert notes_of(run(hooks)) == [f"h: {sentence}"]


def test_word_that_nothing_says_is_a_mistake(hooks):
    hooks.on("sunshine/mesage", name="h")(lambda event: None)

    printed = run(hooks, exit_code=1)

    assert notes_of(printed) == [
        "h: no payload version of sunshine says sunshine/mesage: is it spelt right?"
    ]


@pytest.mark.parametrize("word", ["conversation:message", "*", "thread_closed", "MESSAGE"])
def test_current_word_and_word_of_a_vendor_without_an_endpoint_get_no_note(hooks, word):
    hooks.on(word, name="h")(lambda event: None)

    assert notes_of(run(hooks)) == []


def test_handler_without_a_function_of_its_own_is_listed(hooks):
    hooks.on("*", name="h")(print)

    assert "builtins.print" in run(hooks)
