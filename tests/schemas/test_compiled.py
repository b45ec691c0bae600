"""What a provider of a user's own may declare is read by code, or by the field where it must."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from marshmallow import EXCLUDE, INCLUDE, RAISE, Schema, ValidationError, post_load, pre_load
from marshmallow import fields as ma
from marshmallow import validate as must

from hookkit.core.constructors import quickly_made
from hookkit.core.event import EventType, build_event
from hookkit.core.parts import Conversation, Message, Participant, User
from hookkit.core.provider import PayloadVersion, Provider, normalize, split
from hookkit.schemas import fields
from hookkit.schemas.compiled import Code
from hookkit.schemas.shape import Beside, Many, OneOf, Part, Shape, problems
from hookkit.signatures.shared_secret import SharedSecretHeader
from tests.folding import in_one

NOW = datetime(2024, 3, 1, tzinfo=UTC)


def assert_read_alike(shape, data):
    """Return what *shape* reads of *data*, by the code and by the fields."""
    by_code, by_fields = outcome(shape.read, data), outcome(shape.read_by_fields, data)

    assert by_code == by_fields
    return by_code


def outcome(read, data):
    """Return what comes of it: what a user's own code raises is passed on."""
    try:
        return read(data)
    except (AttributeError, TypeError) as error:
        return type(error), str(error)


def is_faultless(shape, data):
    """Tell whether the code alone reads *data*."""
    try:
        shape.read_faultless(data)
    except ValidationError:
        return False
    return True


class Loud(fields.Text):
    """A field of a user, which reads in another way than its base class."""

    def _deserialize(self, value, attr, data, **kwargs):
        return f"{super()._deserialize(value, attr, data, **kwargs)}!"


class Where(ma.Field):
    """A field that looks around."""

    def _deserialize(self, value, attr, data, **kwargs):
        return attr, sorted(data)


class Trimmed(Schema):
    """A schema that marshmallow alone can load, with its hooks."""

    class Meta:
        unknown = INCLUDE

    name = ma.String(required=True, data_key="fullName")
    tags = ma.List(ma.String(), load_default=lambda: ["none"])

    @pre_load
    def _trim(self, data, **kwargs):
        if not isinstance(data, dict):
            return data
        return {key: each.strip() if isinstance(each, str) else each for key, each in data.items()}

    @post_load
    def _finish(self, data, **kwargs):
        return {**data, "finished": True}


# Fields

EACH_FIELD = {
    "id": (fields.Id(), ["a", "é", "", 5, 5.0, 1.5, True, [], {}, "\ud800", float("inf")]),
    "text": (fields.Text(), ["a", "é", "", 5, True, [], {}, "\ud800", "\ud83d\ude00"]),
    "word": (fields.Word({"a": "b", "é": "e"}), ["a", "é", "c", 5, [], "\ud800"]),
    "truth": (fields.Truth(), [True, False, 0, 1, "true", [], None]),
    "whole": (fields.Whole(), [1, -1, 10**400, 1.0, 1.5, True, "1", float("inf"), float("nan")]),
    "number": (fields.Number(), [1, 1.5, 10**400, True, "1", float("inf"), float("nan")]),
    "anything": (fields.Anything(), [1, "a", [], {}, True]),
    "object": (fields.Object(), [{}, {"a": None}, [], [1], "a", 1]),
    "instant": (
        fields.Instant(),
        [
            "2024-03-01T10:00:00.123Z",
            "2024-03-01T10:00:00.1235+02:00",
            "2024-03-01",
            "9999-12-31T23:59:59.9999Z",
            "0001-01-01T00:00:00+23:59",
            "soon",
            1709287200,
            1709287200123.5,
            1e300,
            True,
            [],
        ],
    ),
}


@in_one(
    "field, value",
    [(field, value) for field, values in EACH_FIELD.values() for value in values],
    ids=lambda case: f"{type(case[0]).__name__} {case[1]!r:.20}",
)
def test_field_of_hookkit_is_read_alike(field, value):
    shape = Shape.from_dict({"one": field, "many": Many(field)})()

    (attributes, _) = assert_read_alike(shape, {"one": value, "many": [value, None, value]})
    assert_read_alike(shape, {"many": value})

    (expected, _) = shape.read_by_fields({"one": value})
    assert type(attributes.get("one")) is type(expected.get("one"))


