"""The life of a version and of a staging: one table of legal moves, and nothing else. Pure.

A version is ``draft`` until a simulation of exactly its content has been recorded. A staging is one use of a version:
asked for, approved by somebody else, judged in shadow, proven, enforced, ended. An edit is a new version and moves no
staging, and a version may be staged any number of times. ``enforce`` of what is enforced changes for whom.
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
    Move("enforced", "enforce", "enforced"),
    Move("enforced", "demote", "shadow"),
    *(Move(state, "supersede", "retired") for state in LIVE),
    *(Move(state, "retire", "retired") for state in LIVE),
)

BY_THE_STORE: frozenset[Action] = frozenset({"simulate", "reconcile", "doubt", "supersede"})
"""Moves that follow from something else: what was found, or another staging. Nobody asks for them."""


def after(state: State, action: Action) -> State | None:
    """The state that an action leads to; None where the move is not legal."""
    return next((move.after for move in MOVES if (move.before, move.action) == (state, action)), None)


def actions(state: State) -> list[Action]:
    """What may be done in a state, in the order of the table."""
    return [move.action for move in MOVES if move.before == state]


def possible(state: State) -> list[Action]:
    """What people may ask for in a state."""
    return [action for action in actions(state) if action not in BY_THE_STORE]


def why_not(state: State, action: Action) -> str | None:
    """Why an action cannot be taken in a state, in words; None where it can."""
    if after(state, action) is not None:
        return None
    if action == "enforce" and state == "shadow":
        return "enforce: only what is reconciled may be enforced, and its gate is not open"
    told = ", ".join(possible(state)) or "nothing"
    return f"{action}: not possible for what is {state}; possible is {told}"


def diagram() -> str:
    """The table as a Mermaid state diagram, as it stands in the docs."""
    return "\n".join(["stateDiagram-v2", *_lines()]) + "\n"


def _lines() -> Iterator[str]:
    yield "    [*] --> draft: edit"
    yield from (f"    {move.before} --> {move.after}: {move.action}" for move in MOVES)
    yield "    simulated --> submitted: submit"
    yield "    retired --> [*]"
    yield "    declined --> [*]"
