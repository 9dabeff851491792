"""What ends a command or a process, in one line for whoever started it."""

USAGE, NEEDED, REFUSED = 2, 3, 4
"""Exit codes: wrong usage; something needed is missing or unreachable; the request was refused as unsafe."""


class Failure(Exception):
    """It cannot go on: one line for its user, and the exit code."""

    def __init__(self, message: str, exit_code: int = NEEDED) -> None:
        super().__init__(message)
        self.exit_code = exit_code
