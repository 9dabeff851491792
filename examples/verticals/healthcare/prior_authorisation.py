"""Prior-authorisation review of a health plan. Synthetic: no plan, no person, no record, and no price but list prices.

A request comes with clinical documents. An intake agent sorts them, a reader reads each, a matcher holds them against
the plan's criteria (a tool that is away at times), a drafter writes a determination, and a nurse decides; what is
escalated a larger model reads once more, for a physician.
"""

from dev.verticals.kit import Agent, Case, Vertical
from spendgate.model.event import EvidenceStatus, Outcome

INTAKE = Agent("intake", "anthropic", "claude-haiku-4-5", "intake")
READER = Agent("chart-reader", "anthropic", "claude-sonnet-4-5", "chart-reading")
MATCHER = Agent("criteria-matcher", "openai", "gpt-4o", "criteria-matching")
DRAFTER = Agent("determination-drafter", "anthropic", "claude-sonnet-4-5", "determination")
SECOND = Agent("second-reader", "anthropic", "claude-opus-4-5", "second-reading")

SCANNED, NOT_CLEARED = 0.14, 0.12
"""How many requests bring a whole scanned chart; in how many somebody drafts with a model that is not cleared."""
EVIDENCE: dict[EvidenceStatus, float] = {"present": 0.68, "missing": 0.15, "failed": 0.17}
"""Whether the passage that the draft cites was found in the chart: found, not there, saying something else."""
SAID: dict[EvidenceStatus, dict[Outcome, float]] = {
    "present": {"accepted": 0.80, "revised": 0.12, "escalated": 0.08},
    "missing": {"pending_review": 0.45, "rejected": 0.25, "escalated": 0.30},
    "failed": {"rejected": 0.40, "escalated": 0.60},
}


def review(case: Case) -> None:
    """One request, from its documents to the nurse's decision."""
    documents = [case.some(7, 0.7) for _ in range(1 + case.some(2.5))]
    if case.chance(SCANNED):
        documents.append(120 + case.some(90, 0.6))
    case.call(INTAKE, "sort", 900 + 160 * len(documents), 40 * len(documents))
    for pages in documents:
        case.wait(0.5)
        case.read(READER, pages, asks=pages > 40)
    matched = case.use_tool(MATCHER, "match", 2500 + 350 * len(documents), 350)
    pages = sum(documents)
    evidence = case.pick(EVIDENCE) if matched else "missing"
    drafter = DRAFTER.on("google", "gemini-2.5-pro") if case.chance(NOT_CLEARED) else DRAFTER
    draft = case.call(drafter, "draft", 3000 + 25 * pages, 700, evidence=evidence)
    case.wait(20 + 100 * case.rng.random())
    outcome = case.pick(SAID[evidence])
    case.decide(draft, outcome, evidence)
    if outcome == "escalated":
        second = case.call(SECOND, "second-reading", 18_000 + 60 * pages, 1500, asks=True, evidence="present")
        case.wait(30)
        case.decide(second, "accepted" if case.chance(0.6) else "rejected", "present")


VERTICAL = Vertical(
    title="prior-authorisation review", workflow="prior-auth-review", code="PA", company="the health plan",
    line="line of business", case="request", person="nurse",
    lines={"imaging": 0.4, "specialty-drugs": 0.35, "inpatient": 0.25}, customers="MEMBER-GROUP", cases_a_day=40,
    work=review, suggest="agent-day/0",
)  # fmt: skip
