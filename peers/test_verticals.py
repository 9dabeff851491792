"""The other verticals on the whole stack; the one in tests/ runs with every change."""

import pytest

from dev.stack import Stack
from dev.verticals.shelf import names
from tests.stack import run_directory, stack
from tests.verticals.played import played, require_whole
from tests.verticals.test_stack import NAME

__all__ = ["run_directory", "stack"]


@pytest.mark.parametrize("name", [name for name in names() if name != NAME])
def test_a_vertical_plays_on_the_whole_stack_and_live_replay_and_simulation_agree(name: str, stack: Stack) -> None:
    require_whole(name, played(name, stack))
