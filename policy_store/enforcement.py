"""Turning enforcement on, which takes two people and an open gate, and off, which takes one.

The flag of a staging is on only beneath flags that are on: turning off a level above turns off all that is beneath it,
and turning it on again turns on nothing else. Being a team of one lifts none of this.
"""

from collections.abc import Iterable
from typing import NamedTuple

from policy_store import alerts, certificates, flags, flip_requests, gates, people, stagings
from policy_store.alerts import Alert
from policy_store.change import Change, Changes
from policy_store.errors import Refused
from policy_store.flags import EVERYWHERE, Flag, Level
from policy_store.flip_requests import Request
from policy_store.lifecycle import LIVE, why_not
from policy_store.signing import Signer
from policy_store.stagings import Staging
from spendgate.model.enforcement import Share, share_words

SYSTEM = "spendgate"
"""Who demotes where nobody asks for it."""


class Ended(NamedTuple):
    """What turning off came to: the flags that were on and are off, and the stagings that are back in shadow."""

    flags: tuple[Flag, ...]
    demoted: tuple[Staging, ...]


def subject_of(level: Level, tenant: str, staging: str | None = None) -> str:
    """The subject of a flag."""
    return {"global": EVERYWHERE, "tenant": tenant, "policy": staging or ""}[level]


def request_on(change: Change, level: Level, staging: str | None, share: Share | None, why: str) -> Request:
    """Ask for a flag to be turned on, for another operator to confirm. ``staging``: of the level ``policy``.

    Of the level ``global`` the change is one of ``audit.SYSTEM``. Raises NotFound and Refused.
    """
    subject = subject_of(level, change.tenant, staging)
    if level == "policy":
        found = stagings.require(change.connection, change.tenant, subject)
        _require_levels(change)
        _require_open(change, found, share)
    elif flags.get(change.connection, level, subject, change.tenant).is_on:
        raise Refused("is_on", f"the {level} flag: expected one that is off")
    made = flip_requests.ask(change, level, subject, share, why)
    change.note("ask_flip", _words(level, subject), None, _told(made), why)
    return made


def confirm_on(change: Change, id_: str, signer: Signer, why: str | None = None) -> Flag:
    """Turn on what another operator has asked for within the hour, if the gate is open at this moment.

    Raises NotFound, and Refused: ``own_request``, ``expired``, ``illegal_move``, ``gate_shut``, ``level_off``,
    ``certificate_...``.
    """
    found = flip_requests.require(change.connection, change.tenant, id_).at(change.now_ms)
    if found.state != "open":
        raise Refused(f"request_{found.state}", f"request {id_}: expected one that waits; this one is {found.state}")
    if people.is_same(found.asked_by, change.who):
        raise Refused("own_request", f"request {id_}: expected an operator who is not {found.asked_by}, who asked")
    made = _of_policy(change, found, signer, why) if found.level == "policy" else _of_level(change, found, why)
    flip_requests.end(change, found, "confirmed")
    return made


def _of_policy(change: Change, asked: Request, signer: Signer, why: str | None) -> Flag:
    staging = stagings.require(change.connection, change.tenant, asked.subject)
    _require_levels(change)
    certificate = _require_certificate(change, _require_open(change, staging, asked.share), staging, signer)
    told = {**_told(asked), "certificate": certificate}
    stagings.enforce(change, staging, signer, asked.share, why or asked.why, told)
    return _on(change, asked, certificate)


def _of_level(change: Change, asked: Request, why: str | None) -> Flag:
    if asked.level == "global" and (left := _enforced_anywhere(change)):
        words = f"{left} stagings are still to step back to shadow; turn off again, and that is finished"
        raise Refused("not_finished", f"the global flag: {words}")
    change.note("flag_on", _words(asked.level, asked.subject), {"on": False}, {"on": True, **_told(asked)},
                why or asked.why)  # fmt: skip
    return _on(change, asked, None)


def _on(change: Change, asked: Request, certificate: str | None) -> Flag:
    before = flags.get(change.connection, asked.level, asked.subject, change.tenant)
    return flags.put(
        change,
        before._replace(is_on=True, asked_by=asked.asked_by, why=asked.why, share=asked.share, certificate=certificate),
    )


def _enforced_anywhere(change: Change) -> int:
    return sum(map(len, flags.read_flags(change.connection).stagings.values()))


def _require_levels(change: Change) -> None:
    """The levels above must be on, or turning them on later would enforce without a look at the gate."""
    off_ = [level for level, is_on in flags.are_on(change.connection, change.tenant).items() if not is_on]
    if off_:
        raise Refused("level_off", f"expected the {' and the '.join(off_)} flag to be on first")


