"""The references: the policy from its JSON schema, the API from the OpenAPI document, the command from itself."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import typer

from dev.docs.schema_words import cell, kind, plain, table
from dev.places import CHECKOUT
from gateway_shadow.routes_page import document
from spendgate.cli.main import app

_METHODS = ("get", "post", "put", "patch", "delete")


def policy() -> str:
    """Every part of a policy document, from ``schemas/policy.schema.json``."""
    schema = json.loads((CHECKOUT / "schemas" / "policy.schema.json").read_text(encoding="utf-8"))
    parts = [("Policy", schema), *sorted(schema["$defs"].items())]
    head = (
        "# Policy reference\n\nMade from [`schemas/policy.schema.json`](../../schemas/policy.schema.json). What the "
        "fields mean together, with examples: [policies](../policies.md); `spendgate validate` checks more than a "
        "schema can.\n"
    )
    return head + "".join(f"\n## {name}\n\n{_about(part)}{table(part)}\n" for name, part in parts)


def _about(part: Mapping[str, Any]) -> str:
    text = plain(part.get("description", ""))
    return f"{text}\n\n" if text else ""


def api() -> str:
    """Every route of the door, by tag."""
    found = document()
    by_tag: dict[str, list[str]] = {}
    for path, methods in sorted(found["paths"].items()):
        for method in (each for each in _METHODS if each in methods):
            tag = (methods[method].get("tags") or ["other"])[0]
            by_tag.setdefault(tag, []).append(_operation(method, path, methods[method]))
    head = (
        "# API reference\n\nMade from the OpenAPI document, which a running door serves at `/openapi.json` (and to "
        "read at `/docs`). Keys, roles and what holds for all routes: [the HTTP door](../http.md).\n"
    )
    parts = [f"\n## {tag}\n\n" + "\n".join(operations) for tag, operations in sorted(by_tag.items())]
    schemas = sorted(found["components"]["schemas"].items())
    told = [f"\n### {name}\n\n{_about(each)}{table(each) or _whole(each)}\n" for name, each in schemas]
    return head + "".join(parts) + "\n## Documents\n" + "".join(told)


def _whole(schema: Mapping[str, Any]) -> str:
    return kind(schema)


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> str:
    lines = [f"### `{method.upper()} {path}`\n", plain(operation.get("description", operation.get("summary", ""))), ""]
    if parameters := [each for each in operation.get("parameters", ()) if "schema" in each]:
        lines += ["| parameter | in | holds | |", "| --- | --- | --- | --- |", *map(_parameter, parameters), ""]
    if body := operation.get("requestBody"):
        lines += [f"Body: {'; '.join(_content(body['content']))}.", ""]
    good = {code: each for code, each in operation["responses"].items() if code < "4"}
    problems = ", ".join(code for code in operation["responses"] if code not in good)
    answers = ", ".join(f"{code}{_answer(each)}" for code, each in good.items())
    return "\n".join([*lines, f"Answers: {answers}{'; problems: ' if problems else ''}{problems}.", ""])


def _parameter(each: Mapping[str, Any]) -> str:
    said = plain(each.get("description", "")) or ("required" if each.get("required") else "")
    return f"| `{each['name']}` | {each['in']} | {cell(kind(each['schema']))} | {cell(said)} |"


def _content(content: Mapping[str, Any]) -> Iterator[str]:
    for media, each in content.items():
        yield f"`{media}` {kind(each.get('schema', {}))}"


def _answer(answer: Mapping[str, Any]) -> str:
    shapes = list(_content(answer.get("content", {})))
    return f" ({shapes[0]})" if shapes else ""


def command() -> str:
    """Every subcommand with its arguments and options."""
    head = "# Command reference\n\nMade from the command itself; `--help` says the same, and names the exit codes.\n"
    return head + "".join(f"\n## `{name}`\n\n{_command(each)}\n" for name, each in sorted(commands().items()))


def commands() -> dict[str, Any]:
    """The commands that do something, by their whole name (``spendgate policy create``)."""
    return dict(_leaves("spendgate", typer.main.get_command(app)))


def _leaves(name: str, each: Any) -> Iterator[tuple[str, Any]]:
    below: Mapping[str, Any] = getattr(each, "commands", {})
    if not below:
        yield name, each
    for part, child in below.items():
        yield from _leaves(f"{name} {part}", child)


def _command(each: Any) -> str:
    rows = [
        f"| {_spelled(parameter)} | {cell(plain(getattr(parameter, 'help', None) or ''))} |"
        for parameter in each.params
        if parameter.name != "help"
    ]
    text = plain(each.help or "")
    return f"{text}\n\n" + ("\n".join(["| | |", "| --- | --- |", *rows]) if rows else "")


def _spelled(parameter: Any) -> str:
    if getattr(parameter, "param_type_name", "") == "argument":
        return f"`{str(parameter.name).upper()}`"
    return ", ".join(f"`{each}`" for each in parameter.opts)
