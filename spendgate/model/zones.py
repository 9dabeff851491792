"""Time zones from the pinned ``tzdata`` wheel alone, so that every machine computes the same windows."""

from functools import lru_cache
from importlib import metadata, resources
from zoneinfo import ZoneInfo

TZDATA_VERSION = metadata.version("tzdata")


class UnknownZone(ValueError):
    """No such IANA time zone in the pinned tzdata."""


@lru_cache(maxsize=1024)
def load_zone(key: str) -> ZoneInfo:
    """The zone named ``key``; raises UnknownZone."""
    parts = key.split("/")
    if not all(part and part[0].isalpha() and "." not in part for part in parts):
        raise UnknownZone("expected an IANA time zone, such as 'Europe/Berlin'")
    try:
        with resources.files("tzdata.zoneinfo").joinpath(*parts).open("rb") as file:
            return ZoneInfo.from_file(file, key=key)
    except (OSError, ValueError):
        raise UnknownZone("expected an IANA time zone, such as 'Europe/Berlin'") from None
