"""The five privacy modes in their order, and what each lets a door do with a call.

The order goes from the tightest to the widest: whatever a mode permits, every wider one permits too. So the mode of a
call is the tightest of all that have a say in it (the tenant, the request, the call itself, what a door is able to
do), and nobody can widen what somebody else has said.
"""

from collections.abc import Iterable
from typing import NamedTuple

from spendgate.model.event import PrivacyMode

MODES: tuple[PrivacyMode, ...] = (
    "private_gateway", "metadata_only", "fingerprint_only", "redacted_trace", "full_trace",
)  # fmt: skip
"""From the tightest to the widest."""
DEFAULT: PrivacyMode = "metadata_only"
_WIDTH = {mode: width for width, mode in enumerate(MODES)}


class Permits(NamedTuple):
    """What a mode permits: bodies that nobody signed, fingerprints of content, keeping it redacted, and as it is."""

    unsigned: bool
    fingerprints: bool
    redacted: bool
    whole: bool


def permits(mode: PrivacyMode) -> Permits:
    """What a mode permits."""
    width = _WIDTH[mode]
    return Permits(*(width >= _WIDTH[least] for least in MODES[1:]))


def tightest(first: PrivacyMode, *others: PrivacyMode | None) -> PrivacyMode:
    """The tightest of these; who says None has no say."""
    return min((first, *(each for each in others if each is not None)), key=_WIDTH.__getitem__)


def widest(modes: Iterable[PrivacyMode]) -> PrivacyMode:
    """The widest of at least one."""
    return max(modes, key=_WIDTH.__getitem__)


def is_within(mode: PrivacyMode, most: PrivacyMode) -> bool:
    """Whether a mode is no wider than another."""
    return _WIDTH[mode] <= _WIDTH[most]
