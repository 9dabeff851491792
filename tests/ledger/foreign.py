"""Writes samples of other people's formats, and reads them back."""

import json
from io import BytesIO
from typing import Any

from hypothesis import strategies as st

from spendgate.ledger.readers import Reading, ReadOptions

SECRET = "SENTINEL secret"
content = st.just(SECRET) | st.just([{"role": "user", "content": SECRET}]) | st.just({SECRET: SECRET})


def everything(raw: bytes, options: ReadOptions | None = None) -> str:
    """All that reading a file can show: events, refused rows and names."""
    reading = Reading(BytesIO(raw), options or ReadOptions())
    return repr([list(reading), reading.ignored, reading.dropped])


def litellm_row(**changes: Any) -> dict[str, Any]:
    """A row of ``LiteLLM_SpendLogs``."""
    return {
        "request_id": "chatcmpl-1", "call_type": "acompletion", "api_key": "88dc28d0", "spend": 0.00022500000000000002,
        "prompt_tokens": 10, "completion_tokens": 20, "startTime": "2026-11-05 09:00:00.123",
        "endTime": "2026-11-05 09:00:01.623", "model": "openai/gpt-4o", "model_group": "gpt-4o",
        "custom_llm_provider": "openai", "user": "e1", "end_user": "c1", "team_id": "t-9", "cache_hit": "False",
        "status": "success", "metadata": {"user_api_key_team_alias": "Customer Success"},
        "request_tags": ["workflow:triage", "team:other", "User-Agent: curl/7.88.1"],
    } | changes  # fmt: skip


def span(number: int = 1, parent: int | None = None, **attributes: Any) -> dict[str, Any]:
    """A span with these attributes; ``__`` in a name stands for a dot."""
    found: dict[str, Any] = {
        "traceId": "5b8efff798038103d269b633813fc60c", "spanId": f"{number:016x}", "name": "chat",
        "startTimeUnixNano": "1762333200123456789", "endTimeUnixNano": "1762333201623456789",
        "attributes": [{"key": name.replace("__", "."), "value": _value(value)} for name, value in attributes.items()],
    }  # fmt: skip
    return found if parent is None else found | {"parentSpanId": f"{parent:016x}"}


def _value(value: Any) -> dict[str, Any]:
    if isinstance(value, int):
        return {"intValue": str(value)}
    return {"doubleValue": value} if isinstance(value, float) else {"stringValue": value}


def spans(*each: dict[str, Any]) -> bytes:
    """A document of these spans."""
    service = {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]}
    return json.dumps({"resourceSpans": [{"resource": service, "scopeSpans": [{"spans": list(each)}]}]}).encode()


def usage(number: int = 1, **data: Any) -> dict[str, Any]:
    """A CloudEvent with this data."""
    return {
        "specversion": "1.0", "type": "prompt", "id": f"ce-{number}", "time": "2026-11-05T09:00:00.001Z",
        "source": "chat-app", "subject": "customer-1", "data": {"model": "gpt-4o", **data},
    }  # fmt: skip
