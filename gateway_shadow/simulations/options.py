"""What a simulation may be asked for over HTTP, and the job of the library that this comes to."""

import json
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from gateway_shadow.documents import Instant
from gateway_shadow.problems import FieldProblem, Problem
from spendgate.ledger.reader_problem import InputError
from spendgate.model.policy import Policy
from spendgate.model.text import MAX_CHARS
from spendgate.prices.book import PriceBook

Value = Annotated[str, Field(min_length=1, max_length=MAX_CHARS)]
Spec = Annotated[str, Field(min_length=1, max_length=1000, pattern=r"^[^\x00]*$")]
Selectable = Literal[
    "source", "team", "employee", "customer", "project", "workflow", "agent", "model", "vendor", "feature",
    "api_key_id", "status",
]  # fmt: skip
"""Fields that calls are chosen by; the tenant is the key's."""


class Reviewing(BaseModel):
    """The queue before so many people, who take so long for one."""

    model_config = ConfigDict(extra="forbid")
    count: Annotated[int, Field(ge=1, le=10_000)]
    minutes: Annotated[int, Field(ge=1, le=10_080)] = 10


class SimulationOptions(BaseModel):
    """As of ``spendgate simulate``. Without any, all of the tenant's history as it was recorded: only such a simulation
    of a stored version is evidence for staging it."""

    model_config = ConfigDict(
        extra="forbid", populate_by_name=True,
        json_schema_extra={"examples": [{"from": "2026-10-01T00:00:00Z", "where": {"team": "red"}}, {}]},
    )  # fmt: skip
    from_: Instant | None = Field(default=None, alias="from", description="Only calls from this instant on.")
    to: Instant | None = Field(default=None, description="Only calls before this instant.")
    where: dict[Selectable, Value | None] = Field(
        default={}, description="Only calls of this team, ...; null: unknown."
    )
    reviews: Literal["approved", "refused"] = "approved"
    as_recorded: bool = Field(default=False, description="Without later corrections and outcomes.")
    reviewers: Reviewing | None = None
    prices_at: Instant | None = Field(default=None, description="What the calls would have cost by the prices of then.")
    against: Annotated[str, Field(pattern="^[0-9a-f]{8,64}$")] | None = Field(
        default=None, description="Another version of the policy to compare with: its hash, or the first digits."
    )
    sweep: Spec | None = Field(default=None, description="Many caps in one pass, such as `cap=10:100:30`.")
    suggest: Spec | None = Field(default=None, description="The rule whose smallest cap is asked for.")
    percent: Annotated[str, Field(pattern=r"^[0-9]{1,3}(\.[0-9]{1,6})?$")] = "1"
    of: Literal["accepted", "dollars"] = "accepted"
    lint: bool = Field(default=False, description="Say which rules the calls never needed.")
    timeline: bool = False
    ledger_version: Annotated[int, Field(ge=0, lt=2**53)] | None = Field(
        default=None,
        description="The ledger as it was at this version: gives the same bytes again.",
    )

    def text(self) -> str:
        """What is not as it would be anyway, as JSON."""
        said = self.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        return json.dumps(said, sort_keys=True, separators=(",", ":"))

    def require_fit(self, policy: Policy) -> None:
        """Raises Problem, with its field, for what this policy cannot be asked."""
        if self.from_ is not None and self.to is not None and self.from_ >= self.to:
            raise _wrong("to", "an instant after `from`")
        from spendgate.simulate.suggest import suggest_section
        from spendgate.simulate.sweep import sweep_section

        checks: dict[str, Callable[[], object]] = {}
        if self.sweep is not None:
            sweep = self.sweep
            checks["sweep"] = lambda: sweep_section(sweep, [policy])
        if self.suggest is not None:
            suggest = self.suggest
            checks["suggest"] = lambda: suggest_section(suggest, self.percent, self.of, [policy])
        for field, check in checks.items():
            try:
                check()
            except InputError:
                raise _wrong(field, _EXPECTED[field]) from None

    def command(self, policy: str, version: str | None, ledger_version: int | None) -> list[str]:
        """The command that gives the same report. ``version``: None for a draft that nobody has stored."""
        command = ["spendgate", "policy", "simulate", policy]
        command += ["--draft", f"{policy}.yaml"] if version is None else ["--version", version]
        said = self.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        said.pop("ledger_version", None)
        for name, value in said.items():
            command += _words(name, value)
        return command if ledger_version is None else [*command, "--ledger-version", str(ledger_version)]


_EXPECTED = {
    "sweep": "cap=100:2000:50, warn=50:95:5 or window=24h,7d,month of one of the policy's budgets, which POLICY/RULE. "
    "before it names where there are several; at most 400 values that a budget can have",
    "suggest": "POLICY/RULE, one of the policy's calendar or rolling budgets, and at most 100 percent",
}


def _wrong(field: str, expected: str) -> Problem:
    return Problem(422, "bad_field", "see errors", [FieldProblem(field=field, expected=expected)])


def _words(name: str, value: Any) -> list[str]:
    option = "--" + name.replace("_", "-")
    if value is True:
        return [option]
    if name == "where":
        return [word for key, each in sorted(value.items()) for word in (option, f"{key}={each or '(none)'}")]
    if name == "reviewers":
        return [option, str(value["count"]), "--review-minutes", str(value.get("minutes", 10))]
    return [option, str(value)]


def job_of(
    options: SimulationOptions, policy: Policy, *, tenant: str, ledger: str, version: int | None,
    command: list[str], against: Policy | None, book: Callable[[], PriceBook],
) -> Any:  # fmt: skip
    """The library's Job. Raises InputError."""
    from spendgate.simulate.job import Job, Source
    from spendgate.simulate.review_queue import Reviewers
    from spendgate.simulate.run import Options
    from spendgate.simulate.selection import Selection

    people = options.reviewers
    where: dict[str, str | None] = {str(name): value for name, value in options.where.items()}
    return Job(
        command=command,
        policies=[policy],
        source=Source(ledger=ledger, version=version),
        selection=Selection(options.from_, options.to, {**where, "tenant": tenant}),
        options=Options(options.reviews == "refused", options.as_recorded),
        reviewers=None if people is None else Reviewers(people.count, people.minutes),
        against=[] if against is None else [against],
        prices=None if options.prices_at is None else (book(), options.prices_at),
        with_lint=options.lint,
        with_timeline=options.timeline,
        sections=_sections(options, policy),
    )


def _sections(options: SimulationOptions, policy: Policy) -> Mapping[str, Any]:
    from spendgate.simulate.suggest import suggest_section
    from spendgate.simulate.sweep import sweep_section

    found: dict[str, Any] = {}
    if options.sweep is not None:
        found["sweep"] = sweep_section(options.sweep, [policy])
    if options.suggest is not None:
        found["suggest"] = suggest_section(options.suggest, options.percent, options.of, [policy])
    return found
