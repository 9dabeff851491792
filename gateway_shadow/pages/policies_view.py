"""What the pages of policies say: a row each, the way to shadow step by step, a history with what changed. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from gateway_shadow.documents import PolicyDocument, SimulationDocument, StagingDocument, VersionDocument
from policy_store.lifecycle import LIVE
from spendgate.model.policy import Policy
from spendgate.model.policy_diff import diff_policies


class Row(NamedTuple):
    """A policy in the list. ``live``: the states of what is in force; ``waiting``: stagings to be approved."""

    name: str
    owner: str | None
    state: str
    number: int
    author: str
    changed_at: datetime | None
    live: list[str]
    waiting: int


class Step(NamedTuple):
    """What has to be done before a version is judged in shadow."""

    what: str
    words: str
    is_done: bool


class Past(NamedTuple):
    """A version in the history."""

    number: int
    hash: str
    state: str
    author: str
    created_at: datetime | None
    changes: list[str]
    simulations: Sequence[SimulationDocument]


def rows(policies: Sequence[PolicyDocument], stagings: Sequence[StagingDocument]) -> list[Row]:
    """All policies by name."""
    found = []
    for each in policies:
        mine = [staging for staging in stagings if staging.policy == each.name]
        found.append(Row(
            each.name, each.latest.document["metadata"].get("owner"), each.latest.state, each.latest.number,
            each.latest.author, each.latest.created_at, [staging.state for staging in mine if staging.state in LIVE],
            sum(staging.state == "submitted" for staging in mine),
        ))  # fmt: skip
    return found


def steps(latest: VersionDocument, stagings: Sequence[StagingDocument], *, one_person: bool) -> list[Step]:
    """For the latest version: done or not, and who may."""
    mine = [each for each in stagings if each.hash == latest.hash]
    asked = any(each.state != "declined" for each in mine)
    live = next((each for each in mine if each.state in LIVE), None)
    alone = " This team is one person, who may do both." if one_person else ""
    simulated = latest.state == "simulated"
    return [
        Step("a draft is saved", f"Version {latest.number} by {latest.author}.", is_done=True),
        _evidence(simulated=simulated, asked=asked),
        Step("it is submitted", "An editor asks for it to be staged.", asked),
        Step(
            "somebody else approves it",
            f"Approved by {live.decided_by}; every call is judged by it." if live is not None and live.decided_by
            else f"An approver who is not {latest.author}, its author.{alone}",
            live is not None,
        ),
    ]  # fmt: skip


def _evidence(*, simulated: bool, asked: bool) -> Step:
    if asked and not simulated:
        return Step("it is submitted without a simulation", "Who submitted it has said why.", is_done=True)
    words = "An editor simulates it here, over all that was recorded; or submits it with a reason why not."
    return Step(
        "it is simulated over what was recorded", "Over at least one full window." if simulated else words, simulated
    )


def can_submit(latest: VersionDocument, stagings: Sequence[StagingDocument]) -> bool:
    """Whether the latest version neither waits nor is in force."""
    return not any(each.hash == latest.hash and each.state in ("submitted", *LIVE) for each in stagings)


def history(
    versions: Sequence[tuple[VersionDocument, Policy]], simulations: Mapping[str, Sequence[SimulationDocument]]
) -> list[Past]:
    """The latest first, each with what has changed since the one before."""
    found = []
    for at, (document, policy) in enumerate(versions):
        before = versions[at - 1][1] if at else None
        changes = [] if before is None else [each.words for each in diff_policies(before, policy).changes]
        found.append(Past(
            document.number, document.hash, document.state, document.author, document.created_at, changes,
            simulations.get(document.hash, ()),
        ))  # fmt: skip
    return found[::-1]


def words(policy: Policy) -> list[str]:
    """What a policy says, in words."""
    spec = policy.spec
    scope = {name: value for name, value in spec.scope.model_dump(exclude_none=True).items() if name != "exclude"}
    looks = "; ".join(f"{name} {', '.join(values)}" for name, values in scope.items()) or "every call"
    without = {} if spec.scope.exclude is None else spec.scope.exclude.model_dump(exclude_none=True)
    but = "; ".join(f"{name} {', '.join(values)}" for name, values in without.items())
    return [
        f"It looks at: {looks}." + (f" But not at: {but}." if but else ""),
        *(f"Rule {number}: {_rule(each.model_dump(exclude_none=True))}" for number, each in enumerate(spec.rules, 1)),
        f"A call without a price: {spec.on_unpriced}.",
    ]


def _rule(rule: dict[str, Any]) -> str:
    kind, said = next(iter(rule.items()))
    match kind:
        case "budget":
            per = f"for each {', '.join(said['per'])}" if said["per"] else "for all together"
            warns = ", ".join(f"{each} %" for each in said["warn_at_percent"])
            warned = f", a warning at {warns}" if warns else ""
            cap = f"{_dollars(said['cap_usd'])} {_window(said['window'])}"
            return f"at most {cap} {per}{warned}; over it: {said['on_breach']}."
        case "boundary":
            limits = "; ".join(_field(name, value) for name, value in said.items() if name != "on_breach")
            return f"a call's {limits}; beyond that: {said['on_breach']}."
        case _:
            when = " and ".join(_field(name, value) for name, value in said["when"].items())
            who = said.get("reviewers") or "somebody"
            return f"{who} should look where {when}" + (f", within {said['expires']}." if "expires" in said else ".")


def _window(window: dict[str, Any]) -> str:
    if "rolling" in window:
        return f"in any {window['rolling']}"
    return "in all" if "lifetime" in window else f"a {window['calendar']} ({window['timezone']})"


def _field(name: str, value: Any) -> str:
    if "_usd" in name:
        return f"{name.replace('_usd', '').replace('_', ' ')} {_dollars(value)}"
    return f"{name.replace('_', ' ')} {_plain(value)}"


def _dollars(text: str) -> str:
    """Exact, for it is what the policy says: at least two decimals, and all that there are."""
    whole, _, decimals = text.partition(".")
    return f"${int(whole):,}.{decimals:0<2}"


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_plain(each)}" for name, each in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
