"""Labels stay few, whatever is staged and whoever sends."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.labels import MOST, OTHER, Labels, most_from_environment

NAMES = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 30).map(str)), max_size=80)


@given(NAMES, st.integers(0, 12))
def test_no_more_policies_than_the_limit_get_a_label_and_each_keeps_the_one_it_has(
    names: list[tuple[str, str]], most: int
) -> None:
    labels = Labels(most)
    given_ = {name: labels.policy(*name) for name in names}
    assert len(set(given_.values()) - {(OTHER, OTHER)}) <= most
    assert {labels.policy(*name) == label for name, label in given_.items()} <= {True}
    first = list(dict.fromkeys(names))[:most]
    assert [labels.policy(*name) for name in first] == first


@given(st.lists(st.text(max_size=3)), st.integers(0, 5))
def test_a_tenant_past_the_limit_is_counted_with_the_others(names: list[str], most: int) -> None:
    labels = Labels(most)
    assert [labels.tenant(name) for name in names] == [
        name if name in list(dict.fromkeys(names))[:most] else OTHER for name in names
    ]


@pytest.mark.parametrize("said", ["-1", "many", "10001"], ids=["negative", "word", "too-many"])
def test_a_limit_that_is_no_number_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    monkeypatch.setenv(MOST, said)
    with pytest.raises(ValueError, match=f"{MOST}: expected a whole number"):
        most_from_environment()
