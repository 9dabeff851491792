"""Whoever waits is told how far it has come, how fast it goes and how long it will take, where that can be known."""

from spendgate.cli.rows_progress import words


def test_rows_rate_and_time_left_are_told() -> None:
    assert words(1_000_000, 0.5, 10_000_000) == "1,000,000 of 10,000,000 rows, 2,000,000 a second, 4 s left"


def test_nothing_is_made_up_where_the_total_is_not_known() -> None:
    assert words(1_000, 2.0, None) == "1,000 rows, 500 a second"
    assert words(0, 0.0, 10) == "0 rows, 0 a second"


def test_more_rows_than_were_counted_leave_no_negative_time() -> None:
    assert words(20, 1.0, 10).endswith("0 s left")
