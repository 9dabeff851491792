"""What ``spendgate reconcile`` gathers beside the ledger's own rows: policies, offsets, counters, waivers."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple, cast, get_args

from msgspec import DecodeError

from spendgate.cli.reconcile_bill import BillOptions, compared_bill
from spendgate.cli.say import FOUND, USAGE, kafka_failures, notice
from spendgate.failure import Failure
from spendgate.ledger.check_rows import read_check
from spendgate.ledger.delta_reader import Ledger
from spendgate.ledger.delta_tables import TableName
from spendgate.ledger.delta_verify import Offsets, Source, verify
from spendgate.ledger.reader_problem import InputError
from spendgate.model.canonical import from_canonical, policy_hash
from spendgate.model.check import Check
from spendgate.model.policy import Policy
from spendgate.model.policy_problems import PolicyErrors
from spendgate.model.policy_source import check_bytes
from spendgate.model.reconciliation import CriterionName, Thresholds
from spendgate.model.reconciliation_parts import EstimateResult
from spendgate.reconcile.asked import Proofs, Wanted
from spendgate.reconcile.estimates import estimates, recorded_checks
from spendgate.reconcile.two_files import TwoFiles, ledger_of

if TYPE_CHECKING:
    from spendgate.model.reconciliation_parts import CountersResult


class Given(NamedTuple):
    """The options."""

    ledger: str
    files: TwoFiles | None
    policies: Sequence[Path]
    asks_kafka: bool
    bootstrap: str | None
    asks_redis: bool
    redis: str | None
    prices: Path | None
    checks: Path | None
    waivers: Sequence[str]


@contextmanager
def opened(given: Given, tenant: str | None, policies: Mapping[str, Policy]) -> Iterator[tuple[Ledger, str | None]]:
    """The ledger, before anything else is asked: what the topics have then is never less; and whose it is, if that is
    known. Two files are made one that is gone afterwards."""
    if not (given.policies or given.asks_kafka) or (not given.ledger) == (given.files is None):
        raise Failure(
            "ledger, policy: expected --ledger PATH, or --events FILE and --decisions FILE; and at least one "
            "--policy FILE or --kafka", USAGE,
        )  # fmt: skip
    if given.files is None:
        yield Ledger.open(given.ledger), tenant
        return
    if given.asks_kafka or given.asks_redis:
        raise Failure("events, decisions: expected no server to be asked: that needs the ledger itself", USAGE)
    with TemporaryDirectory(prefix="spendgate-") as folder:
        yield ledger_of(given.files, tenant, policies, Path(folder))


def policies_by_hash(given: Given) -> dict[str, Policy]:
    """All that were given or published, by hash."""
    found = {policy_hash(each): each for path in given.policies for each in _read(path)}
    return found | (_published(given.bootstrap) if given.asks_kafka else {})


def _read(path: Path) -> list[Policy]:
    """The policies of a file; several versions of one are as they should be."""
    sourced, problems = check_bytes(path.read_bytes(), str(path))
    if problems:
        raise Failure(str(PolicyErrors(str(path), problems)), FOUND)
    return [each.policy for each in sourced]


def gathered(given: Given, billed: BillOptions, ledger: Ledger, wanted: Wanted) -> Proofs:
    """All that was asked for."""
    thresholds = Thresholds()
    offsets = _offsets(given.bootstrap) if given.asks_kafka else None
    asked_ms = int(datetime.now(UTC).timestamp() * 1000) if offsets is not None else None
    return Proofs(
        thresholds=thresholds,
        waived=waivers(given.waivers),
        verified=verify(ledger, offsets),
        offsets_at_ms=asked_ms,
        counters=counters_of(given.bootstrap, given.redis, given.ledger, wanted.tenant) if given.asks_redis else None,
        bill=compared_bill(billed, ledger, wanted, thresholds),
        estimates=_estimates(given, ledger, wanted),
        price_book_hash=_price_book_hash(given.prices),
    )


def waivers(given: Sequence[str]) -> Mapping[CriterionName, str]:
    """``CRITERION=REASON``, taken apart. Raises Failure."""
    found: dict[CriterionName, str] = {}
    for each in given:
        name, _, reason = each.partition("=")
        if name not in get_args(CriterionName) or not reason.strip():
            raise Failure("waive: expected CRITERION=REASON, such as bill='comes next month'", USAGE)
        found[cast("CriterionName", name)] = reason.strip()
    return found


def _published(bootstrap: str | None) -> dict[str, Policy]:
    from spendgate.cli.endpoints import kafka_bootstrap

    with kafka_failures():
        from spendgate.cli.kafka_client import TopicReader
        from spendgate.model.announcement import Board
        from spendgate.model.topics import load_topics

        board = Board()
        with TopicReader(kafka_bootstrap(bootstrap), load_topics().policies.name, 30, notice) as reader:
            for row in reader.rows():
                board.take(row.key or b"", row.value)
    return {name: from_canonical(document.content) for name, document in board.documents.items()}


def _offsets(bootstrap: str | None) -> dict[TableName, dict[Source, Offsets]]:
    from spendgate.cli.ledger import topic_offsets_of

    return topic_offsets_of(bootstrap)


def counters_of(bootstrap: str | None, redis: str | None, ledger: str | None, tenant: str) -> "CountersResult":
    """A tenant's counters in Redis against the replayed sums. Raises Failure."""
    from spendgate.cli.counters import asked, counter_failures

    with counter_failures():
        from spendgate.cli.counters_run import verified

        return verified(asked(bootstrap, redis, ledger), tenant, ())


def _estimates(given: Given, ledger: Ledger, wanted: Wanted) -> list[EstimateResult] | None:
    """By the checks of a file, else of the ledger, else of the topic; None where nobody has any."""
    if given.checks is not None:
        with given.checks.open("rb") as lines:
            return estimates(_of_lines(lines), ledger, wanted)
    if ledger.table("checks") is not None:
        return estimates(recorded_checks(ledger, wanted.tenant), ledger, wanted)
    return estimates(_published_checks(given.bootstrap), ledger, wanted) if given.asks_kafka else None


def _of_lines(lines: Iterable[bytes]) -> Iterator[Check]:
    for number, line in enumerate(lines, 1):
        try:
            if line.strip():
                yield read_check(line).check
        except DecodeError:
            raise InputError(f"checks: line {number}: expected a check, as it stands on its topic") from None


def _published_checks(bootstrap: str | None) -> Iterator[Check]:
    from spendgate.cli.endpoints import kafka_bootstrap

    with kafka_failures():
        from spendgate.cli.kafka_client import TopicReader
        from spendgate.model.topics import load_topics

        with TopicReader(kafka_bootstrap(bootstrap), load_topics().checks.name, 30, notice) as reader:
            yield from _of_lines(row.value or b"" for row in reader.rows())


def _price_book_hash(prices: Path | None) -> str | None:
    if prices is None:
        return None
    from spendgate.prices.book import PriceBook

    try:
        return PriceBook.load(prices).hash
    except PolicyErrors as error:
        raise Failure(str(error), USAGE) from None
