"""One who watches decisions: what waits for them, what they want, and what was left out because it came too fast.

Who wants no more than so many a second costs nothing beyond them, however busy the tenant is: a message of which nobody
wants anything any more need not even be decoded.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from gateway_shadow.live.ids import Place, Told
from spendgate.model.decision import Decision

MOST_WAITING = 2_000
"""Decisions that wait for one who watches; what comes then is left out."""
Wants = Callable[[Decision], bool]


class Gap(NamedTuple):
    """So many decisions were left out here: for they were read too slowly, or were more than was asked for in a second;
    then ``after`` is the place behind them, for they are not missed."""

    missed: int
    reason: Literal["too_slow", "at_most"] = "too_slow"
    after: Place | None = None


@dataclass(eq=False)
class Watcher:
    """One who watches a tenant's decisions. ``wants``: which of them, None for all; ``at_most``: so many a second, None
    for no such limit; ``clock``: monotonic seconds."""

    tenant: str
    wants: Wants | None = None
    at_most: int | None = None
    clock: Callable[[], float] = time.monotonic
    _waiting: asyncio.Queue[Told | Gap] = field(default_factory=lambda: asyncio.Queue(MOST_WAITING))
    _missed: int = 0
    _over: int = 0
    _behind: Place | None = None
    _second: float = 0.0
    _told: int = 0

    def tell(self, told: Told) -> None:
        """A decision, or one more that is left out; the order stays, so a gap ends only once all before it are read."""
        if self.wants is not None and not self.wants(told.decision):
            return
        if self._has_enough():
            self._over += 1
            self._behind = told.after
            return
        if (gap := self.rest()) is not None:
            self._put(gap)
        self._told += 1
        self._put(told)

    def _put(self, what: Told | Gap) -> None:
        if self._missed or self._waiting.full():
            self._missed += what.missed if isinstance(what, Gap) else 1
        else:
            self._waiting.put_nowait(what)

    def _has_enough(self) -> bool:
        """Whether this second's are told."""
        if self.at_most is None:
            return False
        now = self.clock()
        if now - self._second >= 1.0:
            self._second, self._told = now, 0
        return self._told >= self.at_most

    def pass_over(self, decisions: int, after: Place) -> bool:
        """Whether a message of so many decisions, with the place behind it, can be left out unread; then it was."""
        if self.wants is not None or not self._has_enough():
            return False
        self._over += decisions
        self._behind = after
        return True

    def rest(self) -> Gap | None:
        """What was more than was asked for, once its second is over."""
        if not self._over or self._has_enough():
            return None
        gap, self._over = Gap(self._over, "at_most", self._behind), 0
        return gap

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits."""
        return self._waiting.empty() and not self._missed

    @property
    def is_abreast(self) -> bool:
        """Whether all that was told has been read."""
        return self.is_empty and not self._over

    @property
    def has_missed(self) -> bool:
        """Whether some were left out that were wanted."""
        return self._missed > 0

    def forget(self) -> None:
        """Leave out what waits, for it will be read elsewhere."""
        self._missed = self._over = 0
        while not self._waiting.empty():
            self._waiting.get_nowait()

    async def next(self) -> Told | Gap:
        """The next one."""
        if self._waiting.empty() and self._missed:
            gap, self._missed = Gap(self._missed), 0
            return gap
        return await self._waiting.get()
