"""What the Kubernetes manifests must not lose; `make release-check` holds them against the schema."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from ruamel.yaml import YAML

from agents.config import NEEDED
from agents.roles import MODULES
from dev.release.manifests import DEPLOY
from spendgate import __version__
from spendgate.model.topics import load_topics

_KUSTOMIZATION = YAML(typ="safe").load(DEPLOY / "kustomization.yaml")
_CONNECTIONS = {"SPENDGATE_KAFKA", "SPENDGATE_REDIS", "SPENDGATE_LEDGER", "SPENDGATE_STORE"}
"""What the secret `spendgate-connections` holds (docs/kubernetes.md)."""


def _objects() -> Iterator[Mapping[str, Any]]:
    for name in _KUSTOMIZATION["resources"]:
        yield from YAML(typ="safe").load_all(DEPLOY / name)


_ALL = {f"{each['kind']}/{each['metadata']['name']}": each for each in _objects()}
_RUNNING = {name: each for name, each in _ALL.items() if each["kind"] in ("Deployment", "StatefulSet")}
_PODS = {name: each["spec"]["template"]["spec"] for name, each in _ALL.items() if "template" in each.get("spec", {})}
_CONFIG = _ALL["ConfigMap/spendgate"]["data"]


def _container(name: str) -> Mapping[str, Any]:
    (container,) = _PODS[name]["containers"]
    return container  # type: ignore[no-any-return]


def test_every_file_is_in_the_kustomization_and_of_this_version() -> None:
    assert {each.name for each in DEPLOY.glob("*.yaml")} == {*_KUSTOMIZATION["resources"], "kustomization.yaml"}
    assert [each["newTag"] for each in _KUSTOMIZATION["images"]] == [__version__]


def test_every_process_of_the_product_runs() -> None:
    roles = {("gateway_shadow.app",), *(("agents.app", role) for role in MODULES)}
    assert {tuple(_container(name)["args"]) for name in _RUNNING} == roles


@pytest.mark.parametrize("name", sorted(_PODS))
def test_no_pod_is_root_or_writes_to_its_image_or_speaks_to_the_cluster(name: str) -> None:
    pod, container = _PODS[name], _container(name)
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
    }  # fmt: skip
    assert {"cpu", "memory"} <= set(container["resources"]["requests"])
    assert "memory" in container["resources"]["limits"]


@pytest.mark.parametrize("name", sorted(_RUNNING))
def test_every_process_is_asked_how_it_is(name: str) -> None:
    container = _container(name)
    assert _CONFIG["SPENDGATE_HTTP_PORT"] == str(container["ports"][0]["containerPort"])
    paths = {kind: container[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "liveness")}
    assert set(paths.values()) == {"/metrics" if "reconciliation" in name else "/health/live"}
    assert "reconciliation" in name or container["readinessProbe"]["httpGet"]["path"] == "/health/ready"


@pytest.mark.parametrize("name", sorted(_RUNNING))
def test_every_process_finds_its_settings_and_secrets_stand_in_no_manifest(name: str) -> None:
    container = _container(name)
    assert [*map(str, container["envFrom"])] == [
        "{'configMapRef': {'name': 'spendgate'}}",
        "{'secretRef': {'name': 'spendgate-connections'}}",
    ]
    given = {*_CONNECTIONS, *_CONFIG, *(each["name"] for each in container.get("env", ()))}
    needed = NEEDED.get(container["args"][-1], ("KAFKA", "LEDGER"))
    if container["args"] == ["gateway_shadow.app"]:
        needed = ("KAFKA", "STORE", "STORE_KEY_FILE")
    assert {f"SPENDGATE_{each}" for each in needed} <= given
    assert not any(re.search(r"PASSWORD|://", str(each)) for each in (*container.get("env", ()), *_CONFIG.values()))
    assert not any(each["kind"] == "Secret" for each in _ALL.values())


def test_private_keys_are_mounted_where_they_are_needed_alone() -> None:
    mounted = {
        name: {each["secret"]["secretName"] for each in pod["volumes"] if "secret" in each}
        for name, pod in _PODS.items()
    }
    assert {name: secrets for name, secrets in mounted.items() if secrets} == {
        "Deployment/spendgate-door": {"spendgate-store-key"},
        "Deployment/spendgate-reconciliation": {"spendgate-store-key"},
        "StatefulSet/spendgate-enforcement": {"spendgate-enforcement-key"},
    }


def test_an_eviction_takes_one_of_several_and_no_more_run_than_there_are_partitions() -> None:
    several = {each["metadata"]["name"] for each in _RUNNING.values() if each["spec"]["replicas"] > 1}
    budgets = [each for each in _ALL.values() if each["kind"] == "PodDisruptionBudget"]
    assert {each["metadata"]["name"]: each["spec"]["maxUnavailable"] for each in budgets} == dict.fromkeys(several, 1)
    assert _ALL["StatefulSet/spendgate-worker"]["spec"]["replicas"] <= load_topics().events.partitions


def test_live_workers_have_names_of_their_own() -> None:
    for name, each in _RUNNING.items():
        names = [one for one in _container(name).get("env", ()) if one["name"] == "SPENDGATE_INSTANCE"]
        assert bool(names) == (each["kind"] == "StatefulSet")
        assert all(one["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.name" for one in names)


def test_every_selector_finds_pods_and_nothing_comes_in_but_by_name() -> None:
    labels = [each["spec"]["template"]["metadata"]["labels"] for each in _RUNNING.values()]
    wanted = [each["spec"]["selector"] for each in _ALL.values() if each["kind"] == "Service"]
    wanted += [
        each["spec"]["selector"]["matchLabels"] for each in _ALL.values() if each["kind"] == "PodDisruptionBudget"
    ]
    policies = [each for each in _ALL.values() if each["kind"] == "NetworkPolicy"]
    wanted += [each["spec"]["podSelector"]["matchLabels"] for each in policies]
    assert all(any(selector.items() <= have.items() for have in labels) for selector in wanted)
    assert all("from" in rule for each in policies for rule in each["spec"]["ingress"])
    assert any({"app.kubernetes.io/name"} == set(each["spec"]["podSelector"]["matchLabels"]) for each in policies)
