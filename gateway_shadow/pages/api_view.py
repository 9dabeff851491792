"""An OpenAPI document as people read it: routes by what they are about, with their fields. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

Document = Mapping[str, Any]
DEEPEST = 3
"""So many levels of a body's fields are told; the document has them all."""


class Field(NamedTuple):
    """A parameter, or a field of a body by its dotted name."""

    name: str
    where: str
    kind: str
    required: bool
    words: str


class Operation(NamedTuple):
    """A method of an address. ``fields``: parameters, then the body's; ``answers``: statuses."""

    method: str
    path: str
    words: str
    needs_key: bool
    fields: list[Field]
    takes: list[str]
    answers: list[str]


def groups_of(document: Document) -> dict[str, list[Operation]]:
    """The operations by tag, both in the document's order."""
    found: dict[str, list[Operation]] = {}
    for path, methods in document["paths"].items():
        for method, said in methods.items():
            found.setdefault(said.get("tags", ["others"])[0], []).append(_operation(document, path, method, said))
    return found


def _operation(document: Document, path: str, method: str, said: Document) -> Operation:
    content = said.get("requestBody", {}).get("content", {})
    fields = [_parameter(document, each) for each in said.get("parameters", ())]
    body: Document = next((each["schema"] for name, each in content.items() if name == "application/json"), {})
    return Operation(
        method.upper(), path, said.get("description") or said.get("summary", ""), bool(said.get("security")),
        [*fields, *_fields(document, body)], list(content), sorted(said.get("responses", ())),
    )  # fmt: skip


def _parameter(document: Document, said: Document) -> Field:
    kind = kind_of(document, said.get("schema", {}))
    return Field(said["name"], said["in"], kind, said.get("required", False), said.get("description", ""))


def _fields(document: Document, schema: Document, at: str = "", depth: int = 0) -> Iterator[Field]:
    whole = _resolved(document, schema)
    for name, each in whole.get("properties", {}).items():
        one = _resolved(document, each)
        required = name in whole.get("required", ())
        yield Field(f"{at}{name}", "body", kind_of(document, each), required, one.get("description", ""))
        if depth + 1 < DEEPEST:
            yield from _fields(document, one, f"{at}{name}.", depth + 1)


def kind_of(document: Document, schema: Document) -> str:
    """What may stand there, in words."""
    found = _resolved(document, schema)
    if "enum" in found:
        return " or ".join(str(each) for each in found["enum"])
    several = [each for each in (*found.get("anyOf", ()), *found.get("oneOf", ())) if each.get("type") != "null"]
    if several:
        return " or ".join(dict.fromkeys(kind_of(document, each) for each in several))
    if found.get("type") == "array":
        return f"list of {kind_of(document, found.get('items', {}))}"
    return str(found.get("const", found.get("format", found.get("type", "anything"))))


def _resolved(document: Document, schema: Document) -> Document:
    """A schema in the place of what refers to it; of one that may be null, the other."""
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    others = [each for each in schema.get("anyOf", ()) if each.get("type") != "null"]
    return _resolved(document, others[0]) if len(others) == 1 else schema
