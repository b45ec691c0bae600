"""What the fuzzer finds and is still to be mended; whoever mends it removes its line."""

#: A kind of finding -> why it is known.
KNOWN = {
    "UnicodeDecodeError from request.py:args": "H7: a GET challenge with a raw byte in its query",
    "ValueError from fuzzer.py:read": "H7: a server's stream may raise a ValueError",
    "EOFError from fuzzer.py:read": "H7: a server's stream may raise an EOFError",
    "no JSON with 405": "H14: an unknown method is answered in HTML",
    "no JSON with 400": "H14: a Host or an Upgrade that is none is answered in HTML",
}
