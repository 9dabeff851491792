"""What the demo and the quickstart stand on: the development stack, with all topics."""

from collections.abc import Iterator
from contextlib import contextmanager

from dev import stack as local
from dev.errors import StackError
from dev.places import home
from dev.report import Report
from spendgate.cli.kafka_admin import admin_client, carry_out, read_topics, remaining
from spendgate.model.topics import Topics, load_topics
from spendgate.model.topics_plan import plan


@contextmanager
def running_stack(report: Report) -> Iterator[local.Stack]:
    """The development stack; ended again if it was not running before."""
    was_running = local.status(home()).ready
    try:
        yield local.up(home(), report)
    finally:
        if not was_running:
            local.down(home(), report)


def made_topics(bootstrap: str, prefix: str | None = None) -> Topics:
    """All topics of ``topics.yaml``, made where they are missing, under ``prefix`` (see ``load_topics``). Raises
    StackError."""
    topics = load_topics(prefix=prefix, replication=1)
    with admin_client(bootstrap) as client:
        carry_out(client, plan(topics.all, read_topics(client, [t.name for t in topics.all])), topics.all)
        if left := remaining(client, topics.all):
            raise StackError(f"topic {left[0].topic} is not as topics.yaml says; see: spendgate topics check")
    return topics
