from typing import NamedTuple

import pytest
from marshmallow import ValidationError

from hookkit.core.body import dig, dig_id, dig_text
from hookkit.schemas import fields
from hookkit.schemas.shape import Beside, Many, OneOf, Part, Shape, problems


class Person(NamedTuple):
    name: str | None = None
    age: int | None = None
    friends: tuple["Person", ...] = ()
    pet: object = None
    mood: object = None


class MoodShape(Shape):
    mood = fields.Text()


class PersonShape(Shape):
    name = fields.Text(data_key="fullName")
    age = fields.Whole()
    friends = Many(Part(Person, lambda: PersonShape()))
    pet = OneOf(
        {"dog": Part(lambda **keys: ("dog", keys), lambda: DogShape())}, otherwise=lambda data: data
    )
    mood = Beside(Part(lambda mood=None: mood, MoodShape))


class DogShape(Shape):
    name = fields.Text()


PERSON = Part(Person, PersonShape)


def read(data):
    """Return the person in *data*, and the problems."""
    try:
        return PERSON.deserialize(data), ()
    except ValidationError as error:
        return error.valid_data, problems(error.messages)


def test_keys_are_read_by_the_names_of_the_payload():
    assert read({"fullName": "Ana", "age": 3}) == (Person(name="Ana", age=3), ())


@pytest.mark.parametrize("data", [{}, {"fullName": None}, {"newKey": 1, "name": 2}], ids=repr)
def test_null_absent_and_unknown_keys_are_nothing(data):
    assert read(data) == (Person(), ())


def test_broken_key_does_not_take_its_neighbours_along():
    person, faults = read({"fullName": 5, "age": 3})

    assert person == Person(age=3)
    assert faults == ("fullName: not a text",)


def test_broken_object_is_nothing():
    with pytest.raises(ValidationError, match="not an object"):
        PERSON.deserialize([1])


def test_empty_array_is_an_empty_object():
    assert PERSON.deserialize([]) == Person()


def test_array_is_read_item_by_item():
    person, faults = read({"friends": [{"age": 1}, None, 5, {"age": "x", "fullName": "B"}]})

    assert person.friends == (Person(age=1), Person(name="B"))
    assert faults == ("friends[2]: not an object", "friends[3].age: not a whole number")


def test_lone_object_is_an_array_of_one():
    person, faults = read({"friends": {"age": 1}})

    assert person.friends == (Person(age=1),)
    assert faults == ()


def test_lone_object_with_a_fault_is_told_as_the_first():
    assert read({"friends": {"age": "x"}})[1] == ("friends[0].age: not a whole number",)


def test_fault_is_told_with_its_whole_path():
    data = {"friends": [{"friends": [{"friends": [{"age": []}]}]}]}

    assert read(data)[1] == ("friends[0].friends[0].friends[0].age: not a whole number",)


@pytest.mark.parametrize(
    ("pet", "expected"),
    [
        pytest.param({"type": "dog", "name": "Rex"}, ("dog", {"name": "Rex"}), id="known"),
        pytest.param({"type": "cat", "x": 1}, {"type": "cat", "x": 1}, id="from the future"),
        pytest.param({"x": 1}, {"x": 1}, id="without a type"),
        pytest.param({"type": ["dog"]}, {"type": ["dog"]}, id="type is no text"),
        pytest.param({"type": None}, {"type": None}, id="type is null"),
    ],
)
def test_object_is_read_by_what_its_type_names(pet, expected):
    person, faults = read({"pet": pet})

    assert person.pet == expected
    assert faults == ()


def test_object_with_a_type_must_be_an_object():
    assert read({"pet": "Rex"}) == (Person(), ("pet: not an object",))


def test_part_of_a_known_type_tells_its_faults():
    person, faults = read({"pet": {"type": "dog", "name": 1}})

    assert person.pet == ("dog", {})
    assert faults == ("pet.name: not a text",)


def test_part_beside_the_other_keys_is_read_from_them():
    assert read({"age": 1, "mood": "good"}) == (Person(age=1, mood="good"), ())


def test_fault_of_a_part_beside_is_told_as_the_objects_own():
    assert read({"age": 1, "mood": 5}) == (Person(age=1), ("mood: not a text",))


def test_problems_of_nothing_are_none():
    assert problems({}) == ()


def test_several_faults_at_a_place_are_lines_of_their_own():
    assert problems({"a": {0: ["x", "y"], "b": ["z"]}}) == ("a[0]: x", "a[0]: y", "a.b: z")


# Reaching in


@pytest.mark.parametrize(
    ("document", "path", "expected"),
    [
        pytest.param({"a": {"b": 1}}, ("a", "b"), 1, id="there"),
        pytest.param({"a": {"b": 1}}, (), {"a": {"b": 1}}, id="no path"),
        pytest.param({"a": {}}, ("a", "b"), None, id="absent"),
        pytest.param({"a": None}, ("a", "b"), None, id="null on the way"),
        pytest.param({"a": [1]}, ("a", "b"), None, id="array on the way"),
        pytest.param([], ("a",), None, id="no object at all"),
        pytest.param("abc", ("a",), None, id="a text"),
    ],
)
def test_dig_finds_what_is_there_or_none(document, path, expected):
    assert dig(document, *path) == expected


@pytest.mark.parametrize(
    ("value", "text", "identifier"),
    [
        pytest.param("x", "x", "x", id="text"),
        pytest.param("", None, None, id="empty"),
        pytest.param(None, None, None, id="null"),
        pytest.param(5, None, "5", id="number"),
        pytest.param(1.5, None, "1.5", id="fraction"),
        pytest.param(True, None, None, id="true"),
        pytest.param([], None, None, id="array"),
        pytest.param({}, None, None, id="object"),
        pytest.param(float("inf"), None, None, id="out of range"),
    ],
)
def test_dig_takes_what_has_the_type(value, text, identifier):
    assert dig_text({"a": value}, "a") == text
    assert dig_id({"a": value}, "a") == identifier
