"""A golden ledger: a short log, and the answer that a person worked out by hand."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict
from ruamel.yaml import YAML

from spendgate.model.decision import Verdict
from spendgate.model.event import Event
from spendgate.model.money import parse_usd
from spendgate.model.policy import Policy

FOLDER = Path(__file__).parent / "ledgers"
TENANT, SOURCE = "acme", "app"

Sum = tuple[int, str]
"""How many calls, and what they cost in dollars."""


class _Part(BaseModel):
    """A part of a file; a misspelt field is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Entry(_Part):
    """A call, or an annotation: ``corrects`` and ``ends`` name a call, ``repeats`` one that it repeats, by their place
    in the log, from 1. ``usd``: None is a call without a price."""

    at: datetime
    usd: str | None = None
    tenant: str = TENANT
    team: str | None = None
    employee: str | None = None
    workflow: str | None = None
    vendor: str | None = None
    model: str | None = None
    input_tokens: int | None = None
    repeats: int | None = None
    corrects: int | None = None
    ends: int | None = None
    outcome: Literal["accepted", "rejected"] | None = None
    expect: Verdict | Literal["repeat"] | None = None


class Options(_Part):
    """As the options of ``spendgate simulate``."""

    reviews: Literal["approved", "refused"] = "approved"
    as_recorded: bool = False


class Owner(_Part):
    """What an owner's row must say."""

    calls: int
    usd: str
    deny: Sum


class Window(_Part):
    """What a window's row must say."""

    rule: int = 0
    key: str
    start: str | None
    end: str | None
    used: str
    recorded: str
    first_breach: str | None
    hours_left: str | None
    over: Sum
    denied: int
    partial: bool


class Outcomes(_Part):
    """``per_accepted``: dollars for each accepted outcome, before and after."""

    all: dict[str, Sum]
    denied: dict[str, Sum]
    per_accepted: tuple[str | None, str | None]


class Reviews(_Part):
    """How many would-be reviews, and their dollars."""

    calls: int
    usd: str


class Scene(_Part):
    """One file. ``rules``, ``scope`` and ``on_unpriced`` are of its one policy; what is absent below is not looked at.
    A verdict that ``closed`` or ``open`` does not name has no calls."""

    title: str
    why: str
    rules: list[dict[str, Any]]
    scope: dict[str, Any] = {}
    on_unpriced: str | None = None
    options: Options = Options()
    log: list[Entry]
    closed: dict[Verdict, Sum]
    open: dict[Verdict, Sum] | None = None
    history: dict[str, int] = {}
    looked: int | None = None
    owners: dict[str, dict[str, Owner]] = {}
    windows: list[Window] = []
    windows_total: int | None = None
    outcomes: Outcomes | None = None
    lost: dict[str, dict[str, Sum]] = {}
    reviews: Reviews | None = None
    unpriced: list[dict[str, Any]] | None = None

    @property
    def policy(self) -> Policy:
        """The policy that is simulated."""
        spec: dict[str, Any] = {"scope": self.scope, "rules": self.rules}
        spec |= {} if self.on_unpriced is None else {"on_unpriced": self.on_unpriced}
        head: dict[str, Any] = {"apiVersion": "spendgate/v1", "kind": "Policy", "metadata": {"name": "golden"}}
        return Policy.model_validate({**head, "spec": spec})

    def events(self) -> list[Event]:
        """The log."""
        return [_event(number, entry) for number, entry in enumerate(self.log, 1)]

    def expected(self) -> Iterator[tuple[int, Verdict]]:
        """Place in the log, from 1, and verdict, of every call that is no repeat."""
        for number, entry in enumerate(self.log, 1):
            if entry.expect is not None and entry.expect != "repeat":
                yield number, entry.expect


def _event(number: int, entry: Entry) -> Event:
    about = entry.corrects or entry.ends
    kind = "correction" if entry.corrects else "outcome" if entry.ends else "call"
    return Event(
        id=f"e{entry.repeats or number}" if kind == "call" else f"a{number}",
        source=SOURCE,
        tenant=entry.tenant,
        time=entry.at,
        kind=kind,  # type: ignore[arg-type]
        refers_to=f"e{about}" if about else None,
        team=entry.team,
        employee=entry.employee,
        workflow=entry.workflow,
        vendor=entry.vendor,
        model=entry.model,
        input_tokens=entry.input_tokens,
        cost_nano_usd=None if entry.usd is None else parse_usd(entry.usd),
        outcome=entry.outcome,
    )


def scenes() -> Mapping[str, Scene]:
    """All golden ledgers, by the names of their files."""
    yaml = YAML(typ="safe")
    return {path.stem: Scene.model_validate(yaml.load(path)) for path in sorted(FOLDER.glob("*.yaml"))}


def sums(found: Mapping[str, Mapping[str, int]], names: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Of a report: calls and nano-USD of each of ``names``."""
    return {name: (found[name]["calls"], found[name]["cost_nano_usd"]) for name in names}


def wanted(said: Mapping[Any, Sum], names: Sequence[str]) -> dict[str, tuple[int, int]]:
    """The same, as a file says it; nothing where it is silent."""
    return {name: (said[name][0], parse_usd(said[name][1])) if name in said else (0, 0) for name in names}
