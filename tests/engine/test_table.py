"""The table of slots is a dictionary that numbers its keys, compiled and as plain Python."""

from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendgate.engine import table as compiled
from tests.engine.plain import plain
from tests.engine.scenes import examples

whole = st.integers(0, 3) | st.integers(0, 2**31 + 2)
windows = st.integers(-3, 3) | st.integers(-(2**53), 2**53) | st.integers(0, 40).map(lambda n: n << 31)
keys = st.lists(st.tuples(whole, whole, windows), max_size=80)


@pytest.mark.parametrize("module", [compiled, plain(compiled.__name__)], ids=["compiled", "plain"])
@given(asked=keys)
@examples(60)
def test_a_table_numbers_keys_as_a_dictionary_would_and_keeps_numbers_when_it_grows(
    module: ModuleType, asked: list[tuple[int, int, int]]
) -> None:
    table = module.new_table(4)
    model: dict[tuple[int, int, int], int] = {}
    for key in asked:
        if len(model) == len(table.counter) and key not in model:
            before = table.used[0]
            assert module.find_or_add(table, *key) == module.FULL
            assert table.used[0] == before
            table = module.grown(table, 2 * len(table.counter))
        expected = model.setdefault(key, len(model))
        assert module.find_or_add(table, *key) == expected
        assert table.used[0] == len(model)
    for key, entry in model.items():
        assert module.find_or_add(table, *key) == entry
        assert (table.counter[entry], table.key[entry], table.window[entry]) == key


@given(used=st.integers(0, 4))
def test_growth_may_double_more_than_once(used: int) -> None:
    table = compiled.new_table(4)
    for n in range(used):
        compiled.find_or_add(table, n, n, n)
    bigger = compiled.grown(table, 64)
    assert [compiled.find_or_add(bigger, n, n, n) for n in range(64)] == list(range(64))
    assert compiled.find_or_add(bigger, 64, 64, 64) == compiled.FULL
