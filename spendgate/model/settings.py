"""A tenant's settings: what a certificate binds besides the policy."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class Settings(BaseModel):
    """Grace for late calls, dedupe memory, tolerated clock skew, and how many reasons a decision lists."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    grace_hours: Annotated[int, Field(ge=1, le=24 * 31, strict=True)] = 72
    dedupe_hours: Annotated[int, Field(ge=1, le=24 * 7, strict=True)] = 24
    skew_minutes: Annotated[int, Field(ge=0, le=24 * 60, strict=True)] = 5
    reasons: Literal["nearest", "all"] = "nearest"
