import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hookkit.core.attempts import RetryPolicy
from hookkit.core.errors import ConfigurationError

HOUR_S = 3600
fixed = settings(derandomize=True, deadline=None, database=None)
jitters = st.floats(-1, 1)


def test_default_doubles_from_five_seconds_to_an_hour():
    policy = RetryPolicy()

    delays_s = [policy.delay_s(attempt, 0.0) for attempt in range(1, 13)]

    assert delays_s == [5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600]


def test_default_goes_on_for_at_least_twelve_hours_whatever_the_jitter():
    assert RetryPolicy().shortest_span_s >= 12 * HOUR_S


def test_default_gives_up_within_a_day():
    policy = RetryPolicy()

    longest_s = sum(policy.delay_s(attempt, 1.0) or 0 for attempt in range(1, 100))

    assert longest_s <= 24 * HOUR_S


@pytest.mark.parametrize(
    ("attempt", "is_last"), [(1, False), (2, False), (3, True), (4, True), (10**9, True)]
)
def test_last_attempt_is_followed_by_none(attempt, is_last):
    assert (RetryPolicy(max_attempts=3).delay_s(attempt, 0.0) is None) is is_last


def test_single_attempt_is_never_repeated():
    assert RetryPolicy(max_attempts=1).delay_s(1, 0.0) is None
    assert RetryPolicy(max_attempts=1).shortest_span_s == 0


@given(st.integers(1, 22), jitters)
@fixed
def test_jitter_stays_within_its_bounds(attempt, jitter):
    policy = RetryPolicy()
    plain_s = policy.delay_s(attempt, 0.0)

    delay_s = policy.delay_s(attempt, jitter)

    assert plain_s * 0.9 <= delay_s <= plain_s * 1.1


@given(
    st.integers(1, 10**6),
    jitters,
    st.floats(1, 100),
    st.floats(0, 1e6),
    st.floats(0, 0.999),
)
@fixed
def test_later_delays_are_not_shorter(attempt, jitter, factor, first_delay_s, spread):
    policy = RetryPolicy(
        max_attempts=10**7,
        factor=factor,
        first_delay_s=first_delay_s,
        max_delay_s=max(HOUR_S, first_delay_s),
        jitter=spread,
    )

    sooner_s, later_s = (policy.delay_s(each, jitter) for each in (attempt, attempt + 1))

    assert 0 <= sooner_s <= later_s <= policy.max_delay_s * 2


@pytest.mark.parametrize(
    ("changes", "mistake"),
    [
        ({"max_attempts": 0}, "RetryPolicy: max_attempts must be at least 1"),
        ({"first_delay_s": -1}, "RetryPolicy: first_delay_s must not be negative"),
        ({"factor": 0.5}, "RetryPolicy: factor must be between 1 and 100"),
        ({"factor": 101}, "RetryPolicy: factor must be between 1 and 100"),
        ({"max_delay_s": 1}, "RetryPolicy: max_delay_s is below first_delay_s"),
        ({"jitter": -0.1}, "RetryPolicy: jitter must be at least 0 and below 1"),
        ({"jitter": 1}, "RetryPolicy: jitter must be at least 0 and below 1"),
        ({"first_delay_s": float("nan")}, "RetryPolicy: first_delay_s must not be negative"),
        ({"factor": float("nan")}, "RetryPolicy: factor must be between 1 and 100"),
        ({"max_attempts": 10**8}, "RetryPolicy: max_attempts must be at most 10000000"),
        ({"max_attempts": 2.5}, "RetryPolicy: max_attempts must be a whole number"),
        ({"max_attempts": True}, "RetryPolicy: max_attempts must be a whole number"),
        ({"max_attempts": None}, "RetryPolicy: max_attempts must be a whole number"),
        ({"first_delay_s": "5"}, "RetryPolicy: first_delay_s must be a number"),
        ({"jitter": None}, "RetryPolicy: jitter must be a number"),
        ({"max_delay_s": 1e12}, "RetryPolicy: max_delay_s must be at most 31536000, a year"),
        ({"max_delay_s": 1e999}, "RetryPolicy: max_delay_s must be at most 31536000, a year"),
    ],
    ids=repr,
)
def test_mistake_is_named(changes, mistake):
    with pytest.raises(ConfigurationError) as caught:
        RetryPolicy(**changes)

    assert mistake in caught.value.mistakes


def test_all_mistakes_are_named_at_once():
    with pytest.raises(ConfigurationError) as caught:
        RetryPolicy(max_attempts=0, factor=0, jitter=2)

    assert len(caught.value.mistakes) == 3
