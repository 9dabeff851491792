"""A program that says what time it is, once for each line that it is sent."""

import sys
import time


def main() -> int:
    """Until there are no more lines."""
    for _ in sys.stdin:
        print(time.time_ns() / 1e9, flush=True)  # noqa: T201
    return 0
