"""Which stagings were in force when calls were judged, by the decisions alone: each names its set by a hash.

A set has come about from the one before it by stagings that ended, began, or changed their stage. Which ones is tried
out until the hash is the same, so nothing is guessed: another set has another hash.
"""

from collections.abc import Iterator, Mapping
from itertools import combinations, permutations, product
from typing import NamedTuple

from spendgate.engine.staging import Staging, set_hash
from spendgate.ledger.reader_problem import InputError
from spendgate.model.activation import Action
from spendgate.model.decision import Decision
from spendgate.model.policy import Policy

MOST_TRIED = 500_000

InForce = tuple[Staging, ...]


class Step(NamedTuple):
    """What must have stood in the log before the call at ``call``: that ``staging`` began, ended or changed.
    ``offset``: where, at the latest."""

    offset: int
    call: int
    action: Action
    staging: Staging


class Seen:
    """What decisions say of stagings. ``policies``: by hash, those that may have been staged."""

    def __init__(self, policies: Mapping[str, Policy]) -> None:
        self._hashes: dict[str, list[str]] = {}
        for hash_, policy in policies.items():
            self._hashes.setdefault(policy.metadata.name, []).append(hash_)
        self._named: dict[str, str] = {}
        self._runs: list[tuple[int, str]] = []
        self._last = -1

    def take(self, decision: Decision) -> None:
        """One of them, in the order of their topic; what was published again stands behind later ones."""
        offset = decision.position.offset
        if offset > self._last and (not self._runs or self._runs[-1][1] != decision.judged.set):
            self._runs.append((offset, decision.judged.set))
        self._last = max(self._last, offset)
        for reason in decision.reasons:
            self._named.setdefault(reason.staging, reason.policy)

    def steps(self) -> Iterator[Step]:
        """All that must have happened, in order. Raises InputError where a set is of a policy that was not given, or of
        a staging that no decision names."""
        before: InForce = ()
        for offset, name in self._runs:
            after = self._found(before, name)
            yield from _between(before, after, offset)
            before = after

    def _found(self, before: InForce, name: str) -> InForce:
        for tried, each in enumerate(self._next(before)):
            if set_hash(each) == name:
                return each
            if tried > MOST_TRIED:
                break
        raise InputError(
            "decisions: they do not tell what was staged: expected every policy that judged them, with --policy, and "
            "--activations FILE where a staging is named by no reason, as `spendgate ledger export` writes it"
        )

    def _next(self, before: InForce) -> Iterator[InForce]:
        """Every set that may follow, the likeliest first."""
        others = [name for name in self._named if name not in {each.staging for each in before}]
        sizes = sorted(product(range(len(before) + 1), range(len(others) + 1)), key=sum)
        for ended, begun in sizes:
            for kept in combinations(before, len(before) - ended):
                for stayed in _restaged(kept):
                    for names in permutations(others, begun):
                        yield from ((*stayed, *each) for each in product(*map(self._versions, names)))

    def _versions(self, staging: str) -> list[Staging]:
        policy = self._named[staging]
        return [
            Staging(staging, policy, hash_, stage, 0)
            for stage in ("shadow", "enforced")
            for hash_ in self._hashes.get(policy, ())
        ]


def _restaged(kept: InForce) -> Iterator[InForce]:
    """As they are, and with the stages of some of them changed."""
    for count in range(len(kept) + 1):
        for changed in combinations(range(len(kept)), count):
            yield tuple(_other(each) if n in changed else each for n, each in enumerate(kept))


def _other(staging: Staging) -> Staging:
    stage = "shadow" if staging.stage == "enforced" else "enforced"
    return Staging(staging.staging, staging.policy, staging.hash, stage, staging.offset)


def _between(before: InForce, after: InForce, call: int) -> list[Step]:
    """Each stood at an offset of its own."""
    was = {each.staging: each for each in before}
    now = {each.staging for each in after}
    found: list[tuple[Action, Staging]] = [("end", each) for each in before if each.staging not in now]
    for each in after:
        if each.staging not in was:
            found.append(("stage", each))
        elif each.stage != was[each.staging].stage:
            found.append(("enforce" if each.stage == "enforced" else "demote", each))
    return [Step(call - len(found) + n, call, *each) for n, each in enumerate(found)]
