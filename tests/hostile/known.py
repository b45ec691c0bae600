"""What a server does that no application under it can mend, and what is still to be mended."""

#: (server, item) -> why the test fails there
KNOWN: dict[tuple[str, str], str] = {}
