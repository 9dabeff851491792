"""What the check of a release lets through, and what it does not."""

from importlib.metadata import PackageNotFoundError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dev.release.licences import check, judged, kind
from dev.release.materials import told
from dev.release.prune import needed
from dev.release.versions import agreed

_DATED = "# Changelog\n\n## [Unreleased]\n\n## [1.2.0] - 2026-12-01\n\n### Added\n"
_COMING = "# Changelog\n\n## [Unreleased]\n\nWhat will be 1.2.0.\n"
_FINE = ("MIT", "Apache-2.0", "BSD-3-Clause", "PSF-2.0")
_REFUSED = ("GPL-3.0-only", "AGPL-3.0", "LGPL-2.1-or-later", "GNU Lesser General Public License v3 (LGPLv3)")


@given(st.sampled_from(_FINE), st.sampled_from(_REFUSED))
def test_of_a_choice_the_best_counts_and_of_both_the_worst(fine: str, refused: str) -> None:
    assert kind(fine) == "fine"
    assert kind(refused) == "refused"
    assert kind(f"{refused} OR {fine}") == "fine"
    assert kind(f"{fine} AND {refused}") == "refused"


def test_copyleft_and_the_unknown_fail_by_name_and_mpl_is_listed() -> None:
    outcome = judged({"one": "GPL-3.0-only", "two": "", "three": "MPL-2.0", "four": "MIT"})
    assert outcome.state == "failed"
    assert outcome.words == ("not allowed at run time: one (GPL-3.0-only)", "unknown licence: two (says none)")
    assert judged({"three": "MPL-2.0", "four": "MIT"}).words == ("2 distributions; MPL: three (MPL-2.0)",)


def test_the_product_has_no_licence_that_is_refused() -> None:
    assert check().state == "passed"


def test_what_is_needed_and_missing_is_told() -> None:
    with pytest.raises(PackageNotFoundError):
        needed("no-such-distribution-as-this")


@pytest.mark.parametrize(
    ("version", "changelog", "tag", "agrees"),
    [
        pytest.param("1.2.0", _DATED, None, True, id="dated"),
        pytest.param("1.2.0", _DATED, "v1.2.0", True, id="dated-and-tagged"),
        pytest.param("1.2.0", _COMING, None, True, id="announced"),
        pytest.param("1.2.0", _COMING, "v1.2.0", False, id="tagged-but-only-announced"),
        pytest.param("1.2.0", _DATED, "v1.1.0", False, id="another-tag"),
        pytest.param("1.3.0", _DATED, None, False, id="not-in-the-changelog"),
        pytest.param("1.2", _DATED, None, False, id="no-semantic-version"),
    ],
)
def test_version_changelog_and_tag_agree(version: str, changelog: str, tag: str | None, agrees: bool) -> None:
    assert (agreed(version, changelog, tag) == []) is agrees


def test_an_audit_that_could_not_look_is_never_passed() -> None:
    good: dict[str, object] = {"name": "a", "version": "1", "vulns": []}
    skipped: dict[str, object] = {"name": "b", "skip_reason": "not found"}
    bad: dict[str, object] = {"name": "c", "version": "1", "vulns": [{"id": "PYSEC-1"}]}
    assert told("pypi", [good]).state == "passed"
    assert told("pypi", []).state == "not run"
    assert told("pypi", [good, skipped]).words == ("pypi: 1 of 2 distributions could not be looked up",)
    assert told("pypi", [good, skipped, bad]).words == ("c 1: PYSEC-1",)
