"""Fixtures of the tests of what must survive."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from dev.stack import Stack
from tests.live.world import World

MakeWorld = Callable[..., World]


@pytest.fixture
def make_world(stack: Stack, tmp_path: Path) -> Iterator[MakeWorld]:
    """Makes worlds, on the stack of the run where no other broker or Redis is given."""
    made: list[World] = []

    def make(
        bootstrap: str | None = None, redis_url: str | None = None, settings: Mapping[str, str] | None = None
    ) -> World:
        made.append(World(bootstrap or stack.bootstrap, redis_url or stack.redis_url, tmp_path, settings))
        return made[-1]

    yield make
    for world in made:
        world.close()


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    """A world on the stack of the run."""
    return make_world()
