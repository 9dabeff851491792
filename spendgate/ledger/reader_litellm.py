"""LiteLLM: rows of its ``LiteLLM_SpendLogs`` table, and what its ``generic_api`` callback posts.

Source of the fields: LiteLLM's ``schema.prisma``, ``spend_tracking_utils.py`` and its StandardLoggingPayload. What
they mean here, and why a cost of zero is not always one: docs/formats.md.
"""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from hashlib import sha256
from typing import Any

from spendgate.ledger.reader_options import COST_USD, ReadOptions
from spendgate.ledger.reader_problem import InputError
from spendgate.ledger.reader_rows import Dropped, Format
from spendgate.ledger.reader_values import (
    LABELS,
    all_input,
    cost,
    count,
    instant,
    label,
    listing,
    mapping,
    name,
    truth,
)

Fields = Mapping[str, Any]
CONTENT = (
    "messages", "response", "proxy_server_request", "prompt", "input", "model_parameters", "error_str",
    "error_information", "guardrail_information",
)  # fmt: skip
"""Columns that can hold what was said; they are not read."""
COLUMNS = (
    "request_id", "id", "litellm_call_id", "startTime", "endTime", "spend", "response_cost", "prompt_tokens",
    "completion_tokens", "model", "model_group", "custom_llm_provider", "user", "end_user", "team_id", "agent_id",
    "api_key", "metadata", "request_tags", "cache_hit", "status", "response_cost_failure_debug_info",
    "model_map_information",
)  # fmt: skip
"""Columns that are read."""
CHECK_ID = "spendgate_check_id"
"""Where ``integrations/litellm`` notes the check that a call settles, in its metadata."""
PRIVACY = "spendgate_privacy"
"""Where a request says, in its metadata or a tag, that its privacy mode is to be tighter than its tenant's."""
_EMPTY: tuple[object, ...] = (None, "", "{}", "[]", "null", {}, [])


def is_litellm(names: set[str]) -> bool:
    """Whether fields with these names are LiteLLM's."""
    return {"request_id", "spend", "startTime"} <= names or {"litellm_call_id", "call_type"} <= names


