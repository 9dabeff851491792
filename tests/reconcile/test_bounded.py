"""A result fits into one message, whatever it has found; what it counts and what decides stays as it was."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from spendgate.model.decision import Position
from spendgate.model.reconciliation import Differences, Example, Reconciliation, encode_reconciliation
from spendgate.model.reconciliation_parts import CellDiffers, EstimateResult
from spendgate.reconcile.bounded import MOST_BYTES, bounded
from tests.engine.scenes import examples
from tests.reconcile.results import bill, counters, reconciliation

LONG = "k" * 128


def crowded(models: int, cells: int, buckets: int, shown: int) -> Reconciliation:
    """One that has very much to tell."""
    estimate = EstimateResult(
        checks=1, compared=1, unpriced=0, estimated_nano_usd=1, bias_nano_usd=0, verdicts=1, verdict_differs=0,
        too_mild=0,
    )  # fmt: skip
    of_models = (msgspec.structs.replace(estimate, model=f"{LONG}{n}", checks=n) for n in range(models))
    cell = CellDiffers(tenant="acme", staging=LONG, rule=0, window=0, field="a0", key=LONG * 8, expected_nano_usd=1)
    found, billed = counters(cells), bill()
    part = msgspec.structs.replace(found.partitions[0], differing=(cell,) * cells)
    example = Example(position=Position("spend.events", 0, 1, 0), source="s", event_id=LONG, words=LONG * 8)
    group = Differences(kind="mismatched", cause="unexplained", calls=10**6, examples=(example,) * shown)
    return msgspec.structs.replace(
        reconciliation(),
        estimates=(*of_models, msgspec.structs.replace(estimate, checks=models)),
        counters=msgspec.structs.replace(found, partitions=(part,)),
        bill=msgspec.structs.replace(billed, buckets=billed.buckets * buckets, total_buckets=buckets),
        differences=(group,),
    )


@examples(25)
@given(
    models=st.sampled_from([0, 3, 6_000]), cells=st.sampled_from([0, 5, 2_000]), buckets=st.integers(0, 100),
    shown=st.sampled_from([0, 5, 2_000]),
)  # fmt: skip
def test_whatever_was_found_fits_into_a_message_and_counts_stay(
    models: int, cells: int, buckets: int, shown: int
) -> None:
    whole = crowded(models, cells, buckets, shown)
    found = bounded(whole)
    assert len(encode_reconciliation(found)) <= MOST_BYTES
    assert found.shortened == (len(encode_reconciliation(whole)) > MOST_BYTES)
    assert found.shortened or found == whole
    assert (found.criteria, found.outcome, found.calls) == (whole.criteria, whole.outcome, whole.calls)
    assert [each.calls for each in found.differences] == [10**6]
    assert found.counters is not None
    assert found.counters.partitions[0].differing_cells == cells
    assert (found.estimates or ())[-1].model is None


def test_the_models_that_were_checked_most_stay() -> None:
    found = bounded(crowded(6_000, 0, 0, 0))
    assert found.shortened
    assert [each.checks for each in found.estimates or ()][-3:] == [5_998, 5_999, 6_000]
