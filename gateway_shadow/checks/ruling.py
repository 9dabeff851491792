"""What enforcing makes of a check: the words that the check, its answer and its records share."""

from collections.abc import Iterable
from typing import Literal, NamedTuple, Protocol

from gateway_shadow.checks.flag_watch import Watched
from gateway_shadow.checks.holding import Hold
from spendgate.model.check import CheckFault
from spendgate.model.decision import Decision, Reason
from spendgate.model.event import Event

Blocks = Literal["deny", "review"]


class Fault(NamedTuple):
    """A staging that could not be enforced as it should be, and why."""

    watched: Watched
    why: str


class Ruling(NamedTuple):
    """What enforcing makes of a check. ``blocked``: None lets the call go on. ``reasons``: of enforced stagings, those
    that block; none where a fault does. ``enforced``: what was enforced for the call. ``faults``: what could not be."""

    blocked: Blocks | None = None
    reasons: tuple[Reason, ...] = ()
    enforced: tuple[Watched, ...] = ()
    faults: tuple[Fault, ...] = ()

    @property
    def is_refused_by_fault(self) -> bool:
        """Whether a closed policy refuses the call because of a fault, and nothing else does."""
        return self.blocked is not None and not self.reasons


ALLOWED = Ruling()


class Rules(Protocol):
    """Rules on checks; see ``enforce.Enforcer``."""

    def hold(self, event: Event, approved: Iterable[str] = ()) -> Hold | None:
        """With what a check is to be judged: a reservation where something of the tenant is enforced."""

    def rule(self, hold: Hold | None, decision: Decision | None, fault: CheckFault | None) -> Ruling:
        """What becomes of a check that was judged with ``hold``; ``fault``: why it could not be judged."""

    def give_back(self, hold: Hold) -> None:
        """Give back, behind the answer, what was reserved for a call that is blocked."""

    async def keep_watching(self) -> None:
        """Read the flag on and on, until it is cancelled."""
