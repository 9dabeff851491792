"""By what readers know a file that we have exported ourselves; no Arrow here, for reading starts without it."""

PLACED = ("received_at", "duplicate", "position")
"""What stands beside an event's own fields in a JSON line."""
PLACED_CSV = ("topic_id", "partition", "offset", "index", "received_at", "duplicate")
"""The first columns of our CSV; see ``export_csv``."""


def as_written(text: str) -> str:
    """A text of our CSV as it was before an apostrophe was put in front."""
    return text[1:] if text.startswith("'") else text
