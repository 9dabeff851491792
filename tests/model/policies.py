"""Policy documents as plain data, drawn at random, and other ways to write the same one."""

import random
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from spendgate.model.canonical import usd_text
from spendgate.model.event import SCOPE_FIELDS
from spendgate.model.money import MAX_CAP_NANO_USD
from spendgate.model.policy import WINDOW_KINDS

SEVERITIES = st.sampled_from(["warn", "review", "deny"])
NAMES = st.sampled_from(["marketing", "growth-emea", "gpt-4o", "e0001", "a.b/c", "1e3", "true", "null", "0.5"])
GLOBS = NAMES | st.sampled_from(["*", "(none)", "gpt-4*", "[a-m]*", "?x"])
GLOB_LISTS = st.lists(GLOBS, min_size=1, max_size=4)
USD = st.integers(0, MAX_CAP_NANO_USD - 1).map(usd_text) | st.sampled_from(["0", "500", "0.25"])
TOKENS = st.integers(0, 2**53 - 1)
DURATIONS = st.builds("{}{}".format, st.integers(1, 400), st.sampled_from("mhd"))
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kathmandu", "America/Argentina/Ushuaia"])
DAYS = st.sampled_from(["monday", "saturday", "sunday"])


def selections() -> SearchStrategy[dict[str, Any]]:
    """A scope without its exclude."""
    return st.fixed_dictionaries({}, optional={"team": GLOB_LISTS, "model": GLOB_LISTS, "vendor": GLOB_LISTS})


def windows() -> SearchStrategy[dict[str, Any]]:
    """Any of the three windows."""
    units = st.sampled_from(["hour", "day", "month", "quarter", "year"])
    calendar = st.fixed_dictionaries({"calendar": units}, optional={"timezone": ZONES})
    week = st.fixed_dictionaries({"calendar": st.just("week")}, optional={"week_starts": DAYS, "timezone": ZONES})
    return calendar | week | st.builds(dict, rolling=DURATIONS) | st.builds(dict, lifetime=st.just(True))


def budgets() -> SearchStrategy[dict[str, Any]]:
    """A budget."""
    optional = {
        "per": st.lists(st.sampled_from(SCOPE_FIELDS), unique=True),
        "warn_at_percent": st.lists(st.integers(1, 100), unique=True, max_size=8),
    }
    required = {"cap_usd": USD, "window": windows(), "on_breach": SEVERITIES}
    return st.fixed_dictionaries(required, optional=optional)


def boundaries() -> SearchStrategy[dict[str, Any]]:
    """A boundary with at least one limit."""
    limits = st.fixed_dictionaries({"deny": GLOB_LISTS}, optional={"allow": GLOB_LISTS})
    optional = {"models": limits, "vendors": limits, "max_cost_usd": USD, "max_input_tokens": TOKENS}
    required = {"max_output_tokens": TOKENS, "on_breach": SEVERITIES}
    return st.fixed_dictionaries(required, optional=optional)


def reviews() -> SearchStrategy[dict[str, Any]]:
    """A review with at least one condition."""
    evidence = st.lists(st.sampled_from(["present", "missing", "failed"]), min_size=1)
    optional = {"models": GLOB_LISTS, "input_tokens_over": TOKENS, "evidence_status": evidence}
    when = st.fixed_dictionaries({"cost_usd_over": USD}, optional=optional)
    silence = st.sampled_from(["approve", "refuse"])
    return st.fixed_dictionaries(
        {"when": when}, optional={"reviewers": NAMES, "expires": DURATIONS, "on_expiry": silence}
    )


def enforcements() -> SearchStrategy[dict[str, Any]]:
    """What a policy says of its enforcement."""
    said = {
        "fail_mode": st.sampled_from(["open", "closed"]),
        "on_review": st.sampled_from(["wait", "refuse"]),
        "reserve_for": st.integers(1, 60).map("{}m".format) | st.just("1h"),
    }
    return st.fixed_dictionaries({}, optional=said)


def rules() -> SearchStrategy[dict[str, Any]]:
    """Any of the three kinds of rule."""
    return (
        st.builds(dict, budget=budgets()) | st.builds(dict, boundary=boundaries()) | st.builds(dict, review=reviews())
    )


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """A whole policy, as a person could have written it."""
    words = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_categories=["C", "Z"]))
    optional = {"owner": NAMES, "description": words}
    scope = draw(st.none() | selections())
    if scope is not None and draw(st.booleans()):
        scope = {**scope, "exclude": draw(selections())}
    spec: dict[str, Any] = {"rules": draw(st.lists(rules(), min_size=1, max_size=4))}
    spec |= {} if scope is None else {"scope": scope}
    spec |= draw(st.fixed_dictionaries({}, optional={"on_unpriced": SEVERITIES, "enforcement": enforcements()}))
    metadata = draw(st.fixed_dictionaries({"name": NAMES}, optional=optional))
    return {"apiVersion": "spendgate/v1", "kind": "Policy", "metadata": metadata, "spec": spec}