@pytest.mark.parametrize(
    "field",
    [
        pytest.param(fields.Text(validate=must.Length(max=3)), id="validator"),
        pytest.param(fields.Text(validate=[must.Length(max=3), must.OneOf(["abc"])]), id="two"),
        pytest.param(Loud(), id="subclass"),
        pytest.param(Where(), id="looks around"),
        pytest.param(fields.Text(required=True), id="required"),
        pytest.param(fields.Text(allow_none=True, load_default=None), id="null allowed"),
        pytest.param(fields.Text(load_default=lambda: "x"), id="default made anew"),
        pytest.param(fields.Text(data_key="renamed"), id="data key"),
        pytest.param(fields.Text(data_key='it\'s "{value}" \\ \n'), id="data key with quotes"),
        pytest.param(fields.Text(dump_only=True), id="dump only"),
        pytest.param(ma.Integer(strict=True), id="integer of marshmallow"),
        pytest.param(ma.Email(), id="email of marshmallow"),
        pytest.param(ma.List(ma.Integer()), id="list of marshmallow"),
        pytest.param(ma.Dict(ma.String(), ma.Integer()), id="dict of marshmallow"),
        pytest.param(ma.Function(deserialize=str.upper), id="function of marshmallow"),
        pytest.param(ma.Nested(Trimmed), id="nested with hooks"),
        pytest.param(ma.Nested(Trimmed(many=True)), id="nested many"),
        pytest.param(ma.Nested(Trimmed, unknown=RAISE), id="nested, unknown keys refused"),
        pytest.param(ma.Nested(Trimmed, unknown=EXCLUDE), id="nested, unknown keys left out"),
        pytest.param(ma.Pluck(Trimmed, "name"), id="plucked"),
        pytest.param(Many(Loud()), id="many of a subclass"),
        pytest.param(Many(fields.Text(validate=must.Length(max=3))), id="many with a validator"),
        pytest.param(Many(fields.Text(), validate=must.Length(max=1)), id="validated many"),
        pytest.param(Many(Many(fields.Whole())), id="many of many"),
        pytest.param(Beside(Loud()), id="beside"),
        pytest.param(Beside(fields.Object()), id="object beside"),
    ],
)
@in_one(
    "value",
    [
        *("abc", "abcd", "é", 1, 1.5, None, True),
        *([], ["a", "abcd", 1, None], [[1, None], 2], [{"fullName": "B", "tags": []}]),
        *({}, {"fullName": " Ana "}, {"fullName": " Ana ", "more": 1}),
    ],
    ids=repr,
)
def test_feature_of_marshmallow_is_read_alike(field, value):
    shape = Shape.from_dict({"before": fields.Text(), "it": field, "after": fields.Whole()})()

    for key in ("it", "renamed", field.data_key or "it"):
        assert_read_alike(shape, {"before": "b", key: value, "after": 5})


def test_field_may_have_functions_that_run_before_and_after_it():
    field = fields.Text()
    field.pre_load, field.post_load = [str.strip], [str.upper]  # as of marshmallow 4.2
    shape = Shape.from_dict({"name": field})()

    (attributes, _) = assert_read_alike(shape, {"name": " ana "})

    assert attributes["name"].strip() == "ANA" or attributes == {"name": " ana "}


def test_field_that_the_code_leaves_alone_does_not_slow_down_the_others():
    shape = Shape.from_dict({"name": fields.Text(), "loud": Loud(), "in": ma.Nested(Trimmed)})()

    assert is_faultless(shape, {"name": "Ana", "loud": "hey", "in": {"fullName": " Ana "}})


# Models


@dataclass
class Plain:
    """A model of a user: neither frozen nor quick."""

    name: str = "?"
    age: int = 0


class UserShape(Shape):
    id = fields.Id()
    given_name = fields.Text(data_key="givenName")
    metadata = fields.Object()
    unknown = fields.Text()


class ParticipantShape(Shape):
    user_id = fields.Id(data_key="userId")
    last_read = fields.Instant(data_key="lastRead")


class ConversationShape(Shape):
    id = fields.Id()
    participants = Many(Part(Participant, ParticipantShape))


