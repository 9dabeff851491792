"""Tenant screening of a property manager. Synthetic: no applicant, no home, no file, and no price but list prices.

An application comes with papers. An intake agent sorts them, a reader reads references and statements, a verifier asks
the bank feed for the income (a tool that is away at times), a fairness checker writes the summary that a property
manager decides by; what is escalated is checked once more before anybody is turned down.
"""

from dev.verticals.kit import Agent, Case, Vertical
from spendgate.model.event import EvidenceStatus, Outcome

INTAKE = Agent("intake", "openai", "gpt-4o-mini", "intake")
READER = Agent("paper-reader", "anthropic", "claude-haiku-4-5", "paper-reading")
VERIFIER = Agent("income-verifier", "openai", "gpt-4.1-mini", "income")
CHECKER = Agent("fairness-checker", "anthropic", "claude-sonnet-4-5", "fairness")
SECOND = Agent("appeal-checker", "anthropic", "claude-opus-4-5", "appeal")

YEARS_OF_STATEMENTS, HAND_MADE = 0.13, 0.12
"""How many applicants hand in years of statements; how many summaries are made with a model of somebody's choice."""
EVIDENCE: dict[EvidenceStatus, float] = {"present": 0.68, "missing": 0.15, "failed": 0.17}
"""Whether each ground of the summary points to a paper: it does, to none, to one that says otherwise."""
SAID: dict[EvidenceStatus, dict[Outcome, float]] = {
    "present": {"accepted": 0.84, "rejected": 0.08, "escalated": 0.08},
    "missing": {"pending_review": 0.60, "escalated": 0.40},
    "failed": {"revised": 0.40, "escalated": 0.60},
}


def screening(case: Case) -> None:
    """One application, from its papers to the manager's decision."""
    papers = [case.some(2, 0.6) for _ in range(2 + case.some(2, 0.5))]
    if case.chance(YEARS_OF_STATEMENTS):
        papers.append(70 + case.some(50, 0.5))
    case.call(INTAKE, "sort", 700 + 120 * len(papers), 30 * len(papers))
    for pages in papers:
        case.wait(0.3)
        case.read(READER, pages, asks=pages > 40)
    verified = case.use_tool(VERIFIER, "verify-income", 1800, 120)
    evidence = case.pick(EVIDENCE) if verified else "missing"
    checker = CHECKER.on("google", "gemini-2.5-pro") if case.chance(HAND_MADE) else CHECKER
    summary = case.call(checker, "summary", 1500 + 180 * sum(papers), 450, evidence=evidence)
    case.wait(10 + 50 * case.rng.random())
    outcome = case.pick(SAID[evidence])
    case.decide(summary, outcome, evidence)
    if outcome == "escalated":
        again = case.call(SECOND, "check-again", 6000 + 180 * sum(papers), 900, asks=True, evidence="present")
        case.wait(20)
        case.decide(again, "accepted" if case.chance(0.7) else "rejected", "present")


VERTICAL = Vertical(
    title="tenant screening", workflow="tenant-screening-file", code="TS", company="the property manager",
    line="portfolio", case="application", person="manager",
    lines={"residential": 0.55, "student-housing": 0.3, "commercial-lets": 0.15}, customers="BUILDING", cases_a_day=44,
    work=screening, suggest="agent-day/0",
)  # fmt: skip
