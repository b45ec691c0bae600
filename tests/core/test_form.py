"""Forms are read strictly: what is one, what is none, and nothing in between."""

from urllib.parse import parse_qsl, quote_plus, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hookkit.core.errors import BodyUnreadable
from hookkit.core.form import MAX_FIELDS, decode_form, form_document

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@given(pairs=st.lists(st.tuples(texts, texts), max_size=20))
@settings(derandomize=True, deadline=None, database=None)
def test_what_is_written_is_read(pairs):
    read = decode_form(urlencode(pairs).encode())

    assert [(name.decode(), value.decode()) for name, value in read] == pairs


@given(body=st.text("ab=&+%F0e41E", max_size=20).map(str.encode))
@settings(derandomize=True, deadline=None, database=None, max_examples=2000)
def test_what_is_read_is_what_every_reader_reads(body):
    try:
        read = decode_form(body)
    except BodyUnreadable:
        return
    lenient = parse_qsl(body.decode(), keep_blank_values=True, encoding="latin-1")
    assert [(name.decode("latin-1"), value.decode("latin-1")) for name, value in read] == lenient


@pytest.mark.parametrize("length", [1, 2, 3, 16_381, 16_382, 16_383, 16_384, 16_385, 40_000])
@pytest.mark.parametrize("letter", ["é", "\N{GRINNING FACE}", "=", "&", "+", "%"])
def test_escape_is_read_wherever_it_lies(length, letter):
    text = "a" * length + letter * 3 + "b" * length

    assert decode_form(f"a={quote_plus(text)}".encode()) == [(b"a", text.encode())]


def test_equals_sign_may_stand_in_a_value():
    assert decode_form(b"a==1=%3D&b=") == [(b"a", b"=1=="), (b"b", b"")]


@pytest.mark.parametrize(
    "body",
    [
        b"a",
        b"a=1&",
        b"&a=1",
        b"a=1&&b=2",
        b"a=%",
        b"a=%4",
        b"a=%4g",
        b"a=%%41",
        b"a=%\n",
        b"a=%\r\n41",
        b"a=1\r\n",
        b"a=% 1",
        b"a=%+1",
        b"a=\xc3\xa9",
        b"a=%fe",
        b"a%FF=1",
        b"a=%FF&b=%",
        b"a=%==",
        b"a=b%",
        b"a=%&b=%4=1",
    ],
)
def test_what_is_no_form_is_refused(body):
    with pytest.raises(BodyUnreadable, match="not a form"):
        decode_form(body)


def test_form_has_so_many_fields_and_no_more():
    fields = [b"a=1"] * MAX_FIELDS

    assert len(decode_form(b"&".join(fields))) == MAX_FIELDS
    with pytest.raises(BodyUnreadable, match="more than 1000 fields"):
        decode_form(b"&".join([*fields, b"a=1"]))


@pytest.mark.parametrize("body", [b"a=%80", b"a=%C3&b=%A9", b"a%C3=%A9", b"%ED%A0%80=1"])
def test_form_that_is_no_text_is_no_document(body):
    with pytest.raises(BodyUnreadable, match="not a form"):
        form_document(body)


def test_repeated_name_has_a_list():
    assert form_document(b"a=1&b=2&a=3&a=4") == {"a": ["1", "3", "4"], "b": "2"}
