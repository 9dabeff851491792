"""Stagings: asked for by one person, approved by another, live in shadow, ended. See ``lifecycle`` for the moves."""

from collections.abc import Mapping
from typing import Any, NamedTuple, cast

from sqlalchemy import Connection, insert, select, update

from policy_store import flags, people, tenants
from policy_store.change import Change
from policy_store.errors import NotFound, Refused, Stale
from policy_store.lifecycle import LIVE, Action, StagingState, after, why_not
from policy_store.outbox import activate, post
from policy_store.policies import Version, require_version
from policy_store.signing import Signer
from policy_store.tables import stagings
from spendgate.model.activation import Stage
from spendgate.model.announcement import Announcement, Document
from spendgate.model.enforcement import Share

_NOTHING: Mapping[str, Any] = {}


class Staging(NamedTuple):
    """One use of a version. ``waiver``: why it needed no simulation; ``alone``: approved by its own author."""

    id: str
    tenant: str
    policy: str
    hash: str
    state: StagingState
    revision: int
    waiver: str | None
    submitted_by: str
    submitted_ms: int
    decided_by: str | None
    decided_ms: int | None
    alone: bool
    ended_by: str | None
    ended_ms: int | None


def submit(change: Change, policy: str, hash_: str, waiver: str | None = None) -> Staging:
    """Ask for a version to be staged in shadow. Raises NotFound, and Refused without simulation or waiver."""
    version = require_version(change.connection, change.tenant, policy, hash_)
    if version.state != "simulated" and not waiver:
        raise Refused(
            "not_simulated",
            f"policy {policy}: expected a simulation of exactly this version over at least one full window, "
            "or a waiver with its reason",
        )
    made = Staging(
        f"stg-{change.fresh()}", change.tenant, policy, version.hash, "submitted", 1,
        None if version.state == "simulated" else waiver, change.who, change.now_ms, None, None, False, None, None,
    )  # fmt: skip
    change.connection.execute(insert(stagings).values(**made._asdict()))
    change.note("submit", _subject(made), None, {"hash": made.hash, "waiver": made.waiver is not None}, made.waiver)
    return made


def approve(change: Change, id_: str, revision: int, signer: Signer, why: str | None = None) -> Staging:
    """Stage in shadow what was asked for, and end the policy's other stagings in shadow.

    Raises NotFound, Stale, and Refused for a move that is not legal and for an approver who is the author.
    """
    found = _for_move(change, id_, revision, "approve")
    version = require_version(change.connection, change.tenant, found.policy, found.hash)
    alone = people.is_same(change.who, version.author)
    if alone and not tenants.require(change.connection, change.tenant).one_person:
        raise Refused(
            "own_work",
            f"policy {found.policy}: expected an approver who is not its author "
            "(a team of one person can say so in its settings)",
        )
    ended = [
        each
        for each in of_policy(change.connection, change.tenant, found.policy)
        if each.state in ("shadow", "reconciled")
    ]
    made = _moved(change, found, "approve", why, decided_by=change.who, decided_ms=change.now_ms, alone=alone)
    for each in ended:
        _superseded(change, each, made)
    _publish(change, signer, made, version, ended)
    return made


def _publish(change: Change, signer: Signer, staging: Staging, version: Version, ended: list[Staging]) -> None:
    """Document and announcement before the activation, so that no worker meets one whose document is not there."""
    post(change, Document(version.hash, version.document))
    post(change, _announced(staging, "staged"))
    activate(
        change, signer, action="stage", staging=staging.id, policy=staging.policy, hash=staging.hash,
        ends=[each.id for each in ended],
    )  # fmt: skip
    for each in ended:
        post(change, _announced(each, "ended"))


def decline(change: Change, id_: str, revision: int, why: str | None = None) -> Staging:
    """Say no to what was asked for. Raises NotFound, Stale, Refused."""
    found = _for_move(change, id_, revision, "decline")
    return _moved(change, found, "decline", why, decided_by=change.who, decided_ms=change.now_ms)


def withdraw(change: Change, id_: str, revision: int, why: str | None = None) -> Staging:
    """Take back what oneself has asked for. Raises NotFound, Stale, Refused."""
    found = _for_move(change, id_, revision, "withdraw")
    if not people.is_same(change.who, found.submitted_by):
        raise Refused("not_yours", f"staging {id_}: expected the one who asked for it")
    return _moved(change, found, "withdraw", why, decided_by=change.who, decided_ms=change.now_ms)


def retire(change: Change, id_: str, revision: int, signer: Signer, why: str | None = None) -> Staging:
    """End a staging that is live, and its enforcement with it. Raises NotFound, Stale, Refused."""
    found = _for_move(change, id_, revision, "retire")
    flags.put_out(change, found.id, why)
    made = _moved(change, found, "retire", why, ended_by=change.who, ended_ms=change.now_ms)
    activate(change, signer, action="end", staging=made.id)
    post(change, _announced(made, "ended"))
    return made


