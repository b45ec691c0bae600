import contextlib
import gc
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hookkit.core.body import (
    BLANK,
    MAX_DEPTH,
    blank,
    blank_bytes,
    decode_body,
    encode_body,
    replace_texts,
)
from hookkit.core.errors import BodyUnreadable


def nested(depth, leaf="", *, kind="[]"):
    """Return an object in which *depth* containers lie in each other, itself included."""
    opening, closing = ('{"a":', "}") if kind == "{}" else ("[", "]")
    inner = opening * (depth - 1) + leaf + closing * (depth - 1)
    if kind == "{}" and not leaf:
        inner = inner.replace('{"a":}', "{}")
    return f'{{"a":{inner}}}'.encode()


@pytest.mark.parametrize(
    ("body", "document"),
    [
        pytest.param(b"{}", {}, id="empty object"),
        pytest.param(b' \n{"a": 1}\t', {"a": 1}, id="white space"),
        pytest.param(b'\xef\xbb\xbf{"a": 1}', {"a": 1}, id="byte order mark"),
        pytest.param('{"ä": "\U0001f44d"}'.encode(), {"ä": "\U0001f44d"}, id="UTF-8"),
        pytest.param(b'{"a": "\\ud83d\\udc4d"}', {"a": "\U0001f44d"}, id="escaped pair"),
        pytest.param(b'{"a": "\\ud83d"}', {"a": "\ud83d"}, id="lone surrogate"),
        pytest.param(b'{"a": "\\u0000"}', {"a": "\x00"}, id="NUL"),
        pytest.param(b'{"a": {"b": 1}, "c": {"b": 1}}', {"a": {"b": 1}, "c": {"b": 1}}, id="apart"),
        pytest.param(b'{"a": 1e300}', {"a": 1e300}, id="nearly beyond a float"),
        pytest.param(b'{"a": ' + b"9" * 4000 + b"}", {"a": int("9" * 4000)}, id="4,000 digits"),
    ],
)
def test_object_is_decoded(body, document):
    assert decode_body(body) == document


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(b'{"a": 1, "a": 2}', "a key twice in one object", id="a key twice"),
        pytest.param(
            b'{"a": 1, "\\u0061": 1}', "a key twice in one object", id="a key twice, once escaped"
        ),
        pytest.param(
            b'{"a": [{"b": 1, "b": 1}]}', "a key twice in one object", id="a key twice, further in"
        ),
        pytest.param(b"", "not JSON", id="empty"),
        pytest.param(b" ", "not JSON", id="white space"),
        pytest.param(b"a=1&b=2", "not JSON", id="a form"),
        pytest.param(b"<xml/>", "not JSON", id="XML"),
        pytest.param(b'{"a": 1', "not JSON", id="cut off"),
        pytest.param(b'{"a": 1} {}', "not JSON", id="two objects"),
        pytest.param(b"{'a': 1}", "not JSON", id="single quotes"),
        pytest.param(b'{"a": "\x01"}', "not JSON", id="control character"),
        pytest.param(b'{"a": NaN}', "not JSON", id="NaN"),
        pytest.param(b'{"a": 1e400}', "not JSON", id="beyond a float"),
        pytest.param(b'{"a": -1e400}', "not JSON", id="below a float"),
        pytest.param(b'{"a": Infinity}', "not JSON", id="Infinity"),
        pytest.param(b'{"a": -Infinity}', "not JSON", id="-Infinity"),
        pytest.param(b'{"a": ' + b"9" * 5000 + b"}", "not JSON", id="5,000 digits"),
        pytest.param(b"\xff", "not UTF-8", id="no encoding at all"),
        pytest.param('{"a": "ä"}'.encode("latin-1"), "not UTF-8", id="latin-1"),
        pytest.param('{"a": 1}'.encode("utf-16"), "not UTF-8", id="UTF-16 with mark"),
        pytest.param('{"a": 1}'.encode("utf-16-le"), "not JSON", id="UTF-16 without mark"),
        pytest.param(b'{"a": "\xed\xa0\xbd"}', "not UTF-8", id="encoded surrogate"),
        pytest.param(b"\xef\xbb\xbf\xef\xbb\xbf{}", "not JSON", id="two byte order marks"),
        pytest.param(b"[]", "not a JSON object", id="list"),
        pytest.param(b'[{"a": 1}]', "not a JSON object", id="list of an object"),
        pytest.param(b'"{}"', "not a JSON object", id="text"),
        pytest.param(b"1", "not a JSON object", id="number"),
        pytest.param(b"true", "not a JSON object", id="true"),
        pytest.param(b"null", "not a JSON object", id="null"),
        pytest.param(nested(101), "nested deeper than 100", id="101 deep, lists"),
        pytest.param(nested(101, kind="{}"), "nested deeper than 100", id="101 deep, objects"),
        pytest.param(nested(101, "1"), "nested deeper than 100", id="101 deep, a leaf"),
        pytest.param(nested(900), "nested deeper than 100", id="900 deep"),
        pytest.param(nested(200_000), "nested deeper than 100", id="exhausts the stack"),
        pytest.param(b'{"a":' * 200_000, "nested deeper than 100", id="and is cut off"),
    ],
)
def test_what_is_no_object_is_refused_with_its_reason(body, reason):
    with pytest.raises(BodyUnreadable, match=f"^body: {reason}$"):
        decode_body(body)


