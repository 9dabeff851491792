"""A second copy of the engine whose kernel is not compiled: the same source, run by Python."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from types import ModuleType
from unittest import mock

_COPIED = ("spendgate.engine", "spendgate.simulate.replay", "tests.engine.evaluate")


@cache
def plain(name: str) -> ModuleType:
    """The module of that name out of the second copy."""
    return _copies()[name]


@cache
def _copies() -> dict[str, ModuleType]:
    import_module("tests.engine.evaluate")
    with _put_aside(), mock.patch.dict(os.environ, {"SPENDGATE_JIT": "off"}):
        import_module("tests.engine.evaluate")
        return {name: sys.modules[name] for name in _known()}


def _known() -> list[str]:
    return [name for name in sys.modules if name in _COPIED or name.startswith("spendgate.engine.")]


@contextmanager
def _put_aside() -> Iterator[None]:
    """Let the modules be imported anew, and have the first copies back afterwards."""
    first = {name: sys.modules.pop(name) for name in _known()}
    try:
        yield
    finally:
        for name in _known():
            del sys.modules[name]
        sys.modules.update(first)
        for name, module in first.items():
            parent, _, child = name.rpartition(".")
            setattr(sys.modules[parent], child, module)
