from base64 import urlsafe_b64encode
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hookkit.signatures.encodings import decode, encode


@given(data=st.binary(max_size=40))
@settings(derandomize=True, deadline=None, database=None)
def test_decode_is_the_inverse_of_encode(data):
    assert encode(data) == urlsafe_b64encode(data).decode().rstrip("=")
    assert decode(encode(data)) == data


def test_every_value_has_one_spelling():
    # Every text of up to three characters, some of which look like base64url to some decoders.
    texts = [
        "".join(some) for length in range(4) for some in product("AQgwBX9-_+/=\n é.", repeat=length)
    ]

    read = {text: decode(text) for text in texts}

    assert [text for text, data in read.items() if data is not None and encode(data) != text] == []


@pytest.mark.parametrize(
    "text",
    [
        "A",
        "AA==",
        "AA=",
        "AB",
        "AAB",
        "A A",
        "AA\n",
        "AA.",
        "A+",
        "A/",
        "AA-=",
        "ÄÄ",
        "\ud800A",
        "=",
        "====",
    ],
    ids=ascii,
)
def test_what_is_no_base64url_is_none(text):
    assert decode(text) is None
