"""Many cases in one test, where pytest would spend longer around a case than the case takes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any

import pytest

Test = Callable[..., None]


def in_one(
    names: str, cases: Iterable[Any], ids: Callable[[Any], str] = str
) -> Callable[..., Test]:
    """Have one test go through *cases*, of which ``pytest.mark.parametrize`` makes one test each.

    All cases run, and every one that fails is told by its name. They share the test's fixtures,
    so a case must leave nothing in them that another one sees.

    Args:
        names: The parameters that a case is made of, with commas between them.
        cases: The values of one parameter, or a tuple of them for each case.
        ids: Returns the name of a case.
    """
    parameters = [name.strip() for name in names.split(",")]
    every = [case if len(parameters) > 1 else (case,) for case in cases]
    assert every, f"no case for {names}"

    def decorate(test: Test) -> Test:
        def go_through_all(*arguments: Any, **fixtures: Any) -> None:
            failures: list[BaseException] = []
            for case in every:
                try:
                    test(*arguments, **fixtures, **dict(zip(parameters, case, strict=True)))
                except (Exception, pytest.fail.Exception) as error:  # noqa: BLE001
                    told = ids(case[0] if len(case) == 1 else case)
                    error.add_note(f"This was the case {told}.")
                    failures.append(error)
            if failures:
                message = f"{len(failures)} of {len(every)} cases failed"
                raise BaseExceptionGroup(message, failures)

        folded: Any = wraps(test, updated=())(go_through_all)
        folded.pytestmark = getattr(test, "pytestmark", [])
        signature = inspect.signature(test)
        left = [each for each in signature.parameters.values() if each.name not in parameters]
        folded.__signature__ = signature.replace(parameters=left)
        return folded

    return decorate
