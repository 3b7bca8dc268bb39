"""Errors and warnings for the user, and the exit statuses of every program of the package."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

SUCCESS, FAILED, USER_ERROR = 0, 1, 2
"""Exit statuses: done (a run: the laps were driven); ended otherwise; refused before anything was
started. A signal that ended a program gives 128 + its number."""


class UserError(Exception):
    """An error that the user can fix; its text names the file, the value and the fix.

    The commands print it as one line and exit with status 2; nothing was started by then.
    """


class InputWarning(UserWarning):
    """Something is wrong with an input that is used all the same; the text names the file.

    Given by ``warnings.warn``; the programs show it with `input_warnings_to`.
    """


@contextmanager
def input_warnings_to(tell: Callable[[str], object]) -> Iterator[None]:
    """Hand the text of every `InputWarning` to `tell`, once, while the context is open."""
    told: set[str] = set()
    with warnings.catch_warnings():
        warnings.simplefilter("always", InputWarning)
        show_others = warnings.showwarning

        def show(message: Any, category: type[Warning], *where: Any) -> None:
            if not issubclass(category, InputWarning):
                show_others(message, category, *where)
            elif str(message) not in told:
                told.add(str(message))
                tell(str(message))

        warnings.showwarning = show  # type: ignore[assignment]
        yield


def input_warnings_told_before() -> AbstractContextManager[None]:
    """Return a context without `InputWarning`: a check of the same inputs has told them."""
    return input_warnings_to(lambda text: None)
