"""What a busy company's dashboard stands on: a policy store with 200 staged policies and 50 waiting reviews, and a
ledger of thirty days up to now with a decision for each of its calls.

Events and decisions are made as Arrow columns, with the sums that the engine would have found, and committed as the
ledger agent leaves them: a file for each day, and many small ones for the last.
"""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa

from bench.pages_rows import DAYS, KINDS, PER_MESSAGE, TEAMS, Rows, rows_of
from policy_store import outbox, policies, reviews, stagings, tenants
from policy_store.asked_reviews import asked
from policy_store.change import Changes, now_ms
from policy_store.database import Database
from policy_store.migrate import migrate
from policy_store.signing import Signer, make_key_file
from spendgate.ledger.activation_rows import PlacedActivation, activation_batch_of
from spendgate.ledger.decision_rows import decisions_of
from spendgate.ledger.delta_compact import compact
from spendgate.ledger.delta_reader import Ledger
from spendgate.ledger.delta_selection import Selection, rows
from spendgate.ledger.delta_tables import TableName
from spendgate.ledger.delta_writer import LedgerTable
from spendgate.ledger.event_rows import Place
from spendgate.ledger.row_filter import Wanted
from spendgate.model.activation import Activation
from spendgate.model.policy import Policy

TENANT, POLICIES, REVIEWS, MATCHING = "acme", 200, 50, 20
LOG, SAID = ("bench-events", 0), ("bench-decisions", 0)
COMMITS_OF_LAST_DAY = 60
_HEAD = {"apiVersion": "spendgate/v1", "kind": "Policy"}


class House(NamedTuple):
    """Where it all lies: the store's file and key, and the ledger."""

    store: Path
    key: Path
    ledger: Path


def make_house(root: Path, events: int) -> House:
    """Made once a day for a number of events: it ends now, and a dashboard looks at today."""
    place = root / f"pages-{events}-{datetime.now(UTC):%Y%m%d}"
    if not place.exists():
        unfinished = place.with_name(f"{place.name}-unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        _make(_in(unfinished), events)
        unfinished.rename(place)
    return _in(place)


def _in(folder: Path) -> House:
    return House(folder / "store.db", folder / "store.pem", folder / "ledger")


def _make(house: House, events: int) -> None:
    end = datetime.now(UTC).replace(microsecond=0)
    begin = end - timedelta(days=DAYS)
    database = Database(f"sqlite:///{house.store}")
    try:
        migrate(database)
        _stage(database, make_key_file(house.key), begin, events)
        caps = np.array([_cap_usd(team, events) for team in range(TEAMS)]) * 10**9
        _record(house.ledger, rows_of(events, begin, end, _activations(database), caps))
        _ask(database, house.ledger, end)
    finally:
        database.close()


def _stage(database: Database, signer: Signer, begin: datetime, events: int) -> None:
    """All policies, staged when the history begins; the outbox keeps what a door will publish at its start."""
    changes = Changes(database, lambda: int(begin.timestamp() * 1000))
    with changes.of(TENANT, "eda") as change:
        tenants.create(change)
        asked_for = []
        for policy in (_policy(number, events) for number in range(POLICIES)):
            made = policies.create(change, policy, msgspec.yaml.encode(_plain(policy)).decode())
            asked_for.append(stagings.submit(change, made.name, made.latest.hash, "for the bench"))
    with changes.of(TENANT, "amy") as change:
        for each in asked_for:
            stagings.approve(change, each.id, each.revision, signer)


def _plain(policy: Policy) -> Any:
    return policy.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True) | _HEAD


def _policy(number: int, events: int) -> Policy:
    """Four for each team of the history, and MATCHING that look at the load of the bench."""
    if number >= TEAMS * 4:
        budget = _budget("1000000", {"calendar": "month", "timezone": "UTC"}, ["employee"], "deny")
        return _named(f"load-{number:03}", ["team-*"], [budget])
    kind, team = divmod(number, TEAMS)
    scope = [f"t{team:02}"]
    match kind:
        case 0:
            rules = [_budget(str(_cap_usd(team, events)), {"calendar": "month", "timezone": "UTC"}, [], "deny")]
        case 1:
            rules = [_budget("20", {"calendar": "day", "timezone": "UTC"}, ["employee"], "warn")]
        case 2:
            rules = [{"boundary": {"max_cost_usd": "1", "on_breach": "warn"}}]
        case _:
            rules = [{"review": {"when": {"cost_usd_over": "0.25"}, "reviewers": "leads", "expires": "72h"}}]
    return _named(f"t{team:02}-{KINDS[kind]}", scope, rules)


