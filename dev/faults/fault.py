"""What a fault is: how it is done to a system under load, and in which world."""

from collections.abc import Callable
from dataclasses import dataclass, field

from dev.faults.arena import Arena
from dev.faults.load import Span, up_to_now


@dataclass(frozen=True, slots=True)
class Fault:
    """``inject`` sends the whole load and does the fault meanwhile. ``span``: when the calls were made, by the seed.
    ``all_on_time``: whether no call is late. ``clocked``: workers have a clock that can be set. ``slow_line``: workers
    reach Redis by the proxy. ``fits_obvious``:
    whether the obvious design can be put through the same."""

    name: str
    title: str
    inject: Callable[[Arena], None]
    span: Callable[[int], Span] = field(default=lambda seed: up_to_now())
    dated: bool = False
    all_on_time: bool = True
    clocked: bool = False
    small_disk: bool = False
    slow_line: bool = False
    fits_obvious: bool = True
    why_not: str = ""


def lasting(
    begin: Callable[[Arena], None], end: Callable[[Arena], None], lasts_s: float, *, history: bool = False
) -> Callable[[Arena], None]:
    """Something that goes away under load, and comes back. ``history``: recovered means recorded, too."""

    def inject(arena: Arena) -> None:
        arena.system.start()
        arena.send(0.2)
        arena.settle()
        arena.send(0.1)
        begin(arena)
        arena.send(0.3)
        arena.sleep(lasts_s)
        end(arena)
        arena.recover(history=history)
        arena.send()
        arena.settle()

    return inject
