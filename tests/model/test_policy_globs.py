"""What is said of globs holds for every value."""

from fnmatch import fnmatchcase

from hypothesis import given
from hypothesis import strategies as st

from spendgate.model.policy_globs import covers, disjoint, has_open_bracket, is_literal, matches_any

GLOBS = st.text("ab*?[]!", min_size=1, max_size=5) | st.just("(none)")
VALUES = st.none() | st.text("ab[]!", min_size=1, max_size=5)


@given(st.lists(GLOBS, min_size=1, max_size=3), GLOBS, VALUES)
def test_what_covers_a_glob_matches_all_that_it_matches(outer: list[str], inner: str, value: str | None) -> None:
    if covers(outer, inner) and matches_any([inner], value):
        assert matches_any(outer, value)


@given(st.lists(GLOBS, min_size=1, max_size=3), st.lists(GLOBS, min_size=1, max_size=3), VALUES)
def test_disjoint_lists_match_no_value_both(globs: list[str], others: list[str], value: str | None) -> None:
    if disjoint(globs, others):
        assert not (matches_any(globs, value) and matches_any(others, value))


@given(GLOBS)
def test_a_glob_covers_itself_and_shares_something_with_itself(glob: str) -> None:
    assert covers([glob], glob)
    if is_literal(glob):
        assert not disjoint([glob], [glob])


def test_what_people_write_is_understood() -> None:
    assert covers(["*"], "gpt-4*")
    assert covers(["gpt-*"], "gpt-4*")
    assert covers(["gpt-4o", "claude-*"], "claude-haiku-4-5")
    assert not covers(["gpt-4*"], "gpt-*")
    assert not covers(["*"], "(none)")
    assert disjoint(["gpt-4*"], ["claude-*", "gemini-2.5-pro"])
    assert not disjoint(["gpt-4*"], ["gpt-4o"])


def test_the_unknown_value_is_matched_by_its_word_alone() -> None:
    assert matches_any(["(none)"], None)
    assert not matches_any(["*", "?", "[(]none[)]"], None)
    assert not matches_any(["(none)"], "(none)")


@given(st.text("ab]!", max_size=4))
def test_a_bracket_that_is_never_closed_matches_itself(rest: str) -> None:
    if has_open_bracket(f"[{rest}"):
        assert fnmatchcase(f"[{rest}", f"[{rest}")


def test_open_brackets_are_found() -> None:
    assert all(has_open_bracket(glob) for glob in ["[", "gpt-[4", "[]", "[!]", "[a][b"])
    assert not any(has_open_bracket(glob) for glob in ["a]", "[4]", "[]]", "[!]]", "[a][b]", "[[]"])
