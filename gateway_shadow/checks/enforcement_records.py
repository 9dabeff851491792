"""What enforcing did to a check, as records for ``spend.enforcements``."""

from collections.abc import Iterator
from typing import Any

from gateway_shadow.checks.flag_watch import Watched
from gateway_shadow.checks.ruling import Ruling
from spendgate.model.check import Check
from spendgate.model.decision import VERDICTS
from spendgate.model.enforcement_record import Enforcement, EnforcementKind


def records_of(check: Check, ruling: Ruling) -> Iterator[Enforcement]:
    """One for each staging that blocked the call, and one for each that a fault kept from being asked."""
    kind: EnforcementKind = "held" if ruling.blocked == "review" else "denied"
    for staging in dict.fromkeys(each.staging for each in ruling.reasons):
        worst = max(
            (each for each in ruling.reasons if each.staging == staging), key=lambda each: VERDICTS.index(each.verdict)
        )
        watched = next(each for each in ruling.enforced if each.staging == staging)
        yield _record(kind, check, watched, verdict=worst.verdict, code=worst.code)
    for fault in ruling.faults:
        if ruling.blocked is None:
            yield _record("let_through", check, fault.watched, why=fault.why)
        elif ruling.is_refused_by_fault and fault.watched.is_closed:
            yield _record("refused_by_fault", check, fault.watched, why=fault.why)


def _record(kind: EnforcementKind, check: Check, watched: Watched, **said: Any) -> Enforcement:
    return Enforcement(
        kind=kind, tenant=check.tenant, time=check.time, staging=watched.staging, policy=watched.policy,
        certificate=watched.certificate, share=watched.share, check_id=check.check_id,
        estimate_nano_usd=check.estimate_nano_usd, **said,
    )  # fmt: skip