class PlainShape(Shape):
    name = fields.Text()
    age = fields.Whole()


def test_quick_model_has_its_defaults_where_nothing_is_given():
    shape = Shape.from_dict({"it": Part(Conversation, ConversationShape)})()

    participants = [{"userId": "u"}, None, {"lastRead": NOW.isoformat()}]
    (attributes, _) = assert_read_alike(shape, {"it": {"id": 5, "participants": participants}})

    assert attributes["it"] == Conversation(
        id="5", participants=(Participant(user_id="u"), Participant(last_read=NOW))
    )
    one, other = (shape.read({"it": {}})[0]["it"] for _ in range(2))
    assert one == other == Conversation()
    assert one.metadata is not other.metadata


def test_what_is_built_cannot_be_changed():
    shape = Shape.from_dict({"it": Part(Participant, ParticipantShape)})()
    ((attributes), _) = shape.read({"it": {"userId": "u"}})

    assert type(attributes["it"]) is Participant
    with pytest.raises(AttributeError):
        attributes["it"].user_id = "v"


def test_model_of_a_user_is_called():
    shape = Shape.from_dict({"it": Part(Plain, PlainShape)})()

    assert assert_read_alike(shape, {"it": {"age": 3}}) == ({"it": Plain(age=3)}, {})
    assert is_faultless(shape, {"it": {"age": 3}})


def test_quick_model_with_an_attribute_that_must_be_given_is_called():
    @quickly_made
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Strict:
        name: str
        age: int = 0

    shape = Shape.from_dict({"it": Part(Strict, PlainShape)})()

    assert shape.read({"it": {"name": "Ana"}})[0] == {"it": Strict(name="Ana")}
    with pytest.raises(TypeError, match="missing 1 required keyword-only argument: 'name'"):
        shape.read({"it": {"age": 3}})


def test_model_without_the_attribute_is_refused_as_ever():
    shape = Shape.from_dict({"it": Part(User, UserShape)})()

    assert shape.read({"it": {"id": "u"}})[0] == {"it": User(id="u")}
    with pytest.raises(TypeError, match="unexpected keyword argument 'unknown'"):
        shape.read({"it": {"unknown": "x"}})


def test_model_that_objects_is_a_fault():
    def build(name):
        if name == "Eve":
            raise ValidationError("not welcome", valid_data="nobody")
        return name

    shape = Shape.from_dict({"it": Part(build, PlainShape)})()

    assert assert_read_alike(shape, {"it": {"name": "Ana"}}) == ({"it": "Ana"}, {})
    assert assert_read_alike(shape, {"it": {"name": "Eve"}}) == (
        {"it": "nobody"},
        {"it": ["not welcome"]},
    )


def test_shape_that_cannot_be_made_is_missed_only_where_it_is_needed():
    shape = Shape.from_dict({"name": fields.Text(), "it": Part(dict, lambda: 1 / 0)})()

    assert assert_read_alike(shape, {"name": "Ana"}) == ({"name": "Ana"}, {})
    with pytest.raises(ZeroDivisionError):
        shape.read({"it": {}})


def test_object_within_itself_is_read_to_any_depth():
    class MessageShape(Shape):
        id = fields.Id()
        quoted = Part(Message, lambda: MessageShape())

    shape, data = MessageShape(), {"id": "0"}
    for number in range(1, 90):
        data = {"id": str(number), "quoted": data}

    (attributes, faults) = assert_read_alike(shape, data)

    assert (attributes["id"], attributes["quoted"].quoted.id, faults) == ("89", "87", {})


def test_object_within_itself_has_one_shape():
    made = []

    class MessageShape(Shape):
        quoted = Part(dict, lambda: made.append(1) or MessageShape())

    MessageShape().read({"quoted": {"quoted": {"quoted": {"quoted": 5}}}})

    assert made == [1]


def test_object_with_a_fault_far_inside_is_read_once_by_the_fields():
    asked = []

    class Counted(fields.Text):
        def _deserialize(self, value, attr, data, **kwargs):
            asked.append(value)
            return super()._deserialize(value, attr, data, **kwargs)

    class Deep(Shape):
        name = Counted()
        inner = Part(dict, lambda: Deep())

    data = {"name": 5}
    for _ in range(50):
        data = {"name": "x", "inner": data}
    Deep().read(data)

    assert len(asked) == 2 * 51  # by the code, which meets the fault last, and by the fields


