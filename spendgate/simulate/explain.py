"""Why one call got its verdict: every rule of every policy, with the state of its window just before the call."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import numpy as np
import pyarrow.compute as pc

from spendgate.engine.batch import UNKNOWN, Batch
from spendgate.engine.columns import CallColumns
from spendgate.engine.counter_keys import key_text
from spendgate.engine.decisions import Heads, reasons_of
from spendgate.engine.stream import Judged, StreamJudge
from spendgate.engine.stream_exact import ExactJudge
from spendgate.engine.version import ENGINE_VERSION
from spendgate.ledger.reader_problem import InputError
from spendgate.model.canonical import policy_hash
from spendgate.model.decision import VERDICTS, Reason
from spendgate.model.event import SCOPE_FIELDS
from spendgate.model.policy import Policy, Rule
from spendgate.model.words import explain as words_of
from spendgate.simulate.history import History, by_tenant
from spendgate.simulate.rows import deciding
from spendgate.simulate.rule_words import LATE_WORDS, kind_of, rule_words
from spendgate.simulate.run import Options, simulate
from spendgate.simulate.scope_words import mismatch_words

KIND = "spendgate.explanation/v1"

_PLACE = ("topic_id", "partition", "offset", "index")
_SHOWN = (
    "source", "id", *_PLACE, "time", "received_at", *SCOPE_FIELDS, "feature", "api_key_id", "cost_nano_usd",
    "input_tokens", "output_tokens", "outcome", "evidence_status", "status",
)  # fmt: skip
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Wanted:
    """The call that is asked about, by its identity."""

    tenant: str
    source: str
    id: str


def find(history: History, id_: str, source: str | None = None, tenant: str | None = None) -> Wanted:
    """The one call of this id. Raises InputError if there is none, if it is an annotation, or if there are several."""
    calls: dict[tuple[str, str], None] = {}
    annotations: dict[str, None] = {}
    for name, row in _rows_of(history, id_):
        if source not in (None, row["source"]) or tenant not in (None, name):
            continue
        if row["kind"] == "call":
            calls[name, row["source"]] = None
        else:
            annotations[f"it is an annotation ({row['kind']}) to a call: explain {row['refers_to']}"] = None
    if len(calls) == 1:
        return Wanted(*next(iter(calls)), id_)
    if calls:
        found = ", ".join(f"--tenant {name} --source {each}" for name, each in sorted(calls))
        raise InputError(f"event id: expected one call, there are several; say which: {found}")
    raise InputError(f"event id: {next(iter(annotations), 'no call of this id is in the history')}")


def _rows_of(history: History, id_: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    columns = ("tenant", "kind", "source", "id", "refers_to")
    for name in history.tenants() or (None,):
        for batch in history.batches(columns, name):
            for tenant, part in by_tenant(batch):
                for at in _places(part, id_):
                    yield tenant, {each: _value(part[each], at) for each in columns[1:]}


def _places(batch: Any, id_: str) -> list[int]:
    found: list[int] = pc.indices_nonzero(pc.equal(batch["id"], id_)).to_pylist()
    return found


def _value(column: Any, at: int) -> Any:
    return column[at].as_py()


class _Seen(Exception):
    """No error: the call has been found, and what comes after it need not be judged."""


@dataclass
class _Listener:
    """Takes down the wanted call at the moment when it has been judged."""

    wanted: Wanted
    policies: Sequence[Policy]
    found: dict[str, Any] = field(default_factory=dict)

    def __call__(self, tenant: str, batch: Any, columns: CallColumns, judge: StreamJudge, judged: Judged) -> None:
        if tenant != self.wanted.tenant:
            return
        if not isinstance(judge, ExactJudge) or judge.batch is None:
            raise TypeError("expected a run with exact=True")
        for at in _places(batch, self.wanted.id):
            if _value(batch["source"], at) == self.wanted.source and judged.worst[at] != UNKNOWN:
                self.found = self._told(batch, columns, judge, judge.batch, judged, at)
                raise _Seen

    def _told(
        self, batch: Any, columns: CallColumns, judge: ExactJudge, pairs: Batch, judged: Judged, at: int
    ) -> dict[str, Any]:
        event = {name: _value(batch[name], at) for name in _SHOWN}
        cost = None if columns.cost[at] == UNKNOWN else int(columns.cost[at])
        reasons = self._reasons(judge, pairs, at, event)
        chosen = set(deciding(judge.program.rules, pairs, judged).tolist())
        return {
            "event": {name: _plain(value) for name, value in event.items() if value is not None},
            "marks": _marks(judged, at, cost),
            "judged_at": _plain(_EPOCH + timedelta(milliseconds=int(judged.timed.judged_ms[at]))),
            "cost_nano_usd": cost,
            "verdict": VERDICTS[judged.worst[at]],
            "open_verdict": VERDICTS[judged.worst_open[at]],
            "policies": [
                self._policy(number, policy, judged.by_policy[number, at], reasons, chosen, event, cost)
                for number, policy in enumerate(self.policies)
            ],
        }

    def _reasons(
        self, judge: ExactJudge, batch: Batch, at: int, event: Mapping[str, Any]
    ) -> dict[tuple[int, int], "_Looked"]:
        """By policy and rule, what each pair of the call says; counters by the call's own values."""
        rows = judge.program.rules.rows
        listed = np.arange(batch.first[at], batch.first[at + 1])
        found: dict[tuple[int, int], _Looked] = {}
        for place, reason in zip(listed.tolist(), reasons_of(Heads(judge.program), batch, listed, str), strict=True):
            number = int(rows["policy"][batch.pairs["rule"][place]])
            budget = self.policies[number].spec.rules[reason.rule].budget
            if budget is not None and reason.counter is not None:
                counter = key_text(budget.per, [event[name] for name in budget.per])
                reason = msgspec.structs.replace(reason, counter=counter)
            late = budget is not None and batch.pairs["ref"][place] == UNKNOWN and reason.code != "unpriced"
            found[number, reason.rule] = _Looked(place, reason, late)
        return found

    def _policy(
        self, number: int, policy: Policy, verdict: int, reasons: Mapping[tuple[int, int], "_Looked"],
        chosen: set[int], event: Mapping[str, Any], cost: int | None,
    ) -> dict[str, Any]:  # fmt: skip
        told: dict[str, Any] = {"policy": policy.metadata.name, "version": policy_hash(policy)}
        if verdict == UNKNOWN:
            return {**told, "verdict": None, "words": mismatch_words(policy, event), "rules": []}
        rules = [_rule(at, rule, reasons.get((number, at)), chosen, cost) for at, rule in enumerate(policy.spec.rules)]
        return {**told, "verdict": VERDICTS[verdict], "words": None, "rules": rules}


