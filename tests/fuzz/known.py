"""What the fuzzer finds and is still to be mended; whoever mends it removes its line."""

#: A kind of finding -> why it is known.
KNOWN: dict[str, str] = {}
