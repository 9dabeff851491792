"""The Kafka door's composition root: ``python -m agents.app ROLE``; the roles are in ROLES."""

import asyncio
import gc
import os
import secrets
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from prometheus_client import start_http_server

from agents import logs
from agents.activation import Activator
from agents.books import CHECKS, DECISIONS, REJECTIONS, Book, EventBook, Kind, RecordBook
from agents.config import WRONG_USAGE, Config
from agents.delivery import Fatal, Settings, make_app, run
from agents.enforcement import enforcement_agent
from agents.exits import leave, one_line
from agents.faust_private import App
from agents.health import HOST, PORT, Health
from agents.ledger import LedgerAgent
from agents.log import Log
from agents.outlet import Outlet
from agents.past import Past
from agents.policies import Documents
from agents.publishing import Publisher
from agents.rebuild import Rebuild
from agents.reconciliation import Pace, Reconciler, serve
from agents.shadow import Shadow
from agents.topic_id import topic_id
from agents.upkeep import Upkeep
from policy_store.change import Changes
from policy_store.database import Database
from policy_store.errors import StoreError
from policy_store.signing import read_key_file
from spendgate.cli.ledger import topic_offsets_of
from spendgate.cli.reconcile_proofs import counters_of
from spendgate.ledger.delta_reader import Ledger
from spendgate.ledger.delta_writer import LedgerTable
from spendgate.model.topics import Topic, Topics, TopicsError, load_topics
from spendgate.simulate.ledger_log import LedgerLog
from telemetry.labels import LABELS, most_from_environment
from telemetry.tracing import set_up, shut_down, traced
from window_counters.protocol import StoreUnavailable, StoreUnfit
from window_counters.redis_store import RedisStore

MISSING, REFUSED = 3, 4
BROKER_WITHIN_S = 60.0
GARBAGE = 100_000
"""How many containers may be made, beyond those let go, before the collector looks; Python's own is 700."""


def build(config: Config, topics: Topics) -> App:
    """The shadow worker, wired; nothing is connected but to learn the event topic's id."""
    publisher, health = Publisher(), Health()
    store = traced(RedisStore(config.redis), "redis", "client")
    documents = Documents(config.kafka, topics.policies, config.security.aiokafka)
    outlet = traced(Outlet(publisher, topics), "decisions", "producer")
    named = _id_of(config, topics.events)
    past = Past(config.ledger, named) if config.ledger is not None else None
    rebuild = Rebuild(_log(config, topics.events, health), topics.events, past, config.trusts)
    shadow = Shadow(
        topic=topics.events,
        topic_id=named,
        store=store,
        documents=documents,
        rebuild=rebuild,
        activator=Activator(store, documents, rebuild, outlet),
        outlet=outlet,
        now=lambda: datetime.now(UTC),
        judges={},
        trusts=config.trusts,
    )
    return make_app(
        config.group,
        bootstrap=config.kafka,
        topic=topics.events.name,
        handler=shadow,
        settings=Settings(group=config.group, instance_id=config.instance, credentials=config.security.credentials),
        publisher=publisher,
        health=health,
    )


def build_event_ledger(config: Config, topics: Topics) -> App:
    """The agent that records events and activations, and makes checkpoints."""
    topic, named, root = topics.events, _id_of(config, topics.events), config.ledger or ""

    def open_book(partition: int, covered: int) -> Book:
        book = EventBook(topic, named, partition, covered, config.trusts)
        if covered >= 0:
            book.resume(LedgerLog(Ledger.open(root), named, partition))
        return book

    documents = Documents(config.kafka, topics.policies, config.security.aiokafka)
    upkeep = Upkeep(root, topic.name, named, ("events", "activations"), documents, config.timer)
    return _ledger_app(config, topic, upkeep, open_book)


def _record_ledger(kind: Kind, topic_of: Callable[[Topics], Topic]) -> Callable[[Config, Topics], App]:
    """The agent that records what stands on one topic."""

    def build_it(config: Config, topics: Topics) -> App:
        topic = topic_of(topics)
        named = _id_of(config, topic)
        upkeep = Upkeep(config.ledger or "", topic.name, named, (kind.table,), timer=config.timer)
        return _ledger_app(config, topic, upkeep, lambda at, covered: RecordBook(topic, named, at, covered, kind))

    return build_it