class OneShape(Shape):
    x = fields.Whole()


@pytest.mark.parametrize("kind_of", [None, lambda value: "a" if "x" in value else None])
@pytest.mark.parametrize(
    "value",
    [
        {"type": "a", "x": 1},
        {"type": "a", "x": "?"},
        {"type": "b", "x": 1},
        {"type": "text", "x": 1},
        {"x": 1},
        {"y": 1},
        {"type": None, "x": 1},
        {"type": ["a"]},
        {"type": 5},
        {},
        [],
        "a",
    ],
    ids=repr,
)
def test_object_by_its_type_is_read_alike(value, kind_of):
    parts = {"a": Part(dict, OneShape), "text": Loud()}
    it = OneOf(parts, otherwise=lambda value: ("?", value), kind_of=kind_of)
    shape = Shape.from_dict({"it": it, "many": Many(it)})()

    assert_read_alike(shape, {"it": value, "many": [value, value]})


def test_mapping_that_is_no_dict_is_read_alike():
    class Document(dict):
        pass

    shape = Shape.from_dict({"it": Part(dict, OneShape), "raw": Beside(fields.Object())})()

    assert_read_alike(shape, Document(it=Document(x=1)))


# The code


def test_field_may_write_its_own_code():
    class Halved(ma.Field):
        def _deserialize(self, value, attr, data, **kwargs):
            return value / 2

        def inline(self, code, value, key):
            return f"{value} / {code.name('two', 2)}"

    shape = Shape.from_dict({"it": Halved(), "many": Many(Halved())})()

    assert assert_read_alike(shape, {"it": 3, "many": [1, 2]}) == (
        {"it": 1.5, "many": (0.5, 1.0)},
        {},
    )


def test_code_that_is_wrong_leaves_the_object_to_the_fields():
    class Wrong(fields.Text):
        def inline(self, code, value, key):
            return "this is no code"

    shape = Shape.from_dict({"it": Wrong()})()

    assert assert_read_alike(shape, {"it": "x"}) == ({"it": "x"}, {})


def test_names_in_the_code_are_never_given_twice():
    code = Code()
    names = [code.name("read", number) for number in range(3)]
    code.function(fields.Text())

    names += [code.name("read", 3), code.build(dict)]

    assert len(set(names)) == 5
    assert [code.namespace[name] for name in names[:4]] == [0, 1, 2, 3]


# A provider of a user's own


class ChatShape(Shape):
    kind = fields.Text(validate=must.OneOf(["said", "left"]))
    who = ma.Nested(Trimmed)
    text = Loud()


CHAT = ChatShape()


def provider_of(read):
    """Return a provider of bodies with one event, which *read* takes apart."""

    def take_apart(payload):
        return [payload.item(raw=payload.document, vendor_type="chat", event_id=None)]

    def make_event(item):
        attributes, faults = read(item.raw)
        parts = {"extra": attributes, "reason": attributes.get("kind")}
        return build_event(item, EventType.OTHER, parts, problems(faults))

    return Provider(
        name="acme",
        scheme=SharedSecretHeader("x-secret"),
        detect_version=lambda document, headers: "1",
        versions={"1": PayloadVersion(split=take_apart, normalize=make_event)},
        triggers={},
        parallel=True,
    )


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "said", "who": {"fullName": " Ana ", "age": 3}, "text": "Hi"},
        {"kind": "sang", "who": {"fullName": " Ana "}, "text": "Hi"},
        {"kind": "said", "who": {"age": 3}, "text": 5},
        {"kind": None, "who": [], "more": {}},
        {},
    ],
    ids=repr,
)
def test_provider_of_a_users_own_reads_the_same_by_the_code_and_by_the_fields(body):
    def read(provider):
        (item,) = split(
            provider,
            endpoint="e",
            body=json.dumps(body).encode(),
            headers={},
            received_at=NOW,
        )
        return normalize(provider, item)

    assert read(provider_of(CHAT.read)) == read(provider_of(CHAT.read_by_fields))
    assert read(provider_of(CHAT.read)).type is EventType.OTHER