@dataclass(frozen=True, slots=True)
class _Looked:
    """A rule that the call met: its place among the pairs, what it said, and whether it is a budget kept from looking
    because the call was late."""

    place: int
    reason: Reason
    late: bool


def _rule(at: int, rule: Rule, looked: _Looked | None, chosen: set[int], cost: int | None) -> dict[str, Any]:
    told: dict[str, Any] = {"rule": at, "kind": kind_of(rule), "says": rule_words(rule)}
    if looked is None or looked.late:
        return {**told, "verdict": None, "decided": looked is not None and looked.place in chosen, "words": LATE_WORDS}
    reason = msgspec.to_builtins(looked.reason)
    kept = {name: reason[name] for name in _REASON_FIELDS if reason.get(name) is not None}
    decided = looked.place in chosen
    said = words_of(looked.reason, cost).partition(": ")[2]
    return {**told, "verdict": looked.reason.verdict, "decided": decided, "words": said, **kept}


_REASON_FIELDS = (
    "code", "counter", "window_start", "window_end", "limit_nano_usd", "used_before_nano_usd",
    "recorded_before_nano_usd", "remaining_nano_usd", "overage_nano_usd", "reset_at", "alerts",
)  # fmt: skip


def _marks(judged: Judged, at: int, cost: int | None) -> list[str]:
    told = {"late": judged.timed.late[at], "clock_skew": judged.timed.skewed[at], "unpriced": cost is None}
    return [name for name, holds in told.items() if holds]


def _plain(value: Any) -> Any:
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else value


def explain(policies: Sequence[Policy], history: History, wanted: Wanted, options: Options) -> dict[str, Any]:
    """Why ``wanted`` gets its verdict, as a document of ``KIND``; numbers are those of ``simulate --decisions``.

    ``history`` may be that of the call's tenant alone. Raises InputError.
    """
    exact = Options(options.refuse_reviews, options.as_recorded, exact=True)
    listener = _Listener(wanted, policies)
    try:
        simulate(policies, history, exact, listener=listener, also=_SHOWN)
    except _Seen:
        pass
    else:
        raise InputError("event id: the call is a repeat of one that was accepted before the history begins")
    recorded = listener.found["event"].get("cost_nano_usd")
    corrected = recorded != listener.found["cost_nano_usd"]
    return {
        "kind": KIND,
        "engine_version": ENGINE_VERSION,
        "source": history.about,
        "tenant": wanted.tenant,
        **listener.found,
        "corrected_from_nano_usd": recorded if corrected else None,
    }
