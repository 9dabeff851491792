"""One budget of LiteLLM's (``max_budget``, ``soft_budget``, ``budget_duration``, ``model_max_budget``) as policies."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from spendgate.importers.carrying import Carrying
from spendgate.importers.drafting import Drafts, Scope, budget_rules
from spendgate.importers.values import EXPECTED_USD, field_of, glob_of, nano_of
from spendgate.importers.windows import WindowFound, lifetime, litellm_window
from spendgate.model.policy_problems import Path

CROSSING = "there calls are refused once the cap is reached, here the call that would go beyond it already is"
EXPECTED_DURATION = "expected a duration such as 1h, 7d, 30d or 1mo, of at most 400 days"
NO_CHARACTERS = "has characters that no field of an event can hold"
NO_FIELD = "a policy's scope has no such field; name the one that your events carry it in with --map {}=FIELD"
NO_CAP = "no cap goes with it"
MODEL_NAMES = "the model's name there, with and without the provider before it; a policy looks at the served model"
DEPLOYMENT = "a budget of one deployment there; here of every call of the model"
COUNTS = "counts requests or tokens, not money"
STATE = "state of the other system; what was spent is in the ledger"
ACCESS = "says which models may be used, which is no budget; a boundary can say it"
_COUNTED = "tpm_limit rpm_limit tpm rpm max_parallel_requests model_rpm_limit model_tpm_limit"
_KEPT = "spend model_spend budget_reset_at created_at created_by updated_at updated_by soft_budget_cooldown last_active"
_REASONS = {
    **dict.fromkeys(_COUNTED.split(), COUNTS),
    **dict.fromkeys(_KEPT.split(), STATE),
    **dict.fromkeys(("models", "allowed_models"), ACCESS),
}


class Owner(NamedTuple):
    """Whose budget it is: the words of a policy's name, the scope, the groups that count apart, and its fields."""

    label: tuple[str, ...]
    scope: Scope
    per: tuple[str, ...] = ()
    sources: tuple[Path, ...] = ()


class Terms(NamedTuple):
    """How a place calls the cap, the soft cap and the duration."""

    cap: str = "max_budget"
    soft: str = "soft_budget"
    duration: str = "budget_duration"


ROUTER = Terms("budget_limit", "soft_budget", "time_period")
"""What the router's configuration calls them, and newer ``model_max_budget``."""


@dataclass(slots=True)
class Session:
    """One import: what becomes of the input, the policies so far, and what dimensions and zone mean."""

    carrying: Carrying
    drafts: Drafts
    mapping: Mapping[str, str]
    timezone: str = "UTC"
    calendars: list[Path] = field(default_factory=list)

    def field_of(self, dimension: str, *paths: Path) -> str | None:
        """The scope field of a dimension; where there is none, ``paths`` are left with the reason."""
        found = field_of(dimension, self.mapping)
        if found is None:
            for path in paths:
                self.carrying.leave(path, NO_FIELD.format(dimension))
        return found

    def amount(self, path: Path) -> int | None:
        """The dollars at ``path`` in nano-USD; left with the reason where they are none."""
        found = nano_of(self.carrying.at(path)) if self.carrying.has(path) else None
        if found is None:
            self.carrying.leave(path, EXPECTED_USD)
        return found

    def globs(self, paths: Sequence[Path]) -> tuple[list[str], tuple[Path, ...]]:
        """The names at ``paths`` as globs, and the paths of those; one that no event can hold is left."""
        globs, sources = [], []
        for path in paths:
            glob = glob_of(self.carrying.at(path))
            if glob is None:
                self.carrying.leave(path, NO_CHARACTERS)
            else:
                sources.append(path)
                globs += [glob] if glob not in globs else []
        return globs, tuple(sources)


def carry_budget(session: Session, where: Path, owner: Owner, terms: Terms | None = None) -> None:
    """The cap and soft cap at ``where`` as a policy of ``owner``, and those by model as one each."""
    carry_cap(session, where, owner, terms or Terms())
    by_model = session.carrying.at((*where, "model_max_budget"))
    for name, value in by_model.items() if isinstance(by_model, dict) else ():
        path = (*where, "model_max_budget", name)
        of_model = _of_model(session, path, owner, name)
        if of_model is None:
            continue
        if isinstance(value, dict):
            router = not session.carrying.has((*path, "max_budget"))
            carry_cap(session, path, of_model, ROUTER if router else Terms())
        else:
            _carry(session, path, None, lifetime(), of_model, [path])


def _of_model(session: Session, path: Path, owner: Owner, name: str) -> Owner | None:
    globs = model_globs(name)
    if globs is None:
        session.carrying.leave(path, NO_CHARACTERS)
        return None
    session.carrying.approximate(path, MODEL_NAMES)
    return owner._replace(label=(*owner.label, name), scope=owner.scope | {"model": globs})


def model_globs(name: str) -> list[str] | None:
    """A model's name as LiteLLM writes it (``openai/gpt-4o``), whole and bare; None if no event can hold it."""
    whole, bare = glob_of(name), glob_of(name.partition("/")[2])
    return None if whole is None else [whole] if bare is None else [whole, bare]


def carry_cap(session: Session, where: Path, owner: Owner, terms: Terms) -> None:
    """The cap and soft cap at ``where``, by the names that they have there."""
    carrying = session.carrying
    cap, soft, duration = ((*where, name) for name in terms)
    window = _window(session, duration)
    said = [path for path in (cap, soft) if carrying.has(path)]
    if not said or window is None:
        for path in (*said, *([duration] if carrying.has(duration) else [])):
            carrying.leave(path, EXPECTED_DURATION if window is None else NO_CAP)
        return
    _carry(session, cap, soft, window, owner, [*said, duration])


def _carry(
    session: Session, cap: Path, soft: Path | None, window: WindowFound, owner: Owner, sources: Sequence[Path]
) -> None:
    carrying = session.carrying
    cap_nano_usd, soft_nano_usd = session.amount(cap), session.amount(soft) if soft else None
    duration = sources[-1]
    rules = budget_rules(cap_nano_usd, soft_nano_usd, window.window, owner.per)
    if not rules:
        carrying.leave(duration, NO_CAP)
        return
    kept = [path for path in (*owner.sources, *sources) if carrying.has(path)]
    carrying.carry(*kept)
    if cap_nano_usd is not None:
        carrying.approximate(cap, CROSSING)
    if window.differs:
        carrying.approximate(duration, window.differs)
    if "calendar" in window.window:
        session.calendars.append(duration)
    session.drafts.add(owner.label, owner.scope, rules, kept)


def _window(session: Session, duration: Path) -> WindowFound | None:
    if not session.carrying.has(duration):
        return lifetime()
    return litellm_window(session.carrying.at(duration), session.timezone)


def has_budget(session: Session, where: Path) -> bool:
    """Whether a cap of any kind stands at ``where``."""
    return any(session.carrying.has((*where, name)) for name in ("max_budget", "soft_budget", "model_max_budget"))


def leave_the_rest(session: Session, where: Path) -> None:
    """What is known to be no budget, with its own reason."""
    row = session.carrying.at(where)
    for name in row if isinstance(row, dict) else ():
        if name in _REASONS:
            session.carrying.leave((*where, name), _REASONS[name])
