"""Laws of a counter's key as text."""

from hypothesis import given
from hypothesis import strategies as st

from spendgate.engine.counter_keys import key_text, key_values
from spendgate.model.event import SCOPE_FIELDS
from spendgate.model.text import ALLOWED_CHARS

VALUES = st.none() | st.text(ALLOWED_CHARS, min_size=1, max_size=12)


@given(st.dictionaries(st.sampled_from(sorted(SCOPE_FIELDS)), VALUES))
def test_a_key_says_which_values_it_was_made_of(values: dict[str, str | None]) -> None:
    text = key_text(tuple(values), tuple(values.values()))
    assert key_values(text) == values
    assert list(key_values(text)) == list(values)
