import math
from datetime import UTC, datetime

import pytest
from marshmallow import ValidationError

from hookkit.schemas import fields


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        pytest.param(fields.Id(), "a", "a", id="Id of a text"),
        pytest.param(fields.Id(), "", "", id="Id, empty"),
        pytest.param(fields.Id(), 17, "17", id="Id of a number"),
        pytest.param(fields.Id(), -1, "-1", id="Id of a negative number"),
        pytest.param(fields.Id(), 17.0, "17", id="Id of a whole float"),
        pytest.param(fields.Id(), 1.5, "1.5", id="Id of a fraction"),
        pytest.param(fields.Id(), 1e300, str(int(1e300)), id="Id of a huge float"),
        pytest.param(fields.Text(), "a", "a", id="Text"),
        pytest.param(fields.Word({"a": "b"}), "a", "b", id="Word renamed"),
        pytest.param(fields.Word({"a": "b"}), "c", "c", id="Word kept"),
        pytest.param(fields.Truth(), True, True, id="Truth"),
        pytest.param(fields.Truth(), False, False, id="Truth of false"),
        pytest.param(fields.Whole(), 3, 3, id="Whole"),
        pytest.param(fields.Whole(), 3.0, 3, id="Whole of a float"),
        pytest.param(fields.Whole(), 10**400, 10**400, id="Whole, huge"),
        pytest.param(fields.Number(), 1.5, 1.5, id="Number"),
        pytest.param(fields.Number(), 3, 3.0, id="Number of a whole one"),
        pytest.param(fields.Anything(), [1], [1], id="Anything"),
        pytest.param(fields.Object(), {"a": None}, {"a": None}, id="Object"),
        pytest.param(fields.Object(), [], {}, id="Object of PHP"),
        pytest.param(fields.Instant(), 0, datetime(1970, 1, 1, tzinfo=UTC), id="Instant"),
    ],
)
def test_value_is_read(field, value, expected):
    read = field.deserialize(value)

    assert read == expected
    assert type(read) is type(expected)


@pytest.mark.parametrize(
    ("field", "values", "message"),
    [
        (fields.Id(), [True, [], {}, math.inf, math.nan], "not an id"),
        (fields.Text(), [True, 1, 1.5, [], {}], "not a text"),
        (fields.Word({}), [True, 1, 1.5, [], {}], "not a text"),
        (fields.Truth(), [0, 1, "true", "", [], {}], "not true or false"),
        (fields.Whole(), [True, 1.5, "1", math.inf, math.nan, [], {}], "not a whole number"),
        (fields.Number(), [True, "1", math.inf, math.nan, 10**400, [], {}], "not a number"),
        (fields.Object(), [True, 1, "{}", [1], [{}]], "not an object"),
        (
            fields.Instant(),
            [
                True,
                [],
                {},
                "",
                "now",
                math.inf,
                -math.inf,
                math.nan,
                1e300,
                10**400,
                "9999-12-31T23:59:59.9999Z",
                "0001-01-01T00:00:00+23:59",
                "2023-02-30",
            ],
            "not a time",
        ),
    ],
    ids=lambda each: type(each).__name__ if hasattr(each, "deserialize") else "",
)
def test_value_of_another_type_is_a_validation_error(field, values, message):
    for value in values:
        with pytest.raises(ValidationError) as caught:
            field.deserialize(value)

        assert caught.value.messages == [message]


@pytest.mark.parametrize("number", [1444348338.704, 1692796967.555, 1692797055.001, 0.0005])
def test_decimal_seconds_are_read_as_decimals(number):
    read = fields.Instant().deserialize(number)

    assert read.timestamp() == pytest.approx(number, abs=0.0005)
    assert read.microsecond % 1000 == 0


def test_no_millisecond_is_lost_on_the_way_through_a_float():
    instant = fields.Instant()

    for milliseconds in range(1692796967000, 1692796968000):
        read = instant.deserialize(milliseconds / 1000)

        assert read == instant.deserialize(milliseconds)
        assert read.microsecond == milliseconds % 1000 * 1000
