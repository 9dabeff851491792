"""The table of moves: what it allows, and that the docs show it as it is."""

from itertools import product
from pathlib import Path

import pytest

from policy_store.lifecycle import (
    BY_THE_STORE,
    LIVE,
    MOVES,
    STAGING_STATES,
    VERSION_STATES,
    State,
    actions,
    after,
    diagram,
    possible,
    why_not,
)

STATES: list[State] = [*VERSION_STATES, *STAGING_STATES]
ACTIONS = {move.action for move in MOVES}


def test_a_move_is_legal_exactly_where_the_table_has_it() -> None:
    table = {(move.before, move.action): move.after for move in MOVES}
    assert len(table) == len(MOVES)
    for state, action in product(STATES, ACTIONS):
        assert after(state, action) == table.get((state, action))
        assert (why_not(state, action) is None) == ((state, action) in table)


def test_every_live_staging_can_be_retired_and_nothing_that_has_ended_moves_again() -> None:
    assert all(after(state, "retire") == "retired" for state in LIVE)
    assert actions("retired") == actions("declined") == []


def test_only_what_is_reconciled_becomes_enforced_and_what_steps_back_is_in_shadow() -> None:
    assert {m.before for m in MOVES if m.after == "enforced"} == {"reconciled", "enforced"}
    assert {m.before for m in MOVES if m.after == "reconciled"} == {"shadow"}
    assert after("reconciled", "doubt") == after("enforced", "demote") == "shadow"
    assert "gate" in (why_not("shadow", "enforce") or "")


def test_nobody_is_offered_a_move_that_follows_from_something_else() -> None:
    for state in STATES:
        assert set(possible(state)) == set(actions(state)) - BY_THE_STORE


def test_versions_and_stagings_do_not_lead_into_each_other() -> None:
    assert not [m for m in MOVES if (m.before in VERSION_STATES) != (m.after in VERSION_STATES)]


@pytest.mark.parametrize("name", ["policy-store.md"])
def test_the_docs_draw_the_table_as_it_is(name: str) -> None:
    text = (Path(__file__).parents[2] / "docs" / name).read_text(encoding="utf-8")
    assert f"```mermaid\n{diagram()}```" in text
