"""What the store may answer instead of doing what it was asked. The messages are fit for a user."""


class StoreError(Exception):
    """What all of them are. ``code`` names the kind, as it stands in an answer over HTTP."""

    code = "store"


class NotFound(StoreError):
    """There is no such thing in this tenant."""

    code = "not_found"


class Stale(StoreError):
    """The thing has changed since the caller read it: expected the revision that is there now."""

    code = "stale"


class Exists(StoreError):
    """There is one of this name already."""

    code = "exists"


class Refused(StoreError):
    """A rule of the store forbids it; ``code`` says which."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class StoreAway(StoreError):
    """The database does not answer, is locked, or has another schema than this program."""

    code = "store_away"
