"""The agent that proves stagings; it has no topic of its own to follow."""

import os
import secrets

from prometheus_client import start_http_server

from agents import logs
from agents.config import Config
from agents.health import HOST, PORT
from agents.reconciliation import Pace, Reconciler, serve
from policy_store.change import Changes
from policy_store.database import Database
from policy_store.signing import read_key_file
from spendgate.cli.ledger import topic_offsets_of
from spendgate.cli.reconcile_proofs import counters_of


def run(_: str, config: Config) -> int:
    """See ``agents.roles``."""
    logs.set_up(lambda: False)
    if (port := os.environ.get(PORT, "")).isdecimal():
        start_http_server(int(port), os.environ.get(HOST, "127.0.0.1"))
    return serve(Reconciler(
        Changes(Database(config.store)),
        read_key_file(config.store_key, config.store_keys),
        config.ledger or "",
        lambda tenant: counters_of(config.kafka, config.redis, config.ledger, tenant),
        lambda: topic_offsets_of(config.kafka),
        f"reconciler-{secrets.token_hex(4)}",
        config.bills,
        Pace(*config.rounds),
    ))  # fmt: skip
