"""A company's AI spend across its departments. Synthetic: no company, no customer, no code; prices are list prices.

A piece of work is a ticket, a change, a campaign or a close. A planner cuts it up, a researcher reads what it rests
on, a worker does it (with a build and search service that is away at times), a reviewer checks it, and its owner
decides; what is escalated a larger model does again.
"""

from dev.verticals.kit import Agent, Case, Vertical
from spendgate.model.event import EvidenceStatus, Outcome

PLANNER = Agent("planner", "openai", "gpt-5-mini", "planning")
RESEARCHER = Agent("researcher", "google", "gemini-2.5-flash", "research")
WORKER = Agent("worker", "anthropic", "claude-sonnet-4-5", "work")
REVIEWER = Agent("reviewer", "openai", "gpt-4.1", "review")
EXPERT = Agent("expert", "anthropic", "claude-opus-4-5", "expert")

SIZE = {"support": 1.0, "engineering": 3.0, "marketing": 1.5, "finance": 2.0}
"""How much there is to read and to write, in each department, beside a support ticket."""
WHOLE_ARCHIVE, PRIVATE_TOOL = 0.13, 0.12
"""How often somebody hands over a whole archive; how often somebody plans with a tool that was never bought."""
EVIDENCE: dict[EvidenceStatus, float] = {"present": 0.68, "missing": 0.15, "failed": 0.17}
"""Whether the reviewer found what the work claims: tests and sources are there, are not, say otherwise."""
SAID: dict[EvidenceStatus, dict[Outcome, float]] = {
    "present": {"accepted": 0.74, "revised": 0.16, "escalated": 0.10},
    "missing": {"revised": 0.40, "pending_review": 0.30, "escalated": 0.30},
    "failed": {"rejected": 0.35, "failed": 0.10, "escalated": 0.55},
}


def work(case: Case) -> None:
    """One piece of work, from its plan to the owner's decision."""
    size = SIZE[case.line]
    sources = [case.some(4 * size, 0.6) for _ in range(1 + case.some(2))]
    if case.chance(WHOLE_ARCHIVE):
        sources.append(400 + case.some(250, 0.5))
    planner = PLANNER.on("deepseek", "deepseek-chat") if case.chance(PRIVATE_TOOL) else PLANNER
    case.call(planner, "plan", int(1500 * size), 300)
    for pages in sources:
        case.wait(0.4)
        case.read(RESEARCHER, pages, asks=pages > 40)
    done = case.use_tool(WORKER, "work", int(3000 * size), int(500 * size))
    evidence = case.pick(EVIDENCE) if done else "missing"
    checked = case.call(REVIEWER, "review", int(2500 * size), 400, evidence=evidence)
    case.wait(15 + 90 * case.rng.random())
    outcome = case.pick(SAID[evidence])
    case.decide(checked, outcome, evidence)
    if outcome == "escalated":
        tokens = int(9000 + 6000 * size), int(1200 * size)
        again = case.call(EXPERT, "work-again", *tokens, asks=True, evidence="present")
        case.wait(30)
        case.decide(again, "accepted" if case.chance(0.7) else "rejected", "present")


VERTICAL = Vertical(
    title="a company's AI spend", workflow="company-work", code="WORK", company="the company", line="department",
    case="piece of work", person="owner",
    lines={"support": 0.4, "engineering": 0.3, "marketing": 0.2, "finance": 0.1}, customers="ACCOUNT", cases_a_day=44,
    work=work, suggest="agent-day/0",
)  # fmt: skip
