"""What the story has shown; each is false until it was observed."""

from dataclasses import asdict, dataclass


@dataclass
class Facts:
    """The names are what the last line of the story tells."""

    shadow_blocked_nothing: bool = False
    altered_counter_closed_gate: bool = False
    cause_named: bool = False
    rebuilt_gate_opened: bool = False
    single_person_flip_refused: bool = False
    flip_with_two_accepted: bool = False
    denied_at_cap: bool = False
    overshoot_zero: bool = False
    drift_demoted: bool = False

    def all_hold(self) -> bool:
        """Whether every one of them was observed."""
        return all(asdict(self).values())
