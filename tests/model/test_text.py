"""Laws of strings: no sentence passes, and nothing but an identifier is repeated."""

import json

from hypothesis import given
from hypothesis import strategies as st

from spendgate.model.text import ALLOWED_CHARS, MAX_CHARS, NONE, all_allowed, echo_field, is_name

NAMES = st.text(ALLOWED_CHARS, min_size=1, max_size=MAX_CHARS)


@given(NAMES)
def test_the_stated_set_passes(text: str) -> None:
    assert is_name(text)


@given(NAMES, st.characters().filter(lambda char: char not in ALLOWED_CHARS), st.data())
def test_one_other_character_is_enough_to_refuse(text: str, char: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(text)))
    assert not is_name((text[:at] + char + text[at:])[:MAX_CHARS] if at < MAX_CHARS else char)


@given(st.lists(st.text("abc", min_size=1), min_size=2).map(" ".join))
def test_words_with_a_space_between_are_refused(text: str) -> None:
    assert not is_name(text)


def test_length_is_bounded_and_the_word_for_unknown_is_free() -> None:
    assert is_name("x" * MAX_CHARS)
    assert not is_name("x" * (MAX_CHARS + 1))
    assert not is_name("")
    assert not is_name(NONE)
    assert not is_name("x\n")


@given(st.dictionaries(NAMES, NAMES | st.text(max_size=5)))
def test_compact_json_that_is_all_allowed_holds_names_only(document: dict[str, str]) -> None:
    raw = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
    if all_allowed(raw):
        assert all(is_name(text) or not text for text in document.values())


@given(st.dictionaries(NAMES, NAMES))
def test_names_never_make_compact_json_suspicious(document: dict[str, str]) -> None:
    assert all_allowed(json.dumps(document, separators=(",", ":")).encode())


@given(st.text() | st.from_regex(r"[a-z][a-z0-9_]{0,60}", fullmatch=True))
def test_a_field_name_is_repeated_only_if_it_is_a_short_identifier(text: str) -> None:
    shown = echo_field(text)
    assert shown == "(not an identifier)" or (shown == text and text.isidentifier() and len(text) <= 40)
