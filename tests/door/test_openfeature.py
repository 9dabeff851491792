"""The OpenFeature provider against a real door: on exactly while a policy is enforced, and off for whatever is not
known."""

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ErrorCode
from openfeature.flag_evaluation import Reason

from spendgate.model.enforcement import share_of
from tests.door.conftest import Door, MakeDoor
from tests.door.proven import enforced, staged, turn_on
from tests.live.waiting import until

FILE = Path(__file__).resolve().parents[2] / "integrations" / "openfeature" / "spendgate_provider.py"
NAME = "marketing-monthly"


def loaded() -> Any:
    """The file, as somebody who copied it imports it."""
    spec = importlib.util.spec_from_file_location("spendgate_provider", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


MODULE = loaded()


@pytest.fixture(scope="module")
def door(shared_door: Door) -> Door:
    """A door with the global flag on."""
    shared_door.stop()
    shared_door.start(SPENDGATE_HOME_TENANT="home")
    turn_on(shared_door, "home", "global")
    return shared_door


def opened(url: str, key: str, tenant: str) -> OpenFeatureClient:
    api.set_provider_and_wait(MODULE.SpendgateProvider(url, key), tenant)
    return api.get_client(tenant)


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    api.shutdown()
    api.clear_providers()


def off_because(client: OpenFeatureClient, key: str) -> object:
    """Why a flag is off, though its caller would have it on."""
    found = client.get_boolean_details(key, True)
    assert found.value is False
    return found.reason


def test_a_flag_is_on_exactly_while_its_policy_is_enforced(door: Door) -> None:
    client = opened(door.url, door.key("viewer", "eve", "of-1"), "of-1")
    flag = f"enforcement/of-1/{NAME}"
    until(lambda: off_because(client, flag) == Reason.DISABLED, "an answer of the door")
    staging = enforced(door, "of-1")
    details = [client.get_boolean_details(flag, False)]

    def is_on() -> bool:
        details.append(client.get_boolean_details(flag, False))
        return details[-1].value

    until(is_on, "the flag to be on")
    assert (details[-1].flag_metadata["staging"], details[-1].variant) == (staging, "on")
    with door.as_("operator", "cat", "of-1") as cat:
        cat.post("/v1/enforcement/off", json={"level": "tenant", "why": "stop"})
    until(lambda: not client.get_boolean_value(flag, True), "the flag to be off")
    unknown = "enforcement/of-1/unknown"
    until(lambda: off_because(client, unknown) == Reason.DISABLED, "an answer of the door about what is not there")
    others = ("enforcement/other/p", "enforcement/of-1", "enforcement", "", "x/of-1/p")
    until(lambda: {off_because(client, key) for key in others} == {Reason.UNKNOWN}, "what is no flag to be told so")


def test_for_a_share_it_is_on_for_those_whom_the_check_would_block(door: Door) -> None:
    staging = enforced(door, "of-2", share={"by": "team", "percent": 50})
    client = opened(door.url, door.key("viewer", "eve", "of-2"), "of-2")
    contexts = {f"team-{number}": EvaluationContext(attributes={"team": f"team-{number}"}) for number in range(20)}
    contexts["(none)"] = EvaluationContext()

    def on() -> set[str]:
        flag = f"enforcement/of-2/{NAME}"
        return {team for team, context in contexts.items() if client.get_boolean_value(flag, False, context)}

    until(lambda: on() == {team for team in contexts if share_of(staging, team) < 50}, "it to be on for them alone")


def test_a_door_that_goes_away_is_off_within_two_seconds_and_on_again_when_it_is_back(make_door: MakeDoor) -> None:
    door = make_door()
    turn_on(door, "acme", "global")
    enforced(door, "acme")
    client = opened(door.url, door.key("viewer"), "acme")
    flag = f"enforcement/acme/{NAME}"
    until(lambda: client.get_boolean_value(flag, False), "the flag to be on")
    door.stop(kill=True)
    until(lambda: not client.get_boolean_value(flag, True), "the flag to be off")
    assert off_because(client, flag) == Reason.STALE
    door.start()
    until(lambda: client.get_boolean_value(flag, False), "the flag to be on again")


def test_a_key_that_may_not_read_is_off(door: Door) -> None:
    staged(door, "of-3")
    for key in (door.key("ingest", "eve", "of-3"), "sgk_wrong"):
        client = opened(door.url, key, "of-3")
        assert off_because(client, f"enforcement/of-3/{NAME}") == Reason.ERROR


class Clock:
    """Seconds that stand still until they are moved."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, content=b"not json"),
        httpx.Response(200, json={"enforced": []}),
        httpx.Response(200, json={"tenant": "acme", "enforced": [{"policy": "p"}]}),
        httpx.Response(503, json={}),
        httpx.Response(302, headers={"location": "http://elsewhere"}),
    ],
)
def test_an_answer_that_cannot_be_read_is_off_and_what_was_known_is_believed_for_two_seconds(
    answer: httpx.Response,
) -> None:
    good = {"tenant": "acme", "enforced": [{"policy": "p", "staging": "s", "certificate": "c"}]}
    answers = iter([httpx.Response(200, json=good), answer])
    clock = Clock()
    transport = httpx.MockTransport(lambda _: next(answers))
    provider = MODULE.SpendgateProvider("http://door", "sgk_x", clock=clock, transport=transport)
    assert provider.resolve_boolean_details("enforcement/acme/p", True).value is False
    provider.ask()
    clock.now_s += 2
    assert provider.resolve_boolean_details("enforcement/acme/p", False).value is True
    provider.ask()
    assert provider.resolve_boolean_details("enforcement/acme/p", False).value is True
    clock.now_s += 0.01
    stale = provider.resolve_boolean_details("enforcement/acme/p", True)
    assert (stale.value, stale.reason) == (False, Reason.STALE)


def test_a_share_that_cannot_be_read_is_off_and_there_are_no_other_flags() -> None:
    bad = {"policy": "p", "staging": "s", "certificate": "c", "share": {"by": "shoe", "percent": 5}}
    answer = httpx.Response(200, json={"tenant": "acme", "enforced": [bad]})
    provider = MODULE.SpendgateProvider("http://door", "sgk_x", transport=httpx.MockTransport(lambda _: answer))
    api.set_provider_and_wait(provider, "acme")
    client = api.get_client("acme")
    assert off_because(client, "enforcement/acme/p") == Reason.ERROR
    details = client.get_string_details("enforcement/acme/p", "x")
    assert (details.value, details.error_code) == ("x", ErrorCode.TYPE_MISMATCH)
