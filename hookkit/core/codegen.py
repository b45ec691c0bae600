"""Runs source that hookkit has written itself: the one place that does.

The source is made of declarations in code, such as the names of attributes. Nothing that arrived
from outside may ever stand in it, not even quoted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any


def define(
    name: str,
    parameters: str,
    body: Iterable[str],
    namespace: dict[str, Any],
    *,
    made_of: str,
) -> Callable[..., Any]:
    """Return the function *name* with this *body*, line by line.

    Args:
        name: The function's name; tracebacks show it.
        parameters: As they stand between the parentheses.
        body: Lines that are not indented yet.
        namespace: What the body names; the function keeps it as its globals.
        made_of: What the source was made of; tracebacks show it in the place of a file.
    """
    source = "\n    ".join([f"def {name}({parameters}):", *body])
    exec(compile(source, f"<{made_of}>", "exec"), namespace)  # noqa: S102  # see above
    function: Callable[..., Any] = namespace[name]
    return function
