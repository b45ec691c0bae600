"""A line that strangers could cause without end is written once a minute."""

from hookkit.core.seldom import SELDOM_S, Seldom


def test_first_time_is_said_and_then_once_a_minute_how_often_it_was():
    seldom = Seldom()

    said = [seldom.count("key", second / 10) for second in range(int(SELDOM_S * 10) + 1)]

    assert said == [1, *[None] * (int(SELDOM_S * 10) - 1), SELDOM_S * 10]


def test_each_thing_is_said_by_itself():
    seldom = Seldom()

    assert [seldom.count(what, 0.0) for what in ("a", "b", "a")] == [1, 1, None]
    assert [seldom.count(what, SELDOM_S) for what in ("a", "b")] == [2, 1]
