"""One vertical on the whole stack, as a user runs it; the others are in peers/."""

from dev.stack import Stack
from tests.verticals.played import played, require_whole

NAME = "real-estate"


def test_a_vertical_plays_on_the_whole_stack_and_live_replay_and_simulation_agree(stack: Stack) -> None:
    require_whole(NAME, played(NAME, stack))
