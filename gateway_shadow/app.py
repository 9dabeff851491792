"""The HTTP door's composition root: ``python -m gateway_shadow.app``."""

import gc

if __name__ == "__main__":
    gc.disable()  # until all is loaded, which stays: looks at it took a fifth of the time

import asyncio
import logging
import secrets
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import get_args

import uvicorn
from fastapi import FastAPI

from gateway_shadow import health, ingest, manage_people, manage_policies, manage_stagings, problems
from gateway_shadow.alerting import manage_alerts
from gateway_shadow.alerting.lanes import Lanes
from gateway_shadow.alerting.sending import Sender
from gateway_shadow.auth import Doorkeeper
from gateway_shadow.budgets import read_budgets
from gateway_shadow.checks import check
from gateway_shadow.checks.breaker import Breaker
from gateway_shadow.checks.checking import Checker, warm
from gateway_shadow.checks.held_calls import HeldCalls
from gateway_shadow.checks.recording import Recorder
from gateway_shadow.checks.ruling import Rules
from gateway_shadow.config import Config, Misconfigured
from gateway_shadow.exports import export_ledger
from gateway_shadow.flags import manage_flags
from gateway_shadow.following import keep_following
from gateway_shadow.gates import manage_gates
from gateway_shadow.guard import Guard
from gateway_shadow.ledger import read_ledger
from gateway_shadow.live import watch_decisions
from gateway_shadow.live.back import Past
from gateway_shadow.live.consumer import Live
from gateway_shadow.live.looks import Looks
from gateway_shadow.log_writer import LogWriter
from gateway_shadow.login import manage_sessions, sign_in, sign_in_cli, sign_in_oidc
from gateway_shadow.login.parts import login_of
from gateway_shadow.looking import keep_looking
from gateway_shadow.openapi import COMMON, document
from gateway_shadow.pages.routes import PAGES
from gateway_shadow.pages.warming import warm_pages
from gateway_shadow.parts import Parts
from gateway_shadow.privacy import manage_privacy, read_contents
from gateway_shadow.privacy import sweeping as sweeping_contents
from gateway_shadow.privacy.office import privacy_of
from gateway_shadow.relaying import LoopWire, keep_relaying
from gateway_shadow.reviews import manage_reviews
from gateway_shadow.serving import Server
from gateway_shadow.simulations import manage_simulations
from gateway_shadow.simulations.runner import Runner
from gateway_shadow.staged_policies import StagedPolicies
from gateway_shadow.store_metrics import StoreMetrics, every_s_from_environment
from gateway_shadow.stories import tell_story
from gateway_shadow.sweeping import keep_sweeping
from gateway_shadow.traced import Traced
from policy_store.alert_deliveries import Deliveries
from policy_store.alert_targets import sealer_of
from policy_store.change import Changes
from policy_store.database import Database
from policy_store.decisions import Decisions
from policy_store.errors import StoreAway, StoreError
from policy_store.job_queue import Queue
from policy_store.migrate import require_current
from policy_store.outbox import TopicName
from policy_store.relay import Relay
from policy_store.signing import read_key_file
from spendgate import __version__
from spendgate.failure import Failure
from spendgate.model.topics import Topics, TopicsError, load_topics
from spendgate.prices.loading import load_book
from telemetry import tracing
from telemetry.labels import LABELS, most_from_environment
from telemetry.lasting import lasting
from window_counters.levels import Levels
from window_counters.redis_store import RedisStore

ROUTES = (
    check, ingest, manage_policies, manage_simulations, manage_stagings, manage_gates, manage_flags, manage_people,
    manage_reviews, manage_alerts, manage_privacy, manage_sessions, read_budgets, read_contents, read_ledger,
    export_ledger, tell_story, watch_decisions, health, sign_in,
)  # fmt: skip
BY_PROVIDER = (sign_in_oidc, sign_in_cli)
"""Not there unless a provider is configured."""
WRONG_USAGE, MISSING = 2, 3
STOP_WITHIN_S = 30
GARBAGE = 50_000
"""How many containers may be made, beyond those let go, before the collector looks; a look delays a check."""
THREAD_S = 0.0005
"""For so long a thread may keep the loop from going on; Python's own 5 ms are more than a check takes."""


def parts_of(config: Config, topics: Topics) -> Parts:
    """What the routes share; nothing is connected yet. Raises StoreError, and InputError for a bad price table."""
    database, writer = Database(config.store), LogWriter(config.kafka, topics.events, config.limits, config.security)
    checker, enforcer = _judges(config, topics, database)
    changes, signer, keeper = Changes(database), read_key_file(config.key_file, config.store_keys), Doorkeeper(database)
    return Parts(
        config=config,
        database=database,
        changes=changes,
        signer=signer,
        keeper=keeper,
        writer=writer,
        book=load_book(config.price_book),
        recorder=Recorder(writer, topics),
        checker=checker,
        levels=None if config.redis is None else Levels(config.redis),
        enforcer=enforcer,
        held=HeldCalls(database),
        breaker=Breaker(),
        live=Live(config.kafka, topics.decisions.name, config.security),
        past=Past(config.kafka, topics.decisions.name, config.security),
        runner=Runner(Queue(changes, f"door-{secrets.token_hex(4)}"), config.ledger, config.price_book, config.jobs),
        login=login_of(config.login, changes, signer, keeper.patience),
        looks=Looks(changes),
        alert_sender=Sender(sealer_of(signer), config.alerts_allow),
        privacy=privacy_of(config, changes),
    )


