"""JSON schema in words, for the tables of the references."""

from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]
_BOUNDS = (
    ("minimum", "at least {}"), ("exclusiveMinimum", "over {}"), ("maximum", "at most {}"),
    ("exclusiveMaximum", "below {}"), ("minLength", "at least {} characters"), ("maxLength", "at most {} characters"),
    ("minItems", "at least {} of them"), ("maxItems", "at most {} of them"),
)  # fmt: skip
_CHOICES = ("anyOf", "oneOf")


def kind(schema: Schema, link: str = "#{}") -> str:
    """What a value is, in Markdown: ``link`` is where the section of a named schema stands."""
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        return f"[{name}]({link.format(name.lower())})"
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return ", ".join(f"`{each}`" for each in schema["enum"])
    for choice in _CHOICES:
        if choice in schema and "properties" not in schema:
            return " or ".join(dict.fromkeys(kind(each, link) for each in schema[choice]))
    if schema.get("type") == "array":
        return f"list of {kind(schema.get('items', {}), link)}"
    if isinstance(extra := schema.get("additionalProperties"), Mapping) and "properties" not in schema:
        return f"map to {kind(extra, link)}"
    found = schema.get("type", "any")
    return " or ".join(found) if isinstance(found, list) else str(found)


def bounds(schema: Schema) -> str:
    """Its limits, and its pattern."""
    told = [words.format(schema[name]) for name, words in _BOUNDS if name in schema]
    if "pattern" in schema:
        told.append(f"matches `{schema['pattern']}`")
    if schema.get("uniqueItems"):
        told.append("none twice")
    return ", ".join(told)


def rows(schema: Schema, link: str = "#{}") -> Iterator[tuple[str, str, str, str]]:
    """Name, kind, limits with the description, and what holds where it is absent; for each property."""
    required = schema.get("required", ())
    for name, each in schema.get("properties", {}).items():
        said = "; ".join(filter(None, (plain(each.get("description", "")), bounds(each))))
        yield name, kind(each, link), said, "required" if name in required else _absent(each)


def table(schema: Schema, link: str = "#{}") -> str:
    """The properties as a Markdown table; empty where there are none."""
    found = [
        f"| `{name}` | {cell(what)} | {cell(said)} | {cell(absent)} |"
        for name, what, said, absent in rows(schema, link)
    ]
    return "\n".join(["| field | holds | limits | absent |", "| --- | --- | --- | --- |", *found]) if found else ""


def cell(text: str) -> str:
    """Text that does not end a cell."""
    return text.replace("|", "\\|").replace("\n", " ")


def plain(text: str) -> str:
    """A docstring as Markdown."""
    return " ".join(text.replace("``", "`").split())


def _absent(schema: Schema) -> str:
    if "default" not in schema or schema["default"] in (None, [], {}):
        return "none"
    return f"`{schema['default']}`"
