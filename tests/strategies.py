"""What Hypothesis feeds every evaluator.

``logs()`` gives random logs with the policies that they stage; ``batches()`` cuts one as a consumer would.
"""

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from hypothesis import strategies as st

from spendgate.model.policy import Policy
from tests.oracle.documents import Record, to_ms
from tests.oracle.drawn_logs import Writer
from tests.oracle.drawn_policies import Draw, budgets, policies, rules, windows

__all__ = ["Log", "batches", "budgets", "logs", "policies", "policy_hash", "rules", "windows"]

BEGINNINGS = [
    "2026-03-28T21:00:00+00:00", "2026-10-24T20:00:00+00:00", "2018-11-03T23:00:00+00:00",
    "2018-02-17T22:00:00+00:00", "2011-12-29T08:00:00+00:00", "2028-02-28T12:00:00+00:00",
    "2026-12-31T20:00:00+00:00", "2026-04-04T12:00:00+00:00", "2026-10-03T12:00:00+00:00",
    "2006-10-29T01:00:00+00:00",
]  # fmt: skip


@dataclass(frozen=True)
class Log:
    """Records in log order, and the documents that their activations name, by hash."""

    documents: dict[str, Policy]
    records: list[Record]


def policy_hash(policy: Policy) -> str:
    """A hash that names the content of ``policy`` within a test."""
    return sha256(policy.model_dump_json().encode()).hexdigest()


@st.composite
def logs(draw: Draw, *, messages: int = 20, documents: int = 3, tenants: int = 2, activations: bool = True) -> Log:
    """A log of at most ``messages`` messages after the first stagings, in one partition.

    ``activations=False`` leaves each tenant with what is staged at the beginning and its default settings.
    """
    drawn = [draw(policies(f"policy-{n}")) for n in range(draw(st.integers(1, documents)))]
    by_hash = {policy_hash(policy): policy for policy in drawn}
    beginning = to_ms(datetime.fromisoformat(draw(st.sampled_from(BEGINNINGS))))
    writer = Writer(draw, by_hash, [f"tenant-{n}" for n in range(tenants)], beginning)
    for tenant in writer.tenants:
        for digest in by_hash:
            if draw(st.integers(0, 3)):
                writer.stage(tenant, digest)
    kinds = [writer.calls] * 8 + [writer.annotation] + ([writer.activation] * 2 if activations else [])
    for _ in range(draw(st.integers(1, messages))):
        draw(st.sampled_from(kinds))(draw(st.sampled_from(writer.tenants)))
    return Log(by_hash, writer.records)


@st.composite
def batches(draw: Draw, records: list[Record]) -> list[list[Record]]:
    """``records`` in order, cut into batches of whole messages."""
    cut: list[list[Record]] = [[]]
    for n, record in enumerate(records):
        begins = n > 0 and record.position.offset != records[n - 1].position.offset
        if begins and draw(st.booleans()):
            cut.append([])
        cut[-1].append(record)
    return cut
