"""Laws of the published schemas: they are what the code says, and say what the readers do."""

import json
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from spendgate.model import schemas
from spendgate.model.decision import Decision, Judged, Position, Reason
from spendgate.model.event import Event
from spendgate.model.policy_source import check_text
from spendgate.model.text import is_name
from tests.model.policies import documents

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))
EVENT = {"id": "1", "source": "app", "tenant": "acme", "time": "2026-11-05T00:00:00Z"}


@cache
def validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads((ROOT / "schemas" / f"{name}.schema.json").read_text(encoding="utf-8")))


def test_the_published_schemas_are_what_the_code_says(capsys: pytest.CaptureFixture[str]) -> None:
    assert schemas.main(["--check", "--dir", str(ROOT / "schemas")]) == 0
    assert capsys.readouterr().out == ""


def test_drift_is_told_and_mended(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = ["--dir", str(tmp_path / "new")]
    assert schemas.main(["--check", *folder]) == 1
    assert not (tmp_path / "new").exists()
    assert schemas.main(folder) == 0
    assert schemas.main(["--check", *folder]) == 0
    (tmp_path / "new" / "event.schema.json").write_text("{}", encoding="utf-8")
    capsys.readouterr()
    assert schemas.main(["--check", *folder]) == 1
    assert [line.split(":")[0] for line in capsys.readouterr().out.splitlines()] == [
        str(tmp_path / "new" / "event.schema.json")
    ]


def test_a_directory_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    assert schemas.main(["--dir", str(tmp_path / "file")]) == 3


@pytest.mark.parametrize("name", schemas.SCHEMAS)
def test_each_schema_is_a_schema(name: str) -> None:
    Draft202012Validator.check_schema(schemas.SCHEMAS[name]())


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_examples_are_valid(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    sourced, problems = check_text(text, path.name)
    assert (len(sourced), problems) == (1, [])
    validator("policy").validate(YAML(typ="safe", pure=True).load(StringIO(text)))


@given(documents())
def test_a_policy_that_is_read_is_valid(document: dict[str, Any]) -> None:
    assert check_text(json.dumps(document), "file")[1] == []
    validator("policy").validate(document)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("extra",), "x"),
        (("kind",), "policy"),
        (("metadata", "name"), "a b"),
        (("metadata", "owner"), None),
        (("spec", "rules"), []),
        (("spec", "rules"), [{}]),
        (("spec", "rules"), [{"boundary": {"on_breach": "deny"}}]),
        (("spec", "rules"), [{"boundary": {"on_breach": "deny", "models": {}}}]),
        (("spec", "rules"), [{"review": {"when": {}}}]),
        (("spec", "rules"), [{"review": {"when": {"cost_usd_over": 1}}}]),
        (("spec", "rules"), [{"review": {"when": {"cost_usd_over": "x"}}}]),
        (("spec", "rules"), [{"review": {"when": {"models": ["a"]}}, "budget": None}]),
        (("spec", "rules"), [{"budget": {"cap_usd": "1", "on_breach": "deny", "window": {"lifetime": 1}}}]),
        (("spec", "rules"), [{"budget": {"cap_usd": "1", "on_breach": "deny", "window": {"rolling": "1w"}}}]),
        (("spec", "rules"), [{"budget": {"cap_usd": "1", "on_breach": "deny", "window": {}}}]),
        (("spec", "scope"), {"team": []}),
        (("spec", "scope"), {"team": None}),
        (("spec", "scope"), {"feature": ["x"]}),
        (("spec", "on_unpriced"), "approve"),
    ],
)
def test_schema_and_reader_refuse_the_same(path: tuple[str, ...], value: Any) -> None:
    document: dict[str, Any] = {
        "apiVersion": "spendgate/v1",
        "kind": "Policy",
        "metadata": {"name": "a"},
        "spec": {"rules": [{"review": {"when": {"models": ["a"]}}}]},
    }
    assert validator("policy").is_valid(document)
    part = document
    for name in path[:-1]:
        part = part[name]
    part[path[-1]] = value
    assert not validator("policy").is_valid(document)
    assert check_text(json.dumps(document), "file")[1]


@given(st.text(st.characters(codec="utf-8"), max_size=5) | st.just("a" * 128) | st.just("a" * 129))
def test_the_event_schema_knows_which_strings_are_allowed(text: str) -> None:
    event = validator("event")
    for field in ("id", "team", "model"):
        assert event.is_valid({**EVENT, field: text}) == is_name(text)


def test_every_free_string_of_an_event_has_the_pattern() -> None:
    fields = schemas.event_schema()["$defs"]["Event"]["properties"]
    shapes = [shape for field in fields.values() for shape in field.get("anyOf", [field])]
    strings = [shape for shape in shapes if shape.get("type") == "string" and shape.get("format") != "date-time"]
    assert len(strings) == 21
    assert all("pattern" in shape for shape in strings)


@pytest.mark.parametrize("change", [{"prompt": "x"}, {"cost_nano_usd": 0.5}, {"kind": "chat"}, {"cost_nano_usd": -1}])
def test_event_schema_and_decoder_refuse_the_same(change: dict[str, Any]) -> None:
    event = {**EVENT, **change}
    assert validator("event").is_valid(EVENT)
    assert not validator("event").is_valid(event)
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(json.dumps(event), type=Event)


def test_a_decision_on_the_wire_is_valid() -> None:
    event = msgspec.json.decode(json.dumps(EVENT), type=Event)
    reason = Reason(
        policy="p",
        staging="s",
        stage="shadow",
        rule=0,
        kind="budget",
        verdict="deny",
        code="over_cap",
        alerts=(50,),
    )
    decision = Decision(
        decision_id="d",
        tenant="acme",
        source="app",
        event_id="1",
        event_time=event.time,
        decided_at=event.time,
        position=Position("spend.events", 0, 1, 0),
        verdict="deny",
        engine_version="e",
        judged=Judged(1, "h"),
        marks=("late",),
        reasons=(reason,),
    )
    wire = json.loads(msgspec.json.encode(decision))
    validator("decision").validate(wire)
    assert not validator("decision").is_valid({**wire, "prompt": "x"})
