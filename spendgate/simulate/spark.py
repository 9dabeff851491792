"""The same run on Spark: a group for each tenant, judged by the same kernel where its files can be read.

Executors read the ledger themselves, at the version that the driver has opened: a shuffle of rows would lose their
order in the log, and would move all of them. So the ledger must lie where every executor reaches it, and Spendgate must
be installed there.
"""

import os
import pickle
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from spendgate.ledger.delta_reader import Ledger
from spendgate.model.policy import Policy
from spendgate.simulate.history import LedgerHistory
from spendgate.simulate.merging import Part, merged, part_of
from spendgate.simulate.run import Options, Run, simulate
from spendgate.simulate.selection import Selection

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

FOUND = "tenant string, found binary"
_FOUND = pa.schema([("tenant", pa.string()), ("found", pa.binary())])
TENANTS_PER_TASK = 8
"""So many tenants share a task at most, unless there are thousands; a busy one then holds up few others."""
MAX_TASKS = 2_000


class SparkMissing(Exception):
    """There is no PySpark, or no Java for it. The message says what to install."""


def simulate_on_spark(
    policies: Sequence[Policy],
    history: LedgerHistory,
    options: Options,
    storage_options: Mapping[str, str],
    master: str,
) -> Run:
    """As ``simulate``, with the tenants spread over Spark's executors. Raises SparkMissing.

    What every tenant has found comes back to the driver: some 200 bytes for each window of each key.
    """
    if find_spec("pyspark") is None:
        raise SparkMissing(
            "engine spark: expected PySpark and Java 17; install them with: pip install 'spendgate[spark]'"
        )
    judge = _judge(policies, history, options, storage_options)
    with _Session(master) as spark:
        return merged(policies, options, list(_parts(spark, history.tenants(), judge)))


class _Session:
    """A Spark session; one that was there before stays."""

    def __init__(self, master: str) -> None:
        self._master = master
        self._was_there = False

    def __enter__(self) -> "SparkSession":
        from pyspark.errors import PySparkException
        from pyspark.sql import SparkSession

        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        self._was_there = SparkSession.getActiveSession() is not None
        builder = SparkSession.builder.appName("spendgate simulate").config("spark.ui.showConsoleProgress", "false")
        if "spark.master" not in os.environ.get("PYSPARK_SUBMIT_ARGS", ""):
            builder = builder.master(self._master)
        try:
            self._spark: SparkSession = builder.getOrCreate()
        except (PySparkException, OSError) as error:
            raise SparkMissing(
                f"engine spark: Spark did not start ({type(error).__name__}): is Java 17 there?"
            ) from None
        return self._spark

    def __exit__(self, *_: object) -> None:
        if not self._was_there:
            self._spark.stop()


def _parts(spark: "SparkSession", tenants: Sequence[str], judge: Any) -> Iterator[Part]:
    tasks = min(MAX_TASKS, max(1, -(-len(tenants) // TENANTS_PER_TASK)))
    frame = spark.createDataFrame([(tenant,) for tenant in tenants], "tenant string").repartition(tasks, "tenant")
    for row in frame.groupBy("tenant").applyInArrow(judge, FOUND).toLocalIterator():
        yield pickle.loads(row["found"])


def _judge(
    policies: Sequence[Policy], history: LedgerHistory, options: Options, storage_options: Mapping[str, str]
) -> Any:
    """What an executor does with a tenant; it takes along names and numbers alone."""
    root, versions, selection = history.ledger.store.root, dict(history.ledger.versions), history.selection
    documents = [policy.model_dump_json(exclude_unset=True) for policy in policies]
    stored = dict(storage_options)

    def judge(group: pa.Table) -> pa.Table:
        tenant = group.column("tenant")[0].as_py()
        part = judged(
            root, versions, stored, tenant, [Policy.model_validate_json(d) for d in documents], selection, options
        )
        return pa.table({"tenant": [tenant], "found": [pickle.dumps(part)]}, schema=_FOUND)

    return judge


def judged(
    root: str, versions: Mapping[Any, int], storage_options: Mapping[str, str], tenant: str,
    policies: Sequence[Policy], selection: Selection, options: Options,
) -> Part:  # fmt: skip
    """What a run over one tenant of a ledger finds."""
    ledger = Ledger.open(root, storage_options, dict(versions))
    return part_of(simulate(policies, _OfTenant(ledger, root, selection, tenant=tenant), options))


class _OfTenant(LedgerHistory):
    """One tenant of a ledger."""

    def __init__(self, ledger: Ledger, name: str, selection: Selection, *, tenant: str) -> None:
        super().__init__(ledger, name, selection)
        self._tenant = tenant

    def tenants(self) -> Sequence[str]:
        """See History."""
        return [self._tenant]