def reconciled(change: Change, staging: Staging, why: str) -> Staging:
    """Note that shadow was proven right. Raises Refused."""
    return _moved(change, _legal(staging, "reconcile"), "reconcile", why)


def doubted(change: Change, staging: Staging, why: str) -> Staging:
    """Note that it no longer is. Raises Refused."""
    return _moved(change, _legal(staging, "doubt"), "doubt", why)


def enforce(
    change: Change, staging: Staging, signer: Signer, share: Share | None, why: str, told: Mapping[str, Any]
) -> Staging:
    """Have workers pass it as enforced. Where it is for all calls, the policy's other enforced stagings end in the same
    record, so that no call lies between them. ``told``: what else the trail is to say. Raises Refused."""
    _legal(staging, "enforce")
    others = [] if share is not None else _other_enforced(change, staging)
    made = _moved(change, staging, "enforce", why, told)
    for each in others:
        _superseded(change, each, made)
    activate(change, signer, action="enforce", staging=made.id, share=share, ends=[each.id for each in others])
    post(change, _announced(made, "staged"))
    for each in others:
        post(change, _announced(each, "ended"))
    return made


def _other_enforced(change: Change, staging: Staging) -> list[Staging]:
    known = of_policy(change.connection, change.tenant, staging.policy)
    return [each for each in known if each.state == "enforced" and each.id != staging.id]


def demote(change: Change, staging: Staging, signer: Signer, why: str, *, but_last: bool = False) -> Staging:
    """Step back to shadow, the flag off in the same transaction; the record follows. ``but_last``: see flags.put_out.
    Raises Refused."""
    _legal(staging, "demote")
    flags.put_out(change, staging.id, why, but_last=but_last)
    made = _moved(change, staging, "demote", why)
    activate(change, signer, action="demote", staging=made.id)
    post(change, _announced(made, "staged"))
    return made


def _superseded(change: Change, staging: Staging, by: Staging) -> None:
    flags.put_out(change, staging.id, f"by {by.id}")
    _moved(change, staging, "supersede", f"by {by.id}", ended_by=change.who, ended_ms=change.now_ms)


def _for_move(change: Change, id_: str, revision: int, action: Action) -> Staging:
    found = require(change.connection, change.tenant, id_)
    if found.revision != revision:
        raise Stale(f"staging {id_}: it has changed since revision {revision}; it is at {found.revision}")
    return _legal(found, action)


def _legal(staging: Staging, action: Action) -> Staging:
    if (reason := why_not(staging.state, action)) is not None:
        raise Refused("illegal_move", f"staging {staging.id}: {reason}")
    return staging


def _moved(
    change: Change, staging: Staging, action: Action, why: str | None, told: Mapping[str, Any] = _NOTHING, **noted: Any
) -> Staging:
    state = cast("StagingState", after(staging.state, action))
    made = staging._replace(state=state, revision=staging.revision + 1, **noted)
    change.connection.execute(update(stagings).where(stagings.c.id == staging.id).values(**made._asdict()))
    after_ = {"state": made.state, "alone": made.alone, **told}
    change.note(action, _subject(made), {"state": staging.state}, after_, why)
    return made


def _announced(staging: Staging, state: Any) -> Announcement:
    stage: Stage = "enforced" if staging.state == "enforced" else "shadow"
    return Announcement(
        tenant=staging.tenant, staging=staging.id, policy=staging.policy, hash=staging.hash, stage=stage, state=state
    )


def _subject(staging: Staging) -> str:
    return f"staging {staging.id} of {staging.policy}"


def require(connection: Connection, tenant: str, id_: str) -> Staging:
    """A staging of the tenant. Raises NotFound."""
    wanted = select(stagings).where(stagings.c.tenant == tenant, stagings.c.id == id_)
    row = connection.execute(wanted).mappings().one_or_none()
    if row is None:
        raise NotFound(f"staging {id_}: there is none of this name")
    return Staging(**row)


def of_policy(connection: Connection, tenant: str, policy: str | None = None) -> list[Staging]:
    """The tenant's stagings of a policy, or of all, the first one first."""
    wanted = select(stagings).where(stagings.c.tenant == tenant)
    if policy is not None:
        wanted = wanted.where(stagings.c.policy == policy)
    ordered = wanted.order_by(stagings.c.submitted_ms, stagings.c.id)
    return [Staging(**row) for row in connection.execute(ordered).mappings()]


def live(connection: Connection, tenant: str) -> list[Staging]:
    """The tenant's stagings by which workers judge, or will in a moment."""
    return [each for each in of_policy(connection, tenant) if each.state in LIVE]
