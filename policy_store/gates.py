"""The gate of a staging as the store knows it: results, criteria, waivers; and the criteria of a tenant, changed."""

from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, Row, insert, select, update

from policy_store import flags, tenants, waivers
from policy_store.change import Change
from policy_store.errors import Stale
from policy_store.policies import require_version
from policy_store.stagings import Staging
from policy_store.tables import gate_rules, reconciliations
from spendgate.engine.version import ENGINE_VERSION
from spendgate.model.canonical import from_canonical
from spendgate.model.reconciliation import decode_reconciliation
from spendgate.reconcile.gate import Evidence, Gate, Subject, gate
from spendgate.reconcile.gate_rules import GateRules

_MOST_ON_DEMAND = 100


class Rules(NamedTuple):
    """A tenant's criteria; revision 0 are the defaults, which nobody has changed."""

    rules: GateRules
    revision: int
    changed_by: str | None
    changed_ms: int | None


class Looked(NamedTuple):
    """A gate, with what it was of and what it was asked by."""

    gate: Gate
    subject: Subject
    rules: GateRules


def rules_of(connection: Connection, tenant: str) -> Rules:
    """The tenant's criteria: also what a reconciliation is to be measured against."""
    row = connection.execute(select(gate_rules).where(gate_rules.c.tenant == tenant)).one_or_none()
    if row is None:
        return Rules(GateRules(), 0, None, None)
    return Rules(GateRules.model_validate_json(row.rules), row.revision, row.changed_by, row.changed_ms)


def set_rules(change: Change, rules: GateRules, revision: int, why: str) -> Rules:
    """Other criteria. Raises NotFound, Stale."""
    tenants.require(change.connection, change.tenant)
    before = rules_of(change.connection, change.tenant)
    if before.revision != revision:
        raise Stale(f"criteria: they have changed since revision {revision}; they are at {before.revision}")
    if before.rules == rules:
        return before
    made = Rules(rules, revision + 1, change.who, change.now_ms)
    at = gate_rules.c.tenant == change.tenant
    statement = update(gate_rules).where(at) if revision else insert(gate_rules)
    values = {**made._asdict(), "rules": rules.model_dump_json(), "tenant": change.tenant}
    change.connection.execute(statement.values(**values))
    changed = {name: value for name, value in rules.model_dump().items() if getattr(before.rules, name) != value}
    was = {name: getattr(before.rules, name) for name in changed}
    change.note("criteria", f"gate of {change.tenant}", was, changed, why)
    return made


def look(connection: Connection, staging: Staging, now_ms: int) -> Looked:
    """The gate of a staging now. Raises NotFound."""
    rules = rules_of(connection, staging.tenant).rules
    flag = flags.get(connection, "policy", staging.id, staging.tenant)
    of = subject_of(connection, staging)
    found = _evidence(connection, staging.id, flag.proof_after)
    return Looked(gate(found, of, rules, waivers.reasons(connection, staging.id), now_ms), of, rules)


def subject_of(connection: Connection, staging: Staging) -> Subject:
    """What is to be enforced with a staging, as things are now. Raises NotFound."""
    version = require_version(connection, staging.tenant, staging.policy, staging.hash)
    settings = tenants.require(connection, staging.tenant).settings
    begun_ms = staging.decided_ms or staging.submitted_ms
    document = from_canonical(version.document)
    return Subject(staging.tenant, document, staging.id, staging.hash, settings, ENGINE_VERSION, begun_ms)


def _evidence(connection: Connection, staging: str, after: int) -> list[Evidence]:
    """The latest round after a number, and what was found on demand since."""
    rows = select(reconciliations).where(reconciliations.c.staging == staging, reconciliations.c.number > after)
    latest = connection.execute(
        rows.where(~reconciliations.c.on_demand).order_by(reconciliations.c.number.desc()).limit(1)
    ).one_or_none()
    since = rows.where(reconciliations.c.on_demand)
    if latest is not None:
        since = since.where(reconciliations.c.number > latest.number)
    others = connection.execute(since.order_by(reconciliations.c.number.desc()).limit(_MOST_ON_DEMAND)).all()
    found = [*([latest] if latest is not None else []), *reversed(others)]
    return [each for row in found if (each := _read(row)) is not None]


def _read(row: Row[Any]) -> Evidence | None:
    """None for one that another version of this program has written otherwise: it proves nothing here."""
    try:
        result = decode_reconciliation(row.document)
    except msgspec.DecodeError:
        return None
    return Evidence(row.id, row.recorded_ms, row.on_demand, result)