def _judges(config: Config, topics: Topics, database: Database) -> tuple[Checker | None, Rules | None]:
    """What judges checks, and what rules on them; neither without Redis."""
    if config.redis is None:
        return None, None
    store, policies = RedisStore(config.redis, socket_timeout_s=None), StagedPolicies(database)
    checker = Checker(tracing.traced(store, "redis", "client"), topics.events, policies)
    reservations = tracing.traced(store.reservations, "redis", "client")
    return checker, check.rules_of(config, checker, database, reservations, policies.now)


def build(parts: Parts, topics: Topics) -> FastAPI:
    """The app, wired."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        stopping = asyncio.Event()
        wire = LoopWire(parts.writer, topics, asyncio.get_running_loop())
        names = {each: getattr(topics, each).name for each in get_args(TopicName)}
        relay = Relay(parts.database, wire, names, f"door-{secrets.token_hex(4)}")
        if parts.checker is not None:
            await asyncio.to_thread(warm)
        await parts.privacy.prepare()
        relaying = lasting("the outbox", lambda: keep_relaying(relay, stopping))
        simulating = lasting("simulations", lambda: parts.runner.run(stopping))
        lanes = Lanes(Deliveries(parts.changes, f"door-{secrets.token_hex(4)}"), parts.alert_sender)
        alerting = lasting("alerts", lambda: lanes.run(stopping))
        decisions, metrics = Decisions(parts.database), StoreMetrics(parts.database, every_s_from_environment())
        others = [
            lasting("decisions", lambda: keep_following(parts.config, topics.decisions, decisions)),
            lasting("expiry", lambda: keep_sweeping(parts.changes, parts.signer)),
            lasting("the store's metrics", metrics.keep_looking),
            lasting("outages", lambda: keep_looking(parts.outages, parts.database, parts.writer, parts.checker)),
            lasting("pages", lambda: asyncio.to_thread(warm_pages, parts, app.openapi)),
            lasting("content", lambda: sweeping_contents.keep_sweeping(parts.changes, parts.privacy.contents)),
        ]
        if parts.enforcer is not None:
            others.append(lasting("the flag", parts.enforcer.keep_watching))
        yield
        for each in others:
            each.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        stopping.set()
        await simulating
        await relaying
        await alerting
        await parts.live.close()
        await parts.recorder.close()
        await parts.privacy.close()
        await parts.writer.close()
        if parts.checker is not None:
            await parts.checker.store.close()
        if parts.levels is not None:
            await parts.levels.close()
        parts.database.close()

    app = FastAPI(
        title="Spendgate", version=__version__, lifespan=lifespan, responses=COMMON, redirect_slashes=False,
        openapi_url=None, docs_url=None, redoc_url=None,  # ours: openapi.document, pages/api.py
        description="Prove an AI spend control in shadow before you enforce it. Nothing is blocked here.",
        telemetry={"tracing": False, "metrics": False, "logs": False},  # what is told of requests stands in metrics.py
    )  # fmt: skip
    app.state.parts = parts
    problems.install(app)
    app.add_api_route("/openapi.json", document, include_in_schema=False)
    for each in (*ROUTES, *(BY_PROVIDER if parts.login.provider else ())):
        app.include_router(each.router)
    for router in PAGES:
        app.include_router(router)
    if tracing.is_on():
        app.add_middleware(Traced)
    app.add_middleware(Guard, limits=parts.config.limits, fresh=lambda: secrets.token_hex(8))
    return app


def main() -> int:
    """Serve until told to stop; returns the process's exit code."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for name in ("alembic", "httpx2", "authlib"):
        logging.getLogger(name).setLevel(logging.WARNING)
    try:
        config, topics = Config.from_environment(), load_topics()
        LABELS.most = most_from_environment()
        every_s_from_environment()
        tracing.set_up("spendgate-door")
        parts = parts_of(config, topics)
        require_current(parts.database)
        if parts.privacy.contents is not None:
            parts.privacy.contents.require_current()
    except StoreAway as error:
        return _ended(error, MISSING)
    except (Misconfigured, Failure, TopicsError, StoreError, ValueError, OSError) as error:
        return _ended(error, WRONG_USAGE)
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE)
    gc.enable()
    sys.setswitchinterval(THREAD_S)
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: None)  # uvicorn stops gracefully, and then sends itself the signal again
    # asyncio's own loop: uvloop raises RuntimeError on a write to a closed transport, of which aiokafka's task for
    # metadata dies unseen.
    serving = uvicorn.Config(
        build(parts, topics), host=config.host, port=config.port, loop="asyncio", http="httptools", access_log=False,
        server_header=False, timeout_graceful_shutdown=STOP_WITHIN_S, log_config=None,
    )  # fmt: skip
    try:
        return Server(serving, parts.stopping).serve_until_told()
    finally:
        tracing.shut_down()


def _ended(error: Exception, code: int) -> int:
    sys.stderr.write(f"spendgate: {str(error) or type(error).__name__}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
