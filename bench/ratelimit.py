"""Envoy's rate-limit service, built from the Go module proxy: what the check is compared with.

It counts calls a window, not dollars, in calendar windows alone; in shadow mode it counts and always allows.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.processes import Process, wait_for
from dev.places import home
from dev.ports import free_port

VERSION = "v1.4.1-0.20260122083618-3fb702589d36"
_PACKAGE = f"github.com/envoyproxy/ratelimit/src/service_cmd@{VERSION}"
_DOMAIN = "bench"


def built() -> Path | None:
    """The command, built once for the checkout, which takes minutes; None without Go or where that fails."""
    command = home() / "peers" / "ratelimit" / VERSION / "service_cmd"
    go = shutil.which("go")
    if not command.exists() and go is not None:
        env = {**os.environ, "GOBIN": str(command.parent), "GOFLAGS": "-buildvcs=false"}
        subprocess.run([go, "install", _PACKAGE], env=env, check=False, capture_output=True)
    return command if command.exists() else None


@contextmanager
def ratelimit(folder: Path, redis_url: str, staged: int) -> Iterator[tuple[Process, str] | None]:
    """The service with ``staged`` limits in shadow mode, on a Redis; its process and URL. None where it cannot be
    built."""
    command = built()
    if command is None:
        yield None
        return
    limits = [_limit(number) for number in range(staged)]
    config = folder / "ratelimit" / "config"
    config.mkdir(parents=True)
    (config / "bench.yaml").write_text(json.dumps({"domain": _DOMAIN, "descriptors": limits}))
    port = free_port()
    env = {
        "RUNTIME_ROOT": str(folder), "RUNTIME_SUBDIRECTORY": "ratelimit", "RUNTIME_WATCH_ROOT": "false",
        "REDIS_SOCKET_TYPE": "tcp", "REDIS_URL": redis_url.split("//")[1].split("/")[0], "USE_STATSD": "false",
        "HOST": "127.0.0.1", "PORT": str(port), "GRPC_HOST": "127.0.0.1", "GRPC_PORT": str(free_port()),
        "DEBUG_HOST": "127.0.0.1", "DEBUG_PORT": str(free_port()),
    }  # fmt: skip
    process = Process("ratelimit", [], env, folder / "ratelimit.log", str(command))
    try:
        wait_for("Envoy's rate-limit service", lambda: _listens(port), [process], 30)
        yield process, f"http://127.0.0.1:{port}"
    finally:
        process.end()


def asking(matching: int, number: int) -> bytes:
    """A request of one call, whose owner is one of a hundred, that meets ``matching`` limits."""
    descriptors = [
        {"entries": [{"key": f"p{each}", "value": "red"}, {"key": "employee", "value": f"e{number % 100}"}]}
        for each in range(matching)
    ]
    return json.dumps({"domain": _DOMAIN, "descriptors": descriptors}).encode()


def _limit(number: int) -> dict[str, object]:
    """So many calls a day for each employee of a team."""
    rate = {"unit": "day", "requests_per_unit": 1_000_000}
    return {"key": f"p{number}", "value": "red", "descriptors": [
        {"key": "employee", "rate_limit": rate, "shadow_mode": True}
    ]}  # fmt: skip


def _listens(port: int) -> bool:
    return any(f":{port:04X} " in line and " 0A " in line for line in Path("/proc/net/tcp").read_text().splitlines())
