"""What the image and the compose file must not lose, read from the files themselves."""

import re
import shutil
from collections.abc import Mapping
from typing import Any

import pytest
from ruamel.yaml import YAML

from dev.commands import answer
from dev.places import CHECKOUT, COMPOSE, POM, SERVER_PROPERTIES

_DOCKERFILE = (CHECKOUT / "Dockerfile").read_text().replace("\\\n", " ")
_STAGES = re.split(r"^FROM ", _DOCKERFILE, flags=re.MULTILINE)[1:]
_SERVICES: Mapping[str, Any] = YAML(typ="safe").load(COMPOSE)["services"]


def _instructions(stage: str, name: str) -> list[str]:
    return [line.removeprefix(f"{name} ") for line in stage.splitlines() if line.startswith(f"{name} ")]


def test_the_image_runs_as_nobody_in_particular() -> None:
    (user,) = _instructions(_STAGES[-1], "USER")
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", user)


def test_the_image_knows_whether_its_worker_lives() -> None:
    (check,) = _instructions(_STAGES[-1], "HEALTHCHECK")
    assert "http://127.0.0.1:6066/health/live" in check
    assert "SPENDGATE_HTTP_PORT=6066" in _STAGES[-1]


def test_everything_installed_is_hash_checked_or_our_own() -> None:
    installs = re.findall(r"pip install ([^&\n]*)", _DOCKERFILE)
    assert installs
    assert all("--require-hashes" in one or "--no-index --no-build-isolation" in one for one in installs)


def test_the_last_stage_installs_nothing() -> None:
    assert len(_STAGES) > 1
    assert "pip" not in _STAGES[-1]


def test_what_numba_compiles_can_be_kept() -> None:
    (cache,) = re.findall(r"NUMBA_CACHE_DIR=(\S+)", _STAGES[-1])
    owned = _instructions(_STAGES[-1], "RUN")[0]
    assert cache in owned
    assert "--owner spendgate" in owned


def test_the_image_starts_the_worker() -> None:
    assert _instructions(_STAGES[-1], "ENTRYPOINT") == ['["python", "-m", "agents.app"]']
    assert _instructions(_STAGES[-1], "CMD") == ['["worker"]']


def test_every_image_has_a_version() -> None:
    (python,) = re.findall(r"^ARG PYTHON_IMAGE=(\S+)", _DOCKERFILE, flags=re.MULTILINE)
    images = [python, *(service["image"] for service in _SERVICES.values() if "image" in service)]
    assert all(re.search(r":\d+\.\d+", image) for image in images)


def test_only_named_folders_go_into_the_image() -> None:
    rules = [line for line in (CHECKOUT / ".dockerignore").read_text().splitlines() if line[:1] not in ("", "#")]
    assert rules[0] == "*"
    assert {"!.git", "!.dev", "!.venv", "!tests"}.isdisjoint(rules)


def test_every_port_is_published_on_the_loopback_address_only() -> None:
    published = [port for service in _SERVICES.values() for port in service.get("ports", [])]
    assert published
    assert all(port.startswith("127.0.0.1:${SPENDGATE_") for port in published)


def test_only_the_worker_waits_for_its_profile() -> None:
    assert {name: service.get("profiles") for name, service in _SERVICES.items()} == {
        "kafka": None,
        "redis": None,
        "shadow": ["app"],
    }


def test_redis_in_a_container_refuses_to_evict() -> None:
    command = " ".join(_SERVICES["redis"]["command"])
    assert command == "redis-server --maxmemory-policy noeviction --save  --appendonly no"


def test_both_brokers_are_of_one_version() -> None:
    (version,) = re.findall(r"<kafka.version>(.*)</kafka.version>", POM.read_text())
    assert _SERVICES["kafka"]["image"] == f"apache/kafka:{version}"


def test_both_brokers_have_the_same_settings() -> None:
    contained = {
        key.removeprefix("KAFKA_").lower().replace("_", "."): value
        for key, value in _SERVICES["kafka"]["environment"].items()
    }
    lines = [line.partition("=") for line in SERVER_PROPERTIES.read_text().splitlines() if "=" in line]
    wired = re.compile(r"#|.*listener|.*voters|log\.dirs")
    local = {key: value for key, _, value in lines if not wired.match(key)}
    assert {key: contained.get(key) for key in local} == local


def test_docker_understands_the_compose_file() -> None:
    if shutil.which("docker") is None or answer(["docker", "compose", "version"]) is None:
        pytest.skip("this machine has no docker compose")
    assert answer(["docker", "compose", "--file", str(COMPOSE), "--profile", "app", "config"], 30) is not None
