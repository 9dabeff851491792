"""Privacy settings from a file: plain data for the door, which knows what may stand in them."""

from pathlib import Path
from typing import Any

from spendgate.cli.say import USAGE
from spendgate.failure import Failure
from spendgate.model.policy_tree import TextError, Tree, read_trees


def read_settings(path: Path) -> dict[str, Any]:
    """The one document of a YAML or JSON file. Raises Failure, which names line and column."""
    try:
        trees = [tree for tree in read_trees(path.read_text(encoding="utf-8-sig")) if tree.data is not None]
    except UnicodeDecodeError:
        raise Failure(f"{path}: expected UTF-8 text", USAGE) from None
    except TextError as error:
        place = error.fault.place
        raise Failure(f"{path}:{place.line}:{place.column}: {error.fault.expected}", USAGE) from None
    if len(trees) != 1 or not isinstance(trees[0].data, dict):
        raise Failure(f"{path}: expected fields such as `mode: metadata_only`, in one document", USAGE)
    return _sound(trees[0], path)


def _sound(tree: Tree, path: Path) -> dict[str, Any]:
    for fault in tree.faults:
        raise Failure(f"{path}:{fault.place.line}:{fault.place.column}: {fault.expected}", USAGE)
    assert isinstance(tree.data, dict)
    return tree.data
