"""How cases take turns."""

import pytest

from bench.timing import Case, interleaved, quartiles, ratio, ratios, turns

NAMES = ["a", "b", "c", "d"]


def test_every_round_has_every_name_and_orders_differ():
    orders = list(turns(NAMES, 20))

    assert all(sorted(order) == NAMES for order in orders)
    assert len({tuple(order) for order in orders}) > 5


def test_two_runs_take_the_same_turns():
    assert list(turns(NAMES, 5)) == list(turns(NAMES, 5))


def test_each_argument_is_used_once_and_there_is_a_figure_for_each_round():
    used = []
    cases = {"only": Case(prepare=lambda count: list(range(count)), call=used.append)}

    figures = interleaved(cases, rounds=5, calls=2)

    assert used == [0, 1] * (3 + 5)  # three rounds to warm up
    assert len(figures["only"]) == 5
    assert min(figures["only"]) > 0


def test_a_ratio_is_calculated_within_its_round():
    figures = {"one": [1.0, 20.0, 3.0], "other": [1.0, 10.0, 1.0]}

    assert ratios(figures["one"], figures["other"]) == [1.0, 2.0, 3.0]
    assert ratio(figures, "one", "other") == 2.0


def test_rounds_must_match():
    with pytest.raises(ValueError, match="shorter"):
        ratios([1.0, 2.0], [1.0])


def test_half_of_the_values_lie_between_the_quartiles():
    assert quartiles([1.0, 2.0, 3.0, 4.0, 5.0]) == (2.0, 4.0)
