"""Lines that no sender can forge, and no stranger can multiply."""

import logging

import pytest

from hookkit.core.text import visible
from hookkit.log import (
    DETAILS,
    DETAILS_OF_KIND,
    FIRST_LINES,
    PERIOD_S,
    BoundedLog,
    Detail,
    logger,
)

HOSTILE = "a\x1b]0;owned\x07\x1b[2K\rb\nINFO all is well\u202egpj.exe\u2066\u200b\x9b31m\x7f\ud800c"


class Clock:
    now_s = 0.0

    def __call__(self):
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def log(clock, caplog):
    caplog.set_level(logging.INFO, "hookkit")
    return BoundedLog(clock)


def write(log, *kind, times=1, level=logging.INFO):
    for number in range(times):
        log.write(level, kind, "line %d of %s", number, kind, extra={"action": "seen"})


def test_text_of_a_sender_is_visible_and_on_one_line():
    shown = visible(HOSTILE)

    assert shown.isprintable()
    assert shown.startswith(r"a\x1b]0;owned\x07")
    assert r"\u202egpj.exe\u2066\u200b\x9b31m\x7f\ud800c" in shown
    assert visible(shown) == shown


@pytest.mark.parametrize("text", ["", "plain", "äöü ß 日本語 العربية 😀", r"C:\folder\x"])
def test_text_that_shows_itself_stays_as_it_is(text):
    assert visible(text) == text


def test_no_argument_of_a_line_forges_a_line_or_steers_a_terminal(caplog):
    logger.warning("type %s of %d, error %s", HOSTILE, 3, ValueError(HOSTILE))

    (message,) = caplog.messages
    assert message.isprintable()
    assert " of 3, error a" in message


def test_no_error_forges_a_line_or_steers_a_terminal(caplog):
    def fail():
        raise ValueError(HOSTILE) from KeyError(HOSTILE)

    try:
        fail()
    except ValueError as error:
        logger.warning("failed", exc_info=error)

    lines = caplog.text.splitlines()
    assert all(line.isprintable() for line in lines)
    assert not any(line.startswith("INFO") for line in lines)
    assert "Traceback (most recent call last):" in lines
    assert any(line.startswith("ValueError: a\\x1b") for line in lines)


def test_error_that_cannot_be_shown_is_logged_all_the_same(caplog):
    class Sly(Exception):
        def __str__(self):
            raise RuntimeError("no text for you")

    logger.warning("failed", exc_info=Sly())

    assert "Sly: <exception str() failed>" in caplog.text


def test_first_lines_of_a_kind_are_written_at_once_and_the_rest_counted(log, clock, caplog):
    write(log, "a", times=5_000)
    assert len(caplog.records) == FIRST_LINES

    clock.now_s = PERIOD_S - 1
    write(log, "a")
    assert len(caplog.records) == FIRST_LINES

    clock.now_s = PERIOD_S
    write(log, "b")
    count, line = caplog.records[FIRST_LINES:]
    assert count.getMessage().startswith(f"{5_001 - FIRST_LINES} more lines like this within 60")
    assert "line 0 of" in count.getMessage()
    assert (count.action, count.left_out) == ("seen", 5_001 - FIRST_LINES)
    assert "of ('b',)" in line.getMessage()


def test_one_line_that_was_left_out_is_told_in_the_singular(log, caplog):
    write(log, "a", times=FIRST_LINES + 1)
    log.flush()

    assert caplog.messages[-1].startswith("1 more line like this")


def test_kind_begins_anew_after_a_minute(log, clock, caplog):
    for minute in range(3):
        clock.now_s = minute * PERIOD_S
        write(log, "a", times=FIRST_LINES)

    assert len(caplog.records) == 3 * FIRST_LINES


def test_kinds_are_counted_apart(log, caplog):
    write(log, "a", times=FIRST_LINES + 1)
    write(log, "b", times=FIRST_LINES + 1)

    assert len(caplog.records) == 2 * FIRST_LINES


def test_what_was_counted_is_written_at_the_end(log, caplog):
    write(log, "a", times=FIRST_LINES + 3)
    write(log, "b")
    log.flush()
    log.flush()

    assert [record.left_out for record in caplog.records if hasattr(record, "left_out")] == [3]


def test_level_that_nobody_reads_costs_nothing_and_is_not_counted(log, caplog):
    caplog.set_level(logging.WARNING, "hookkit")
    write(log, "a", times=FIRST_LINES + 3)
    log.flush()
    write(log, "a", level=logging.WARNING)

    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_child_process_begins_with_no_count(log, caplog):
    write(log, "a", times=FIRST_LINES + 3)
    log.after_fork()
    log.flush()

    assert len(caplog.records) == FIRST_LINES


# What completes a line


def write_with_detail(log, *kind, times=1, asked):
    def detail():
        asked.append(kind)
        return Detail(f"since {HOSTILE}", {"cause": "a word"})

    for _ in range(times):
        log.write(
            logging.INFO, kind, "line of %s", kind[0], extra={"action": "seen"}, detail=detail
        )


def test_first_lines_of_a_kind_are_completed(log, caplog):
    asked = []

    write_with_detail(log, "kind", times=5 * FIRST_LINES, asked=asked)

    assert len(asked) == DETAILS_OF_KIND
    assert len(caplog.records) == FIRST_LINES
    completed = [each for each in caplog.records if hasattr(each, "cause")]
    assert completed == caplog.records[:DETAILS_OF_KIND]
    assert {each.cause for each in completed} == {"a word"}
    assert completed[0].getMessage().startswith("line of kind: since a")
    assert caplog.records[-1].getMessage() == "line of kind"
    assert all(each.getMessage().isprintable() for each in caplog.records)


def test_nothing_is_completed_that_is_not_written(log, caplog):
    caplog.set_level(logging.WARNING, "hookkit")
    asked = []

    write_with_detail(log, "kind", asked=asked)

    assert asked == []


def test_details_of_all_kinds_are_bounded_by_the_minute(log, clock):
    asked = []

    for number in range(DETAILS):
        write_with_detail(log, f"kind {number}", times=2, asked=asked)
    assert len(asked) == DETAILS
    clock.now_s = PERIOD_S
    write_with_detail(log, "kind 0", asked=asked)

    assert len(asked) == DETAILS + 1


def test_what_was_left_out_is_told_without_the_detail(log, clock, caplog):
    write_with_detail(log, "kind", times=FIRST_LINES + 1, asked=[])

    log.flush()

    assert "1 more line like this" in caplog.messages[-1]
    assert caplog.messages[-1].endswith("line of kind")
