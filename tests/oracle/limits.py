"""What a boundary and a review say about one call, apart from any counter."""

from spendgate.model.decision import Code
from spendgate.model.event import Event
from spendgate.model.money import parse_usd
from spendgate.model.policy import Boundary, When
from tests.oracle.matching import among, refused


def boundary_breach(boundary: Boundary, call: Event) -> Code | None:
    """The first of the boundary's limits that the call breaks (reading 12); None if it keeps them all."""
    found: list[tuple[Code, bool]] = [
        ("model_denied", refused(call.model, boundary.models)),
        ("vendor_denied", refused(call.vendor, boundary.vendors)),
        ("cost_over", _over(call.cost_nano_usd, _nano_usd(boundary.max_cost_usd))),
        ("input_tokens_over", _over(call.input_tokens, boundary.max_input_tokens)),
        ("output_tokens_over", _over(call.output_tokens, boundary.max_output_tokens)),
    ]
    return next((code for code, broken in found if broken), None)


def review_holds(when: When, call: Event) -> bool:
    """Whether every condition that is stated holds."""
    return (
        (when.cost_usd_over is None or _over(call.cost_nano_usd, _nano_usd(when.cost_usd_over)))
        and (when.input_tokens_over is None or _over(call.input_tokens, when.input_tokens_over))
        and (when.output_tokens_over is None or _over(call.output_tokens, when.output_tokens_over))
        and (when.models is None or among(call.model, when.models))
        and (when.vendors is None or among(call.vendor, when.vendors))
        and (when.evidence_status is None or call.evidence_status in when.evidence_status)
    )


def _over(value: int | None, most: int | None) -> bool:
    """Whether a known value is over a stated maximum; an unknown one is not (reading 10)."""
    return value is not None and most is not None and value > most


def _nano_usd(usd: str | None) -> int | None:
    return None if usd is None else parse_usd(usd)
