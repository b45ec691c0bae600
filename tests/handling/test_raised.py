"""Where a handler raised: file and line of the application's own code."""

import json
import sys

from hookkit.handling.raised import MAX_PLACE_CHARS, place_of

HERE = "tests/handling/test_raised.py"


def raised_by(function):
    try:
        function()
    except Exception as error:  # noqa: BLE001  # whatever it raises
        return error
    raise AssertionError("it raised nothing")


def read_nothing():
    return json.loads("")


def test_place_is_the_last_line_of_own_code_and_not_one_of_a_library():
    line = read_nothing.__code__.co_firstlineno + 1

    assert place_of(raised_by(read_nothing)) == f"{HERE}:{line}"


def test_error_that_own_code_never_met_has_no_place():
    assert place_of(ValueError()) is None


def test_file_is_named_below_the_folder_that_it_is_imported_from(tmp_path, monkeypatch):
    folder = tmp_path / ("long" * 60)
    folder.mkdir()
    (folder / "far_away.py").write_text("def fail():\n    raise ValueError\n")
    monkeypatch.syspath_prepend(folder)
    import far_away  # noqa: PLC0415

    place = place_of(raised_by(far_away.fail))
    monkeypatch.setattr(sys, "path", [])
    absolute = place_of(raised_by(far_away.fail))

    assert place == "far_away.py:2"
    assert absolute.endswith("long/far_away.py:2")
    assert len(absolute) == MAX_PLACE_CHARS
