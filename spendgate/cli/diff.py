"""``spendgate diff``: what changed between two policy files, in words."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from spendgate.cli.policy_files import read_sourced
from spendgate.cli.say import FOUND, told_without_kafka
from spendgate.model.canonical import policy_hash
from spendgate.model.policy import Policy
from spendgate.model.policy_diff import PolicyDiff, diff_policies
from spendgate.model.policy_source import Sourced

_SHORT_HASH_CHARS = 12


class Compared(NamedTuple):
    """A policy of either file; ``diff`` is None where only one of them has it."""

    before: Policy | None
    after: Policy | None
    diff: PolicyDiff | None

    @property
    def same(self) -> bool:
        """Whether it is one version in both."""
        return self.diff is not None and self.diff.same


def diff(
    before: Annotated[Path, typer.Argument(metavar="A", help="A policy file; - reads stdin.")],
    after: Annotated[Path, typer.Argument(metavar="B", help="The policy file that it is compared with.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Tell in words what changed from A to B. Files of several policies are compared policy by policy, by name.

    Exit code 0 if they mean the same, 1 if not, 2 for a file that can't be read as policies.
    """
    with told_without_kafka():
        compared = compare(read_sourced([before]), read_sourced([after]))
        same = all(each.same for each in compared)
        lines = [line for each in compared for line in _text(each)]
        typer.echo(json.dumps({"same": same, "policies": [_json(each) for each in compared]}) if as_json else
                   "\n".join(lines))  # fmt: skip
        raise typer.Exit(0 if same else FOUND)


def compare(before: Sequence[Sourced], after: Sequence[Sourced]) -> list[Compared]:
    """Pairs by name, in the order of A and then of what only B has; two single policies are a pair in any case."""
    olds, news = [each.policy for each in before], [each.policy for each in after]
    if len(olds) == len(news) == 1:
        return [Compared(olds[0], news[0], diff_policies(olds[0], news[0]))]
    rest = list(news)
    return [*_by_name(olds, rest), *(Compared(None, each, None) for each in rest)]


def _by_name(olds: Sequence[Policy], rest: list[Policy]) -> Iterator[Compared]:
    """Each old policy with the new one of its name, which is taken from ``rest``."""
    for old in olds:
        new = next((each for each in rest if each.metadata.name == old.metadata.name), None)
        if new is None:
            yield Compared(old, None, None)
        else:
            rest.remove(new)
            yield Compared(old, new, diff_policies(old, new))


def _text(compared: Compared) -> list[str]:
    found = compared.diff
    if found is None or compared.before is None or compared.after is None:
        policy, side = (compared.after, "only in B") if compared.before is None else (compared.before, "only in A")
        return [f"{policy.metadata.name if policy else ''}: {side}"]
    name = compared.after.metadata.name
    hashes = [digest[:_SHORT_HASH_CHARS] for digest in (found.before_hash, found.after_hash)]
    if found.same:
        return [f"{name}: the same version, {hashes[0]}"]
    changes = [f"  {change.field}: {change.words}" for change in found.changes]
    return [f"{name}: {hashes[0]} -> {hashes[1]}", *changes, *_consequences(found)]


def _consequences(found: PolicyDiff) -> Iterator[str]:
    if not found.verdicts_may_change:
        yield "  verdicts: none can change; it is another version all the same"
    if found.resets_counters:
        yield "  counters: begin anew when B is staged, seeded from history as if B had judged it"
    for budget in found.budgets if found.resets_counters else ():
        if budget.was is None:
            words = "a new counter"
        elif budget.counts_the_same:
            words = "counts the same calls as before: what is recorded stays, what is admitted goes by B's denials"
        else:
            words = "counts other calls, windows or groups than before"
        yield f"    rules[{budget.rule}]: {words}"


def _json(compared: Compared) -> dict[str, Any]:
    found = compared.diff
    sides = {
        side: policy and {"name": policy.metadata.name, "hash": policy_hash(policy)}
        for side, policy in (("before", compared.before), ("after", compared.after))
    }
    if found is None:
        return {**sides, "same": False}
    return {
        **sides,
        "same": found.same,
        "changes": [change._asdict() for change in found.changes],
        "verdicts_may_change": found.verdicts_may_change,
        "resets_counters": found.resets_counters,
        "budgets": [budget._asdict() for budget in found.budgets],
    }
