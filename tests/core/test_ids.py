import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hookkit.core.ids import MAX_ID_CHARS, bounded_id, hash_content, join_parts

fixed = settings(derandomize=True, deadline=None, database=None)
any_text = st.text(st.characters(), max_size=300)
parts = st.lists(st.text(st.sampled_from("ab:%A3\x00\ud800"), max_size=4), min_size=1, max_size=4)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("abc", "abc", id="as it is"),
        pytest.param("", "", id="empty"),
        pytest.param("ä\U0001f44d", "ä\U0001f44d", id="not ASCII"),
        pytest.param("a\x00b", "a\\x00b", id="NUL"),
        pytest.param("a\ud800b", "a\\ud800b", id="lone surrogate"),
        pytest.param("x" * 255, "x" * 255, id="255 characters"),
        pytest.param("ä" * 255, "ä" * 255, id="255 characters, more bytes"),
        pytest.param(
            "x" * 256, "sha256:" + hashlib.sha256(b"x" * 256).hexdigest(), id="256 characters"
        ),
        pytest.param(
            "\x00" * 100,
            "sha256:" + hashlib.sha256(b"\\x00" * 100).hexdigest(),
            id="too long by its escapes",
        ),
    ],
)
def test_id_is_made_fit_for_a_database(text, expected):
    assert bounded_id(text) == expected


@given(any_text)
@fixed
def test_every_id_can_be_stored(text):
    made = bounded_id(text)

    assert len(made) <= MAX_ID_CHARS
    assert "\x00" not in made
    made.encode()
    assert bounded_id(made) == made


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        pytest.param(("a", "b"), "a:b", id="joined"),
        pytest.param(("a:b", "c"), "a%3Ab:c", id="colon"),
        pytest.param(("a%3Ab",), "a%253Ab", id="percent"),
        pytest.param(("a", None, "b"), "a::b", id="nothing"),
        pytest.param((), "", id="no parts"),
    ],
)
def test_parts_are_joined(parts, expected):
    assert join_parts(*parts) == expected


@given(parts, parts)
@fixed
def test_different_parts_never_make_the_same_text(one, other):
    assert (join_parts(*one) == join_parts(*other)) == (one == other)


@given(st.dictionaries(any_text, st.none() | st.integers() | any_text | st.floats(allow_nan=False)))
@fixed
def test_hash_does_not_depend_on_the_order_of_keys(document):
    turned = dict(reversed(document.items()))

    assert hash_content(document) == hash_content(turned)


def test_hash_is_of_canonical_json():
    digest = hash_content({"b": [1, None], "a": "ä"})

    assert digest == hashlib.sha256(b'{"a":"\\u00e4","b":[1,null]}').hexdigest()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param({"a": 1}, {"a": 2}, id="value"),
        pytest.param({"a": 1}, {"a": "1"}, id="type"),
        pytest.param({"a": None}, {}, id="null is not absent"),
        pytest.param({"a": [1, 2]}, {"a": [2, 1]}, id="order of an array"),
        pytest.param({"a": "\ud800"}, {"a": "\ud801"}, id="surrogates"),
    ],
)
def test_different_content_has_different_hashes(one, other):
    assert hash_content(one) != hash_content(other)
