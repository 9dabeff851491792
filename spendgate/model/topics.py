"""The topics, as ``topics.yaml`` describes them: the only way by which code learns a topic's name."""

import os
import re
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

PREFIX_ENV = "SPENDGATE_TOPIC_PREFIX"
REPLICATION_ENV = "SPENDGATE_REPLICATION"
MAX_NAME_CHARS = 249
"""Kafka's limit, from org.apache.kafka.common.internals.Topic."""
FOREVER_MS = -1
MAX_REPLICATION = 32767
"""The protocol's int16."""

_PACKAGE = Path(__file__).resolve().parents[1]
_LEGAL = re.compile(r"[A-Za-z0-9._-]+", re.ASCII)
_DURATION = re.compile(r"([1-9][0-9]{0,5})([mhd])", re.ASCII)
_UNIT_MS = {"m": 60_000, "h": 3_600_000, "d": 86_400_000}

Operation = Literal["read", "write", "describe", "describe_configs"]
Key = Literal["tenant", "record", "claimed_tenant"]


class TopicsError(ValueError):
    """A topics file or an override that cannot be used. One line that names the field, and no value."""


def _name(text: str) -> str:
    if not _LEGAL.fullmatch(text) or len(text) > MAX_NAME_CHARS or text in {".", ".."}:
        raise ValueError(f"expected 1 to {MAX_NAME_CHARS} of the characters a-z A-Z 0-9 . _ -")
    return text


def _retention(text: str) -> str:
    if text != "forever" and not _DURATION.fullmatch(text):
        raise ValueError("expected 'forever' or a whole number of minutes, hours or days, such as '35d'")
    return text


Name = Annotated[str, AfterValidator(_name)]
Names = Annotated[list[Name], Field(min_length=1)]


class Topic(BaseModel):
    """One topic. ``retention`` is by append time; ``max_message_bytes`` counts a record batch as stored."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name
    partitions: Annotated[int, Field(ge=1, le=10_000, strict=True)]
    replication: Annotated[int, Field(ge=1, le=MAX_REPLICATION, strict=True)]
    min_insync: Annotated[int, Field(ge=1, le=MAX_REPLICATION, strict=True)]
    retention: Annotated[str, AfterValidator(_retention)]
    timestamp: Literal["LogAppendTime"]
    max_message_bytes: Annotated[int, Field(ge=1024, le=2**31 - 1, strict=True)]
    cleanup: Literal["delete", "compact"]
    key: Key
    documents: Names = Field(alias="schema")
    producer: Names
    consumer: Names
    access: dict[Name, Annotated[list[Operation], Field(min_length=1)]]

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.cleanup == "compact" and self.retention != "forever":
            raise ValueError("retention: expected 'forever', for the topic is compacted")
        if self.min_insync > max(1, self.replication - 1):
            raise ValueError("min_insync: expected less than replication, or one lost broker stops all writes")
        self._check_access("write", "producer", self.producer)
        self._check_access("read", "consumer", self.consumer)
        return self

    def _check_access(self, operation: Operation, field: str, services: list[str]) -> None:
        if {service for service, allowed in self.access.items() if operation in allowed} != set(services):
            raise ValueError(f"access: expected '{operation}' for each {field} and for nobody else")

    @property
    def keyed_by_tenant(self) -> bool:
        """Whether the partition count decides where a tenant lives."""
        return self.key == "tenant"

    @property
    def retention_ms(self) -> int:
        """Milliseconds, or -1 for ever."""
        match = _DURATION.fullmatch(self.retention)
        return int(match[1]) * _UNIT_MS[match[2]] if match else FOREVER_MS

    @property
    def settings(self) -> dict[str, str]:
        """The broker's settings of the topic, by Kafka's names, with values as Kafka spells them."""
        return {
            "cleanup.policy": self.cleanup,
            "max.message.bytes": str(self.max_message_bytes),
            "message.timestamp.type": self.timestamp,
            "min.insync.replicas": str(self.min_insync),
            "retention.bytes": "-1",
            "retention.ms": str(self.retention_ms),
            "unclean.leader.election.enable": "false",
        }

    def adapted(self, prefix: str, replication: int | None) -> "Topic":
        """This topic under a prefix and with another number of replicas; ``min_insync`` follows it down."""
        replicas = replication or self.replication
        changes = {
            "name": _name(prefix + self.name),
            "replication": replicas,
            "min_insync": min(self.min_insync, max(1, replicas - 1)),
        }
        return self.model_copy(update=changes)


class Topics(BaseModel):
    """All topics by the part that they play."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    events: Topic
    decisions: Topic
    policies: Topic
    checks: Topic
    enforcements: Topic
    reconciliations: Topic
    reviews: Topic
    rejected: Topic

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if len({topic.name for topic in self.all}) < len(self.all):
            raise ValueError("expected a name of its own for each topic")
        if len({topic.partitions for topic in self.all if topic.keyed_by_tenant}) > 1:
            raise ValueError("partitions: expected the same count for all topics keyed by tenant")
        if not self.events.keyed_by_tenant:
            raise ValueError("events.key: expected 'tenant'")
        return self

    @property
    def all(self) -> tuple[Topic, ...]:
        """Every topic, in the order of the fields."""
        return tuple(getattr(self, part) for part in type(self).model_fields)

    @property
    def tenant_partitions(self) -> int:
        """How many partitions each topic keyed by tenant has."""
        return self.events.partitions

    def adapted(self, prefix: str, replication: int | None) -> "Topics":
        """The same topics under a prefix and with another number of replicas."""
        return self.model_copy(
            update={part: getattr(self, part).adapted(prefix, replication) for part in type(self).model_fields}
        )


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    topics: Topics


