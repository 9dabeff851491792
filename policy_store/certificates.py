"""Certificates as they are kept: made where a gate opens, made anew before they end, never changed."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import Connection, insert, select

from policy_store.change import Change
from policy_store.errors import NotFound
from policy_store.gates import Looked
from policy_store.signing import Signer
from policy_store.tables import certificates
from spendgate.model.settings import Settings
from spendgate.reconcile import certificate
from spendgate.reconcile.certificate import Problem, Wanted
from spendgate.reconcile.gate import GateCriterion, Subject, instant_ms
from spendgate.reconcile.public_keys import PublicKeys


class Kept(NamedTuple):
    """One certificate. ``document``: its canonical bytes."""

    id: str
    tenant: str
    staging: str
    reconciliation: str
    document: bytes
    issued_ms: int
    expires_ms: int

    def is_past_half(self, now_ms: int) -> bool:
        """Whether more of its time is behind it than before it."""
        return now_ms - self.issued_ms > self.expires_ms - now_ms


def issue(change: Change, looked: Looked, signer: Signer) -> Kept:
    """The certificate of a gate that is ready."""
    id_ = f"crt-{change.fresh()}"
    made = certificate.certify(signer, id_, looked.gate, looked.subject, looked.rules, change.now_ms)
    kept = Kept(
        id_, change.tenant, made.staging, made.reconciliation, certificate.encode_certificate(made),
        instant_ms(made.issued_at), instant_ms(made.expires_at),
    )  # fmt: skip
    change.connection.execute(insert(certificates).values(**kept._asdict()))
    change.note(
        "certify", f"staging {made.staging} of {made.policy}", None,
        {"certificate": id_, "reconciliation": made.reconciliation, "key_id": signer.key_id,
         "expires_ms": kept.expires_ms},
    )  # fmt: skip
    return kept


def latest(connection: Connection, tenant: str, staging: str) -> Kept | None:
    """The staging's last one, whether it still holds or not."""
    wanted = select(certificates).where(certificates.c.tenant == tenant, certificates.c.staging == staging)
    row = connection.execute(wanted.order_by(certificates.c.issued_ms.desc(), certificates.c.id.desc()).limit(1))
    found = row.mappings().one_or_none()
    return None if found is None else Kept(**found)


def require(connection: Connection, tenant: str, id_: str) -> Kept:
    """One by its id. Raises NotFound."""
    wanted = select(certificates).where(certificates.c.tenant == tenant, certificates.c.id == id_)
    found = connection.execute(wanted).mappings().one_or_none()
    if found is None:
        raise NotFound(f"certificate {id_}: there is none of this name")
    return Kept(**found)


def problem_of(kept: Kept, signer: Signer, subject: Subject, now_ms: int) -> Problem | None:
    """Why a certificate does not hold now, for this very staging, by the keys that are believed; None where it does."""
    wanted = Wanted(
        subject.tenant, subject.staging, subject.policy.metadata.name, subject.hash, _settings(subject.settings),
        subject.engine_version,
    )  # fmt: skip
    now = datetime.fromtimestamp(now_ms / 1000, UTC)
    return certificate.verify(kept.document, PublicKeys(signer.believed), now, wanted)


def is_by(kept: Kept, signer: Signer) -> bool:
    """Whether a certificate was signed by the key that is in use, and not by one that it has replaced."""
    found = certificate.read(kept.document)
    return not isinstance(found, Problem) and found.signature.partition(":")[0] == signer.key_id


def says(kept: Kept, looked: Looked) -> bool:
    """Whether a certificate names the criteria and the waivers that are in force."""
    found = certificate.read(kept.document)
    if isinstance(found, Problem) or found.rules != looked.rules.model_dump():
        return False
    return _waived(found.criteria) == _waived(looked.gate.criteria)


def _waived(criteria: tuple[GateCriterion, ...]) -> dict[str, str]:
    return {each.name: each.waiver for each in criteria if each.waiver is not None}


def _settings(settings: Settings) -> Mapping[str, int | str]:
    found: Mapping[str, int | str] = settings.model_dump()
    return found
