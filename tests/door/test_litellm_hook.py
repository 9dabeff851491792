"""The hook for LiteLLM: what whoever calls has put into a call takes nothing from the answer.

LiteLLM itself is not among the locked packages; ``peers/test_litellm.py`` runs the hook in a real proxy.
"""

import asyncio
import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import httpx
import pytest
from fastapi import HTTPException

from gateway_shadow.adapters.litellm import litellm_events
from spendgate.model.question import Question, read_question

FILE = Path(__file__).resolve().parents[2] / "integrations" / "litellm" / "spendgate_hook.py"
BLOCKED: dict[str, Any] = {
    "allow": False, "blocked": "deny", "check_id": "chk-1",
    "reasons": [{"stage": "enforced", "words": "over the cap"}],
}  # fmt: skip
ALLOWED: dict[str, Any] = {"allow": True, "blocked": None, "check_id": "chk-1", "reasons": []}
HOSTILE: list[Any] = [None, "text", 7, [], {"spend_logs_metadata": None}, {"spend_logs_metadata": "text"}]


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The file, as LiteLLM loads it; its base class has no methods that matter here."""
    for name in ("litellm", "litellm.integrations", "litellm.integrations.custom_logger"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    sys.modules["litellm.integrations.custom_logger"].CustomLogger = object  # type: ignore[attr-defined]
    spec = importlib.util.spec_from_file_location("spendgate_hook", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def asked(hook: ModuleType, data: dict[str, Any], answer: dict[str, Any]) -> list[Question]:
    """Ask about a call of a door that answers so; what it was asked. Raises HTTPException where the call is refused."""
    questions: list[Question] = []

    def answered(request: httpx.Request) -> httpx.Response:
        question = read_question(request.content)
        assert isinstance(question, Question), f"the door refuses {request.content!r}"
        questions.append(question)
        return httpx.Response(200 if answer["allow"] else 429, json=answer)

    async def ask() -> None:
        spendgate = hook.Spendgate()
        spendgate._client = httpx.AsyncClient(transport=httpx.MockTransport(answered), base_url="http://door")
        await spendgate.async_pre_call_hook(SimpleNamespace(team_alias="red"), None, data, "completion")

    asyncio.run(ask())
    return questions


@pytest.mark.parametrize("metadata", HOSTILE, ids=json.dumps)
def test_a_call_that_is_blocked_is_refused_whatever_stands_in_its_metadata(hook: ModuleType, metadata: Any) -> None:
    with pytest.raises(HTTPException, match="over the cap"):
        asked(hook, {"model": "openai/gpt-4o", "metadata": metadata}, BLOCKED)


@pytest.mark.parametrize("metadata", HOSTILE, ids=json.dumps)
def test_the_check_of_a_call_goes_along_whatever_stands_in_its_metadata(hook: ModuleType, metadata: Any) -> None:
    data = {"model": "openai/gpt-4o", "metadata": metadata}
    asked(hook, data, ALLOWED)
    assert data["metadata"]["spend_logs_metadata"]["spendgate_check_id"] == "chk-1"


@pytest.mark.parametrize(
    "tokens", [True, False, -1, 2**53, 10**400, 1.5, "many", None, []], ids=lambda each: str(each)[:9]
)
def test_no_number_of_tokens_keeps_the_door_from_being_asked(hook: ModuleType, tokens: Any) -> None:
    with pytest.raises(HTTPException):
        asked(hook, {"model": "openai/gpt-4o", "max_tokens": tokens}, BLOCKED)


def test_more_tokens_than_can_be_counted_are_as_many_as_can(hook: ModuleType) -> None:
    assert asked(hook, {"model": "gpt-4o", "max_tokens": 10**30}, ALLOWED)[0].output_tokens == 2**53 - 1


def test_a_call_settles_no_check_that_its_caller_names(hook: ModuleType) -> None:
    theirs = {"spendgate_check_id": "chk-theirs", "team": "red"}
    data: dict[str, Any] = {"model": "gpt-4o", "metadata": {**theirs, "spend_logs_metadata": dict(theirs)}}

    async def ask_a_door_that_is_away() -> None:
        spendgate = hook.Spendgate()

        def away(_: httpx.Request) -> httpx.Response:
            raise httpx.ConnectError("away")

        spendgate._client = httpx.AsyncClient(transport=httpx.MockTransport(away), base_url="http://door")
        await spendgate.async_pre_call_hook(SimpleNamespace(), None, data, "completion")

    asyncio.run(ask_a_door_that_is_away())
    payload = {
        "id": "call-1", "call_type": "completion", "startTime": 1_780_000_000.0, "endTime": 1_780_000_001.0,
        "model": "gpt-4o", "request_tags": ["spendgate_check_id:chk-theirs", "workflow:claims"],
        "metadata": {**data["metadata"], "requester_metadata": theirs},
    }  # fmt: skip
    body = json.dumps([hook._reported(payload)]).encode()
    (event,) = litellm_events(body, "acme").events
    assert (event.check_id, event.team, event.workflow) == (None, "red", "claims")
    asked(hook, data, ALLOWED)
    body = json.dumps([hook._reported({**payload, "metadata": data["metadata"]})]).encode()
    assert litellm_events(body, "acme").events[0].check_id == "chk-1"


@pytest.mark.parametrize(("said", "found_s"), [("", 0.1), ("2.5", 2.5)], ids=["default", "own"])
def test_how_long_a_call_waits_is_set_where_the_proxy_starts(
    hook: ModuleType, monkeypatch: pytest.MonkeyPatch, said: str, found_s: float
) -> None:
    monkeypatch.setenv(hook.TIMEOUT_ENV, said)
    assert hook.Spendgate()._timeout_s == found_s


@pytest.mark.parametrize("said", ["soon", "0", "-1", "nan", "inf", "16"])
def test_a_time_out_that_is_none_keeps_the_proxy_from_starting(
    hook: ModuleType, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    monkeypatch.setenv(hook.TIMEOUT_ENV, said)
    with pytest.raises(ValueError, match=f"{hook.TIMEOUT_ENV}: expected seconds"):
        hook.Spendgate()
