"""What must hold of ``topics.yaml`` and of the way it is read."""

import ast
from copy import deepcopy
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from spendgate.model.event import MAX_EVENTS_PER_MESSAGE, Event
from spendgate.model.text import MAX_CHARS
from spendgate.model.topics import Topics, TopicsError, load_topics

ROOT = Path(__file__).resolve().parents[2]
CODE = ("agents", "dev", "gateway_shadow", "policy_store", "spendgate", "window_counters")
NAMES = {
    "spend.events", "spend.decisions", "spend.policies", "spend.checks",
    "spend.enforcements", "spend.reconciliations", "spend.reviews", "spend.rejected",
}  # fmt: skip
WORDS = st.text("abcdefghijklmnopqrstuvwxyz", min_size=12, max_size=20)


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SPENDGATE_TOPIC_PREFIX", raising=False)
    monkeypatch.delenv("SPENDGATE_REPLICATION", raising=False)


CONTENT = YAML(typ="safe", pure=True).load((ROOT / "topics.yaml").read_text())


def content() -> dict[str, Any]:
    """What the file says, to be changed."""
    found: dict[str, Any] = deepcopy(CONTENT)
    return found


def refusal_of(changed: dict[str, Any], path: Path) -> str:
    path.write_bytes(msgspec.json.encode(changed))  # JSON is YAML, and quickly written
    with pytest.raises(TopicsError) as refused:
        load_topics(path)
    return str(refused.value)


def test_the_file_has_the_eight_topics() -> None:
    assert {topic.name for topic in load_topics().all} == NAMES


def test_no_code_spells_a_topic_out() -> None:
    spelled = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for folder in CODE
        for path in sorted((ROOT / folder).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and node.value in NAMES
    ]
    assert spelled == []


def longest(kind: Any) -> Any:
    """A value of a field that is as long in JSON as the field allows."""
    match kind:
        case msgspec.inspect.StrType():
            return "x" * (kind.max_length or MAX_CHARS)
        case msgspec.inspect.IntType():
            return kind.le
        case msgspec.inspect.DateTimeType():
            return "2026-11-23T21:37:05.123456+00:00"
        case msgspec.inspect.LiteralType():
            return max(map(str, kind.values), key=len)
        case msgspec.inspect.BoolType():
            return False
        case msgspec.inspect.UnionType():
            return max(map(longest, kind.types), key=lambda value: len(msgspec.json.encode(value)))
        case msgspec.inspect.NoneType():
            return None
    raise AssertionError(kind)


def largest_message() -> bytes:
    described = msgspec.inspect.type_info(Event)
    assert isinstance(described, msgspec.inspect.StructType)
    event = {field.encode_name: longest(field.type) for field in described.fields}
    return msgspec.json.encode([event] * MAX_EVENTS_PER_MESSAGE)


def test_the_largest_message_that_the_schema_allows_fits() -> None:
    message = largest_message()
    assert len(msgspec.json.decode(message, type=list[Event])) == MAX_EVENTS_PER_MESSAGE
    assert len(message) + 1024 < load_topics().events.max_message_bytes


def test_events_outlast_the_longest_evidence() -> None:
    topics = load_topics()
    assert topics.events.retention_ms > 30 * 86_400_000
    assert topics.decisions.retention_ms >= topics.events.retention_ms


def test_every_record_has_the_brokers_time() -> None:
    assert {topic.settings["message.timestamp.type"] for topic in load_topics().all} == {"LogAppendTime"}


def test_only_policies_are_compacted_and_they_stay_for_ever() -> None:
    topics = load_topics()
    assert [topic.name for topic in topics.all if topic.cleanup == "compact"] == [topics.policies.name]
    assert topics.policies.settings["retention.ms"] == "-1"


@given(prefix=st.from_regex(r"[A-Za-z0-9._-]{0,40}", fullmatch=True))
def test_a_prefix_stands_before_every_name_and_changes_nothing_else(prefix: str) -> None:
    plain, prefixed = load_topics(prefix=""), load_topics(prefix=prefix)
    assert [topic.name for topic in prefixed.all] == [prefix + topic.name for topic in plain.all]
    assert [topic.settings for topic in prefixed.all] == [topic.settings for topic in plain.all]


@given(replication=st.integers(1, 32767))
def test_writes_survive_the_loss_of_one_replica_where_there_are_two(replication: int) -> None:
    for topic in load_topics(replication=replication).all:
        assert topic.replication == replication
        assert 1 <= topic.min_insync <= max(1, replication - 1)


