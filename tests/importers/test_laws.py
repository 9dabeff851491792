"""Laws of every importer: nothing is lost in silence, and what is written is sound."""

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendgate.importers.carrying import says_something, shown
from spendgate.importers.drafting import Imported
from spendgate.importers.envoy import import_envoy
from spendgate.importers.helicone import import_helicone
from spendgate.importers.litellm import import_litellm
from spendgate.importers.portkey import import_portkey
from spendgate.importers.reading import NotImportable
from spendgate.model.canonical import policy_hash
from spendgate.model.policy_source import check_text, read_policy
from tests.importers.drawn_inputs import CONFIGS, GATEWAY, PORTKEY, SERVICE, TABLES, Drawn

MAPPING = {"tag": "project", "api_key": "agent"}
UNITS = {"llm_cost": "0.000001"}
INPUTS = {"config": CONFIGS, "tables": TABLES, "portkey": PORTKEY, "service": SERVICE, "gateway": GATEWAY}
KINDS = pytest.mark.parametrize("kind", INPUTS)


def imported(kind: str, data: Any) -> Imported:
    raw = json.dumps(data).encode()
    match kind:
        case "config" | "tables":
            return import_litellm(raw, MAPPING)
        case "portkey":
            return import_portkey(raw, MAPPING)
    return import_envoy(raw, MAPPING, UNITS)


def inputs(kind: str) -> Drawn:
    """Of the kind, if an importer takes it at all."""
    return INPUTS[kind]


def leaves(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of everything that says something and holds nothing."""
    if isinstance(data, dict | list):
        for key, value in data.items() if isinstance(data, dict) else enumerate(data):
            yield from leaves(value, (*path, key))
    elif says_something(data):
        yield path


def changed(data: Any, path: tuple[Any, ...]) -> Any:
    """A copy in which the leaf at ``path`` means something else."""
    data = copy.deepcopy(data)
    parent = data
    for part in path[:-1]:
        parent = parent[part]
    value = parent[path[-1]]
    parent[path[-1]] = not value if isinstance(value, bool) else value + ("z" if isinstance(value, str) else 17)
    return data


def meaning(found: Imported) -> list[tuple[str, str]]:
    return [(draft.policy.metadata.name, policy_hash(draft.policy)) for draft in found.drafts]


def is_listed(found: Imported, path: tuple[Any, ...]) -> bool:
    return any(path[: len(note.path)] == note.path for note in found.not_carried)


@KINDS
@given(st.data())
def test_what_changes_no_policy_is_listed(kind: str, data: st.DataObject) -> None:
    """The law that nothing is lost: what is not listed matters, for changed it makes another policy, or is listed."""
    drawn = data.draw(inputs(kind))
    found = imported(kind, drawn)
    unlisted = [path for path in leaves(drawn) if not is_listed(found, path)]
    if not unlisted:
        return
    path = data.draw(st.sampled_from(unlisted))
    try:
        other = imported(kind, changed(drawn, path))
    except NotImportable:
        return
    assert meaning(other) != meaning(found) or is_listed(other, path), shown(path)


@KINDS
@given(st.data())
def test_what_is_written_is_read_back(kind: str, data: st.DataObject) -> None:
    found = imported(kind, data.draw(inputs(kind)))
    for draft in found.drafts:
        text = draft.text("somewhere")
        sourced, problems = check_text(text, "file")
        assert problems == []
        assert [policy_hash(each.policy) for each in sourced] == [policy_hash(draft.policy)]
    names = [draft.file_name.casefold() for draft in found.drafts]
    assert len(set(names)) == len(names)


@KINDS
@given(st.data())
def test_a_field_is_listed_once_and_told_with_a_reason(kind: str, data: st.DataObject) -> None:
    found = imported(kind, data.draw(inputs(kind)))
    paths = [note.path for note in found.not_carried]
    assert len(set(paths)) == len(paths)
    assert not any(path[:length] in paths for path in paths for length in range(len(path)))
    assert all(note.reason and shown(note.path) in str(note) for note in found.not_carried + found.approximated)


@KINDS
@given(st.data())
def test_an_import_is_the_same_every_time(kind: str, data: st.DataObject) -> None:
    drawn = data.draw(inputs(kind))
    assert imported(kind, drawn) == imported(kind, drawn)


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_anything_else_is_refused_without_being_repeated(raw: bytes) -> None:
    readers: list[Callable[[], Imported]] = [
        lambda: import_litellm(raw, {}),
        lambda: import_portkey(raw, {}),
        lambda: import_envoy(raw, {}, {}),
        lambda: import_helicone(raw.decode("latin-1"), {}),
    ]
    for read in readers:
        with pytest.raises(NotImportable) as caught:
            read()
        assert "expected" in str(caught.value)


@given(st.integers(0, 2**62 - 1), st.booleans())
def test_a_cap_is_the_digits_of_the_file(nano_usd: int, as_yaml: bool) -> None:
    digits = f"{nano_usd // 10**9}.{nano_usd % 10**9:09d}"
    text = (
        f"litellm_settings:\n  max_budget: {digits}\n"
        if as_yaml
        else f'{{"litellm_settings": {{"max_budget": {digits}}}}}'
    )
    found = import_litellm(text.encode(), {})
    rules = read_policy(found.drafts[0].text("here"), "file").spec.rules
    assert [rule.budget and rule.budget.cap_nano_usd for rule in rules] == [nano_usd]
