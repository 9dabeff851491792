"""Reading ahead changes neither what comes nor what is raised, and ends when it is no longer wanted."""

from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendgate.simulate.ahead import AHEAD, read_ahead


@given(items=st.lists(st.integers(), max_size=30))
def test_the_items_come_in_their_order(items: list[int]) -> None:
    assert list(read_ahead(iter(items))) == items


def broken(count: int, error: BaseException) -> Iterator[int]:
    yield from range(count)
    raise error


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt()])
def test_what_reading_raises_is_raised_after_what_was_read(error: BaseException) -> None:
    found: list[int] = []
    with pytest.raises(type(error)), closing(read_ahead(broken(3, error))) as items:
        found.extend(items)
    assert found == [0, 1, 2]


def test_a_reader_that_is_given_up_ends() -> None:
    read: list[int] = []

    def endless() -> Iterator[int]:
        while True:
            read.append(1)
            yield 1

    with closing(read_ahead(endless())) as items:
        next(items)
    count = len(read)
    assert count <= 2 * AHEAD + 3
    assert len(read) == count
