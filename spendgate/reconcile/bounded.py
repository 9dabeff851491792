"""A result that one message can hold: what is listed is sampled, what is counted stays whole.

A topic takes no message over 1 MiB, and one that it never takes would hold up all behind it.
"""

from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec

from spendgate.model.reconciliation import Reconciliation, encode_reconciliation
from spendgate.model.reconciliation_parts import EstimateResult

MOST_BYTES = 900_000
_KEPT = (200, 50, 10, 1, 0)
"""So many of each list, until it is short enough: the worst, or the first."""

Item = TypeVar("Item")


def bounded(result: Reconciliation, most_bytes: int = MOST_BYTES) -> Reconciliation:
    """The same where it is short enough; else with fewer estimates, cells, buckets, examples and engine versions, and
    ``shortened`` says so. Criteria, sums and counts stay."""
    for most in _KEPT:
        if len(encode_reconciliation(result)) <= most_bytes:
            break
        result = msgspec.structs.replace(result, **_with_at_most(result, most), shortened=True)
    return result


def _with_at_most(result: Reconciliation, most: int) -> dict[str, Any]:
    counters, bill, estimates = result.counters, result.bill, result.estimates
    return {
        "differences": tuple(_cut(each, most, "examples") for each in result.differences),
        "engine_versions": result.engine_versions[:most],
        "estimates": None if estimates is None else _most_checked(estimates, most),
        "bill": None if bill is None else _cut(bill, most, "buckets", "set_aside"),
        "counters": None if counters is None else msgspec.structs.replace(
            counters, partitions=tuple(_cut(each, most, "differing", "documents") for each in counters.partitions)
        ),
    }  # fmt: skip


def _most_checked(estimates: Sequence[EstimateResult], most: int) -> tuple[EstimateResult, ...]:
    """Of so many models, and that of all of them."""
    of_models = sorted((each for each in estimates if each.model is not None), key=lambda each: -each.checks)
    kept = {each.model for each in of_models[:most]}
    return tuple(each for each in estimates if each.model is None or each.model in kept)


def _cut(item: Item, most: int, *names: str) -> Item:
    lists: dict[str, Sequence[Any]] = {name: getattr(item, name)[:most] for name in names}
    cut: Any = msgspec.structs.replace(item, **lists)  # type: ignore[type-var]
    found: Item = cut
    return found