def load_topics(path: Path | None = None, *, prefix: str | None = None, replication: int | None = None) -> Topics:
    """The topics of a file: by default the copy in the package, else that at the root of the checkout.

    ``prefix`` stands before every name (default: the environment's SPENDGATE_TOPIC_PREFIX), ``replication``
    takes the place of the file's (default: SPENDGATE_REPLICATION). Raises TopicsError.
    """
    topics = _ours() if path is None else _parse(_read(path))
    chosen = os.environ.get(PREFIX_ENV, "") if prefix is None else prefix
    replicas = _replication_of_env() if replication is None else _checked_replication(replication, "replication")
    try:
        return topics.adapted(chosen, replicas)
    except ValueError as error:
        raise TopicsError(f"topic prefix: with a name after it, {error}") from None


@cache
def _ours() -> Topics:
    """Our own, which do not change while the process lives."""
    return _parse(_read(_default_path()))


def _default_path() -> Path:
    packaged = _PACKAGE / "topics.yaml"
    return packaged if packaged.is_file() else _PACKAGE.parent / "topics.yaml"


def _read(path: Path) -> object:
    try:
        content: object = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise TopicsError(f"{path.name}: no such file") from None
    except (OSError, UnicodeDecodeError, YAMLError):
        raise TopicsError(f"{path.name}: expected a readable file of YAML, each key once") from None
    return content


def _parse(content: object) -> Topics:
    try:
        return _File.model_validate(content).topics
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(step) for step in first["loc"]) or "topics.yaml"
        raise TopicsError(f"{where}: {first['msg'].removeprefix('Value error, ')}") from None


def _replication_of_env() -> int | None:
    text = os.environ.get(REPLICATION_ENV)
    if not text:
        return None
    if not re.fullmatch(r"[0-9]{1,5}", text, re.ASCII):
        raise TopicsError(f"{REPLICATION_ENV}: expected a whole number of replicas")
    return _checked_replication(int(text), REPLICATION_ENV)


def _checked_replication(replication: int, field: str) -> int:
    if not 1 <= replication <= MAX_REPLICATION:
        raise TopicsError(f"{field}: expected 1 to {MAX_REPLICATION} replicas")
    return replication
