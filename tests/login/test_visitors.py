"""A session's life by the clock, at one process: used, idle, revoked, under other rules, without the store."""

from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway_shadow.beliefs import BELIEVED_S, WITHOUT_STORE_S
from gateway_shadow.login.site import Site
from gateway_shadow.login.visitors import NOTED_MS, Visitors
from gateway_shadow.patience import ATTEMPTS, Patience
from gateway_shadow.problems import Problem
from policy_store import sessions
from policy_store.database import Database
from policy_store.errors import StoreAway
from policy_store.sessions import Begun, Grant, Terms
from tests.store.conftest import Store, store, url
from tests.store.scenes import change, tenant

__all__ = ["store", "url"]

pytestmark = pytest.mark.parametrize("url", ["sqlite"], indirect=True)
IDLE_MS, LASTS_MS, RULES = 3_600_000, 8 * 3_600_000, "a" * 64


@dataclass
class Watch:
    """Monotonic seconds and the time of day, moved together."""

    store: Store
    s: float = 100.0

    def __call__(self) -> float:
        return self.s

    def move(self, ms: int) -> None:
        """Later."""
        self.s += ms / 1000
        self.store.clock.ms += ms


@dataclass
class World:
    """A store, a clock, and two processes."""

    store: Store
    watch: Watch
    one: Visitors
    two: Visitors

    def begun(self, rules: str | None = RULES) -> Begun:
        """A new session."""
        with change(self.store) as made:
            terms = Terms(IDLE_MS, made.now_ms + LASTS_MS, rules=rules)
            return sessions.begin(made, "ann", [Grant("acme", "editor")], terms)


def visitors(store: Store, watch: Watch, rules: str | None = RULES) -> Visitors:
    return Visitors(store.database, Site(), Patience(watch), rules, watch, store.clock)


@pytest.fixture
def world(store: Store) -> World:
    """See World."""
    tenant(store)
    watch = Watch(store)
    return World(store, watch, visitors(store, watch), visitors(store, watch))


async def is_in(at: Visitors, text: str, address: str = "a") -> bool:
    try:
        await at.session(text, address)
    except Problem as error:
        if error.status_code != 401:
            raise
        return False
    return True


@pytest.mark.asyncio
@given(steps=st.lists(st.integers(0, IDLE_MS + NOTED_MS), min_size=1, max_size=12))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
async def test_a_session_in_use_goes_on_and_one_that_rests_or_is_old_is_over(world: World, steps: list[int]) -> None:
    begun = world.begun()
    used_ms = world.store.clock.ms
    for number, step in enumerate(steps):
        world.watch.move(step)
        now = world.store.clock.ms
        found = await is_in((world.one, world.two)[number % 2], begun.text)
        is_old, rested = now >= begun.session.expires_ms, now - used_ms
        if is_old or rested >= IDLE_MS:
            assert not found
            return
        if rested < IDLE_MS - NOTED_MS:
            assert found
        if not found:
            return
        used_ms = now


@pytest.mark.asyncio
@given(after_ms=st.integers(0, 2000))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
async def test_an_ended_session_is_refused_by_every_process_once_it_is_believed_no_more(
    world: World, after_ms: int
) -> None:
    begun = world.begun()
    assert await is_in(world.one, begun.text)
    assert await is_in(world.two, begun.text)
    world.watch.move(after_ms)
    with change(world.store, "op") as made:
        sessions.revoke(made, begun.session.id)
    world.watch.move(int(BELIEVED_S * 1000) + 1)
    assert not await is_in(world.one, begun.text)
    assert not await is_in(world.two, begun.text)


@pytest.mark.asyncio
async def test_a_clock_that_is_set_back_brings_no_session_back(world: World) -> None:
    begun = world.begun()
    world.watch.move(IDLE_MS)
    assert not await is_in(world.one, begun.text)
    world.store.clock.ms -= IDLE_MS
    assert not await is_in(world.one, begun.text)


@pytest.mark.asyncio
@pytest.mark.parametrize("rules", [None, "b" * 64])
async def test_a_session_from_under_other_rules_is_over(world: World, rules: str | None) -> None:
    begun = world.begun()
    assert await is_in(world.one, begun.text)
    assert not await is_in(visitors(world.store, world.watch, rules), begun.text)


@pytest.mark.asyncio
async def test_after_a_switch_the_text_of_before_is_nobodys_and_the_new_one_is_known_at_once(world: World) -> None:
    begun = world.begun()
    assert await is_in(world.one, begun.text)
    with change(world.store) as made:
        after = sessions.switch(made, begun.session.id, "editor")
    assert await is_in(world.one, after.text)
    assert not await is_in(world.one, begun.text)


@pytest.mark.asyncio
async def test_while_the_store_is_away_a_known_session_goes_on_for_a_while(world: World) -> None:
    known, new = world.begun(), world.begun()
    assert await is_in(world.one, known.text)
    world.one.database = Database("sqlite:////nowhere/at/all.db")
    world.watch.move(60_000)
    assert await is_in(world.one, known.text)
    with pytest.raises(StoreAway):
        await world.one.session(new.text, "a")
    world.watch.move(int(WITHOUT_STORE_S * 1000))
    with pytest.raises(StoreAway):
        await world.one.session(known.text, "a")


@pytest.mark.asyncio
async def test_who_guesses_has_to_wait_and_a_page_left_open_does_not(world: World) -> None:
    begun, over = world.begun(), world.begun()
    with change(world.store) as made:
        sessions.end(made, over.session.id)
    for _ in range(2 * ATTEMPTS):
        assert not await is_in(world.one, over.text)
        assert not await is_in(world.one, "some other program's cookie")
    for number in range(ATTEMPTS):
        guess = f"{begun.session.id}.{number:043d}"
        assert not await is_in(world.one, guess)
    with pytest.raises(Problem) as wait:
        await world.one.session(begun.text, "a")
    assert wait.value.status_code == 429
    assert await is_in(world.one, begun.text, "b")
