"""What is measured of a run, and how several runs become one line."""

from collections.abc import Iterable, Sequence

from msgspec import Struct

CLEAN = ("wrong_decisions", "events_lost", "events_doubled", "decisions_differing", "counter_error_nano_usd")
"""What is to be zero, whatever happened."""


class Score(Struct, kw_only=True, omit_defaults=True):
    """One run. ``wrong_decisions``: calls whose decision is not the one owed; ``events_lost``: calls without one, or
    that the ledger lacks; ``events_doubled``: calls that were decided or recorded twice; ``decisions_differing``:
    decisions published again with another content; ``counter_error_nano_usd``: by how much all sums are off together;
    ``overshoot_nano_usd``: admitted over enforced caps, less what was recorded as let through, None where nothing was
    enforced; ``recovered_s``: from the fault's end until all that was sent before it was applied; ``cause_named``:
    whether reconciliation names what the fault left, or, where it leaves nothing, agrees."""

    events: int
    decisions: int
    wrong_decisions: int
    events_lost: int
    events_doubled: int
    decisions_differing: int
    counter_error_nano_usd: int
    recovered_s: float
    overshoot_nano_usd: int | None = None
    cause: str | None = None
    cause_named: bool = False
    restarts: int = 0
    """How often a worker or a ledger agent had to be started anew."""
    took_s: float = 0.0
    notes: list[str] = []
    versions: dict[str, str] = {}

    @property
    def is_clean(self) -> bool:
        """Whether nothing is wrong, lost, doubled, differing or off."""
        return not any(getattr(self, name) for name in CLEAN)


class Overshoot(Struct, kw_only=True):
    """What enforcing came to. ``nano_usd``: spent over the caps, less what was recorded as let through;
    ``let_through_nano_usd``: that under the open policy; ``flag_off_nano_usd``: under the closed one, while the flag
    could not be read; ``enforced_again_s``: from the fault's end until both caps were enforced again."""

    checks: int
    calls: int
    nano_usd: int
    let_through_nano_usd: int
    flag_off_nano_usd: int
    enforced_again_s: float
    took_s: float = 0.0


SUMMED = (
    "events", "decisions", "wrong_decisions", "events_lost", "events_doubled", "decisions_differing",
    "counter_error_nano_usd", "overshoot_nano_usd", "restarts",
)  # fmt: skip


def together(scores: Sequence[Score]) -> Score:
    """Runs of one fault: counts are added up, the longest recovery stands, and a cause is named if it always was."""
    summed = {name: _sum(getattr(score, name) for score in scores) for name in SUMMED}
    causes = sorted({score.cause for score in scores if score.cause})
    return Score(
        **summed,  # type: ignore[arg-type]
        recovered_s=max(score.recovered_s for score in scores),
        cause=", ".join(causes) or None,
        cause_named=all(score.cause_named for score in scores),
        took_s=max(score.took_s for score in scores),
        notes=sorted({note for score in scores for note in score.notes}),
    )


def _sum(found: Iterable[int | None]) -> int | None:
    known = [each for each in found if each is not None]
    return sum(known) if known else None
