"""The lasting names of handlers that were given none."""

from __future__ import annotations

import inspect
import sys
from itertools import takewhile
from pathlib import Path

from hookkit.core.errors import ConfigurationError
from hookkit.core.handlers import HandlerFunction


def name_of(function: HandlerFunction) -> str:
    """Return the name of *function* in its module, which is the same however that was run.

    Raises:
        ConfigurationError: It is no function, or has no name of its own.
    """
    if not callable(function):
        raise ConfigurationError(f"a handler must be a function, and {function!r} is none")
    named = inspect.unwrap(function)
    module, qualname = getattr(named, "__module__", None), getattr(named, "__qualname__", None)
    if module is None or qualname is None:
        raise ConfigurationError(f"handler {named!r} has no name of its own; pass name=")
    return f"{_real_name(module)}.{qualname}"


def _real_name(module: str) -> str:
    """Return the name of *module*; of the file that was run, the one it has when imported.

    Else ``python app.py`` and ``flask --app app`` would have two handlers of one function.
    """
    # multiprocessing runs the file again in each process that it spawns, under another name.
    if module not in ("__main__", "__mp_main__"):
        return module
    main = sys.modules[module]
    spec = getattr(main, "__spec__", None)
    if spec is not None:  # it was run by ``python -m``
        name: str = spec.name
        return name
    file = getattr(main, "__file__", None)
    if file is None:
        return module
    # As Flask finds the name of the file in --app: a folder with __init__.py is a package.
    path = Path(file).resolve()
    packages = list(takewhile(lambda each: (each / "__init__.py").exists(), path.parents))
    return ".".join([*(each.name for each in reversed(packages)), path.stem])
