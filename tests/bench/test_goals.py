"""The table of goals: what a run reached, and when the command fails."""

import pytest

from bench import goals
from bench.goals import GOALS, Goal, cells, judge

LEAST = "drain / bare Celery: SQLite"
MOST = "200 to handler, idle, p50"


def test_a_row_is_the_median_with_the_quartiles_beside_it():
    (row,) = judge({LEAST: [9.0, 5.0, 6.0, 7.0, 8.0]})

    assert (row.figure, row.low, row.high, row.rounds) == (7.0, 6.0, 8.0, 5)


def test_a_single_round_is_its_own_spread():
    (row,) = judge({LEAST: [6.0]})

    assert (row.figure, row.low, row.high) == (6.0, 6.0, 6.0)


@pytest.mark.parametrize(
    ("name", "figure", "verdict"),
    [
        (LEAST, GOALS[LEAST].aim, "goal"),
        (LEAST, GOALS[LEAST].aim - 0.01, "floor"),
        (LEAST, GOALS[LEAST].floor, "floor"),
        (LEAST, GOALS[LEAST].floor - 0.01, "BELOW"),
        (MOST, GOALS[MOST].aim, "goal"),
        (MOST, GOALS[MOST].aim + 0.01, "floor"),
        (MOST, GOALS[MOST].floor, "floor"),
        (MOST, GOALS[MOST].floor + 0.01, "BELOW"),
    ],
)
def test_a_figure_at_its_limit_reaches_it(name, figure, verdict):
    (row,) = judge({name: [figure]})

    assert row.verdict == verdict


def test_rows_stand_in_the_order_of_the_goals_without_those_not_measured():
    assert [row.name for row in judge({MOST: [1.0], LEAST: [1.0]})] == [LEAST, MOST]


def test_cells_show_limits_with_their_direction_and_unit():
    (least,), (most,) = judge({LEAST: [7.123]}), judge({MOST: [0.4]})

    assert cells(least) == (LEAST, "7.12", "7.12 to 7.12", "1", "≥ 7", "≥ 5", "goal")
    assert cells(most) == (MOST, "0.40 ms", "0.40 to 0.40", "1", "≤ 0.5 ms", "≤ 1 ms", "goal")


def test_a_floor_is_never_better_than_its_aim():
    def is_sound(goal: Goal):
        return goal.floor >= goal.aim if goal.is_at_most else goal.floor <= goal.aim

    assert [name for name, goal in GOALS.items() if not is_sound(goal)] == []


def test_a_figure_below_its_floor_fails_the_command(capsys):
    with pytest.raises(SystemExit, match="1"):
        goals.show({LEAST: [1.0], MOST: [0.1]})

    assert "BELOW" in capsys.readouterr().out


def test_floors_reached_are_enough(capsys):
    goals.show({LEAST: [GOALS[LEAST].floor], MOST: [0.9]})

    assert [line.split()[-1] for line in capsys.readouterr().out.splitlines()] == [
        "reaches",
        "floor",
        "floor",
    ]


def test_nothing_is_shown_of_nothing(capsys):
    goals.show({})

    assert capsys.readouterr().out == ""
