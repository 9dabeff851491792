"""``spendgate test``: run the cases that policy files carry, and tell what came out otherwise."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spendgate.cli.policy_files import read_sourced
from spendgate.cli.say import FOUND, USAGE, notice, told_without_kafka
from spendgate.model.canonical import policy_hash
from spendgate.model.money import DECIMALS, NANO_PER_USD, format_usd
from spendgate.model.policy_source import Sourced
from spendgate.model.words import explain, instant

if TYPE_CHECKING:
    from spendgate.simulate.cases import Answer, CaseResult, Difference

_CENT_NANO_USD = NANO_PER_USD // 100
_WORDS = {"out_of_scope": "out of scope", "duplicate": "no decision (a repeat)"}
_SHOWN = ("team", "employee", "customer", "project", "workflow", "agent", "model", "vendor")


def run(
    files: Annotated[list[Path], typer.Argument(help="Policy files, YAML or JSON.")],
    only: Annotated[str, typer.Option("-k", metavar="TEXT", help="Only cases whose name holds this text.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Run the cases (tests:) of policy files.

    Exit code 1 if a case fails, 2 for an invalid file or where -k selects nothing.
    """
    with told_without_kafka():
        runs = run_cases(read_sourced(files), only)
        results = [result for _, found in runs for result in found]
        failed = sum(not result.passed for result in results)
        if only and not results:
            notice("-k: expected a text that the name of a case holds")
            raise typer.Exit(USAGE)
        typer.echo(json.dumps(_json(runs)) if as_json else "\n".join(_text(runs)))
        raise typer.Exit(FOUND if failed else 0)


def run_cases(sourced: Sequence[Sourced], only: str = "") -> "list[tuple[Sourced, list[CaseResult]]]":
    """Each policy with the results of its cases whose name holds ``only``, whatever its case."""
    from spendgate.simulate.cases import run_case

    wanted = only.casefold()
    return [
        (each, [run_case(each.policy, case) for case in each.cases if wanted in case.name.casefold()])
        for each in sourced
    ]


def _text(runs: "list[tuple[Sourced, list[CaseResult]]]") -> list[str]:
    lines: list[str] = []
    for each, results in runs:
        lines.append(f"{each.name}: {each.policy.metadata.name}" + ("" if each.cases else " has no cases"))
        for result in results:
            lines += _case_text(each, result)
    results = [result for _, found in runs for result in found]
    passed = sum(result.passed for result in results)
    return [*lines, f"{passed} of {_counted(len(results), 'case')} passed"]


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" + ("" if count == 1 else "s")


def _case_text(sourced: Sourced, result: "CaseResult") -> list[str]:
    if result.passed:
        return [f"  ok    {result.case.name} ({_counted(len(result.answers), 'event')})"]
    place = sourced.place(("tests", _index(sourced, result)))
    lines = [f"  FAIL  {result.case.name} ({sourced.name}:{place.line})"]
    for answer in result.answers:
        lines += _answer_text(answer) if answer.differences else []
    return lines


def _index(sourced: Sourced, result: "CaseResult") -> int:
    return next(i for i, case in enumerate(sourced.cases) if case is result.case)


def _answer_text(answer: "Answer") -> list[str]:
    lines = [f"        event {answer.number}: {_call(answer)}"]
    lines += [
        f"          {_field(each)}: expected {_shown(each, each.expected)}, got {_shown(each, each.got)}"
        for each in answer.differences
    ]
    if answer.reasons:
        told = {rule.rule: explain(rule, answer.event.cost_nano_usd) for rule in answer.reasons}
        lines += [f"          rule {rule}: {words}" for rule, words in told.items()]
    return lines


def _call(answer: "Answer") -> str:
    event = answer.event
    names = [f"{name}={value}" for name in _SHOWN if (value := getattr(event, name)) is not None]
    cost = "no known cost" if event.cost_nano_usd is None else _exact(event.cost_nano_usd)
    return ", ".join([instant(event.time), *names, cost])


def _field(difference: "Difference") -> str:
    return difference.field.removesuffix("_nano_usd").replace("_", " ")


def _shown(difference: "Difference", value: Any) -> str:
    if value is None:
        return "none"
    if difference.field.endswith("_nano_usd"):
        return _exact(value)
    return _WORDS.get(value, value) if isinstance(value, str) else instant(value)


def _exact(nano_usd: int) -> str:
    return format_usd(nano_usd, 2 if nano_usd % _CENT_NANO_USD == 0 else DECIMALS)


def _json(runs: "list[tuple[Sourced, list[CaseResult]]]") -> dict[str, Any]:
    return {
        "ok": all(result.passed for _, results in runs for result in results),
        "policies": [
            {
                "file": each.name,
                "policy": each.policy.metadata.name,
                "hash": policy_hash(each.policy),
                "cases": [_case_json(result) for result in results],
            }
            for each, results in runs
        ],
    }


def _case_json(result: "CaseResult") -> dict[str, Any]:
    return {
        "name": result.case.name,
        "passed": result.passed,
        "events": [
            {
                "event": answer.event.id,
                "expected": answer.expected.expect,
                "got": answer.got,
                "differences": [
                    {"field": each.field, "expected": _plain(each.expected), "got": _plain(each.got)}
                    for each in answer.differences
                ],
                "reasons": [explain(reason, answer.event.cost_nano_usd) for reason in answer.reasons],
            }
            for answer in result.answers
        ],
    }


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, int | str) else value.isoformat()
