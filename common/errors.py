"""The errors that a user can cause and correct; each is reported in one line, without a traceback."""


class UserError(Exception):
    """Bad input or configuration: the message says what is wrong, where, and what would be right.

    Command lines end with exit code 2 on it.
    """


class TransientError(UserError):
    """A `UserError` that trying again may cure: data that changed while it was read, a network that was down."""
