"""The flag at its three levels, all off until two people turn them on; a staging is enforced where all three are on.

What is not there, cannot be read or names something that has ended is off.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple, get_args

import msgspec
from sqlalchemy import Connection, and_, func, insert, or_, select, update

from policy_store.change import Change
from policy_store.tables import certificates, flags, reconciliations, stagings
from spendgate.model.enforcement import Share

Level = Literal["global", "tenant", "policy"]
LEVELS: tuple[Level, ...] = get_args(Level)
EVERYWHERE = "(all)"
"""The subject of the flag of the level ``global``."""

_encode_share, _decode_share = msgspec.json.Encoder().encode, msgspec.json.Decoder(Share).decode


class Flag(NamedTuple):
    """One flag. ``subject``: the tenant; of the level ``policy`` the staging. ``changed_by``: of a flag that is on, who
    confirmed what ``asked_by`` had asked for. ``proof_after``: the number of the last reconciliation that no longer
    proves anything of it. ``begun_ms``: when a first lease was granted by it, since it was last turned on."""

    level: Level
    subject: str
    tenant: str
    is_on: bool
    revision: int
    asked_by: str | None
    changed_by: str | None
    changed_ms: int | None
    why: str | None
    share: Share | None
    certificate: str | None
    proof_after: int
    begun_ms: int | None = None


class Enforced(NamedTuple):
    """A staging that is to be enforced, if its levels above are on too. ``certificate``: its canonical bytes, None
    where there is none, which is the same as off for whoever asks for one."""

    tenant: str
    policy: str
    staging: str
    hash: str
    share: Share | None
    certificate_id: str | None
    certificate: bytes | None
    since_ms: int
    asked_by: str | None
    confirmed_by: str
    begun_ms: int | None = None


class FlagView(NamedTuple):
    """All flags that are on, of one instant. ``stagings``: by tenant, those whose own flag is on."""

    is_global_on: bool
    tenants_on: frozenset[str]
    stagings: Mapping[str, tuple[Enforced, ...]]

    def enforced(self, tenant: str) -> tuple[Enforced, ...]:
        """The tenant's stagings for which all three levels are on."""
        return self.stagings.get(tenant, ()) if self.is_global_on and tenant in self.tenants_on else ()


OFF = FlagView(False, frozenset(), {})
"""Where nothing is known."""


def get(connection: Connection, level: Level, subject: str, tenant: str) -> Flag:
    """A flag; off where it has never been turned on."""
    wanted = select(flags).where(flags.c.level == level, flags.c.subject == subject, flags.c.tenant == tenant)
    row = connection.execute(wanted).mappings().one_or_none()
    if row is None:
        return Flag(level, subject, tenant, False, 0, None, None, None, None, None, None, 0)
    return Flag(**{**row, "share": share_of(row["share"])})


def share_text(share: Share | None) -> str | None:
    """A share as it is kept."""
    return None if share is None else _encode_share(share).decode()


def share_of(text: str | None) -> Share | None:
    """A share as it was kept. Raises msgspec.DecodeError."""
    return None if text is None else _decode_share(text)


def put(change: Change, flag: Flag) -> Flag:
    """Write a flag as it is to be, by whoever makes the change, now; the next revision."""
    return _write(change, flag._replace(changed_by=change.who, changed_ms=change.now_ms))


def renew(change: Change, flag: Flag, certificate: str) -> Flag:
    """Have a flag that is on stand on another certificate; since when and by whom it is on stays."""
    return _write(change, flag._replace(certificate=certificate))


def _write(change: Change, flag: Flag) -> Flag:
    made = flag._replace(revision=flag.revision + 1)
    values = {**made._asdict(), "share": share_text(made.share)}
    if made.is_on:
        del values["begun_ms"]  # ``note_begun`` waits for no change of a tenant, and may have said so meanwhile
    at = and_(flags.c.level == made.level, flags.c.subject == made.subject)
    statement = update(flags).where(at) if flag.revision else insert(flags)
    change.connection.execute(statement.values(**values))
    return made


