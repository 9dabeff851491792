"""A check that a call has followed tells how far its estimate was off, and whether the verdict would have differed."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from spendgate.ledger.check_rows import RecordedCheck, check_batch_of
from spendgate.ledger.delta_reader import Ledger
from spendgate.ledger.delta_writer import LedgerTable
from spendgate.ledger.event_rows import Place
from spendgate.model.canonical import policy_hash
from spendgate.model.check import Check, encode_check
from spendgate.model.decision import Verdict
from spendgate.model.reconciliation_parts import EstimateResult
from spendgate.reconcile.asked import Wanted
from spendgate.reconcile.estimates import estimates, recorded_checks
from tests.engine.evaluate import evaluate
from tests.engine.scenes import START, TENANT, call, examples, log_of
from tests.reconcile.test_reconcile import CAPPED, begun, write


def check(number: int, estimate: int | None = 10**9, would_be: Verdict | None = "approve", **fields: Any) -> Check:
    said = {"check_id": f"chk-{number}", "tenant": TENANT, "time": START, "asked_by": "someone", **fields}
    return Check(estimate_nano_usd=estimate, would_be=would_be, **said)


def ledger_of(folder: str, costs: Sequence[int | None], model: str = "m", **fields: Any) -> Ledger:
    """A call a minute by one team, each naming the check of its number; a cap of ten dollars."""
    bodies = [
        call(timedelta(minutes=n), f"e{n}", cost, team="t", model=model, check_id=f"chk-{n}", **fields)
        for n, cost in enumerate(costs)
    ]
    log = log_of(begun(CAPPED), *bodies)
    _, owed = evaluate({policy_hash(CAPPED): CAPPED}, [log])
    return write(Path(folder), log, list(owed.values()))


def found(checks: list[Check], costs: Sequence[int | None], **wanted: Any) -> list[EstimateResult]:
    with TemporaryDirectory() as folder:
        return estimates(checks, ledger_of(folder, costs), Wanted(TENANT, **wanted))


PAIRS = st.lists(st.tuples(st.integers(0, 10**12), st.integers(1, 10**12)), min_size=1, max_size=12)


@examples(10)
@given(PAIRS)
def test_errors_are_parts_of_what_the_calls_cost_and_the_bias_is_their_sum(pairs: list[tuple[int, int]]) -> None:
    of_model, of_all = found([check(n, e) for n, (e, _) in enumerate(pairs)], [actual for _, actual in pairs])
    errors = sorted(abs(actual - estimate) * 10**6 // actual for estimate, actual in pairs)
    assert (of_model.model, of_all.model) == ("m", None)
    assert (of_all.checks, of_all.compared) == (len(pairs), len(pairs))
    assert of_all.mean_error_ppm == sum(errors) // len(errors)
    assert of_all.median_error_ppm == errors[(len(errors) + 1) // 2 - 1]
    assert of_all.p95_error_ppm == errors[-(-len(errors) * 95 // 100) - 1]
    assert of_all.bias_nano_usd == sum(actual - estimate for estimate, actual in pairs)


def test_a_verdict_that_was_milder_than_the_decision_is_too_mild() -> None:
    said: tuple[Verdict | None, ...] = ("approve", "deny", "approve", None)
    checks, costs = [check(n, would_be=verdict) for n, verdict in enumerate(said)], [9 * 10**9, 10**9, 10**9, 10**9]
    _, all_ = found(checks, costs)
    assert (all_.verdicts, all_.verdict_differs, all_.too_mild) == (3, 2, 1)
    of_policy = found(checks, costs, policy="capped")[-1]
    assert (of_policy.verdict_differs, of_policy.too_mild) == (1, 1)
    assert found(checks, costs, policy="another")[-1].verdict_differs == 0


def test_what_was_not_followed_has_no_price_or_is_somebody_elses_is_counted_as_such() -> None:
    checks = [check(0), check(1, None), check(2), check(7), check(3, tenant="other")]
    _, all_ = found(checks, [10**9, 10**9, None, 10**9])
    assert (all_.checks, all_.compared, all_.unpriced) == (3, 1, 2)
    assert found([check(7)], [10**9]) == []


@examples(10)
@given(st.lists(st.builds(check, st.integers(0, 99), st.none() | st.integers(0, 10**15)), max_size=6))
def test_a_check_comes_back_from_the_ledger_as_it_stood_on_its_topic(checks: list[Check]) -> None:
    with TemporaryDirectory() as folder:
        source = ("checks-id", 3)
        places = [Place(*source, n, 0, START) for n in range(len(checks))]
        batch = check_batch_of([RecordedCheck(each, encode_check(each)) for each in checks], places)
        LedgerTable(folder).append("checks", [batch], source, len(checks), first_offset=0)
        assert list(recorded_checks(Ledger.open(folder), TENANT)) == checks
