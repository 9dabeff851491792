"""A part of a page that is read from a store of its own: the others are shown though it is away."""

from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

from gateway_shadow.outages import Outage, Outages, StoreName
from gateway_shadow.problems import Problem
from policy_store.errors import StoreAway

T = TypeVar("T")


class Section(NamedTuple, Generic[T]):
    """What was read, or why not: a store that is away, or a problem in words."""

    value: T | None
    outage: Outage | None = None
    problem: str | None = None


def section(outages: Outages, store: StoreName, read: Callable[[], T]) -> Section[T]:
    """What ``read`` gives. Raises Problem for what is not about a store."""
    try:
        found = read()
    except StoreAway:
        return Section(None, outages.away("policies"))
    except Problem as error:
        if error.status_code not in (409, 503):
            raise
        return Section(None, outages.of_code(error.code), error.detail)
    outages.answers(store)
    return Section(found)
