"""Where one can go: only what the caller's role may read."""

from typing import NamedTuple

from gateway_shadow.callers import RIGHTS, Caller, Right


class Place(NamedTuple):
    """A page in the navigation."""

    path: str
    name: str
    right: Right = "read"


class Group(NamedTuple):
    """Pages that belong together."""

    name: str
    places: tuple[Place, ...]


GROUPS = (
    Group(
        "Watch",
        (
            Place("/", "Overview"),
            Place("/budgets", "Budgets"),
            Place("/shadow", "Shadow"),
            Place("/reviews", "Reviews"),
            Place("/alerts", "Alerts"),
        ),
    ),
    Group("Plan", (Place("/policies", "Policies"), Place("/simulations", "Simulations"))),
    Group("Prove", (Place("/gate", "Gate and enforcement"),)),
    Group(
        "Keep",
        (
            Place("/ledger", "Ledger"),
            Place("/keys", "Keys", "operate"),
            Place("/privacy", "Privacy"),
            Place("/audit", "Audit", "operate"),
            Place("/settings", "Settings"),
            Place("/docs", "API"),
        ),
    ),
)


def groups_for(caller: Caller) -> list[Group]:
    """What the caller may go to."""
    rights = RIGHTS[caller.role]
    found = [Group(name, tuple(each for each in places if each.right in rights)) for name, places in GROUPS]
    return [each for each in found if each.places]


def is_here(place: Place, path: str) -> bool:
    """Whether a path is of this place."""
    roots = (place.path, "/design") if place.path == "/policies" else (place.path,)
    return path == place.path or (place.path != "/" and any(f"{path}/".startswith(f"{each}/") for each in roots))
