"""A bill that says what the ledger says passes; the worst bucket decides; every line is compared or set aside, told."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendgate.engine.windows import Calendar
from spendgate.ledger.bill_csv import open_bill
from spendgate.ledger.bill_focus import BillLine
from spendgate.ledger.reader_problem import InputError, Refused
from spendgate.model.event import Event
from spendgate.model.policy_problems import PolicyErrors
from spendgate.model.reconciliation import Thresholds
from spendgate.model.reconciliation_parts import BillResult
from spendgate.reconcile.bill import Bill, Terms, compare_bill
from spendgate.reconcile.bill_names import BillNames, read_names
from spendgate.reconcile.usage import usage_of
from tests.engine.scenes import TENANT, call, correction, examples, log_of
from tests.reconcile.test_reconcile import write

DAY = timedelta(days=1)
USD = 10**9
ASKED = Thresholds()
MODELS = (("openai", "gpt-4o"), ("openai", "gpt-4o-mini"), ("anthropic", "claude"), (None, None))
FIRST = datetime(2026, 5, 1, tzinfo=UTC)
"""The ledger begins in the middle of it: the bill's first whole day is the next one."""


def events(costs: list[int]) -> list[Event]:
    """A call every hour over four days and more, by each model in turn."""
    return [
        call(timedelta(hours=n), f"e{n}", cost, vendor=MODELS[n % 4][0], model=MODELS[n % 4][1])
        for n, cost in enumerate(costs)
    ]


def billed(calls: list[Event], vendor: str = "OpenAI") -> list[BillLine]:
    """What a vendor asks for these calls, day by day; those without a model on a line that names none."""
    sums: dict[tuple[datetime, str | None], int] = defaultdict(int)
    for each in calls:
        if each.vendor in (vendor.lower(), None):
            sums[each.time.replace(hour=0, minute=0), each.model] += each.cost_nano_usd or 0
    return [line(n, day, nano_usd, vendor, model) for n, ((day, model), nano_usd) in enumerate(sums.items())]


def line(n: int, day: datetime, nano_usd: int, vendor: str | None = "OpenAI", model: str | None = "gpt-4o",
         **more: Any) -> BillLine:  # fmt: skip
    fields = {"period_start": day, "period_end": day + DAY, "fingerprint": n, "line": n, **more}
    return BillLine(billed_nano_usd=nano_usd, vendor=vendor, model=model, **fields)


def compared(calls: list[Event], lines: list[BillLine], *refused: Refused, **terms: Any) -> BillResult:
    agreed = Terms(**{"final": True, **terms})
    with TemporaryDirectory() as folder:
        ledger = write(Path(folder), log_of(*calls), [])
        usage = usage_of(ledger, TENANT, agreed.calendar)
        return compare_bill(Bill(lines, list(refused), "0" * 64), usage, agreed, ASKED)


COSTS = st.lists(st.integers(0, 3 * USD), min_size=110, max_size=130)


