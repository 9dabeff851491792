"""What the page of a gate says: each criterion with its distance in its unit, and the latest reconciliation. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from gateway_shadow.gates.documents import CriterionDocument
from gateway_shadow.pages.words import count, duration, usd

CAN_BE_WAIVED = ("bill", "answers")


class Line(NamedTuple):
    """A criterion as a row. ``distance``: how far it is from being met, or by how much it is met."""

    name: str
    outcome: str
    words: str
    measured: str
    threshold: str
    distance: str
    sample: str
    waiver: str | None
    can_be_waived: bool


class Difference(NamedTuple):
    """Calls that differ for one cause."""

    kind: str
    cause: str
    calls: int
    examples: Sequence[Mapping[str, Any]]


class Agreement(NamedTuple):
    """The latest reconciliation of calls. ``at_most``: what the true share of differing calls is at most, in words."""

    replayed: int
    matched: int
    at_most: str | None
    differences: list[Difference]


def lines(criteria: Sequence[CriterionDocument]) -> list[Line]:
    """What is not met first."""
    found = [
        Line(
            each.name.replace("_", " "), each.outcome, each.words, amount(each.measured, each.unit),
            f"at {each.bound} {amount(each.threshold, each.unit)}", _distance(each),
            count(each.sample), each.waiver, each.name in CAN_BE_WAIVED and each.waiver is None,
        )
        for each in criteria
    ]  # fmt: skip
    return sorted(found, key=lambda each: each.outcome == "pass")


def _distance(each: CriterionDocument) -> str:
    """Of what is at most nothing, a distance of nothing says too much where nothing was measured."""
    is_unknown = each.measured is None and each.bound == "most"
    return "not known yet" if is_unknown else amount(each.distance, each.unit)


def amount(number: int | None, unit: str) -> str:
    """A number with its unit, as people write it."""
    if number is None:
        return "not known yet"
    match unit:
        case "nano_usd" | "nano-USD":
            return usd(number)
        case "ms":
            return f"{number:,} ms" if number < 10_000 else duration(number / 1000)
        case "hours":
            return duration(number * 3600)
        case "ppm" | "ppb":
            return f"{number / (10_000 if unit == 'ppm' else 10_000_000):g} %"
        case _:
            return f"{number:,} {unit}"


def agreement(result: Mapping[str, Any]) -> Agreement:
    """Of a reconciliation's result, as it stands on the topic."""
    calls, ppb = result["calls"], result["calls"].get("differing_at_most_ppb")
    return Agreement(
        calls["replayed"], calls["matched"],
        None if ppb is None else f"{ppb / 10_000_000:.3g} % of all calls (with 95 % confidence)",
        [Difference(each["kind"].replace("_", " "), each["cause"].replace("_", " "), each["calls"],
                    each.get("examples", ())) for each in result.get("differences", ())],
    )  # fmt: skip
