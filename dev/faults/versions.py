"""By which versions a result was had."""

import os
import platform
import re
from importlib.metadata import version

from dev.places import shared_libs
from spendgate.engine.version import ENGINE_VERSION


def versions(redis: str) -> dict[str, str]:
    """Names and versions of all that took part."""
    names = (re.fullmatch(r"kafka_2\.13-([\d.]+)\.jar", each.name) for each in shared_libs().glob("kafka_2.13-*.jar"))
    kafka = next((found.group(1) for found in names if found), "unknown")
    return {
        "engine": ENGINE_VERSION,
        "kafka": kafka,
        "redis": redis,
        "python": platform.python_version(),
        "faust-streaming": version("faust-streaming"),
        "processors": str(os.cpu_count()),
    }