def build_enforcement(config: Config, topics: Topics) -> App:
    """The agent that renews leases, and counts what would be blocked."""
    publisher, health = Publisher(), Health()
    agent = enforcement_agent(
        topics, RedisStore(config.redis), Database(config.store), config.store_keys, config.enforcement_key, publisher,
        kafka=config.kafka, auth=config.security.aiokafka, name=config.instance or f"agent-{secrets.token_hex(4)}",
    )  # fmt: skip
    return make_app(
        config.group,
        bootstrap=config.kafka,
        topic=topics.decisions.name,
        handler=agent,
        settings=Settings(group=config.group, instance_id=config.instance, credentials=config.security.credentials),
        publisher=publisher,
        health=health,
    )


def build_reconciliation(config: Config) -> Reconciler:
    """The agent that proves stagings; it has no topic of its own to follow."""
    logs.set_up(lambda: False)
    if (port := os.environ.get(PORT, "")).isdecimal():
        start_http_server(int(port), os.environ.get(HOST, "127.0.0.1"))
    return Reconciler(
        Changes(Database(config.store)),
        read_key_file(config.store_key, config.store_keys),
        config.ledger or "",
        lambda tenant: counters_of(config.kafka, config.redis, config.ledger, tenant),
        lambda: topic_offsets_of(config.kafka),
        f"reconciler-{secrets.token_hex(4)}",
        config.bills,
        Pace(*config.rounds),
    )


def _ledger_app(config: Config, topic: Topic, upkeep: Upkeep, open_book: Callable[[int, int], Book]) -> App:
    health = Health()
    agent = LedgerAgent(
        topic_id=upkeep.topic_id,
        log=_log(config, topic, health),
        table=LedgerTable(upkeep.root),
        open_book=open_book,
        upkeep=upkeep,
        pace=config.pace,
    )
    return make_app(
        config.group,
        bootstrap=config.kafka,
        topic=topic.name,
        handler=agent,
        settings=Settings(group=config.group, instance_id=config.instance, credentials=config.security.credentials),
        health=health,
    )


def _id_of(config: Config, topic: Topic) -> str:
    return topic_id(config.kafka, topic.name, within_s=BROKER_WITHIN_S, security=config.security.kafka_python)


def _log(config: Config, topic: Topic, health: Health) -> Log:
    """Reading the log again is progress, however long one batch then takes."""
    return Log(config.kafka, topic.name, config.group, health.progress, config.security.aiokafka)


ROLES: Mapping[str, Callable[[Config, Topics], App]] = {
    "worker": build,
    "ledger-events": build_event_ledger,
    "ledger-decisions": _record_ledger(DECISIONS, lambda topics: topics.decisions),
    "ledger-checks": _record_ledger(CHECKS, lambda topics: topics.checks),
    "ledger-rejections": _record_ledger(REJECTIONS, lambda topics: topics.rejected),
    "enforcement": build_enforcement,
}
RECONCILIATION = "reconciliation"
USAGE = f"usage: python -m agents.app {' | '.join((*ROLES, RECONCILIATION))}"


def collect_less() -> None:
    """Have the garbage collector look rarely, and not at what has been loaded: no event leaves a cycle behind, and
    looking for one took a twentieth of the worker's time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE)


async def _require_fit(redis: str) -> None:
    """Refuse a Redis that may evict, before anything is judged on it."""
    store = RedisStore(redis)
    try:
        await store.check_fit()
    except StoreUnfit as error:
        raise Fatal(str(error), REFUSED) from None
    except StoreUnavailable as error:
        raise Fatal(f"Redis does not answer: {error}", MISSING) from None
    finally:
        await store.close()


def main(arguments: list[str]) -> int:
    """Run an agent; returns the process's exit code."""
    if len(arguments) != 1 or arguments[0] not in (*ROLES, RECONCILIATION):
        sys.stderr.write(USAGE + "\n")
        return WRONG_USAGE
    role = arguments[0]
    try:
        config = Config.from_environment(role)
        LABELS.most = most_from_environment()
        set_up(f"spendgate-{role}")
        if role == RECONCILIATION:
            return serve(build_reconciliation(config))
        if role in ("worker", "enforcement"):
            asyncio.run(_require_fit(config.redis))
        app = ROLES[role](config, load_topics())
        collect_less()
    except (Fatal, TopicsError, StoreError, ValueError) as error:
        sys.stderr.write(f"spendgate: {one_line(error)}\n")
        return error.code if isinstance(error, Fatal) else WRONG_USAGE
    code = run(app)
    shut_down()
    return code


if __name__ == "__main__":
    leave(main(sys.argv[1:]))  # at once: the interpreter's own end can crash in a thread of a consumer that still runs
