"""What a process knows about itself, as metrics; set when it is scraped."""

from prometheus_client import Gauge

from agents.health import DEPENDENCIES, Health

READY = Gauge("spendgate_ready", "1 where nothing hinders this process, as /health/ready says")
PARTITIONS = Gauge("spendgate_partitions", "Partitions that the group has given this process")
LAG = Gauge("spendgate_lag_messages", "Messages of its partitions that are not done; no number while no broker answers")
WAITING = Gauge("spendgate_waiting_partitions", "Partitions that wait for what is away", ["dependency"])
AWAY = Gauge("spendgate_away", "1 for what does not answer, also where no partition waits for it", ["dependency"])
LONGEST_WAIT = Gauge("spendgate_longest_wait_seconds", "For how long the first of them has waited")


def tell(health: Health) -> None:
    """Set all of them."""
    READY.set(not health.obstacles())
    PARTITIONS.set(len(health.partitions))
    LAG.set(float("nan") if health.lag is None else health.lag)
    waits = health.waits()
    for dependency in DEPENDENCIES:
        AWAY.labels(dependency).set(dependency in health.away())
        WAITING.labels(dependency).set(sum(each == dependency for each, _ in waits))
    LONGEST_WAIT.set(max((seconds for _, seconds in waits), default=0.0))