def shuffled(node: Any, chance: random.Random) -> Any:
    """The same document with the keys of every mapping in another order."""
    if isinstance(node, dict):
        names = list(node)
        chance.shuffle(names)
        return {name: shuffled(node[name], chance) for name in names}
    return [shuffled(item, chance) for item in node] if isinstance(node, list) else node


def respelled(node: Any, chance: random.Random, name: str = "") -> Any:
    """The same meaning in other words: amounts, durations, list order, repeated globs, defaults."""
    if isinstance(node, dict):
        return {key: respelled(value, chance, key) for key, value in (_defaults(name, node) | node).items()}
    if isinstance(node, list):
        return _relisted([respelled(item, chance) for item in node], chance, name)
    if name in ("cap_usd", "max_cost_usd", "cost_usd_over"):
        return chance.choice([node, _with_zeros(node), f"{node}e0", f"0{node}"])
    if name in ("rolling", "expires", "reserve_for"):
        return _in_smaller_units(node)
    return node


def _defaults(name: str, node: dict[str, Any]) -> dict[str, Any]:
    match name:
        case "spec":
            return {"scope": {}, "on_unpriced": "review", "enforcement": {}}
        case "enforcement":
            return {"fail_mode": "open", "on_review": "wait", "reserve_for": "10m"}
        case "scope":
            return {"exclude": {}}
        case "review":
            return {"on_expiry": "approve"}
        case "budget":
            return {"per": [], "warn_at_percent": []}
        case "window" if "calendar" in node:
            return {"timezone": "UTC", "week_starts": "monday"}
        case _:
            return {}


def _relisted(items: list[Any], chance: random.Random, name: str) -> list[Any]:
    if name == "rules":
        return items
    again = [] if name in ("per", "warn_at_percent") else items[:1]
    return chance.sample([*items, *again], len(items) + len(again))


def _with_zeros(usd: str) -> str:
    whole, _, fraction = usd.partition(".")
    return f"{whole}.{fraction:0<9}"


def _in_smaller_units(duration: str) -> str:
    number, unit = int(duration[:-1]), duration[-1]
    return {"d": f"{number * 24}h", "h": f"{number * 60}m", "m": duration}[unit]


def changes(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Every document that differs in one thing that means something, with the name of what was changed."""
    found: list[tuple[str, Any]] = [("a rule more", _with(document, ("spec", "rules"), _rule_added))]
    found += [(str(path), _with(document, path, change)) for path, change in _leaves(document, ())]
    return found


def _rule_added(rules: list[Any]) -> list[Any]:
    return [*rules, {"boundary": {"max_output_tokens": 7, "on_breach": "deny"}}]


def _with(node: Any, path: tuple[Any, ...], change: Any) -> Any:
    if not path:
        return change(node)
    copy = node.copy()
    copy[path[0]] = _with(node[path[0]], path[1:], change)
    return copy


def _leaves(node: Any, path: tuple[Any, ...]) -> Any:
    """Paths and how to change what stands there, for every leaf that can be changed and stay legal."""
    name = path[-1] if path else ""
    if name == "window":
        kind = next(kind for kind in WINDOW_KINDS if kind in node)
        yield path, lambda _: {"rolling": "17m"} if kind != "rolling" else {"lifetime": True}
    elif isinstance(node, dict):
        for key, value in node.items():
            yield from _leaves(value, (*path, key))
    elif name in _CHANGES:
        yield path, _CHANGES[name]
    elif isinstance(node, list) and name == "rules":
        for i, item in enumerate(node):
            yield from _leaves(item, (*path, i))
    elif isinstance(node, list) and isinstance(node[0] if node else None, str):
        yield path, lambda globs: [*globs, "never-drawn"]
    elif isinstance(node, int):
        yield path, lambda tokens: tokens - 1 if tokens else 1


def _other(*words: str) -> Any:
    return lambda word: next(each for each in words if each != word)


_CHANGES: dict[Any, Any] = {
    "name": lambda name: f"{name}2",
    "owner": lambda name: f"{name}2",
    "reviewers": lambda name: f"{name}2",
    "description": lambda text: f"{text}.",
    "on_breach": _other("warn", "deny"),
    "on_unpriced": _other("warn", "deny"),
    "fail_mode": _other("open", "closed"),
    "on_review": _other("wait", "refuse"),
    "reserve_for": lambda duration: "17m" if duration != "17m" else "18m",
    "cap_usd": _other("3", "4"),
    "max_cost_usd": _other("3", "4"),
    "cost_usd_over": _other("3", "4"),
    "expires": lambda duration: "17m" if duration != "17m" else "18m",
    "on_expiry": _other("approve", "refuse"),
    "per": lambda fields: fields[1:] if fields else ["team"],
    "warn_at_percent": lambda percents: percents[1:] if percents else [50],
    "evidence_status": lambda statuses: [*statuses, "not_applicable"],
}
