"""The file that says which group may what, and where: YAML, as an administrator writes it."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from gateway_shadow.login.grants import GrantRule
from spendgate.model.text import EXPECTED, echo_field, is_name


class Unreadable(Exception):
    """The file cannot be read, or says something else than expected; the message says where."""


def _name(text: str) -> str:
    if not is_name(text):
        raise ValueError(EXPECTED)
    return text


class _Rule(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    group: Annotated[str, Field(min_length=1, max_length=1000)]
    tenant: Annotated[str, AfterValidator(_name)]
    role: Literal["viewer", "editor", "approver", "operator", "content"]


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    grants: Annotated[list[_Rule], Field(min_length=1)]


def read_grants(path: Path) -> tuple[GrantRule, ...]:
    """The rules of a file: ``grants: [{group: ..., tenant: ..., role: ...}, ...]``. Raises Unreadable."""
    try:
        found = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise Unreadable(f"{path}: expected a file that can be read") from None
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        raise Unreadable(f"{place}: expected YAML") from None
    try:
        rules = _File.model_validate(found).grants
    except ValidationError as error:
        raise Unreadable(f"{path}: {_words(error)}") from None
    return tuple(GrantRule(each.group, each.tenant, each.role) for each in rules)


def _words(error: ValidationError) -> str:
    """The first error: its place and what was expected, without the value."""
    first = error.errors(include_input=False, include_url=False)[0]
    parts = [f"[{part}]" if isinstance(part, int) else f".{echo_field(part)}" for part in first["loc"]]
    place = "".join(parts).lstrip(".") or "the file"
    if first["type"] == "extra_forbidden":
        return f"{place}: expected only group, tenant and role, in a list under grants"
    return f"{place}: {first['msg'].removeprefix('Value error, ')}"
