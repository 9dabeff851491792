"""The agent that proves stagings; it has no topic of its own to follow."""

import secrets

from prometheus_client import start_http_server

from agents import logs
from agents.config import Config
from agents.exits import Fatal
from agents.health import host_from_env, port_from_env
from agents.reconciliation import Pace, Reconciler, serve
from policy_store.change import Changes
from policy_store.database import Database
from policy_store.signing import read_key_file
from spendgate.cli.ledger import topic_offsets_of
from spendgate.cli.reconcile_proofs import counters_of
from spendgate.failure import NEEDED


def run(_: str, config: Config) -> int:
    """See ``agents.roles``."""
    logs.set_up(lambda: False)
    _tell_metrics()
    return serve(Reconciler(
        Changes(Database(config.store)),
        read_key_file(config.store_key, config.store_keys),
        config.ledger or "",
        lambda tenant: counters_of(config.kafka, config.redis, config.ledger, tenant),
        lambda: topic_offsets_of(config.kafka),
        config.instance or f"reconciler-{secrets.token_hex(4)}",
        config.bills,
        Pace(*config.rounds),
    ))  # fmt: skip


def _tell_metrics() -> None:
    """Serve ``/metrics`` where the environment asks for it. Raises Fatal."""
    port = port_from_env()
    if port is not None:
        try:
            start_http_server(port, host_from_env())
        except OSError as error:
            words = "SPENDGATE_HTTP_HOST, SPENDGATE_HTTP_PORT: expected an address that can be listened on"
            raise Fatal(f"{words} ({error.strerror})", NEEDED) from None
