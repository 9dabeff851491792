"""Dashboards and rules ask only for what some process tells, and are of Grafana's schema."""

import importlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY

from dev.dashboards.__main__ import outside_the_schema, texts
from gateway_shadow.store_metrics import StoreMetrics
from policy_store.database import Database
from policy_store.overview import FlagSet, LiveStaging, Overview, Waiting

ROOT = Path(__file__).resolve().parents[2]
TELLING = (
    "agents.metrics", "agents.policy_metrics", "agents.health_metrics", "agents.lanes", "agents.ledger_metrics",
    "agents.enforcement_metrics", "agents.reconciliation", "gateway_shadow.metrics",
)  # fmt: skip
OURS = re.compile(r"\bspendgate_[a-z0-9_]+")
RECORDED = re.compile(r"\bspendgate:[a-z0-9_:]+")
BOARDS = {name: json.loads(text) for name, text in texts().items()}


def told(tmp_path: Path) -> set[str]:
    """The names of all samples that processes tell, once everything has happened."""
    for each in TELLING:
        importlib.import_module(each)
    store = StoreMetrics(Database(f"sqlite:///{tmp_path / 'store.db'}"))
    staging = LiveStaging("acme", "p", "enforced", "ready", 1, 1, 0, 1)
    waits = {"acme": Waiting(1, 1)}
    flag = FlagSet("policy", "acme", "p", False, 1, by_itself=True)
    store._found, store._is_up = Overview([staging], [flag], waits, waits, Waiting(0, None)), True
    metrics = [*REGISTRY.collect(), *store.collect()]
    names = {sample.name for metric in metrics for sample in metric.samples}
    for metric in metrics:  # of what has not happened yet there is no sample
        names.add(metric.name + {"counter": "_total", "histogram": "_bucket"}.get(metric.type, ""))
    return names


def queries(board: Any) -> list[str]:
    """All that a dashboard asks."""
    panels = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    variables = [str(each.get("query")) for each in board["templating"]["list"]]
    return [*panels, *variables, *(mark["expr"] for mark in board["annotations"]["list"])]


def rules() -> str:
    """Recording rules and alerts, as text without comments."""
    files = sorted((ROOT / "prometheus" / "rules").glob("*.yml"))
    return re.sub(r"#.*|spendgate_docs", "", "\n".join(each.read_text() for each in files))


def test_every_metric_that_is_asked_for_is_told_by_some_process(tmp_path: Path) -> None:
    asked = {name for board in BOARDS.values() for query in queries(board) for name in OURS.findall(query)}
    assert len(asked) > 50
    assert (asked | set(OURS.findall(rules()))) - told(tmp_path) == set()


def test_every_rule_that_is_asked_for_is_recorded_and_every_one_recorded_is_asked_for() -> None:
    recorded = set(re.findall(r"record: (\S+)", rules()))
    asked = [query for board in BOARDS.values() for query in queries(board)]
    asked += re.findall(r"(?:expr: |\n {10})(?:>-)?(.*)", rules())
    used = {name for query in asked for name in RECORDED.findall(query)}
    assert used - recorded == set()
    assert recorded - used <= {"spendgate:decisions:rate5m", "spendgate:decision_lag_seconds:p50_5m"}


@pytest.mark.parametrize("name", sorted(BOARDS))
def test_every_panel_says_what_it_shows_and_asks_the_chosen_data_source(name: str) -> None:
    board = BOARDS[name]
    for panel in board["panels"]:
        assert panel["title"]
        assert panel["description"], panel["title"]
        assert panel["datasource"]["uid"] == "${datasource}"
        refs = [target["refId"] for target in panel["targets"]]
        assert len(set(refs)) == len(refs) > 0
    titles = [panel["title"] for panel in board["panels"]]
    assert len(set(titles)) == len(titles)
    places = [panel["gridPos"] for panel in board["panels"]]
    assert len({(each["x"], each["y"]) for each in places}) == len(places)
    assert all(each["x"] + each["w"] <= 24 for each in places)


def test_a_field_that_grafana_does_not_know_is_found_by_its_path() -> None:
    board = json.loads(next(iter(texts().values())))
    assert outside_the_schema(json.loads(json.dumps(board))) == []
    board["panels"][0]["tiltle"] = "x"
    assert outside_the_schema(board) == ["panels[0].tiltle"]


def test_what_stands_in_the_repository_is_what_the_code_makes() -> None:
    folder = ROOT / "grafana" / "dashboards"
    assert {each.name: each.read_text() for each in folder.glob("*.json")} == texts()
