"""Every code has its words, and the words hold the numbers of the decision."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendgate.model.decision import CODES, Code, Reason, RuleKind, Verdict
from spendgate.model.money import NANO_PER_USD, parse_usd
from spendgate.model.words import crossing, explain, money, window_words

CENT = NANO_PER_USD // 100
MONTH = (datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC))


def bare(code: Code, kind: RuleKind, verdict: Verdict) -> Reason:
    return Reason(policy="p", staging="stg-1", stage="shadow", rule=0, kind=kind, verdict=verdict, code=code)


def budget(code: Code, used: int, overage: int = 0, counter: str = "team=marketing") -> Reason:
    return Reason(
        policy="marketing-monthly",
        staging="stg-1",
        stage="shadow",
        rule=0,
        kind="budget",
        verdict="deny",
        code=code,
        counter=counter,
        window_start=MONTH[0],
        window_end=MONTH[1],
        limit_nano_usd=25 * NANO_PER_USD,
        used_before_nano_usd=used,
        recorded_before_nano_usd=used,
        remaining_nano_usd=25 * NANO_PER_USD - used,
        overage_nano_usd=overage,
        reset_at=MONTH[1] if code == "over_cap" else None,
        alerts=(50, 80) if code == "near_cap" else (),
    )


def test_over_the_cap() -> None:
    assert explain(budget("over_cap", 2499 * CENT, CENT)) == (
        "marketing-monthly: over the cap of $25.00 for team=marketing this month "
        "(used $24.99, call $0.02, resets 2026-12-01 00:00 UTC)"
    )


def test_near_the_cap() -> None:
    assert explain(budget("near_cap", 21 * NANO_PER_USD), 13_200_000) == (
        "marketing-monthly: near the cap of $25.00 for team=marketing this month "
        "(used $21.00, call $0.013, crossed 50 %, 80 %)"
    )


def test_past_a_threshold() -> None:
    assert crossing(budget("near_cap", 1999 * CENT), 80, CENT + 999) == (
        "marketing-monthly: past 80 % of the cap of $25.00 for team=marketing this month (used $20.00)"
    )


def test_within_the_budget() -> None:
    assert explain(budget("within_budget", 42_000, counter="all")) == (
        "marketing-monthly: within the cap of $25.00 this month (used $0.000042)"
    )


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        ("within_boundary", "boundary", "within the boundary"),
        ("model_denied", "boundary", "the model is not allowed"),
        ("vendor_denied", "boundary", "the vendor is not allowed"),
        ("cost_over", "boundary", "the call costs more than a call may"),
        ("input_tokens_over", "boundary", "more input tokens than a call may have"),
        ("output_tokens_over", "boundary", "more output tokens than a call may have"),
        ("no_review", "review", "no review needed"),
        ("review_required", "review", "a person should review the call"),
        ("unpriced", "budget", "the cost is unknown, for the call has no price"),
    ],
)
def test_a_reason_without_sums(code: Code, kind: RuleKind, words: str) -> None:
    assert explain(bare(code, kind, "deny")) == f"p: {words}"


def test_a_cost_over_shows_the_cost() -> None:
    assert explain(bare("cost_over", "boundary", "deny"), NANO_PER_USD).endswith("than a call may (call $1.00)")


@pytest.mark.parametrize("code", CODES)
def test_every_code_has_words(code: Code) -> None:
    assert len(explain(bare(code, "budget", "deny"))) > len("p: ")


@given(st.integers(1, 2**53))
def test_a_shown_amount_is_never_zero_and_within_five_percent(nano_usd: int) -> None:
    shown = parse_usd(money(nano_usd).removeprefix("$").replace(",", ""))
    assert abs(shown - nano_usd) * 20 <= max(nano_usd, 1)
    assert shown > 0


@given(st.integers(25 * NANO_PER_USD - 3 * CENT, 25 * NANO_PER_USD - 1))
def test_a_sum_below_the_cap_is_never_shown_as_the_cap(used: int) -> None:
    assert "(used $24.9" in explain(budget("over_cap", used, 5 * CENT))


ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Kiritimati", "Pacific/Niue"]


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize(
    ("start", "end", "words"),
    [
        ((2026, 3, 1), (2026, 4, 1), "this month"),
        ((2026, 2, 1), (2026, 3, 1), "this month"),
        ((2026, 10, 1), (2027, 1, 1), "this quarter"),
        ((2026, 1, 1), (2027, 1, 1), "this year"),
    ],
)
def test_a_calendar_window_is_known_in_every_zone(
    zone: str, start: tuple[int, int, int], end: tuple[int, int, int], words: str
) -> None:
    ends = [datetime(*day, tzinfo=ZoneInfo(zone)).astimezone(UTC) for day in (start, end)]
    assert window_words(*ends) == words


@pytest.mark.parametrize(
    ("length", "words"),
    [
        (timedelta(minutes=90), "in the 90 minutes to 2026-11-05 13:06 UTC"),
        (timedelta(hours=1), "in the hour to 2026-11-05 13:06 UTC"),
        (timedelta(hours=24), "in the 24 hours to 2026-11-05 13:06 UTC"),
        (timedelta(hours=36), "in the 36 hours to 2026-11-05 13:06 UTC"),
        (timedelta(days=7), "in the 7 days to 2026-11-05 13:06 UTC"),
        (timedelta(days=30), "in the 30 days to 2026-11-05 13:06 UTC"),
    ],
)
def test_another_window_is_named_by_its_length(length: timedelta, words: str) -> None:
    end = datetime(2026, 11, 5, 13, 6, tzinfo=UTC)
    assert window_words(end - length, end) == words


def test_a_lifetime_has_no_window() -> None:
    assert window_words(None, None) == "in all"
