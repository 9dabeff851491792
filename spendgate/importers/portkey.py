"""Portkey's usage limit policies: a policy, a list of them, or a listing (``{"data": [...]}``).

Format: Portkey's "Usage & Rate Limit Policies" and its API reference. Conditions AND, the values of one OR; each
combination of ``group_by`` has a counter of its own; cost limits are dollars.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from spendgate.importers.carrying import Carrying, Note
from spendgate.importers.drafting import Drafts, Imported, Scope, budget_rules
from spendgate.importers.reading import Data, NotImportable, read_documents
from spendgate.importers.values import EXPECTED_USD, field_of, glob_of, nano_of
from spendgate.importers.windows import WindowFound, lifetime, rolling
from spendgate.model.policy_problems import Path

EXPECTED = "expected usage limit policies: objects with credit_limit, or with data that lists them"
_MARKS = ("credit_limit", "conditions", "group_by", "periodic_reset", "type", "unit", "value")
_PLACE = "where the policy lives; stage the imported one for the tenant that stands for it"
_NO_FIELD = "a policy's scope has no such field, so the whole policy stays behind; name one with --map {}=FIELD"
_NO_VALUE = "expected names, or *, of characters that an event can hold"
_WEEK = "the week is taken to begin on Sunday at midnight UTC"
_GROUPS = "calls that do not say it are one group here"
_MODEL = "the requested model there (@provider/model), the served one here"
_ANY = "limits nothing: any value of what no event holds"


def import_portkey(raw: bytes, mapping: Mapping[str, str]) -> Imported:
    """The policies of a file. ``mapping`` names scope fields for condition keys (``api_key``, ``metadata.x``).

    Raises NotImportable for what holds no usage limit policies.
    """
    documents = read_documents(raw)
    data = documents[0] if len(documents) == 1 else list(documents)
    carrying, drafts = Carrying(data), Drafts("portkey")
    places = list(_places(data))
    if not places:
        raise NotImportable(EXPECTED)
    for path in places:
        _One(carrying, drafts, mapping, path).carry()
    return drafts.imported(carrying)


def _places(data: Data) -> list[Path]:
    if isinstance(data, dict) and isinstance(data.get("data"), list):
        return [("data", *path) for path in _places(data["data"])]
    if isinstance(data, list):
        return [(i,) for i, each in enumerate(data) if _is_policy(each)]
    return [()] if _is_policy(data) else []


def _is_policy(data: Data) -> bool:
    return isinstance(data, dict) and any(name in data for name in _MARKS)


class _Behind(Exception):
    """The policy cannot be carried: leaving out this part would make another limit of it."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(reason)
        self.path, self.reason = path, reason