@examples(10)
@given(COSTS, st.integers(0, 200), st.integers(-3 * USD, 3 * USD))
def test_a_bill_is_equal_to_the_ledger_it_was_made_of_and_one_bucket_that_is_off_is_the_worst(
    costs: list[int], which: int, off: int
) -> None:
    calls = events(costs)
    lines = billed(calls)
    right = compared(calls, lines)
    assert right.differing_buckets == 0
    assert all(each.billed_nano_usd == each.ledger_nano_usd for each in right.buckets)
    assert right.other_vendors_nano_usd > 0 or not any(costs)
    chosen = [each for each in lines if FIRST < each.period_start < FIRST + 4 * DAY]
    wrong = chosen[which % len(chosen)]
    changed = BillLine(**{**{f: getattr(wrong, f) for f in wrong.__struct_fields__},
                          "billed_nano_usd": wrong.billed_nano_usd + off})  # fmt: skip
    found = compared(calls, [changed if each is wrong else each for each in lines])
    may = max(abs(changed.billed_nano_usd) * 5 // 1000, USD // 100)
    assert found.differing_buckets == (abs(off) > may)
    if abs(off) > may:
        worst = found.buckets[0]
        assert (worst.day, worst.model) == (f"{wrong.period_start:%Y-%m-%d}", wrong.model)
        assert worst.billed_nano_usd - worst.ledger_nano_usd == off


FLAT = events([USD] * 120)


def reasons(found: BillResult) -> dict[str, tuple[int, int, tuple[int, ...]]]:
    return {each.why: (each.count, each.nano_usd, each.lines) for each in found.set_aside}


def test_what_is_no_plain_line_of_usage_is_told_by_its_line_and_never_dropped() -> None:
    day, end = FIRST + DAY, FLAT[-1].time
    lines = [
        *billed(FLAT),
        line(900, day, -7 * USD, category="Credit"),
        line(901, day, 2 * USD, category="Tax"),
        line(902, end + 2 * DAY, 3 * USD),
        line(903, FIRST - 90 * DAY, 4 * USD),
        line(904, day + timedelta(hours=8), 5 * USD, period_end=day + timedelta(hours=32)),
        line(905, day, 6 * USD, fingerprint=900),
        line(906, day, 8 * USD, fingerprint=906),
        line(907, day, -8 * USD, fingerprint=907),
    ]
    found = compared(FLAT, lines, Refused(908, "BilledCost", "a cost"))
    told = reasons(found)
    assert {why: each for why, each in told.items() if why != "outside"} == {
        "no_usage": (2, -5 * USD, (900, 901)),
        "future": (1, 3 * USD, (902,)),
        "other_calendar": (1, 5 * USD, (904,)),
        "duplicate": (1, 6 * USD, (905,)),
        "negative_counted": (1, -8 * USD, (907,)),
        "unreadable": (1, 0, (908,)),
    }
    assert 903 in told["outside"][2]
    assert (found.whole, found.differing_buckets) == (False, 0)


def test_a_day_is_the_billing_calendars_and_lines_that_cut_it_are_not_compared() -> None:
    shifted = [line(n, FIRST + timedelta(days=n, hours=7), 0) for n in range(1, 4)]
    assert reasons(compared(FLAT, shifted))["other_calendar"][0] == 3
    found = compared(FLAT, shifted, calendar=Calendar("day", "America/Los_Angeles"))
    assert (found.whole, {each.day for each in found.buckets}) == (True, {"2026-05-02", "2026-05-03", "2026-05-04"})


def test_a_correction_counts_as_what_the_call_should_have_cost() -> None:
    calls = [*FLAT, correction(timedelta(hours=119), "e24", 5 * USD)]
    assert FLAT[24].model == "gpt-4o"
    found = compared(calls, billed(FLAT))
    assert found.buckets[0].ledger_nano_usd - found.buckets[0].billed_nano_usd == 4 * USD


def test_names_are_made_one_by_the_mapping_and_what_has_none_is_unattributed() -> None:
    lines = [line(n, FIRST + n * DAY, 6 * USD, "OpenAI, LLC", "gpt-4o-2024-08-06, input") for n in (1, 2, 3)]
    assert compared(FLAT, lines).differing_buckets > 0
    names = BillNames.model_validate(
        {"vendors": {"OpenAI, LLC": "openai"}, "models": [{"from": "gpt-4o-mini*", "to": "mini"},
                                                          {"from": "gpt-4o*", "to": "gpt-4o", "vendor": "openai"}]}
    )  # fmt: skip
    found = compared(FLAT, lines, names=names)
    assert {(each.vendor, each.model): each.billed_nano_usd - each.ledger_nano_usd for each in found.buckets} == {
        ("openai", "gpt-4o"): 0, ("openai", "mini"): -6 * USD, (None, None): -6 * USD,
    }  # fmt: skip
    assert found.unattributed_ledger_nano_usd == 18 * USD


def test_only_the_given_accounts_are_compared_and_a_bill_without_a_vendor_needs_one() -> None:
    lines = [line(n, FIRST + n * DAY, 6 * USD, account="a" if n < 3 else "b") for n in (1, 2, 3)]
    assert reasons(compared(FLAT, lines, accounts=frozenset("a")))["other_account"] == (1, 6 * USD, (3,))
    nameless = [line(n, FIRST + n * DAY, 6 * USD, None) for n in (1, 2, 3)]
    with pytest.raises(InputError, match="--bill-vendor"):
        compared(FLAT, nameless)
    assert compared(FLAT, nameless, vendor="OPENAI").buckets[0].vendor is None  # the others have no model


def read(path: Path, text: str, timezone: str = "UTC", **mapping: str) -> tuple[list[BillLine], list[Refused]]:
    path.write_text(text)
    refused: list[Refused] = []
    return list(open_bill(path, timezone, mapping, refused.append)), refused


def test_a_plain_csv_is_a_bill_by_its_own_columns_or_by_a_mapping(tmp_path: Path) -> None:
    lines, refused = read(
        tmp_path / "b.csv", "day,model,cost_usd\n2026-11-05,gpt-4o,1.25\nsoon,gpt-4o,1\n2026-11-05,gpt-4o,much\n"
    )
    assert [(each.period_start, each.period_end, each.model, each.billed_nano_usd) for each in lines] == [
        (datetime(2026, 11, 5, tzinfo=UTC), datetime(2026, 11, 6, tzinfo=UTC), "gpt-4o", 1_250_000_000)
    ]
    assert [(each.line, each.field) for each in refused] == [(3, "day"), (4, "cost_usd")]
    (mapped,), _ = read(
        tmp_path / "m.csv", "Date;Cost;What\n2026-07-01;2;x\n", "America/New_York", day="Date", cost_usd="Cost"
    )
    assert mapped.period_start == datetime(2026, 7, 1, 4, tzinfo=UTC)


def test_the_same_line_twice_is_one_and_its_own_id_tells_it_from_another(tmp_path: Path) -> None:
    head = "day,model,cost_usd,line_id\n"
    (a, b, c), _ = read(tmp_path / "b.csv", head + "2026-11-05,m,1,x\n2026-11-05,m,1,y\n2026-11-05,m,2,x\n")
    assert a.fingerprint != b.fingerprint
    assert a.fingerprint == c.fingerprint


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n1,2\n", "expected a FOCUS cost export, or a CSV file"),
        ("day,cost_usd,currency\n2026-11-05,1,EUR\n", "currency: expected USD"),
        ("day,cost_usd,currency\n2026-11-05,1,USD\n2026-11-05,1,EUR\n", "one currency in a bill"),
    ],
)
def test_what_is_no_bill_in_dollars_is_an_error(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=words):
        read(tmp_path / "b.csv", text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("vendors: {a: 1}\n", "vendors.a: expected text"),
        ("models:\n  - {to: x}\n", "models[0].from: required"),
        ("model: {}\n", "model: unknown field"),
        ("- [", "expected"),
    ],
)
def test_a_mapping_that_is_none_is_told_with_its_place(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "names.yaml"
    path.write_text(text)
    with pytest.raises(PolicyErrors) as told:
        read_names(path)
    assert words in str(told.value)
