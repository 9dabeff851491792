"""Faust made safe: delivery of a topic to a handler, at least once and in order, and its acknowledgement.

``make_app`` builds the app, ``run`` lets it live. The loop is in ``lanes.py``, what is private to Faust in
``faust_private.py``, the end of the process in ``exits.py``, what operators see in ``health.py``.
"""

import logging
import ssl
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import mode.loop
from faust.types.auth import CredentialsT

from agents import health_metrics, logs
from agents.aiokafka_private import compression
from agents.exits import Exit, Fatal
from agents.faust_private import App, Worker
from agents.health import Health, server_from_env
from agents.lanes import Handler, Lanes, Message, Transient
from agents.overseer import Overseer
from agents.publishing import Publisher
from agents.traced import traced_handler

__all__ = ["Fatal", "Handler", "Message", "Settings", "Transient", "make_app", "run"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Settings:
    """How a worker talks to Kafka; the defaults came through the fault runs.

    ``instance_id`` names a worker slot: a restart under the same one cuts recovery after a kill from 10 s to 5, and two
    live workers must not share it. A batch has at most ``max_messages`` messages and, unless it is a single message,
    ``max_bytes`` bytes. ``options`` are further Faust settings and win over ours.
    """

    group: str | None = None
    instance_id: str | None = None
    max_messages: int = 2000
    max_bytes: int = 4 * 1024 * 1024
    queued_batches: int = 8
    session_timeout_s: float = 10
    datadir: Path | None = None
    credentials: CredentialsT | None = None
    ssl_context: ssl.SSLContext | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


def make_app(
    name: str,
    *,
    bootstrap: str,
    topic: str,
    handler: Handler,
    settings: Settings | None = None,
    publisher: Publisher | None = None,
    health: Health | None = None,
) -> App:
    """An app that delivers ``topic`` from ``bootstrap`` (host:port, comma separated) to ``handler``.

    ``name`` is the consumer group unless the settings name another. ``publisher`` is bound to the app.
    """
    chosen = settings or Settings()
    facts, ending = health or Health(), Exit()
    lanes = Lanes(name, traced_handler(handler, name), facts, ending)
    overseer = Overseer(
        lanes,
        topic,
        server_from_env(facts, health_metrics.tell),
        max_messages=chosen.max_messages,
        max_bytes=chosen.max_bytes,
    )
    app = App(chosen.group or name, overseer=overseer, **_options(bootstrap, chosen))
    lanes.app = app
    raw = app.topic(topic, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")
    app.agent(raw, name=name, isolated_partitions=True)(lanes.actor)
    if publisher is not None:
        publisher.bind(app)
    return app


def _options(bootstrap: str, settings: Settings) -> dict[str, Any]:
    datadir = settings.datadir or Path(tempfile.gettempdir()) / "spendgate-faust"
    datadir.parent.mkdir(parents=True, exist_ok=True)
    return {
        "broker": [f"kafka://{server.strip()}" for server in bootstrap.split(",")],
        "broker_credentials": settings.credentials,
        "ssl_context": settings.ssl_context,
        "store": "memory://",
        "datadir": str(datadir),
        "topic_allow_declare": False,
        "topic_disable_leader": True,
        "agent_supervisor": "mode.supervisors.CrashingSupervisor",
        "broker_commit_interval": 0.5,
        "broker_max_poll_records": settings.max_messages,
        "broker_max_poll_interval": 1e6,
        "broker_session_timeout": settings.session_timeout_s,
        "broker_heartbeat_interval": 1,
        "broker_request_timeout": 20,
        "broker_rebalance_timeout": 60,
        "consumer_auto_offset_reset": "earliest",
        "consumer_group_instance_id": settings.instance_id,
        "stream_buffer_maxsize": settings.queued_batches,
        "stream_recovery_delay": 0.0,
        "stream_wait_empty": False,
        "producer_linger": 0,  # what is sent is packed already, so waiting for more only delays it
        "consumer_max_fetch_size": settings.max_bytes,
        "producer_max_batch_size": 262144,
        "producer_compression_type": compression(),
        "producer_request_timeout": 15,
        "web_enabled": False,
        "worker_redirect_stdouts": False,
        "debug": False,
        **settings.options,
    }


def run(app: App) -> int:
    """Run the worker until it is told to stop or cannot go on; returns its exit code.

    0 after SIGTERM or SIGINT (the batch in hand finished, committed, the group left), 70 after a crash, or the code of
    the Fatal that ended it. At most one line says why; a stack trace is logged at level debug only.
    """
    mode.loop.use("uvloop")
    ending = cast("Overseer", app.overseer).lanes.exit
    worker = Worker(app, loglevel=logs.set_up(lambda: ending.reason is not None))
    try:
        worker.execute_from_commandline()
    except SystemExit as end:
        if end.code and ending.reason is None:
            ending.crash(RuntimeError(f"the worker stopped with {end.code}"))
    except BaseException as error:  # noqa: BLE001 - whatever it was, the process ends with one line and a code
        ending.crash(error)
    if ending.reason is None:
        log.info("stopped")
    return ending.code
