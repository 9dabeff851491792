"""Whether decision ids are what their places make them, without making a text of each."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spendgate.engine.jit import inlined, jit
from spendgate.engine.rules import Int

Bytes = NDArray[np.uint8]
_DASH, _ZERO, _A = ord("-"), ord("0"), ord("a")
_NONE = -(2**62)


def ids_differ(ids: Any, head: str, offsets: Int, indexes: Int) -> NDArray[np.bool_]:
    """Of each id (an Arrow column of texts) whether it is not ``<head>-<offset in hex>-<index in hex>``."""
    _, ends, content = ids.buffers()
    bounds = np.frombuffer(ends, np.int32)[ids.offset : ids.offset + len(ids) + 1].astype(np.int64)
    text = np.frombuffer(content, np.uint8) if content is not None and content.size else np.zeros(1, np.uint8)
    differ = np.asarray(ids.is_null().to_numpy(zero_copy_only=False))
    _compare(text, bounds, np.frombuffer(f"{head}-".encode(), np.uint8), offsets, indexes, differ)
    return differ


@jit
def _compare(text: Bytes, bounds: Int, head: Bytes, offsets: Int, indexes: Int, differ: NDArray[np.bool_]) -> None:
    """From the end of each id to its beginning."""
    for row in range(offsets.shape[0]):
        begin = bounds[row]
        at = _before_number(text, begin, bounds[row + 1] - 1, indexes[row])
        is_parted = at >= begin and text[at] == _DASH
        at = _before_number(text, begin, at - 1, offsets[row]) if is_parted else _NONE
        if at - begin + 1 != head.shape[0]:
            differ[row] = True
            continue
        for place in range(head.shape[0]):
            differ[row] |= text[begin + place] != head[place]


@inlined
def _before_number(text: Bytes, begin: int, at: int, number: int) -> int:
    """Where the text before a number in hex ends, if it stands there and ends at ``at``; else _NONE."""
    while at >= begin:
        digit = number & 15
        if text[at] != (_ZERO + digit if digit < 10 else _A + digit - 10):
            return _NONE
        at -= 1
        number >>= 4
        if number <= 0:
            return at
    return _NONE
