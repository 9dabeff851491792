"""Each vertical on the whole stack, as a user runs it: about a minute each on a quiet machine."""

import pytest

from dev.stack import Stack
from dev.verticals.shelf import names
from tests.stack import run_directory, stack
from tests.verticals.played import played, require_whole

__all__ = ["run_directory", "stack"]


@pytest.mark.parametrize("name", names())
def test_a_vertical_plays_on_the_whole_stack_and_live_replay_and_simulation_agree(name: str, stack: Stack) -> None:
    require_whole(name, played(name, stack))