@pytest.mark.parametrize("leaf", ["", "1", '"x"', "null"], ids=["none", "number", "text", "null"])
@pytest.mark.parametrize("kind", ["[]", "{}"])
def test_hundred_levels_are_read_whatever_lies_in_them(kind, leaf):
    body = nested(MAX_DEPTH, leaf, kind=kind)

    assert decode_body(body) == json.loads(body)


def test_brackets_that_are_no_levels_do_not_count():
    texts = {"text": "[{" * 500, "list": [[]] * 200, "deep": json.loads(nested(MAX_DEPTH - 1, "1"))}

    assert decode_body(json.dumps(texts).encode()) == texts


def test_reason_does_not_quote_the_body():
    with pytest.raises(BodyUnreadable) as caught:
        decode_body(b'{"password": hunter2}')

    assert "hunter2" not in str(caught.value)


@given(st.dictionaries(st.text(), st.integers() | st.text() | st.lists(st.booleans())))
@settings(derandomize=True, deadline=None, database=None)
def test_what_is_written_is_read(document):
    assert decode_body(json.dumps(document).encode()) == document


# Without secrets


def test_secret_is_blanked_and_the_rest_is_as_it_was():
    document = {"a": [1], "secret": "xyz", "token": {"is": "xyz"}, "inner": {"secret": "kept"}}

    assert blank(document, ("secret", "token", "none")) == {
        "a": [1],
        "secret": BLANK,
        "token": BLANK,
        "inner": {"secret": "kept"},
    }
    assert document["secret"] == "xyz"


@pytest.mark.parametrize("document", [{}, {"a": 1}, {"secret": None}, {"secret": BLANK}], ids=repr)
def test_document_without_a_secret_stays_the_same_object(document):
    assert blank(document, ("secret",)) is document


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        pytest.param(b'{"secret": "xyz", "a": NaN}', b'{"secret": "***", "a": NaN}', id="NaN"),
        pytest.param(b'{"a":1,"secret":"xy', b'{"a":1,"secret":"***"', id="cut"),
        pytest.param(b'{"secret" :\n"x\\"y","b"', b'{"secret" :\n"***","b"', id="escaped quote"),
        pytest.param(b'{"secret": "x\\', b'{"secret": "***"\\', id="cut in an escape"),
        pytest.param(b'["secret", "xyz"', b'["secret", "xyz"', id="no key"),
        pytest.param(b"\xff\xfe", b"\xff\xfe", id="nothing"),
    ],
)
def test_secret_is_blanked_where_nobody_can_read_the_rest(body, kept):
    assert blank_bytes(body, ("secret", "token")) == kept


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters()), inner),
    max_leaves=8,
)


@given(document=st.dictionaries(st.text(st.characters()), json_values))
@settings(derandomize=True, deadline=None, database=None)
def test_encoded_document_is_decoded_as_it_was(document):
    # A decoder never leaves the halves of a pair apart: what it made is the starting point.
    document = decode_body(json.dumps(document).encode())

    assert decode_body(encode_body(document)) == document


@pytest.mark.parametrize("is_on", [True, False])
@pytest.mark.parametrize("end", [b"]}", b"]", b"[" * 2000])
def test_collector_of_garbage_is_left_as_it_was(is_on, end):
    body = b'{"a":[' + b"[]," * 30_000 + b"0" + end
    was_on = gc.isenabled()
    (gc.enable if is_on else gc.disable)()
    try:
        with contextlib.suppress(BodyUnreadable):
            decode_body(body)
        assert gc.isenabled() == is_on
    finally:
        (gc.enable if was_on else gc.disable)()


@pytest.mark.parametrize(
    ("written", "text"),
    [
        pytest.param(rb"plain", b"plain", id="as it stands"),
        pytest.param(rb"a\"b\u00e4", 'a"bä'.encode(), id="escapes are read"),
        pytest.param(b"\xff", b"\xff", id="no UTF-8"),
        pytest.param(rb"\ud83d", "\ud83d".encode(errors="surrogatepass"), id="half a character"),
        pytest.param(rb"\q", rb"\q", id="no escape of JSON"),
    ],
)
def test_text_of_an_undecodable_body_is_replaced_by_what_it_says(written, text):
    seen = []

    replaced = replace_texts(
        b'{"key": "%s", oops' % written, ["key"], lambda each: seen.append(each) or "put"
    )

    assert (replaced, seen) == (b'{"key": "put", oops', [text])