def test_the_environment_overrides_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPENDGATE_TOPIC_PREFIX", "t1-")
    monkeypatch.setenv("SPENDGATE_REPLICATION", "1")
    assert load_topics().events.name == "t1-spend.events"
    assert {topic.replication for topic in load_topics().all} == {1}


def test_an_argument_overrides_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPENDGATE_TOPIC_PREFIX", "t1-")
    monkeypatch.setenv("SPENDGATE_REPLICATION", "1")
    topics = load_topics(prefix="", replication=2)
    assert (topics.events.name, topics.events.replication) == ("spend.events", 2)


@pytest.mark.parametrize("text", ["0", "-1", "three", "1.5", "99999", "²"])
def test_a_replication_of_the_environment_that_is_no_count_is_refused(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("SPENDGATE_REPLICATION", text)
    with pytest.raises(TopicsError, match=r"^SPENDGATE_REPLICATION: expected"):
        load_topics()


@pytest.mark.parametrize("prefix", ["a b", "a/", "ä", "x" * 240, "\n"])
def test_a_prefix_that_kafka_would_refuse_is_refused(prefix: str) -> None:
    with pytest.raises(TopicsError, match=r"^topic prefix: "):
        load_topics(prefix=prefix)


TENANT_KEYED = st.sampled_from([part for part in Topics.model_fields if part not in {"policies", "rejected"}])


@given(part=TENANT_KEYED, partitions=st.integers(1, 10_000).filter(lambda count: count != 8))
def test_topics_keyed_by_tenant_must_have_one_partition_count(
    tmp_path_factory: pytest.TempPathFactory, part: str, partitions: int
) -> None:
    changed = content()
    changed["topics"][part]["partitions"] = partitions
    said = refusal_of(changed, tmp_path_factory.mktemp("topics") / "topics.yaml")
    assert said == "topics: partitions: expected the same count for all topics keyed by tenant"


FIELDS = (
    "name",
    "partitions",
    "replication",
    "min_insync",
    "retention",
    "timestamp",
    "max_message_bytes",
    "cleanup",
)


@given(part=st.sampled_from(list(Topics.model_fields)), field=st.sampled_from(FIELDS), junk=WORDS)
def test_a_refusal_names_the_field_and_never_the_value(
    tmp_path_factory: pytest.TempPathFactory, part: str, field: str, junk: str
) -> None:
    changed = content()
    changed["topics"][part][field] = junk + " " + junk
    said = refusal_of(changed, tmp_path_factory.mktemp("topics") / "topics.yaml")
    assert said.startswith(f"topics.{part}.{field}: ")
    assert junk not in said
    assert "\n" not in said


@pytest.mark.parametrize(
    ("part", "field", "value", "said"),
    [
        ("events", "min_insync", 3, "topics.events: min_insync: expected less than replication"),
        (
            "events",
            "access",
            {"gateway": ["write"]},
            "topics.events: access: expected 'write' for each producer",
        ),
        ("events", "consumer", ["shadow"], "topics.events: access: expected 'read' for each consumer"),
        ("events", "key", "record", "topics: events.key: expected 'tenant'"),
        ("policies", "retention", "35d", "topics.policies: retention: expected 'forever'"),
        ("checks", "name", "spend.events", "topics: expected a name of its own for each topic"),
    ],
)
def test_parts_that_contradict_each_other_are_refused(
    tmp_path: Path, part: str, field: str, value: object, said: str
) -> None:
    changed = content()
    changed["topics"][part][field] = value
    assert refusal_of(changed, tmp_path / "topics.yaml").startswith(said)


def test_an_unknown_field_is_refused_by_name(tmp_path: Path) -> None:
    changed = content()
    changed["topics"]["events"]["partition"] = 8
    assert refusal_of(changed, tmp_path / "topics.yaml").startswith("topics.events.partition: ")


def test_a_missing_topic_is_refused_by_name(tmp_path: Path) -> None:
    changed = content()
    del changed["topics"]["reviews"]
    assert refusal_of(changed, tmp_path / "topics.yaml").startswith("topics.reviews: ")


@pytest.mark.parametrize("text", ["{", "topics: {a: 1, a: 2}", "\x00", "- &a [*a]"])
def test_text_that_is_no_yaml_of_topics_is_refused_in_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "topics.yaml"
    path.write_text(text)
    with pytest.raises(TopicsError) as refused:
        load_topics(path)
    assert "\n" not in str(refused.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(TopicsError, match=r"^nowhere\.yaml: no such file$"):
        load_topics(tmp_path / "nowhere.yaml")