class LiteLLM:
    """Rows of LiteLLM as fields of an event. Content fields that hold anything go to ``dropped`` by name."""

    def __init__(self, options: ReadOptions, dropped: Dropped) -> None:
        self._mapping = options.mapping
        self._dropped = dropped
        if wrong := [field for field in options.mapping if field not in (*LABELS, "api_key_id")]:
            raise InputError(f"map: {wrong[0]}: expected a label such as team; LiteLLM has its own field for this one")

    @property
    def format(self) -> Format:
        """How its rows become calls."""
        return Format(self.fields, lambda row: _first(row, "spend", "response_cost"))

    def fields(self, row: Fields) -> dict[str, Any]:
        """The event's fields; None for what is unknown. Raises RowProblem."""
        for field in CONTENT:
            if row.get(field) not in _EMPTY:
                self._dropped.note(field)
        told = mapping(row.get("metadata"), "metadata")
        said = dict(_said(row, told))
        vendor, model = name(row.get("custom_llm_provider"), "vendor"), name(row.get("model"), "model")
        if vendor and model:
            model = model.removeprefix(f"{vendor}/") or None
        begun = instant(row.get("startTime"), "time")
        ended = None if row.get("endTime") in (None, "") else instant(row["endTime"], "time")
        return {
            "id": name(_first(row, "request_id", "id", "litellm_call_id"), "id"),
            "time": begun,
            "vendor": vendor,
            "model": model,
            "model_requested": name(row.get("model_group"), "model_requested"),
            "api_key_id": _key(_first(row, "api_key") or told.get("user_api_key_hash")),
            "status": name(_first(row, "status") or told.get("status"), "status"),
            "cache_hit": truth(row.get("cache_hit"), "cache_hit"),
            "latency_ms": None if ended is None else max((ended - begun) // timedelta(milliseconds=1), 0),
            "cost_nano_usd": _cost(row, told),
            "check_id": name(said.get(CHECK_ID), "check_id"),
            "privacy_mode": name(said.get(PRIVACY), "privacy_mode"),
            **_tokens(row, told),
            **self._owners(row, told, said),
        }

    def _owners(self, row: Fields, told: Fields, said: Fields) -> dict[str, str | None]:
        """What the key says comes first, then what the request said in its metadata and tags."""
        by_key: dict[str, Any] = {
            "team": _first(told, "user_api_key_team_alias", "team_alias") or _first(row, "team_id")
            or _first(told, "user_api_key_team_id"),
            "employee": _first(row, "user") or told.get("user_api_key_user_id"),
            "customer": _first(row, "end_user") or told.get("user_api_key_end_user_id"),
            "project": _first(told, "user_api_key_project_alias", "user_api_key_project_id"),
            "agent": _first(row, "agent_id"),
        }  # fmt: skip
        owners = {field: label(by_key.get(field) or said.get(field), field) for field in LABELS}
        for field, wanted in self._mapping.items():
            found = said.get(wanted, _first(told, wanted))
            owners[field] = _key(found) if field == "api_key_id" else label(found, field)
        return owners


def _first(row: Fields, *names: str) -> Any:
    return next((row[field] for field in names if row.get(field) not in (None, "")), None)


def _said(row: Fields, told: Fields) -> Iterator[tuple[str, Any]]:
    """Names and values that the sender of the request gave; of those with one name the last counts."""
    for tag in listing(row.get("request_tags"), "request_tags"):
        for sign in ":=":
            field, found, value = str(tag).partition(sign)
            if found and field.isidentifier():
                yield field, value
                break
    for place in ("requester_metadata", "spend_logs_metadata"):
        given = told.get(place)
        if isinstance(given, dict):
            yield from ((field, value) for field, value in given.items() if isinstance(value, str) and value)


def _key(value: object) -> str | None:
    """The key's hash. A key in clear is hashed as LiteLLM does it, so that none is ever recorded."""
    text = name(value, "api_key_id")
    return sha256(text.encode()).hexdigest() if text is not None and text.startswith("sk-") else text


def _tokens(row: Fields, told: Fields) -> dict[str, int | None]:
    usage: dict[str, Any] = {}
    for place in ("usage_object", "additional_usage_values"):
        usage |= {field: value for field, value in mapping(told.get(place), "metadata").items() if value is not None}
    read = usage | dict(mapping(usage.get("prompt_tokens_details"), "metadata"))
    wrote = mapping(usage.get("completion_tokens_details"), "metadata")
    cached = count(_first(read, "cached_tokens", "cache_read_input_tokens"), "cached_input_tokens")
    written = count(_first(read, "cache_creation_input_tokens", "cache_creation_tokens"), "cache_write_tokens")
    return {
        "input_tokens": all_input(count(row.get("prompt_tokens"), "input_tokens"), cached, written),
        "output_tokens": count(row.get("completion_tokens"), "output_tokens"),
        "cached_input_tokens": cached,
        "cache_write_tokens": written,
        "reasoning_tokens": count(wrote.get("reasoning_tokens"), "reasoning_tokens"),
    }


def _cost(row: Fields, told: Fields) -> int | None:
    """The cost; None where LiteLLM wrote zero because it knew no price."""
    spent = _first(row, "spend", "response_cost")
    found = cost(spent, COST_USD)
    if found != 0 or str(spent).lower().partition("e")[0].strip("0."):
        return found
    failed = (_first(row, "status") or told.get("status")) == "failure"
    used = any(row.get(field) not in (None, "", 0, "0") for field in ("prompt_tokens", "completion_tokens"))
    if not used or failed or truth(row.get("cache_hit"), "cache_hit"):
        return found
    known = mapping(row.get("model_map_information") or told.get("model_map_information"), "metadata")
    return found if known.get("model_map_value") and not row.get("response_cost_failure_debug_info") else None
