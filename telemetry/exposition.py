"""Metrics as a scraper asks for them: OpenMetrics, which has exemplars, or the older text."""

from prometheus_client import REGISTRY
from prometheus_client.exposition import choose_encoder


def exposition(accept: str | None) -> tuple[bytes, str]:
    """All metrics of this process, and their content type. ``accept``: the request's header."""
    encode, content_type = choose_encoder(accept or "")
    return encode(REGISTRY), content_type
