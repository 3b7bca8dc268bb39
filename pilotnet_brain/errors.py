"""Errors that a user can fix, and the exit statuses of every program of the package."""

SUCCESS, FAILED, USER_ERROR = 0, 1, 2
"""Exit statuses: done (a run: the laps were driven); ended otherwise; refused before anything was
started. A signal that ended a program gives 128 + its number."""


class UserError(Exception):
    """An error that the user can fix; its text names the file, the value and the fix.

    The commands print it as one line and exit with status 2; nothing was started by then.
    """