def note_begun(connection: Connection, stagings_: Iterable[str], now_ms: int) -> None:
    """Note that a first lease was granted of stagings whose flag is on: one that is missing from then on was lost."""
    is_new = and_(flags.c.level == "policy", flags.c.is_on, flags.c.begun_ms.is_(None))
    at = and_(is_new, flags.c.subject.in_(list(stagings_)))
    connection.execute(update(flags).where(at).values(begun_ms=now_ms))


def put_out(change: Change, staging: str, why: str | None, *, but_last: bool = False) -> Flag | None:
    """Turn a staging's own flag off, where it is on; what was proven of it until now proves nothing any more.
    ``but_last``: the last reconciliation says why, and goes on to count."""
    found = get(change.connection, "policy", staging, change.tenant)
    if not found.is_on:
        return None
    proof_after = _last(change.connection, staging) - int(but_last)
    return put(change, found._replace(is_on=False, why=why, proof_after=proof_after, begun_ms=None))


def are_on(connection: Connection, tenant: str) -> dict[Level, bool]:
    """Whether the levels above a tenant's stagings are on; neither changes until the transaction ends."""
    wanted = select(flags.c.level).where(
        or_(and_(flags.c.level == "global", flags.c.subject == EVERYWHERE),
            and_(flags.c.level == "tenant", flags.c.subject == tenant)),
        flags.c.is_on,
    )  # fmt: skip
    found = set(connection.scalars(wanted.with_for_update(read=True)))
    return {"global": "global" in found, "tenant": "tenant" in found}


def _last(connection: Connection, staging: str) -> int:
    """The number of the staging's last reconciliation."""
    last = select(func.max(reconciliations.c.number)).where(reconciliations.c.staging == staging)
    return connection.scalar(last) or 0


def read_flags(connection: Connection) -> FlagView:
    """All flags of all tenants, in one query over those that are on."""
    found: dict[str, list[Enforced]] = {}
    is_global_on, tenants_on = False, set[str]()
    for level, subject, tenant, *others in connection.execute(_ON):
        if level == "policy":
            if (enforced := _enforced(tenant, subject, *others)) is not None:
                found.setdefault(tenant, []).append(enforced)
        elif level == "tenant" and subject == tenant:
            tenants_on.add(tenant)
        elif level == "global" and subject == EVERYWHERE:
            is_global_on = True
    return FlagView(is_global_on, frozenset(tenants_on), {tenant: tuple(each) for tenant, each in found.items()})


_ON = (
    select(
        flags.c.level, flags.c.subject, flags.c.tenant, stagings.c.policy, stagings.c.hash, flags.c.share,
        flags.c.certificate, certificates.c.document, flags.c.changed_ms, flags.c.asked_by, flags.c.changed_by,
        flags.c.begun_ms,
    )
    .select_from(flags)
    .outerjoin(stagings, and_(flags.c.level == "policy", stagings.c.id == flags.c.subject,
                              stagings.c.tenant == flags.c.tenant, stagings.c.state == "enforced"))
    .outerjoin(certificates, and_(certificates.c.id == flags.c.certificate, certificates.c.staging == flags.c.subject))
    .where(flags.c.is_on)
    .order_by(flags.c.tenant, flags.c.changed_ms, flags.c.subject)
)  # fmt: skip


def _enforced(
    tenant: str, staging: str, policy: str | None, hash_: str | None, share: str | None, *others: Any
) -> Enforced | None:
    """None for a staging that is not enforced, and for a share that cannot be read: that is off, and no other with it.
    ``others``: what follows the share in an Enforced."""
    if policy is None or hash_ is None:
        return None
    try:
        return Enforced(tenant, policy, staging, hash_, share_of(share), *others)
    except msgspec.DecodeError:
        return None