def _require_open(change: Change, staging: Staging, share: Share | None) -> gates.Looked:
    flag = flags.get(change.connection, "policy", staging.id, change.tenant)
    if flag.is_on and flag.share == share:
        raise Refused("is_on", f"staging {staging.id}: it is enforced for {share_words(share)} already")
    looked = gates.look(change.connection, staging, change.now_ms)
    if staging.state in LIVE and looked.gate.state != "ready":
        raise Refused("gate_shut", f"staging {staging.id}: its gate is {looked.gate.state}: {looked.gate.missing[0]}")
    if (reason := why_not(staging.state, "enforce")) is not None:
        raise Refused("illegal_move", f"staging {staging.id}: {reason}")
    return looked


def _require_certificate(change: Change, looked: gates.Looked, staging: Staging, signer: Signer) -> str:
    kept = certificates.latest(change.connection, change.tenant, staging.id)
    if kept is None:
        raise Refused("no_certificate", f"staging {staging.id}: expected a certificate, as a round makes one")
    problem = certificates.problem_of(kept, signer, looked.subject, change.now_ms)
    if problem is not None:
        raise Refused(f"certificate_{problem.code}", f"certificate {kept.id}: {problem.words}")
    return kept.id


def withdraw(change: Change, id_: str, why: str | None = None) -> Request:
    """Take a request back, or another one's: an operator may. Raises NotFound, Refused."""
    found = flip_requests.require(change.connection, change.tenant, id_).at(change.now_ms)
    if found.state != "open":
        raise Refused(f"request_{found.state}", f"request {id_}: expected one that waits; this one is {found.state}")
    made = flip_requests.end(change, found, "withdrawn")
    change.note("withdraw_flip", _words(found.level, found.subject), _told(found), None, why)
    return made


def off(change: Change, level: Level, staging: str | None, why: str, signer: Signer) -> Ended:
    """Turn a flag off, at once, and what is beneath it; what waits to be confirmed for it is withdrawn. What is off
    already stays so, and that is no error. The records in the log follow when Kafka answers.

    Of the level ``global`` this ends enforcement everywhere, and ``finish_off`` brings the tenants' stagings back.
    Raises NotFound.
    """
    if level == "policy":
        ids: Iterable[str] = [stagings.require(change.connection, change.tenant, staging or "").id]
    else:
        ids = [each.id for each in stagings.live(change.connection, change.tenant) if each.state == "enforced"]
    changed = [] if level == "policy" else _level_off(change, level, why)
    demoted = []
    for id_ in ids:
        _withdraw_waiting(change, "policy", id_, why)
        found = stagings.require(change.connection, change.tenant, id_)
        if found.state == "enforced":
            demoted.append(stagings.demote(change, found, signer, why))
            changed.append(flags.get(change.connection, "policy", id_, change.tenant))
    return Ended(tuple(changed), tuple(demoted))


def _level_off(change: Change, level: Level, why: str) -> list[Flag]:
    subject = subject_of(level, change.tenant)
    _withdraw_waiting(change, level, subject, why)
    found = flags.get(change.connection, level, subject, change.tenant)
    if not found.is_on:
        return []
    change.note("flag_off", _words(level, subject), {"on": True}, {"on": False}, why)
    return [flags.put(change, found._replace(is_on=False, why=why))]


def _withdraw_waiting(change: Change, level: Level, subject: str, why: str) -> None:
    waits = flip_requests.waiting(change.connection, change.tenant, level, subject, change.now_ms)
    if waits is not None:
        withdraw(change, waits.id, why)


def finish_off(changes: Changes, who: str, why: str, signer: Signer) -> list[Staging]:
    """After the global flag was turned off: bring every tenant's enforced stagings back to shadow. May be repeated."""
    with changes.database.read() as connection:
        view = flags.read_flags(connection)
    found: list[Staging] = []
    if view.is_global_on:
        return found
    for tenant, enforced in view.stagings.items():
        with changes.of(tenant, who) as change:
            for each in enforced:
                found += off(change, "policy", each.staging, why, signer).demoted
    return found


def demote(change: Change, staging: str, why: str, signer: Signer, *, but_last: bool = False) -> Staging:
    """Step back to shadow by itself: the change is one by ``SYSTEM``, and ``why`` says what has returned or run out.
    The gate has to open anew, by what is found from now on. ``but_last``: see flags.put_out. Raises NotFound, Refused.
    """
    found = stagings.require(change.connection, change.tenant, staging)
    made = stagings.demote(change, found, signer, why, but_last=but_last)
    _withdraw_waiting(change, "policy", staging, why)
    alerts.raise_(change.connection, _demoted(made, why, change.now_ms), change.now_ms)
    return made


def _demoted(staging: Staging, why: str, now_ms: int) -> Alert:
    return Alert(
        alerts.alert_id("enforcement_demoted", staging.id, staging.revision), staging.tenant, "enforcement_demoted",
        staging.policy, staging.id, "shadow", f"{staging.policy} steps back to shadow: {why}", now_ms,
    )  # fmt: skip


def _words(level: Level, subject: str) -> str:
    return {"global": "flag global", "tenant": f"flag tenant {subject}", "policy": f"flag staging {subject}"}[level]


def _told(request: Request) -> dict[str, object]:
    return {"request": request.id, "asked_by": request.asked_by, "share": share_words(request.share)}
