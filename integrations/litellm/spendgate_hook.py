"""Spendgate for LiteLLM's proxy: asks the pre-call check, and reports each call's metadata. Content never leaves.

Put this file beside the proxy's configuration, and name it there::

    litellm_settings:
      callbacks: spendgate_hook.spendgate

with SPENDGATE_URL and SPENDGATE_API_KEY (a key of the role ``ingest``) in the proxy's environment. In shadow nothing is
blocked, whatever the check says; where a policy is enforced, a call that the check answers with 429 is refused with it.
No other fault of Spendgate's, and no delay beyond SPENDGATE_CHECK_TIMEOUT_S (0.1), reaches a call, which then goes on
unchecked.
"""

import asyncio
import logging
import os
from typing import Any

import httpx
from fastapi import HTTPException
from litellm.integrations.custom_logger import CustomLogger

log = logging.getLogger("spendgate")

TIMEOUT_ENV, TIMEOUT_S = "SPENDGATE_CHECK_TIMEOUT_S", 0.1
REPORT_TIMEOUT_S = 15.0
MOST_TOKENS = 2**53 - 1
"""The largest count that the check takes."""
BLOCKED = 429
TOLD = ("retry-after", "ratelimit", "ratelimit-policy")
CHECK_ID = "spendgate_check_id"
REPORTED = (
    "id", "litellm_call_id", "call_type", "startTime", "endTime", "response_cost", "prompt_tokens", "completion_tokens",
    "model", "model_group", "custom_llm_provider", "end_user", "cache_hit", "status",
)  # fmt: skip
"""What is reported of a call; ``messages``, ``response`` and whatever else may hold content are not among it."""
REPORTED_METADATA = (
    "user_api_key_hash", "user_api_key_team_alias", "user_api_key_team_id", "user_api_key_user_id",
    "user_api_key_end_user_id", "user_api_key_project_alias", "user_api_key_project_id", "usage_object",
)  # fmt: skip
LABELS = (
    "team", "employee", "customer", "project", "feature", "workflow", "agent", "task", "spendgate_privacy",
)  # fmt: skip
"""What may be said of a call in its metadata and tags; whatever else stands there is not reported."""


class Spendgate(CustomLogger):
    """The proxy's hooks."""

    def __init__(self) -> None:
        """Raises ValueError for a time-out that is no number of seconds."""
        super().__init__()
        self._timeout_s = _timeout_s()
        self._client: httpx.AsyncClient | None = None

    def _opened(self) -> httpx.AsyncClient:
        """Made where it is used: a client belongs to the loop that runs then."""
        if self._client is None:
            key = os.environ["SPENDGATE_API_KEY"]
            self._client = httpx.AsyncClient(
                base_url=os.environ["SPENDGATE_URL"], headers={"Authorization": f"Bearer {key}"}
            )
        return self._client

    async def async_pre_call_hook(
        self, user_api_key_dict: Any, cache: Any, data: dict[str, Any], call_type: Any
    ) -> Any:
        """Ask what the policies say. The answer's id goes along with the call, and is settled by its report. Raises an
        HTTPException 429 for a call that an enforced policy blocks."""
        blocked = None
        try:
            _note(data, "")  # whatever becomes of the question, a call settles no check that its caller names
            question = _question(user_api_key_dict, data)
            async with asyncio.timeout(self._timeout_s):
                answer = await self._opened().post("/v1/check", json=question)
            said = answer.json()
            blocked = _blocked(answer) if answer.status_code == BLOCKED and said["allow"] is False else None
            _note(data, said["check_id"])
        except Exception as error:  # noqa: BLE001 - whatever it is, the call goes on
            log.warning("spendgate was not asked: %s", type(error).__name__)
        if blocked is not None:
            raise blocked
        return data

    async def async_log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """Report a call that succeeded."""
        await self._report(kwargs)

    async def async_log_failure_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """Report a call that failed."""
        await self._report(kwargs)

    async def _report(self, kwargs: dict[str, Any]) -> None:
        try:
            payload = _reported(kwargs["standard_logging_object"])
            async with asyncio.timeout(REPORT_TIMEOUT_S):
                answer = await self._opened().post("/v1/ingest/litellm", json=[payload])
            if answer.status_code != 202:
                log.warning("spendgate did not take a call's report: %d", answer.status_code)
        except Exception as error:  # noqa: BLE001 - a report that is lost is said, and stops nothing
            log.warning("a call's report was lost: %s", type(error).__name__)


def _timeout_s() -> float:
    try:
        found = float(os.environ.get(TIMEOUT_ENV) or TIMEOUT_S)
    except ValueError:
        found = 0.0
    if not 0 < found <= REPORT_TIMEOUT_S:  # no number is, either
        raise ValueError(f"{TIMEOUT_ENV}: expected seconds, above 0 and at most {REPORT_TIMEOUT_S:.0f}")
    return found


def _question(key: Any, data: dict[str, Any]) -> dict[str, Any]:
    """Who asks, for which model: names alone."""
    vendor, slash, model = str(data.get("model", "")).partition("/")
    tokens = data.get("max_tokens")
    said = {
        "team": getattr(key, "team_alias", None) or getattr(key, "team_id", None),
        "employee": getattr(key, "user_id", None),
        "customer": data.get("user"),
        "vendor": vendor if slash else None,
        "model": model if slash else vendor,
    }
    names = {name: value for name, value in said.items() if _is_name(value)}
    return names | ({"output_tokens": min(tokens, MOST_TOKENS)} if type(tokens) is int and tokens >= 0 else {})


def _note(data: dict[str, Any], check_id: str) -> None:
    """Have the check's id go along with the call. What stands at its place comes from whoever calls, so it may be
    anything."""
    metadata = data.get("metadata")
    if not isinstance(metadata, dict):
        metadata = data["metadata"] = {}
    noted = metadata.get("spend_logs_metadata")
    metadata["spend_logs_metadata"] = {**(noted if isinstance(noted, dict) else {}), CHECK_ID: check_id}


def _blocked(answer: httpx.Response) -> HTTPException:
    """What the proxy's client is told: why, and when to try again."""
    said = answer.json()
    words = (
        "; ".join(each["words"] for each in said["reasons"] if each["stage"] == "enforced") or "not to be checked now"
    )
    detail = {"error": f"spendgate: {said['blocked']}: {words}", "check_id": said["check_id"]}
    return HTTPException(BLOCKED, detail, {name: answer.headers[name] for name in TOLD if name in answer.headers})


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 128 and all("!" <= char <= "~" for char in value)


def _reported(payload: dict[str, Any]) -> dict[str, Any]:
    metadata = payload.get("metadata") or {}
    said = {name: payload[name] for name in REPORTED if payload.get(name) is not None}
    said["request_tags"] = [tag for tag in payload.get("request_tags") or () if _is_label(tag)]
    said["response_cost_failure_debug_info"] = bool(payload.get("response_cost_failure_debug_info"))
    told: dict[str, Any] = {name: metadata[name] for name in REPORTED_METADATA if metadata.get(name) is not None}
    for place, names in (("requester_metadata", LABELS), ("spend_logs_metadata", (*LABELS, CHECK_ID))):
        given = metadata.get(place)
        told[place] = {name: given[name] for name in names if name in given} if isinstance(given, dict) else {}
    return {**said, "metadata": told}


def _is_label(tag: Any) -> bool:
    return isinstance(tag, str) and tag.replace("=", ":").partition(":")[0] in LABELS


spendgate = Spendgate()
