"""The life of a version and of a staging: one table of legal moves, and nothing else. Pure.

A version is ``draft`` until a simulation of exactly its content has been recorded. A staging is one use of a version:
asked for, approved by somebody else, judged in shadow, proven, enforced, ended. An edit is a new version and moves no
staging, and a version may be staged any number of times.
"""

from collections.abc import Iterator
from typing import Literal, NamedTuple, get_args

VersionState = Literal["draft", "simulated"]
StagingState = Literal["submitted", "shadow", "reconciled", "enforced", "retired", "declined"]
State = VersionState | StagingState
Action = Literal[
    "simulate", "approve", "decline", "withdraw", "reconcile", "doubt", "enforce", "demote", "retire", "supersede"
]

VERSION_STATES: tuple[VersionState, ...] = get_args(VersionState)
STAGING_STATES: tuple[StagingState, ...] = get_args(StagingState)
LIVE: tuple[StagingState, ...] = ("shadow", "reconciled", "enforced")
"""The states in which workers judge by a staging."""


class Move(NamedTuple):
    """From one state to the next, and what does it."""

    before: State
    action: Action
    after: State


MOVES: tuple[Move, ...] = (
    Move("draft", "simulate", "simulated"),
    Move("simulated", "simulate", "simulated"),
    Move("submitted", "approve", "shadow"),
    Move("submitted", "decline", "declined"),
    Move("submitted", "withdraw", "declined"),
    Move("shadow", "reconcile", "reconciled"),
    Move("reconciled", "doubt", "shadow"),
    Move("reconciled", "enforce", "enforced"),
    Move("enforced", "demote", "shadow"),
    Move("shadow", "supersede", "retired"),
    Move("reconciled", "supersede", "retired"),
    *(Move(state, "retire", "retired") for state in LIVE),
)

NOT_YET: dict[Action, str] = {
    "reconcile": "shadow has to be reconciled with a replay of the ledger, and nothing here does that yet",
    "enforce": "only a staging whose gate is open may be enforced, and there is no gate yet: nothing can be blocked",
}
"""Moves of the table that nothing can make yet, and why."""


def after(state: State, action: Action) -> State | None:
    """The state that an action leads to; None where the move is not legal."""
    return next((move.after for move in MOVES if (move.before, move.action) == (state, action)), None)


def actions(state: State) -> list[Action]:
    """What may be done in a state, in the order of the table."""
    return [move.action for move in MOVES if move.before == state]


def why_not(state: State, action: Action) -> str | None:
    """Why an action cannot be taken in a state, in words; None where it can."""
    if action in NOT_YET:
        return NOT_YET[action]
    if after(state, action) is None:
        possible = ", ".join(each for each in actions(state) if each not in NOT_YET) or "nothing"
        return f"{action}: not possible for what is {state}; possible is {possible}"
    return None


def diagram() -> str:
    """The table as a Mermaid state diagram, as it stands in the docs."""
    return "\n".join(["stateDiagram-v2", *_lines()]) + "\n"


def _lines() -> Iterator[str]:
    yield "    [*] --> draft: edit"
    yield from (f"    {move.before} --> {move.after}: {move.action}" for move in MOVES)
    yield "    simulated --> submitted: submit"
    yield "    retired --> [*]"
    yield "    declined --> [*]"
