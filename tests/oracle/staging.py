"""One staging's judgement of one call: every rule of its policy, and what the counters learn from it."""

from dataclasses import dataclass, field, replace
from typing import Any

from spendgate.model.activation import Stage
from spendgate.model.decision import VERDICTS, Code, RuleKind, Verdict
from spendgate.model.event import Event
from spendgate.model.policy import Boundary, Budget, Policy, Review, Rule
from tests.oracle.counters import Counted, Entry
from tests.oracle.documents import OracleReason, to_instant
from tests.oracle.limits import boundary_breach, review_holds
from tests.oracle.matching import counter_key, in_scope
from tests.oracle.windows import OracleWindow, window_of


@dataclass(frozen=True)
class Judgement:
    """What one staging says of one call: its verdict, how many rules looked, and every reason in rule order."""

    verdict: Verdict
    looked: int
    reasons: tuple[OracleReason, ...]


def worst(verdicts: list[Verdict]) -> Verdict:
    """The worst of them; ``approve`` where there are none."""
    return max(verdicts, key=VERDICTS.index, default="approve")


def is_about_cost(rule: Rule) -> bool:
    """Whether a rule is about cost (reading 7)."""
    return (
        rule.budget is not None
        or (rule.boundary is not None and rule.boundary.max_cost_usd is not None)
        or (rule.review is not None and rule.review.when.cost_usd_over is not None)
    )


@dataclass
class Staging:
    """One use of a policy version by a tenant."""

    id: str
    policy_name: str
    policy: Policy
    stage: Stage
    ended: bool = False
    counted: Counted = field(default_factory=Counted)

    def look(self, call: Event, judged_ms: int, *, late: bool) -> Judgement | None:
        """Judge the call and count it; None if it is out of the policy's scope."""
        if not in_scope(self.policy.spec.scope, call):
            return None
        judgement = _Look(self, call, judged_ms, late).judge()
        if call.cost_nano_usd is not None and not late:
            admitted = judgement.verdict != "deny" or self.stage == "enforced"
            self.counted.entries.append(Entry(call, judged_ms, call.cost_nano_usd, admitted))
        return judgement


@dataclass(frozen=True)
class _Look:
    staging: Staging
    call: Event
    judged_ms: int
    late: bool

    def judge(self) -> Judgement:
        rules = self.staging.policy.spec.rules
        reasons = [reason for n in range(len(rules)) if (reason := self._reason(n)) is not None]
        verdict = worst([reason.verdict for reason in reasons])
        looked = sum(1 for rule in rules if not (self.late and rule.budget is not None))
        enforced = self.staging.stage == "enforced"
        if verdict == "deny" and not enforced:
            reasons = [replace(reason, alerts=()) for reason in reasons]
        return Judgement(verdict, looked, tuple(reasons))

    def _reason(self, number: int) -> OracleReason | None:
        """What the rule of that number says; None for a budget that has nothing to say."""
        rule = self.staging.policy.spec.rules[number]
        said = self._as_usual(rule, number)
        return self._unpriced(rule, number, said) if number == self._unpriced_carrier() else said

    def _as_usual(self, rule: Rule, number: int) -> OracleReason | None:
        if rule.boundary is not None:
            return self._boundary(rule.boundary, number)
        if rule.review is not None:
            return self._review(rule.review, number)
        if rule.budget is None or self.late or self.call.cost_nano_usd is None:
            return None
        return self._budget(rule.budget, number, self.call.cost_nano_usd)

    def _unpriced_carrier(self) -> int | None:
        """The first rule about cost, if the cost is not known (reading 7)."""
        if self.call.cost_nano_usd is not None:
            return None
        rules = self.staging.policy.spec.rules
        return next((n for n, rule in enumerate(rules) if is_about_cost(rule)), None)

    def _unpriced(self, rule: Rule, number: int, said: OracleReason | None) -> OracleReason:
        """``on_unpriced``, unless the rest of the rule says worse (reading 8)."""
        answer = self.staging.policy.spec.on_unpriced
        if said is not None and VERDICTS.index(said.verdict) > VERDICTS.index(answer):
            return said
        return self._say(number, _kind(rule), answer, "unpriced")

    def _boundary(self, boundary: Boundary, number: int) -> OracleReason:
        code = boundary_breach(boundary, self.call)
        if code is None:
            return self._say(number, "boundary", "approve", "within_boundary")
        return self._say(number, "boundary", boundary.on_breach, code)

    def _review(self, review: Review, number: int) -> OracleReason:
        if review_holds(review.when, self.call):
            return self._say(number, "review", "review", "review_required")
        return self._say(number, "review", "approve", "no_review")

    def _budget(self, budget: Budget, number: int, cost: int) -> OracleReason:
        window = window_of(budget.window, self.judged_ms)
        cap = budget.cap_nano_usd
        before = self.staging.counted.used(budget, self.call, window)
        after = before + cost
        thresholds = {percent: _threshold(percent, cap) for percent in sorted(set(budget.warn_at_percent))}
        verdict: Verdict
        code: Code
        reset = None
        if after > cap:
            verdict, code = budget.on_breach, "over_cap"
            reset = self.staging.counted.reset_ms(budget, self.call, window, cost)
        elif any(after >= threshold for threshold in thresholds.values()):
            verdict, code = "warn", "near_cap"
        else:
            verdict, code = "approve", "within_budget"
        return self._say(
            number, "budget", verdict, code,
            counter=counter_key(budget.per, self.call),
            **_bounds(window),
            limit_nano_usd=cap,
            used_before_nano_usd=before,
            recorded_before_nano_usd=self.staging.counted.recorded(budget, self.call, window),
            remaining_nano_usd=max(0, cap - before),
            overage_nano_usd=max(0, after - cap),
            reset_at=None if reset is None else to_instant(reset),
            # Kept only if the policy as a whole admits the call (reading 18).
            alerts=tuple(p for p, threshold in thresholds.items() if before < threshold <= after),
        )  # fmt: skip

    def _say(self, number: int, kind: RuleKind, verdict: Verdict, code: Code, **sums: Any) -> OracleReason:
        return OracleReason(
            policy=self.staging.policy_name,
            staging=self.staging.id,
            stage=self.staging.stage,
            rule=number,
            kind=kind,
            verdict=verdict,
            code=code,
            **sums,
        )


def _threshold(percent: int, cap_nano_usd: int) -> int:
    """``ceil(percent * cap / 100)`` by whole numbers: the least amount that is not below it."""
    whole, rest = divmod(percent * cap_nano_usd, 100)
    return whole + (1 if rest else 0)


def _bounds(window: OracleWindow) -> dict[str, Any]:
    return {
        "window_start": None if window.start_ms is None else to_instant(window.start_ms),
        "window_end": None if window.end_ms is None else to_instant(window.end_ms),
    }


def _kind(rule: Rule) -> RuleKind:
    return "budget" if rule.budget is not None else "boundary" if rule.boundary is not None else "review"
