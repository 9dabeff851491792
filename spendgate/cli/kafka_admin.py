"""Kafka's admin client, as thin helpers whose every failure is one line and exit code 3.

Import it inside a command only, for it needs the ``services`` extra.
"""

import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any
from uuid import UUID

from kafka import KafkaAdminClient
from kafka.admin import AlterConfigOp, ConfigResource, ConfigResourceType
from kafka.errors import (
    AuthorizationError,
    BrokerResponseError,
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
    NoError,
    SaslAuthenticationFailedError,
    TopicAlreadyExistsError,
    UnknownTopicOrPartitionError,
    UnsupportedVersionError,
    for_code,
)

from spendgate.failure import Failure
from spendgate.kafka_security import kafka_security
from spendgate.model.topics import Topic
from spendgate.model.topics_plan import Action, Actual, plan

TIMEOUT_MS = 10_000
"""How long a broker may take to answer before it counts as unreachable."""

_TOPIC_SOURCE = "DYNAMIC_TOPIC_CONFIG"
_POLL_S = 0.1


class _Listener(logging.Handler):
    """Keeps kafka-python off the terminal, and remembers why a connection ended.

    The client retries a refused login until its time is up and then reports a time-out; only its log says why
    (kafka-python 3.0.12, ``KafkaConnectionManager._do_bootstrap``). Often it sees the closed socket before
    the broker's refusal.
    """

    def __init__(self) -> None:
        super().__init__()
        self.login_refused = self.hung_up = False

    def emit(self, record: logging.LogRecord) -> None:
        for each in record.args if isinstance(record.args, tuple) else ():
            self.login_refused |= isinstance(each, SaslAuthenticationFailedError)
            self.hung_up |= isinstance(each, KafkaConnectionError) and "socket disconnected" in str(each)


@contextmanager
def _listening() -> Iterator[_Listener]:
    logger = logging.getLogger("kafka")
    listener = _Listener()
    before = logger.level, logger.propagate
    logger.addHandler(listener)
    logger.setLevel(logging.WARNING)
    logger.propagate = False
    try:
        yield listener
    finally:
        logger.removeHandler(listener)
        logger.level, logger.propagate = before


@contextmanager
def admin_client(bootstrap: str, timeout_ms: int = TIMEOUT_MS) -> Iterator[Any]:
    """A connected KafkaAdminClient, closed at the end. What goes wrong inside is raised as Failure."""
    with _listening() as listener:
        try:
            client = _connect(bootstrap, timeout_ms)
        except ValueError:
            raise Failure("Kafka: expected the bootstrap as HOST:PORT, or several with commas") from None
        except KafkaTimeoutError:
            raise Failure(f"Kafka at {bootstrap} {_silence(listener)}") from None
        except KafkaError as error:
            raise Failure(f"Kafka at {bootstrap} {_refusal(error)}") from None
        try:
            yield client
        except KafkaError as error:
            raise Failure(f"Kafka at {bootstrap} {_refusal(error)}") from None
        finally:
            client.close()


def _connect(bootstrap: str, timeout_ms: int) -> Any:
    return KafkaAdminClient(
        bootstrap_servers=bootstrap.split(","),
        bootstrap_timeout_ms=timeout_ms,
        request_timeout_ms=timeout_ms,
        **kafka_security(),
    )


def _silence(listener: _Listener) -> str:
    """Why there was no connection in time."""
    if listener.login_refused:
        return "refused the login: expected another SPENDGATE_KAFKA_USERNAME or _PASSWORD"
    if listener.hung_up and kafka_security().get("sasl_mechanism"):
        return "closes the connection at the login: expected another SPENDGATE_KAFKA_USERNAME or _PASSWORD"
    if listener.hung_up:
        return "closes the connection: expected another SPENDGATE_KAFKA_SECURITY, a login perhaps, or TLS"
    return "is unreachable"


def _refusal(error: KafkaError) -> str:
    """What the broker said: never the client's own text, which repeats whole requests."""
    match error:
        case SaslAuthenticationFailedError():
            return "refused the login: expected another SPENDGATE_KAFKA_USERNAME or _PASSWORD"
        case AuthorizationError():
            return f"does not allow this user to do that ({type(error).__name__})"
        case UnsupportedVersionError():
            return "is too old for this request"
        case BrokerResponseError():
            return f"answered {type(error).__name__}: {error.description.strip()}"
        case _:
            return f"stopped answering ({type(error).__name__})"


