"""Due diligence in mergers and acquisitions. Synthetic: no firm, no client, no contract, and no price but list prices.

A data room holds contracts. An indexer lists them, a reader reads each, a checker holds their clauses against a
library (a tool that is away at times), a writer drafts the risk memo, and a partner decides; what the partner escalates
is read once more, whole, for the committee.
"""

from dev.verticals.kit import TOKENS_A_PAGE, Agent, Case, Vertical
from spendgate.model.event import EvidenceStatus, Outcome

INDEXER = Agent("room-indexer", "openai", "gpt-4.1-mini", "indexing")
READER = Agent("contract-reader", "anthropic", "claude-sonnet-4-5", "contract-reading")
CHECKER = Agent("clause-checker", "openai", "gpt-4.1", "clause-checking")
WRITER = Agent("risk-writer", "anthropic", "claude-opus-4-5", "risk-memo")
SECOND = Agent("committee-reader", "anthropic", "claude-opus-4-5", "committee")

WITH_SCHEDULES, AGAINST_GUIDELINES = 0.15, 0.12
"""How many rooms hold a master agreement with all its schedules; in how many somebody indexes with a model that the
client's guidelines do not allow."""
EVIDENCE: dict[EvidenceStatus, float] = {"present": 0.66, "missing": 0.16, "failed": 0.18}
"""Whether the clause that the memo cites is in the room: there, not there, there in another version."""
SAID: dict[EvidenceStatus, dict[Outcome, float]] = {
    "present": {"accepted": 0.70, "revised": 0.20, "escalated": 0.10},
    "missing": {"revised": 0.40, "pending_review": 0.30, "escalated": 0.30},
    "failed": {"rejected": 0.45, "escalated": 0.55},
}


def diligence(case: Case) -> None:
    """One data room, from its index to the partner's decision."""
    contracts = [case.some(14, 0.6) for _ in range(2 + case.some(5, 0.4))]
    if case.chance(WITH_SCHEDULES):
        contracts.append(250 + case.some(150, 0.5))
    indexer = INDEXER.on("deepseek", "deepseek-chat") if case.chance(AGAINST_GUIDELINES) else INDEXER
    case.call(indexer, "index", 1500 + 220 * len(contracts), 60 * len(contracts))
    for pages in contracts:
        case.wait(1)
        case.read(READER, pages, asks=pages > 40)
    checked = case.use_tool(CHECKER, "check-clauses", 6000 + 500 * len(contracts), 600)
    evidence = case.pick(EVIDENCE) if checked else "missing"
    pages = sum(contracts)
    memo = case.call(WRITER, "risk-memo", 6000 + 45 * pages, 2200, asks=True, evidence=evidence)
    case.wait(60 + 120 * case.rng.random())
    outcome = case.pick(SAID[evidence])
    case.decide(memo, outcome, evidence)
    if outcome == "escalated":
        whole = min(120_000, 8000 + TOKENS_A_PAGE * pages)
        second = case.call(SECOND, "read-again", whole, 2500, asks=True, evidence="present")
        case.wait(45)
        case.decide(second, "accepted" if case.chance(0.5) else "rejected", "present")


VERTICAL = Vertical(
    title="M&A due diligence", workflow="due-diligence-room", code="MA", company="the firm", line="practice",
    case="data room", person="partner",
    lines={"corporate": 0.5, "employment": 0.25, "intellectual-property": 0.25}, customers="CLIENT", cases_a_day=36,
    work=diligence, suggest="agent-day/0",
)  # fmt: skip
