"""What follows for a staging from its gate: reconciled with a certificate, doubted, renewed, or demoted."""

from typing import NamedTuple

from sqlalchemy import Connection

from policy_store import alerts, certificates, enforcement, flags, gates, stagings
from policy_store.alerts import Alert
from policy_store.certificates import Kept
from policy_store.change import Change, Changes
from policy_store.flags import Enforced
from policy_store.gates import Looked
from policy_store.lifecycle import LIVE
from policy_store.signing import Signer
from policy_store.stagings import Staging
from spendgate.reconcile.gate import Gate


class Settled(NamedTuple):
    """The staging as it is now, its gate (None for one that has ended), and the certificate that was made."""

    staging: Staging
    gate: Gate | None
    certificate: Kept | None = None


def settle(change: Change, staging: Staging, signer: Signer) -> Settled:
    """Look at the gate and act. Of what is enforced: a fault demotes it; what is merely not known does not, and its
    certificate runs out."""
    if staging.state not in LIVE:
        return Settled(staging, None)
    looked = gates.look(change.connection, staging, change.now_ms)
    if looked.gate.state == "ready":
        return _proven(change, staging, looked, signer)
    why = looked.gate.missing[0]
    if staging.state == "reconciled":
        staging = stagings.doubted(change, staging, why)
        alerts.raise_(change.connection, _lost(staging, why, change.now_ms), change.now_ms)
    elif staging.state == "enforced" and looked.gate.state == "blocked":
        staging = enforcement.demote(change, staging.id, why, signer, but_last=True)
    return Settled(staging, looked.gate)


def _lost(staging: Staging, why: str, now_ms: int) -> Alert:
    return Alert(
        alerts.alert_id("gate_lost", staging.id, staging.revision), staging.tenant, "gate_lost", staging.policy,
        staging.id, "shadow", f"{staging.policy} is no longer proven: {why}", now_ms,
    )  # fmt: skip


def settle_all(change: Change, signer: Signer) -> list[Settled]:
    """The same for all that is live of the tenant: other criteria, settings or keys may change what follows."""
    return [settle(change, each, signer) for each in stagings.live(change.connection, change.tenant)]


def demote_unproven(changes: Changes, signer: Signer) -> list[Staging]:
    """Bring back to shadow what is enforced on a certificate that no longer holds; by the system itself."""
    with changes.database.read() as connection:
        view = flags.read_flags(connection)
        found = [
            (each, problem)
            for enforced in view.stagings.values()
            for each in enforced
            if (problem := _problem(connection, each, signer, changes.now_ms())) is not None
        ]
    return [made for each, problem in found if (made := _demoted(changes, each, problem, signer)) is not None]


def _problem(connection: Connection, enforced: Enforced, signer: Signer, now_ms: int) -> str | None:
    if enforced.certificate_id is None:
        return "there is no certificate"
    kept = certificates.require(connection, enforced.tenant, enforced.certificate_id)
    staging = stagings.require(connection, enforced.tenant, enforced.staging)
    found = certificates.problem_of(kept, signer, gates.subject_of(connection, staging), now_ms)
    return None if found is None else f"certificate {kept.id} ({found.code}): {found.words}"


def _demoted(changes: Changes, enforced: Enforced, why: str, signer: Signer) -> Staging | None:
    """None where somebody else was first, or it stands on another certificate by now."""
    with changes.of(enforced.tenant, enforcement.SYSTEM) as change:
        flag = flags.get(change.connection, "policy", enforced.staging, enforced.tenant)
        if not flag.is_on or flag.certificate != enforced.certificate_id:
            return None
        return enforcement.demote(change, enforced.staging, why, signer)


def _proven(change: Change, staging: Staging, looked: Looked, signer: Signer) -> Settled:
    kept = certificates.latest(change.connection, change.tenant, staging.id)
    if staging.state == "shadow":
        staging = stagings.reconciled(change, staging, f"by {looked.gate.round.id if looked.gate.round else ''}")
        kept = None
    if kept is not None and _holds(change, kept, looked, signer):
        return Settled(staging, looked.gate)
    made = certificates.issue(change, looked, signer)
    flag = flags.get(change.connection, "policy", staging.id, change.tenant)
    if flag.is_on:
        flags.renew(change, flag, made.id)
    return Settled(staging, looked.gate, made)


def _holds(change: Change, kept: Kept, looked: Looked, signer: Signer) -> bool:
    if kept.is_past_half(change.now_ms) or not certificates.is_by(kept, signer) or not certificates.says(kept, looked):
        return False
    return certificates.problem_of(kept, signer, looked.subject, change.now_ms) is None