def topic_id(bootstrap: str, topic: str, timeout_ms: int = TIMEOUT_MS) -> str:
    """The UUID that the cluster gave the topic when it was made; deleted and made anew, it has another.

    Raises Failure: no such topic, no answer, or a broker older than 2.8, which has no topic ids (KIP-516).
    """
    with admin_client(bootstrap, timeout_ms) as client:
        found = _described(client, [topic]).get(topic)
    if found is None:
        raise Failure(f"Kafka at {bootstrap} has no topic {topic}: run `spendgate topics apply`")
    if not found["topic_id"] or not UUID(str(found["topic_id"])).int:
        raise Failure(f"Kafka at {bootstrap} is too old: it gives topics no ids")
    return str(UUID(str(found["topic_id"])))


def read_topics(client: Any, names: Iterable[str]) -> dict[str, Actual]:
    """Those of the named topics that exist, by name."""
    described = _described(client, list(names))
    settings = _settings(client, list(described))
    return {name: _actual(topic, settings[name]) for name, topic in described.items()}


def _described(client: Any, names: list[str]) -> dict[str, Mapping[str, Any]]:
    found = {}
    for topic in client.describe_topics(names):
        error = for_code(topic["error_code"])
        if error is NoError:
            found[str(topic["name"])] = topic
        elif error is not UnknownTopicOrPartitionError:
            raise error
    return found


def _settings(client: Any, names: list[str]) -> Mapping[str, Mapping[str, Mapping[str, str]]]:
    if not names:
        return {}
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    answer: Mapping[str, Mapping[str, Mapping[str, str]]] = client.describe_configs(resources, config_filter="all")[
        "topic"
    ]
    if unreadable := next((name for name in names if not answer.get(name)), None):
        # kafka-python drops the error of a refused resource and returns it empty.
        raise Failure(f"the settings of topic {unreadable} cannot be read: expected the right describe_configs")
    return answer


def _actual(topic: Mapping[str, Any], settings: Mapping[str, Mapping[str, str]]) -> Actual:
    return Actual(
        partitions=len(topic["partitions"]),
        replications=frozenset(len(partition["replica_nodes"]) for partition in topic["partitions"]),
        settings={name: entry["value"] for name, entry in settings.items()},
        overrides=frozenset(n for n, entry in settings.items() if entry["config_source"] == _TOPIC_SOURCE),
    )


def carry_out(client: Any, actions: Iterable[Action], topics: Iterable[Topic]) -> None:
    """Do the automatic ones of the actions. Safe to repeat, and to run twice at once."""
    by_name = {topic.name: topic for topic in topics}
    alterations: dict[str, dict[str, tuple[AlterConfigOp, str | None]]] = {}
    for action in actions:
        match action.kind:
            case "create":
                _create(client, by_name[action.topic])
            case "grow":
                client.create_partitions({action.topic: by_name[action.topic].partitions})
            case "set":
                alterations.setdefault(action.topic, {})[action.setting] = AlterConfigOp.SET, action.expected
            case "reset":
                alterations.setdefault(action.topic, {})[action.setting] = AlterConfigOp.DELETE, None
            case "reassign" | "refuse":
                continue
    _alter(client, alterations)


def _create(client: Any, topic: Topic) -> None:
    wish = {
        "num_partitions": topic.partitions,
        "replication_factor": topic.replication,
        "configs": topic.settings,
    }
    with suppress(TopicAlreadyExistsError):  # somebody was faster; what they made shows when it is read again
        client.create_topics({topic.name: wish})
    client.wait_for_topics([topic.name])


def _alter(client: Any, alterations: Mapping[str, Mapping[str, tuple[AlterConfigOp, str | None]]]) -> None:
    if not alterations:
        return
    resources = [ConfigResource(ConfigResourceType.TOPIC, name, dict(changes)) for name, changes in alterations.items()]
    for name, answer in client.alter_configs(resources, raise_on_unknown=False)["topic"].items():
        if answer != "OK":
            raise Failure(f"Kafka refused settings of topic {name}: {answer}")


def remaining(client: Any, topics: tuple[Topic, ...], within_s: float = TIMEOUT_MS / 1000) -> list[Action]:
    """What still differs once brokers, which learn of changes after the controller, have heard of them."""
    deadline = time.monotonic() + within_s
    while True:
        left = plan(topics, read_topics(client, [topic.name for topic in topics]))
        if not any(action.automatic for action in left) or time.monotonic() > deadline:
            return left
        time.sleep(_POLL_S)
