"""What must hold of a plan, whatever a cluster has."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from spendgate.model.topics import Topic, load_topics
from spendgate.model.topics_plan import MIN_INSYNC, Action, Actual, plan

TOPICS = load_topics(prefix="", replication=3).all
BY_NAME = {topic.name: topic for topic in TOPICS}
PARTITIONS = st.sampled_from([1, 2, 4, 8, 12])
REPLICATIONS = st.frozensets(st.integers(1, 5), min_size=1, max_size=2)
STRAYS = st.dictionaries(st.sampled_from(["segment.ms", "compression.type", "flush.ms"]), st.just("1"))
THROTTLE = "leader.replication.throttled.replicas"


def made(topic: Topic) -> Actual:
    """The topic as a cluster has it after it was created from the file."""
    return Actual(topic.partitions, frozenset({topic.replication}), topic.settings, frozenset(topic.settings))


@st.composite
def actuals(draw: st.DrawFn, topic: Topic) -> Actual | None:
    """A topic that is missing, right, or wrong in any way."""
    if draw(st.booleans()):
        return draw(st.sampled_from([None, made(topic)]))
    changed = draw(st.dictionaries(st.sampled_from(sorted(topic.settings)), st.sampled_from(["1", "9"])))
    strays = draw(STRAYS)
    unset = draw(st.frozensets(st.sampled_from(sorted(topic.settings))))
    return Actual(
        partitions=draw(PARTITIONS | st.just(topic.partitions)),
        replications=draw(REPLICATIONS | st.just(frozenset({topic.replication}))),
        settings={**topic.settings, **changed, **strays},
        overrides=frozenset(topic.settings) - unset | strays.keys(),
    )


@st.composite
def clusters(draw: st.DrawFn) -> dict[str, Actual]:
    found = {topic.name: draw(actuals(topic)) for topic in TOPICS}
    return {name: actual for name, actual in found.items() if actual is not None}


def carried_out(cluster: Mapping[str, Actual], actions: Iterable[Action]) -> dict[str, Actual]:
    """A model of what a cluster does with the automatic actions."""
    after = dict(cluster)
    for action in actions:
        topic = BY_NAME[action.topic]
        if action.kind == "create":
            after[topic.name] = made(topic)
        elif action.kind == "grow":
            after[topic.name] = replace(after[topic.name], partitions=topic.partitions)
        elif action.kind == "set":
            before = after[topic.name]
            settings = {**before.settings, action.setting: topic.settings[action.setting]}
            overrides = before.overrides | {action.setting}
            after[topic.name] = replace(before, settings=settings, overrides=overrides)
        elif action.kind == "reset":
            before = after[topic.name]
            after[topic.name] = replace(before, overrides=before.overrides - {action.setting})
    return after


def test_a_cluster_made_from_the_file_needs_nothing() -> None:
    assert plan(TOPICS, {topic.name: made(topic) for topic in TOPICS}) == []


def test_an_empty_cluster_gets_every_topic_once() -> None:
    assert [(action.kind, action.topic) for action in plan(TOPICS, {})] == [("create", t.name) for t in TOPICS]


@given(cluster=clusters())
def test_what_is_left_after_a_plan_is_what_no_apply_does(cluster: dict[str, Actual]) -> None:
    actions = plan(TOPICS, cluster)
    left = plan(TOPICS, carried_out(cluster, actions))
    assert left == [action for action in actions if not action.automatic]


@given(cluster=clusters())
def test_no_plan_changes_the_partitions_of_a_topic_whose_key_decides(cluster: dict[str, Actual]) -> None:
    after = carried_out(cluster, plan(TOPICS, cluster))
    for name, before in cluster.items():
        if BY_NAME[name].keyed_by_tenant or BY_NAME[name].cleanup == "compact":
            assert after[name].partitions == before.partitions


@given(cluster=clusters())
def test_every_other_partition_count_is_named_and_none_shrinks(cluster: dict[str, Actual]) -> None:
    actions = [action for action in plan(TOPICS, cluster) if action.setting == "partitions"]
    differs = {name for name, actual in cluster.items() if actual.partitions != BY_NAME[name].partitions}
    assert {action.topic for action in actions} == differs
    for action in actions:
        topic = BY_NAME[action.topic]
        may_grow = topic.key == "claimed_tenant" and cluster[topic.name].partitions < topic.partitions
        assert action.kind == ("grow" if may_grow else "refuse")
        assert bool(action.why) != may_grow


@given(cluster=clusters())
def test_replicas_are_left_to_the_operator(cluster: dict[str, Actual]) -> None:
    actions = [action for action in plan(TOPICS, cluster) if action.setting == "replication"]
    assert {action.topic for action in actions} == {
        name for name, actual in cluster.items() if actual.replications != {BY_NAME[name].replication}
    }
    assert {action.kind for action in actions} <= {"reassign"}


@given(cluster=clusters())
def test_no_plan_asks_for_more_replicas_in_sync_than_there_are(cluster: dict[str, Actual]) -> None:
    for action in plan(TOPICS, cluster):
        if action.kind == "set" and action.setting == MIN_INSYNC:
            assert int(action.expected or "") <= min(cluster[action.topic].replications)


@given(cluster=clusters())
def test_a_difference_says_what_was_expected_and_what_is(cluster: dict[str, Actual]) -> None:
    for action in plan(TOPICS, cluster):
        if action.kind in {"set", "reset"}:
            assert action.actual == cluster[action.topic].settings[action.setting]
            assert action.expected == BY_NAME[action.topic].settings.get(action.setting)


@given(cluster=clusters(), name=st.sampled_from(sorted(BY_NAME)))
def test_one_topics_differences_are_no_other_topics_concern(cluster: dict[str, Actual], name: str) -> None:
    alone = plan([BY_NAME[name]], cluster)
    assert alone == [action for action in plan(TOPICS, cluster) if action.topic == name]


def test_a_throttle_of_moving_replicas_is_no_drift() -> None:
    cluster = {topic.name: made(topic) for topic in TOPICS}
    name, actual = next(iter(cluster.items()))
    moving = replace(actual, settings={**actual.settings, THROTTLE: "*"}, overrides=actual.overrides | {THROTTLE})
    assert plan(TOPICS, {**cluster, name: moving}) == []
