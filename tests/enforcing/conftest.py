"""A scene for each test, on the stack of the run or on servers of its own."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.enforcing.scene import Scene
from tests.live.conftest import MakeWorld, make_world

__all__ = ["make_world"]

MakeScene = Callable[..., Scene]


@pytest.fixture
def make_scene(make_world: MakeWorld, tmp_path: Path) -> Iterator[MakeScene]:
    """Makes scenes, with a worker and an agent; what they started is ended after the test."""
    made: list[Scene] = []

    def make(bootstrap: str | None = None, redis_url: str | None = None) -> Scene:
        world = make_world(bootstrap, redis_url)
        scene = Scene(world, tmp_path)
        made.append(scene)
        world.worker()
        scene.agent()
        return scene

    yield make
    for each in made:
        each.close()


@pytest.fixture
def scene(make_scene: MakeScene) -> Scene:
    """A scene on the stack of the run."""
    return make_scene()