@dataclass(slots=True)
class _One:
    """One policy; ``taken`` are the paths that a policy would carry, which they are only if all of it can be."""

    carrying: Carrying
    drafts: Drafts
    mapping: Mapping[str, str]
    where: Path
    taken: list[Path] = field(default_factory=list)
    near: list[Note] = field(default_factory=list)

    def carry(self) -> None:
        """The policy at ``where``, or the reason why it stays behind."""
        for name in ("workspace_id", "organisation_id"):
            self.carrying.leave((*self.where, name), _PLACE)
        try:
            self._carry()
        except _Behind as behind:
            self.carrying.leave(behind.path, behind.reason)
            self.carrying.leave(self.where, "stays behind with the part of it that could not be carried")

    def _carry(self) -> None:
        cap, warn = self._amount("credit_limit"), self._amount("alert_threshold")
        if self._at("type") not in (None, "cost") or self._at("unit") is not None:
            raise _Behind(self.where, "counts tokens or requests, not money")
        if self._at("status") not in (None, "active"):
            raise _Behind((*self.where, "status"), "is not active")
        if cap is None:
            raise _Behind((*self.where, "credit_limit"), EXPECTED_USD)
        window, scope, per = self._window(), self._scope(), self._per()
        name = self._at("name")
        label = name if isinstance(name, str) and name else "usage-limit"
        said = ("type", "status", "credit_limit", "alert_threshold", "periodic_reset", "periodic_reset_days")
        self.taken += [(*self.where, each) for each in (*said, *(["name"] if label == name else []))]
        if window.differs:
            self.near.append(Note((*self.where, "periodic_reset"), window.differs))
        kept = [path for path in self.taken if self.carrying.has(path)]
        self.carrying.carry(*kept)
        for note in self.near:
            self.carrying.approximate(*note)
        self.drafts.add([label], scope, budget_rules(cap, warn, window.window, per), kept)

    def _at(self, name: str) -> Data:
        return self.carrying.at((*self.where, name))

    def _amount(self, name: str) -> int | None:
        value = self._at(name)
        found = nano_of(value)
        if found is None and value is not None:
            raise _Behind((*self.where, name), EXPECTED_USD)
        return found

    def _window(self) -> WindowFound:
        reset, days = self._at("periodic_reset"), self._at("periodic_reset_days")
        if isinstance(days, int) and days > 0 and reset is None:
            found = rolling(days * 86400, "resets every so many days there, here the window rolls")
            if found is not None:
                return found
        if reset == "monthly" and days is None:
            return WindowFound({"calendar": "month"})
        if reset == "weekly" and days is None:
            return WindowFound({"calendar": "week", "week_starts": "sunday"}, _WEEK)
        if reset is not None or days is not None:
            raise _Behind((*self.where, "periodic_reset"), "expected monthly, weekly, or a number of days up to 400")
        return lifetime()

    def _scope(self) -> dict[str, Any]:
        scope: Scope = {}
        excluded: Scope = {}
        conditions = self._at("conditions")
        for i in range(len(conditions)) if isinstance(conditions, list) else ():
            path = (*self.where, "conditions", i)
            key = self.carrying.at((*path, "key"))
            field = field_of(key, self.mapping) if isinstance(key, str) else None
            if (
                field is None
                and self.carrying.at((*path, "value")) == "*"
                and not self.carrying.has((*path, "excludes"))
            ):
                self.carrying.leave(path, _ANY)
                continue
            if field is None:
                raise _Behind((*path, "key"), _NO_FIELD.format("KEY"))
            if field in scope or field in excluded:
                raise _Behind(path, "a second condition on the same field")
            self._condition(path, field, scope, excluded)
        return {**scope, **({"exclude": excluded} if excluded else {})}

    def _condition(self, path: Path, field: str, scope: Scope, excluded: Scope) -> None:
        for name, lists in (("value", scope), ("excludes", excluded)):
            if not self.carrying.has((*path, name)):
                continue
            lists[field] = self._globs((*path, name), field)
            self.taken.append((*path, name))
        self.taken.append((*path, "key"))
        if field == "model":
            self.near.append(Note(path, _MODEL))

    def _globs(self, path: Path, field: str) -> list[str]:
        said = self.carrying.at(path)
        names = [_bare(each) if field == "model" else each for each in (said if isinstance(said, list) else [said])]
        globs = [glob_of(name, wild="*") for name in names]
        if not globs or None in globs:
            raise _Behind(path, _NO_VALUE)
        return [glob for glob in dict.fromkeys(globs) if glob is not None]

    def _per(self) -> list[str]:
        fields: list[str] = []
        groups = self._at("group_by")
        for i in range(len(groups)) if isinstance(groups, list) else ():
            path = (*self.where, "group_by", i, "key")
            key = self.carrying.at(path)
            field = field_of(key, self.mapping) if isinstance(key, str) else None
            if field is None:
                raise _Behind(path, _NO_FIELD.format("KEY"))
            if field in fields:
                raise _Behind(path, "the same field as another group")
            fields.append(field)
            self.taken.append(path)
            self.near.append(Note(path, _GROUPS))
        return fields


def _bare(name: Data) -> Data:
    """``gpt-4o`` of ``@openai/gpt-4o``."""
    return name.partition("/")[2] if isinstance(name, str) and name.startswith("@") and "/" in name else name
