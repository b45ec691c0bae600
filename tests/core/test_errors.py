from datetime import timedelta

import pytest

from hookkit.core import errors


def subclasses(of):
    for each in of.__subclasses__():
        yield each
        yield from subclasses(each)


def test_every_error_is_in_one_tree():
    for name, each in vars(errors).items():
        if isinstance(each, type) and issubclass(each, Exception):
            assert issubclass(each, errors.HookkitError), name


def test_what_a_developer_and_what_a_stranger_can_cause_stand_apart():
    assert not issubclass(errors.ConfigurationError, errors.Rejected)
    assert not issubclass(errors.Rejected, errors.ConfigurationError)


@pytest.mark.parametrize("error", list(subclasses(errors.Rejected)), ids=lambda each: each.__name__)
def test_every_rejection_has_a_word_and_a_status_of_its_own(error):
    assert error.code.replace("_", "").isalpha()
    assert 400 <= error.status < 500


def test_words_of_rejections_are_distinct():
    codes = [each.code for each in subclasses(errors.Rejected)]

    assert len(codes) == len(set(codes))


def test_single_mistake_is_the_message():
    assert str(errors.ConfigurationError("a is wrong")) == "a is wrong"


def test_several_mistakes_are_listed():
    error = errors.ConfigurationError("a is wrong", "b too")

    assert error.mistakes == ("a is wrong", "b too")
    assert str(error) == "\n- a is wrong\n- b too"


def test_handler_cannot_ask_for_an_earlier_time():
    with pytest.raises(ValueError, match="after must not be negative"):
        errors.RetryLater(timedelta(seconds=-1))
    with pytest.raises(ValueError, match="at most a year"):
        errors.RetryLater(timedelta.max)
    with pytest.raises(TypeError, match="after=5 must be a timedelta, such as"):
        errors.RetryLater(5)


def test_what_a_handler_raises_says_what_it_wants():
    assert str(errors.RetryLater(timedelta(minutes=5))) == "asked to be run again after 0:05:00"
    assert str(errors.RetryLater(timedelta(minutes=5), "too early")) == "too early"
    assert errors.Discard("not ours").reason == "not ours"


def test_refused_switch_gives_all_reasons():
    assert str(errors.SwitchRefused("no twin", "too young")) == "no twin; too young"
