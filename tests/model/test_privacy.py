"""The order of the privacy modes: whoever has a say may tighten, and nobody may widen."""

from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from spendgate.model.event import PrivacyMode
from spendgate.model.privacy import DEFAULT, MODES, is_within, permits, tightest, widest
from spendgate.model.privacy_settings import PrivacySettings

MODE = st.sampled_from(MODES)


def test_every_mode_has_its_place() -> None:
    assert set(MODES) == set(get_args(PrivacyMode))
    assert DEFAULT == PrivacySettings().mode == "metadata_only"
    assert [sum(permits(mode)) for mode in MODES] == [0, 1, 2, 3, 4]


@given(mode=MODE, others=st.lists(st.none() | MODE, max_size=4))
def test_another_voice_tightens_and_never_widens(mode: PrivacyMode, others: list[PrivacyMode | None]) -> None:
    found = tightest(mode, *others)
    assert all(is_within(found, each) for each in (mode, *others) if each is not None)
    assert found in (mode, *others)
    for more in MODES:
        assert is_within(tightest(mode, *others, more), found)


@given(narrow=MODE, wide=MODE)
def test_a_wider_mode_permits_all_that_a_tighter_one_does(narrow: PrivacyMode, wide: PrivacyMode) -> None:
    if is_within(narrow, wide):
        assert all(not less or more for less, more in zip(permits(narrow), permits(wide), strict=True))
        assert widest([narrow, wide]) == wide


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"mode": "everything"}, "mode"),
        ({"scopes": [{"mode": "full_trace"}]}, "scope"),
        ({"scopes": [{"mode": "full_trace", "scope": {"team": []}}]}, "team"),
        ({"scopes": [{"mode": "full_trace", "scope": {"colour": ["red"]}}]}, "colour"),
        ({"scopes": [{"mode": "full_trace", "scope": {}}] * 101}, "scopes"),
        ({"retention_days": 0}, "retention_days"),
        ({"retention_days": "30"}, "retention_days"),
        ({"keep": True}, "keep"),
    ],
)
def test_settings_that_mean_nothing_are_refused_by_name(document: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as refused:
        PrivacySettings.model_validate(document)
    assert field in [str(part) for error in refused.value.errors() for part in error["loc"]]


def test_the_widest_mode_of_settings_is_that_of_any_scope() -> None:
    settings = PrivacySettings.model_validate({"scopes": [{"mode": "full_trace", "scope": {"team": ["debug"]}}]})
    assert settings.widest == "full_trace"