def _cap_usd(team: int, events: int) -> int:
    """From half of what a team spends in a month up to twice as much; a call costs about a cent."""
    return max(1, int(events / TEAMS / 100 * (0.5 + 1.5 * team / TEAMS)))


def _budget(cap: str, window: dict[str, str], per: list[str], on_breach: str) -> dict[str, Any]:
    return {
        "budget": {"cap_usd": cap, "window": window, "per": per, "warn_at_percent": [80], "on_breach": on_breach}
    }  # fmt: skip


def _named(name: str, team: list[str], rules: list[dict[str, Any]]) -> Policy:
    head = {"name": name, "owner": "finance-ai"}
    return Policy.model_validate({**_HEAD, "metadata": head, "spec": {"scope": {"team": team}, "rules": rules}})


def _activations(database: Database) -> list[tuple[Activation, bytes]]:
    """What the outbox holds for the log, in order."""
    decode = msgspec.json.Decoder(Activation).decode
    with database.read() as connection:
        waiting = outbox.waiting(connection, 10 * POLICIES)
    return [(decode(each.value), each.value) for each in waiting if each.topic == "events"]


def _record(ledger: Path, made: Rows) -> None:
    table = LedgerTable(ledger)
    placed = [
        PlacedActivation(Place(*LOG, offset, 0, made.begin), activation, encoded)
        for offset, (activation, encoded) in enumerate(made.begun)
    ]
    table.append("activations", [activation_batch_of(placed)], LOG, len(placed) - 1, first_offset=0)
    a_day = len(made.times_us) // DAYS
    is_joined = False
    for first, last in _commits(made):
        if not is_joined and last - first < a_day // 2:  # the last day is as the agents wrote it
            is_joined = True
            compact(ledger, "events")
            compact(ledger, "decisions")
        events, decisions = made.events(LOG, first, last), made.decisions(SAID, LOG, first, last)
        _append(table, "events", events, LOG)
        _append(table, "decisions", decisions, SAID)


def _append(table: LedgerTable, name: TableName, batch: pa.RecordBatch, source: tuple[str, int]) -> None:
    offsets = batch["offset"]
    table.append(name, [batch], source, offsets[-1].as_py(), first_offset=offsets[0].as_py())


def _commits(made: Rows) -> Iterator[tuple[int, int]]:
    """Rows that were committed together: a day's, but for those of the last; whole messages always."""
    a_day = max(PER_MESSAGE, len(made.times_us) // DAYS // PER_MESSAGE * PER_MESSAGE)
    a_piece = max(PER_MESSAGE, a_day // COMMITS_OF_LAST_DAY // PER_MESSAGE * PER_MESSAGE)
    first, count = 0, len(made.times_us)
    while first < count:
        last = min(count, first + (a_day if count - first > 2 * a_day else a_piece))
        yield first, last
        first = last


def _ask(database: Database, place: Path, end: datetime) -> None:
    """The latest calls that a person would have to look at wait in the queue."""
    ledger, found = Ledger.open(place), []
    wanted = Wanted({"verdict": "review"}, from_=end - timedelta(days=2))
    for batch in rows(ledger, Selection("decisions", TENANT, wanted)):
        found += decisions_of(batch)
    with database.begin() as connection:
        known = {each.id: each.policy for each in stagings.of_policy(connection, TENANT)}
        latest = {each.name: each.latest.document for each in policies.listed(connection, TENANT)}

        def policy_of(_: str, staging: str) -> Policy:
            return Policy.model_validate_json(latest[known[staging]])

        waiting = [row for each in found[-REVIEWS:] for row in asked(each, policy_of)]
        reviews.add_new(connection, waiting[:REVIEWS], now_ms())
