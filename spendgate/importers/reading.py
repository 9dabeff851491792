"""Other people's YAML and JSON as plain data, in which no number has ever been a float.

YAML is composed to nodes and read from there, so that an amount is the digits that stand in the file; anchors are
allowed, within a limit. A field that stands twice is refused, for one of the two would be lost.
"""

import json
from decimal import Decimal, InvalidOperation
from typing import Any, TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.composer import MaxDepthExceededError
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

Data: TypeAlias = "dict[str, Data] | list[Data] | str | int | Decimal | bool | None"

MAX_BYTES = 64 << 20
MAX_YAML_BYTES = 4 << 20
MAX_VALUES = 1_000_000
MAX_DEPTH = 64
_TOO_DEEP = f"expected at most {MAX_DEPTH} levels"
_TRUE = ("true", "True", "TRUE")


class NotImportable(ValueError):
    """Input that is no document of the kind; the message says what was expected and repeats nothing of it."""


def read_documents(raw: bytes) -> list[Data]:
    """The documents of YAML or JSON bytes, at least one. Raises NotImportable."""
    if len(raw) > MAX_BYTES:
        raise NotImportable(f"expected at most {MAX_BYTES >> 20} MiB")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise NotImportable("expected UTF-8 text") from None
    found = [_read_json(text)] if text.lstrip()[:1] in ("{", "[") else _read_yaml(text)
    if all(each is None for each in found):
        raise NotImportable("expected a document, and there is none")
    return found


def _read_json(text: str) -> Data:
    try:
        return _shallow(
            json.loads(text, parse_float=_decimal, parse_int=_whole, parse_constant=_decimal, object_pairs_hook=_once)
        )
    except RecursionError:
        raise NotImportable(_TOO_DEEP) from None
    except json.JSONDecodeError as error:
        if len(text) <= MAX_YAML_BYTES and (found := _flow_style(text)) is not None:
            return found
        raise NotImportable(f"line {error.lineno}: expected valid JSON") from None


def _flow_style(text: str) -> Data:
    """YAML that merely begins like JSON."""
    try:
        found = _read_yaml(text)
    except NotImportable:
        return None
    return found[0] if len(found) == 1 else None


def _shallow(data: Data, depth: int = 0) -> Data:
    if depth > MAX_DEPTH:
        raise NotImportable(_TOO_DEEP)
    for each in data.values() if isinstance(data, dict) else data if isinstance(data, list) else ():
        _shallow(each, depth + 1)
    return data


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise NotImportable("expected each field once")
    return fields


def _whole(text: str) -> Data:
    return int(text) if len(text) <= 40 else text


def _decimal(text: str) -> Data:
    try:
        found = Decimal(text)
    except InvalidOperation:
        return text
    return found if found.is_finite() else text


def _read_yaml(text: str) -> list[Data]:
    if len(text) > MAX_YAML_BYTES:
        raise NotImportable(f"expected at most {MAX_YAML_BYTES >> 20} MiB of YAML; write it as JSON")
    try:
        return [_Nodes().data(node) for node in _yaml().compose_all(text) if node is not None]
    except MaxDepthExceededError:
        raise NotImportable(_TOO_DEEP) from None
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        raise NotImportable(f"{where}expected valid YAML or JSON") from None
    except (ValueError, OverflowError, RecursionError) as error:
        raise error if isinstance(error, NotImportable) else NotImportable("expected valid YAML or JSON") from None


def _yaml() -> YAML:
    """A parser that goes no deeper than is read: its time grows with the depth of what it stands in."""
    yaml = YAML(typ="safe", pure=True)
    yaml.max_depth = MAX_DEPTH
    yaml.composer.warn_double_anchors = False  # a later anchor of the same name is the one that counts
    return yaml


class _Nodes:
    """Nodes to data, counting, so that aliases cannot unfold without end."""

    def __init__(self) -> None:
        self._count = 0

    def data(self, node: Node, depth: int = 0) -> Data:
        self._count += 1
        if self._count > MAX_VALUES or depth > MAX_DEPTH:
            raise NotImportable(f"expected at most {MAX_DEPTH} levels and {MAX_VALUES:,} values")
        if isinstance(node, SequenceNode):
            return [self.data(each, depth + 1) for each in node.value]
        if isinstance(node, MappingNode):
            return _once([(self._key(key), self.data(value, depth + 1)) for key, value in node.value])
        return _scalar(node)

    def _key(self, node: Node) -> str:
        if not isinstance(node, ScalarNode):
            raise NotImportable("expected plain field names")
        return str(node.value)


def _scalar(node: Node) -> Data:
    kind, text = str(node.tag).rpartition(":")[2], str(node.value)
    match kind:
        case "null":
            return None
        case "bool":
            return text in _TRUE
        case "int":
            return _whole(text) if text.lstrip("+-").isdecimal() else text
        case "float":
            return _decimal(text.lstrip("+"))
    return text
