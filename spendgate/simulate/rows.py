"""Decisions as rows, one a call and policy, in a Parquet file that is whole or not there."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from spendgate.model.canonical import policy_hash
from spendgate.model.decision import VERDICTS, Decision, Reason
from spendgate.model.policy import Policy

SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("tenant", "source", "event_id", "policy", "version", "verdict", "code")),
        *((f"{name}_nano_usd", pa.int64()) for name in ("used_before", "recorded_before", "limit")),
        *((name, pa.timestamp("ms", "UTC")) for name in ("window_start", "window_end")),
    ]
)

_OF_REASON = [name for name in SCHEMA.names if name in Reason.__struct_fields__]


class DecisionRows:
    """Writes rows to a file beside ``path``, which takes its name at the end; after an error nothing is left."""

    def __init__(self, path: Path, policies: Sequence[Policy]) -> None:
        self._path = path
        self._part = path.with_name(f".{path.name}.part")
        self._versions = {policy.metadata.name: policy_hash(policy) for policy in policies}
        self._writer = pq.ParquetWriter(self._part, SCHEMA, compression="zstd")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._writer.close()
            if kind is None:
                self._part.replace(self._path)
        finally:
            self._part.unlink(missing_ok=True)  # also where a full disk let close fail

    def add(self, decisions: Sequence[Decision]) -> None:
        """Write the rows of these decisions."""
        rows = [row for decision in decisions for row in self._rows(decision)]
        self._writer.write_table(pa.Table.from_pylist(rows, SCHEMA))

    def _rows(self, decision: Decision) -> Iterator[dict[str, Any]]:
        worst: dict[str, Reason] = {}
        for reason in decision.reasons:
            known = worst.get(reason.policy)
            if known is None or VERDICTS.index(reason.verdict) > VERDICTS.index(known.verdict):
                worst[reason.policy] = reason
        for name, reason in worst.items():
            yield {
                "tenant": decision.tenant, "source": decision.source, "event_id": decision.event_id,
                "version": self._versions[name], **{field: getattr(reason, field) for field in _OF_REASON},
            }  # fmt: skip
