"""Dumps of LiteLLM's tables as JSON: budgets of teams, users, keys, end users, organizations, projects and tags.

A dump is ``{"LiteLLM_TeamTable": [...], "LiteLLM_BudgetTable": [...], ...}``, or the answer of one of its listings
(``{"teams": [...]}``). Columns: LiteLLM's ``schema.prisma``.
"""

from typing import NamedTuple

from spendgate.importers.litellm_budget import NO_FIELD, Owner, Session, carry_budget, has_budget, leave_the_rest
from spendgate.model.policy_problems import Path

_TEAM_KEYS = "there a call with a key of a team goes by the team's budgets alone, here by the user's too"
_NESTED = "litellm_budget_table"


class _Table(NamedTuple):
    """What a table's rows are of: by dimension, the columns that name it."""

    kind: str
    names: dict[str, tuple[str, ...]]


_TABLES = {
    table.kind: table
    for table in (
        _Table("team", {"team": ("team_alias", "team_id")}),
        _Table("user", {"user": ("user_alias", "user_id", "user_email")}),
        _Table("key", {"key": ("key_alias",)}),
        _Table("end-user", {"end_user": ("alias", "user_id")}),
        _Table("organization", {"organization": ("organization_alias", "organization_id")}),
        _Table("project", {"project": ("project_alias", "project_id")}),
        _Table("agent", {"agent": ("agent_name", "agent_id")}),
        _Table("tag", {"tag": ("tag_name",)}),
        _Table("team-member", {"team": ("team_id",), "user": ("user_id",)}),
        _Table("organization-member", {"organization": ("organization_id",), "user": ("user_id",)}),
        _Table("budget", {}),
    )
}
_CALLED = {
    "verificationtoken": "key", "enduser": "end-user", "customer": "end-user", "teammembership": "team-member",
    "organizationmembership": "organization-member", **{name: name for name in _TABLES},
}  # fmt: skip


def table_of(name: str) -> str | None:
    """What the rows of a table of this name are of: ``team`` for ``LiteLLM_TeamTable`` and ``teams``."""
    plain = name.casefold().removeprefix("litellm_").removesuffix("table").replace("_", "")
    return _CALLED.get(plain) or _CALLED.get(plain.removesuffix("s"))


def import_tables(session: Session) -> None:
    """All budgets of a dump, into the session."""
    data = session.carrying.data
    tables = {name: table_of(name) for name in data} if isinstance(data, dict) else {}
    budgets = _budgets(session, [name for name, kind in tables.items() if kind == "budget"])
    for name, kind in tables.items():
        rows = session.carrying.at((name,))
        for i in range(len(rows)) if isinstance(rows, list) and kind and kind != "budget" else ():
            _row(session, (name, i), _TABLES[kind or ""], budgets)
    for path in budgets.values():
        leave_the_rest(session, path)
        for column in ("max_budget", "soft_budget", "model_max_budget", "budget_duration"):
            session.carrying.leave(
                (*path, column), "nothing in this dump refers to this budget, or nothing that is carried"
            )


def _budgets(session: Session, tables: list[str]) -> dict[str, Path]:
    """The rows of the budget table by their id."""
    found: dict[str, Path] = {}
    for name in tables:
        rows = session.carrying.at((name,))
        for i in range(len(rows)) if isinstance(rows, list) else ():
            budget_id = session.carrying.at((name, i, "budget_id"))
            if isinstance(budget_id, str):
                found[budget_id] = (name, i)
    return found


def _row(session: Session, where: Path, table: _Table, budgets: dict[str, Path]) -> None:
    linked, links = _linked(session, where, budgets)
    places = [where, *linked]
    owner = _owner(session, where, table, places) if any(has_budget(session, place) for place in places) else None
    if owner and table.kind == "user":
        session.carrying.approximate(where, _TEAM_KEYS)
    for place in places if owner else ():
        whose = owner or Owner((), {})
        carry_budget(session, place, whose if place == where else whose._replace(sources=(*whose.sources, *links)))
    leave_the_rest(session, where)
    leave_the_rest(session, (*where, _NESTED))


def _linked(session: Session, where: Path, budgets: dict[str, Path]) -> tuple[list[Path], list[Path]]:
    """The budget that stands in the row, or else the one that the row refers to; and the fields that tie them."""
    if session.carrying.has((*where, _NESTED)):
        return [(*where, _NESTED)], []
    reference = (*where, "budget_id")
    budget_id = session.carrying.at(reference)
    if not isinstance(budget_id, str):
        return [], []
    if budget_id not in budgets:
        session.carrying.leave(reference, "this dump does not hold the budget that it refers to")
        return [], []
    return [budgets[budget_id]], [reference, (*budgets[budget_id], "budget_id")]


def _owner(session: Session, where: Path, table: _Table, places: list[Path]) -> Owner | None:
    """Whose row it is; None, with the caps of ``places`` left, where no scope can say it."""
    owner = Owner((table.kind,), {})
    for dimension, columns in table.names.items():
        paths = [(*where, column) for column in columns if session.carrying.has((*where, column))]
        field = session.field_of(dimension)
        globs, sources = session.globs(paths) if field else ([], ())
        if not globs or field is None:
            reason = (
                NO_FIELD.format(dimension) if field is None else f"no name of its {dimension} can stand in an event"
            )
            for place in places:
                session.carrying.leave(place, reason)
            return None
        owner = Owner((*owner.label, globs[0]), owner.scope | {field: globs}, (), (*owner.sources, *sources))
    return owner
