"""What has to change on a cluster so that its topics are those of ``topics.yaml``. Pure: no Kafka here."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from spendgate.model.topics import Topic

Kind = Literal["create", "grow", "set", "reset", "reassign", "refuse"]
"""``reassign`` is left to the operator, ``refuse`` must never be done; the others are done by apply."""

MIN_INSYNC = "min.insync.replicas"
PASSING_SETTINGS = frozenset({"leader.replication.throttled.replicas", "follower.replication.throttled.replicas"})
"""Set by Kafka's own tools while replicas move, so no drift."""


@dataclass(frozen=True)
class Actual:
    """A topic as the cluster has it.

    ``replications`` holds each count of replicas that some partition has; ``settings`` the values in force by
    Kafka's names, defaults too; ``overrides`` the names of those that were set on the topic itself.
    """

    partitions: int
    replications: frozenset[int]
    settings: Mapping[str, str]
    overrides: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Action:
    """One difference and what becomes of it. ``expected`` None means the broker's default."""

    kind: Kind
    topic: str
    setting: str
    expected: str | None
    actual: str | None
    why: str = ""

    @property
    def automatic(self) -> bool:
        """Whether apply does it."""
        return self.kind not in {"reassign", "refuse"}


def plan(desired: Iterable[Topic], actual: Mapping[str, Actual]) -> list[Action]:
    """The differences, topic by topic in the order of ``desired``; ``actual`` is by topic name."""
    return [action for topic in desired for action in _plan_topic(topic, actual.get(topic.name))]


def _plan_topic(topic: Topic, actual: Actual | None) -> Iterator[Action]:
    if actual is None:
        expected = f"{topic.partitions} partitions, {topic.replication} replicas"
        yield Action("create", topic.name, "topic", expected, None)
        return
    yield from _partitions(topic, actual)
    yield from _replication(topic, actual)
    yield from _settings(topic, actual)
    yield from _strays(topic, actual)


def _partitions(topic: Topic, actual: Actual) -> Iterator[Action]:
    if topic.partitions == actual.partitions:
        return
    why = _why_not(topic, actual)
    kind: Kind = "refuse" if why else "grow"
    yield Action(kind, topic.name, "partitions", str(topic.partitions), str(actual.partitions), why)


def _why_not(topic: Topic, actual: Actual) -> str:
    if topic.keyed_by_tenant:
        return "a tenant's partition is murmur2(key) mod this count: another count would move tenants"
    if topic.cleanup == "compact":
        return "another count would move keys, and a key's latest record would no longer be the one kept"
    return "Kafka cannot take partitions away" if topic.partitions < actual.partitions else ""


def _replication(topic: Topic, actual: Actual) -> Iterator[Action]:
    if actual.replications == {topic.replication}:
        return
    found = ", ".join(str(count) for count in sorted(actual.replications))
    why = "needs a reassignment with kafka-reassign-partitions, which copies data between brokers"
    yield Action("reassign", topic.name, "replication", str(topic.replication), found, why)


def _settings(topic: Topic, actual: Actual) -> Iterator[Action]:
    for name, expected in topic.settings.items():
        found = actual.settings.get(name)
        if found == expected and name in actual.overrides:
            continue
        if name == MIN_INSYNC and int(expected) > min(actual.replications):
            why = "set once the topic has that many replicas: until then it would stop all writes"
            yield Action("reassign", topic.name, name, expected, found, why)
        else:
            why = "" if found != expected else "in force only as the broker's default"
            yield Action("set", topic.name, name, expected, found, why)


def _strays(topic: Topic, actual: Actual) -> Iterator[Action]:
    for name in sorted(actual.overrides - topic.settings.keys() - PASSING_SETTINGS):
        why = "set on the topic, but not by topics.yaml"
        yield Action("reset", topic.name, name, None, actual.settings.get(name), why)
