"""Laws of what is read behind the pages."""

import threading
from collections.abc import Callable

import pytest

from gateway_shadow.behind import MOST_TENANTS, Behind
from tests.live.waiting import until


class Clock:
    """Seconds that pass when they are told to."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def counting() -> tuple[Behind[int], Clock, Callable[[int | None], int]]:
    """A reader that counts how often it has read."""
    clock = Clock()
    return Behind("counting", 5.0, clock), clock, lambda last: (last or 0) + 1


def test_what_is_fresh_is_not_read_again_and_what_is_old_goes_on_from_the_last() -> None:
    behind, clock, read = counting()
    until(lambda: behind.of("acme", read) == 1, "it to be read")
    clock.now_s = 4.9
    assert behind.of("acme", read) == 1
    clock.now_s = 5.0
    until(lambda: behind.of("acme", read) == 2, "it to be read again")


def test_no_page_waits_for_a_reading_and_sees_the_last_meanwhile() -> None:
    behind, clock, read = counting()
    until(lambda: behind.of("acme", read) == 1, "it to be read")
    clock.now_s, may_end = 10.0, threading.Event()

    def slow(last: int | None) -> int:
        may_end.wait(30)
        return read(last)

    assert [behind.of("acme", slow) for _ in range(3)] == [1, 1, 1]
    may_end.set()
    until(lambda: behind.of("acme", slow) == 2, "the reading to end")


@pytest.mark.parametrize("fault", [OSError, TimeoutError])
def test_a_reading_that_fails_is_told_and_then_tried_again_from_where_the_last_good_one_was(
    fault: type[Exception],
) -> None:
    behind, clock, read = counting()
    until(lambda: behind.of("acme", read) == 1, "it to be read")
    clock.now_s = 10.0

    def failing(_: int | None) -> int:
        raise fault("away")

    with pytest.raises(fault, match="away"):
        until(lambda: behind.of("acme", failing) is None, "the fault to be told")
    until(lambda: behind.of("acme", read) == 2, "it to be read again")


def test_tenants_do_not_see_each_others_and_are_forgotten_before_they_are_too_many() -> None:
    behind, _, _ = counting()
    for number in range(MOST_TENANTS + 1):
        until(lambda: behind.of(f"t{number}", lambda _: number) == number, "its own")  # noqa: B023 - done at once
    assert behind.of("t0", lambda _: -1) in (-1, None)
