"""Laws of money: exact both ways, and refused rather than rounded."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendgate.model.money import (
    MAX_CAP_NANO_USD,
    NANO_PER_USD,
    MoneyError,
    format_usd,
    parse_usd,
    percent_of_nano_usd,
)

AMOUNTS = st.integers(0, MAX_CAP_NANO_USD - 1)


@given(AMOUNTS)
def test_nine_decimals_are_read_exactly(nano_usd: int) -> None:
    assert parse_usd(f"{nano_usd // NANO_PER_USD}.{nano_usd % NANO_PER_USD:09d}") == nano_usd


@given(AMOUNTS)
def test_what_is_shown_in_full_is_read_back(nano_usd: int) -> None:
    shown = format_usd(nano_usd, decimals=9)
    assert shown.startswith("$")
    assert parse_usd(shown[1:].replace(",", "")) == nano_usd


@given(st.integers(0, 2**61), st.integers(0, 9))
def test_what_is_shown_is_off_by_half_a_step_at_most(nano_usd: int, decimals: int) -> None:
    shown = parse_usd(format_usd(nano_usd, decimals)[1:].replace(",", ""))
    assert abs(shown - nano_usd) * 2 <= 10 ** (9 - decimals)


def test_people_read_thousands_and_signs() -> None:
    assert format_usd(1_234_500_000_000) == "$1,234.50"
    assert format_usd(-1_500_000_000) == "-$1.50"
    assert [format_usd(nano_usd) for nano_usd in (5_000_000, 15_000_000)] == ["$0.00", "$0.02"]


@given(st.integers(0, 10**9), st.integers(1, 10**6 - 1).filter(lambda rest: rest % 10 != 0))
def test_a_tenth_decimal_is_refused(whole: int, rest: int) -> None:
    with pytest.raises(MoneyError, match="at most nine decimals"):
        parse_usd(f"{whole}.000000000{rest:06d}")


@given(st.integers(MAX_CAP_NANO_USD + 1, 2**80))
def test_what_does_not_fit_is_refused(nano_usd: int) -> None:
    with pytest.raises(MoneyError, match="less than 2"):
        parse_usd(f"{nano_usd // NANO_PER_USD}.{nano_usd % NANO_PER_USD:09d}")


@given(st.integers(1, 2**62))
def test_what_is_negative_is_refused(nano_usd: int) -> None:
    with pytest.raises(MoneyError, match="zero or more"):
        parse_usd(f"-{nano_usd}e-9")


@pytest.mark.parametrize("text", ["", " ", "abc", "1,000", "$5", "1.2.3", "0x10", "NaN", "sNaN", "Infinity", "-inf"])
def test_what_is_no_amount_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(MoneyError) as caught:
        parse_usd(text)
    assert not text.strip() or text not in str(caught.value)


@given(st.integers(1, 100), AMOUNTS)
def test_a_threshold_is_the_least_amount_that_is_so_many_percent(percent: int, cap_nano_usd: int) -> None:
    threshold = percent_of_nano_usd(percent, cap_nano_usd)
    exact = Fraction(percent * cap_nano_usd, 100)
    assert threshold - 1 < exact <= threshold
