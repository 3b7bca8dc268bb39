"""What a user can mend."""


class UserError(Exception):
    """An error that the user can mend; its text names the file, the value and the mend.

    The commands print it as one line and exit with status 2; nothing was started by then.
    """
