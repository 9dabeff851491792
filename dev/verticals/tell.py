"""A vertical's run in words of its own, on a terminal."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.tree import Tree

from dev.verticals.facts import Facts
from dev.verticals.tree import Node
from spendgate.model.words import money

_DETAIL = ("team", "project", "agent", "task", "vendor", "model", "input_tokens", "output_tokens", "status")


def tell(console: Console, facts: Facts) -> None:
    """All of it."""
    for part in (_came_in(facts), _tree(facts), _would_be(facts), *map(_story, facts.stories), *_simulated(facts)):
        console.print(part, highlight=False, soft_wrap=isinstance(part, str))
    console.print(_agreement(facts), highlight=False, soft_wrap=True)


def _came_in(facts: Facts) -> str:
    words, found = facts.chosen.vertical, facts.situations
    documents, loops = found.costlier_documents.values(), found.loops
    rows = (
        ("a document that costs more", f"{len(documents)}, the dearest {money(max(documents, default=0))}"),
        ("an agent that loops", f"{len(loops)}, the longest {_longest(loops)}"),
        ("an escalation", f"{len(found.escalations)}, by the {words.person}"),
        ("evidence missing, or failed", f"{len(found.evidence_missing)}, {len(found.evidence_failed)}"),
        (f"{'an' if words.case[0] in 'aeiou' else 'a'} {words.case} over its cap", f"{len(found.over_cap)}"),
    )
    return "\n".join([_headline(facts), *(f"  {name:31}{value}" for name, value in rows)])


def _headline(facts: Facts) -> str:
    asked = ", ".join(f"{count:,} {verdict}" for verdict, count in sorted(facts.checks.items()))
    worth = money(sum(facts.tally.nano_usd.values()))
    return (
        f"\n[bold]What came in[/bold]: {len(facts.tally.decisions):,} calls of "
        f"{_many(facts.cases, facts.chosen.vertical.case)}, worth {worth}; agents asked before "
        f"{sum(facts.checks.values()):,} of them ({asked or 'none'}), and nothing was blocked."
    )


def _longest(loops: Mapping[tuple[str, str], int]) -> str:
    if not loops:
        return "none"
    case, agent = max(loops, key=lambda each: loops[each])
    return f"of {loops[case, agent]} tries, {agent} on {case}"


def _tree(facts: Facts) -> Tree:
    words = facts.chosen.vertical
    title = (
        f"\n[bold]Budgets[/bold]: {words.company}, {words.line}, {words.case}, agent; spent of the cap, by the ledger, "
        "imported weeks too"
    )
    tree = Tree(title, hide_root=False)
    for node in facts.tree:
        _branch(tree, node, words.case)
    return tree


def _branch(tree: Tree, node: Node, case: str) -> None:
    branch = tree.add(
        f"{escape(node.name)}  {money(node.sum.spent_nano_usd)} of {money(node.sum.cap_nano_usd)}, {node.share:.0%}"
        f"{', [red]over[/red]' if node.share > 1 else ''}"
    )
    for each in node.below:
        _branch(branch, each, case)
    if left := node.parts - len(node.below):
        branch.add(f"[dim]and {left:,} more[/dim]")


def _would_be(facts: Facts) -> Table:
    case = facts.chosen.vertical.case
    table = _table(
        "would have been", "by", "because", numbers=("calls", f"{case}s" if " " not in case else "cases", "dollars")
    )
    for each in facts.would_be:
        table.add_row(
            each.verdict, f"{each.policy}/{each.rule}", each.code, f"{each.calls:,}", f"{each.cases:,}",
            money(each.cost_nano_usd),
        )  # fmt: skip
    return table


def _story(story: Mapping[str, Any]) -> str:
    event, owner, decision = story["event"], story["attribution"], story["decision"]
    detail = "  ".join(f"{name} {event[name]}" for name in _DETAIL if name in event)
    missing = f", missing {', '.join(owner['missing'])}" if owner["missing"] else ""
    shown = next((each["evidence_id"] for each in story["annotations"] if "evidence_id" in each), None)
    evidence = (story["evidence_status"] or "not stated") + (f" ({shown})" if shown else "")
    lines = (
        f"\n[bold]{event['id']}[/bold]",
        f"  event      {detail}  cost {money(story['cost_nano_usd'] or 0)}",
        f"  owner      known by {len(owner['known'])} of {owner['of']}{missing}",
        f"  policies   {decision['verdict']}: {'; '.join(each['words'] for each in _said(decision)) or 'all approve'}",
        f"  evidence   {evidence}; outcome {story['outcome'] or 'none yet'}",
    )
    return "\n".join(escape(line) if at else line for at, line in enumerate(lines))


def _said(decision: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [each for each in decision["reasons"] if each["verdict"] != "approve"]


def _simulated(facts: Facts) -> Iterator[Any]:
    """What the simulator says of the whole history."""
    report, better = facts.study.report, facts.study.suggestion
    history = report["history"]
    yield (
        f"\n[bold]The simulator on its history[/bold]: {history['calls']:,} calls from {history['from'][:10]} to "
        f"{history['to'][:10]}"
    )
    if (sweep := report.get("sweep")) is not None:
        yield _sweep(sweep["points"], facts.chosen.vertical.suggest)
    if better is not None:
        of = f"{better['policy']}/{better['rule']}"
        yield f"A better cap for {of}: [bold]${better['cap_usd']}[/bold], {better['words']}."
    yield f"All of it, with its curves: {facts.study.page}"


def _sweep(rows: Sequence[Mapping[str, Any]], of: str) -> Table:
    table = _table(f"cap of {of}", numbers=("denied calls", "denied dollars", "lost accepted work"))
    for row in rows:
        table.add_row(
            f"${row['value']}", f"{row['denied_calls']:,}", money(row["denied_nano_usd"]), f"{row['lost_accepted']:,}"
        )
    return table


def _agreement(facts: Facts) -> str:
    agreement, study = facts.agreement, facts.study
    different = agreement.mismatched + agreement.extra
    return (
        f"\n{len(facts.tally.decisions):,} decisions on {facts.records:,} records, in {facts.seconds:.0f} s. Checked "
        f"against an offline replay of the log: [bold]{agreement.missing} missing, {agreement.duplicated} doubled, "
        f"{different} different[/bold]. Simulated over the ledger: {study.agreed:,} calls get the verdict that they "
        f"got live, [bold]{study.different:,} another[/bold].\n"
        "All of it is synthetic, from a seed: no person, no company, no document; the prices are list prices."
    )


def _table(*columns: str, numbers: Sequence[str]) -> Table:
    table = Table(box=None, pad_edge=False, title_justify="left")
    for column in columns:
        table.add_column(column)
    for column in numbers:
        table.add_column(column, justify="right")
    return table


def _many(number: int, noun: str) -> str:
    plural = noun.replace("piece of", "pieces of") if " of " in noun else f"{noun}s"
    return f"{number:,} {noun if number == 1 else plural}"
