"""A story, as an example in the API's document."""

from typing import Any

STORY: dict[str, Any] = {}
