"""A reason in words, for people. The numbers are those of the decision, and nothing is looked up."""

from collections.abc import Callable
from datetime import datetime, timedelta

from spendgate.model.decision import Code, Reason
from spendgate.model.money import NANO_PER_USD, format_usd

_CENT_NANO_USD = NANO_PER_USD // 100
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
_ZONES = timedelta(hours=14)
"""No civil time is further from UTC than this."""
_SHARED = "all"
"""How a decision writes the counter of a budget without ``per``."""
_MONTHS = {1: "this month", 3: "this quarter", 12: "this year"}


def explain(reason: Reason, cost_nano_usd: int | None = None) -> str:
    """One line for one reason: ``monthly: over the cap of $25.00 for team=marketing this month (...)``.

    ``cost_nano_usd`` is the call's cost, where the caller knows it; a breach shows it anyway.
    """
    return f"{reason.policy}: {_WORDS[reason.code](reason, cost_nano_usd)}"


def crossing(reason: Reason, percent: int, cost_nano_usd: int) -> str:
    """One line for a warn threshold that a call has crossed: ``monthly: past 80 % of the cap of $25.00 for
    team=marketing this month (used $20.05)``."""
    used = (reason.used_before_nano_usd or 0) + cost_nano_usd
    return f"{reason.policy}: past {percent} % of {_budget(reason)} (used {money(_rounded(used))})"


def money(nano_usd: int) -> str:
    """Dollars with as many decimals as two significant digits need: ``$25.00``, ``$0.013``, ``$0.000042``."""
    decimals = 2
    while decimals < 9 and abs(nano_usd) % 10 ** (9 - decimals) and abs(nano_usd) < 10 ** (10 - decimals):
        decimals += 1
    return format_usd(nano_usd, decimals)


def instant(moment: datetime) -> str:
    """``2026-12-01 00:00 UTC``; seconds are shown where there are any."""
    clock = "%H:%M" if moment.second == 0 and moment.microsecond == 0 else "%H:%M:%S"
    return f"{moment:%Y-%m-%d {clock}} UTC"


def window_words(start: datetime | None, end: datetime | None) -> str:
    """What the window is called: ``this month``, ``in the 24 hours to 2026-11-05 00:00 UTC``, ``in all``.

    A decision holds instants, not the rule's window. Months and longer are known by their ends, which lie on
    the first of a month in some time zone; a shorter one is named by its length, true of both kinds.
    """
    if start is None or end is None:
        return "in all"
    first, last = _first_of_month(start), _first_of_month(end)
    if first is not None and last is not None:
        months = (last.year - first.year) * 12 + last.month - first.month
        if months in _MONTHS:
            return _MONTHS[months]
    return f"in the {_length(end - start)} to {instant(end)}"


def _first_of_month(moment: datetime) -> datetime | None:
    """The first of a month that ``moment`` can be the midnight of, in some time zone."""
    near = (moment + _ZONES).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return near if abs(moment - near) <= _ZONES and moment.second == 0 and moment.minute % 15 == 0 else None


def _length(length: timedelta) -> str:
    for unit, word in ((_DAY, "day"), (_HOUR, "hour")):
        if length % unit == timedelta(0) and length > unit:
            return f"{length // unit} {word}s"
    if length == _DAY:
        return "24 hours"
    return "hour" if length == _HOUR else f"{length // timedelta(minutes=1)} minutes"


def _budget(reason: Reason) -> str:
    whose = f" for {reason.counter}" if reason.counter not in (None, _SHARED) else ""
    when = window_words(reason.window_start, reason.window_end)
    return f"the cap of {money(reason.limit_nano_usd or 0)}{whose} {when}"


def _rounded(used: int) -> int:
    """Down to the cent, from a dollar on."""
    return used // _CENT_NANO_USD * _CENT_NANO_USD if used > NANO_PER_USD else used


def _facts(reason: Reason, cost_nano_usd: int | None) -> str:
    used = reason.used_before_nano_usd or 0
    facts = [f"used {money(_rounded(used))}"]
    if cost_nano_usd is None and reason.overage_nano_usd and reason.limit_nano_usd is not None:
        cost_nano_usd = reason.limit_nano_usd + reason.overage_nano_usd - used
    if cost_nano_usd is not None:
        facts.append(f"call {money(cost_nano_usd)}")
    if reason.alerts:
        facts.append("crossed " + ", ".join(f"{percent} %" for percent in reason.alerts))
    if reason.reset_at is not None:
        facts.append(f"resets {instant(reason.reset_at)}")
    return f" ({', '.join(facts)})"


def _of_budget(words: str) -> Callable[[Reason, int | None], str]:
    return lambda reason, cost_nano_usd: f"{words} {_budget(reason)}{_facts(reason, cost_nano_usd)}"


def _of_cost(reason: Reason, cost_nano_usd: int | None) -> str:
    facts = [] if cost_nano_usd is None else [f"call {money(cost_nano_usd)}"]
    if reason.limit_nano_usd is not None:
        facts.append(f"at most {money(reason.limit_nano_usd)}")
    return "the call costs more than a call may" + (f" ({', '.join(facts)})" if facts else "")


def _plain(words: str) -> Callable[[Reason, int | None], str]:
    return lambda reason, cost_nano_usd: words


_WORDS: dict[Code, Callable[[Reason, int | None], str]] = {
    "within_budget": _of_budget("within"),
    "near_cap": _of_budget("near"),
    "over_cap": _of_budget("over"),
    "within_boundary": _plain("within the boundary"),
    "model_denied": _plain("the model is not allowed"),
    "vendor_denied": _plain("the vendor is not allowed"),
    "cost_over": _of_cost,
    "input_tokens_over": _plain("more input tokens than a call may have"),
    "output_tokens_over": _plain("more output tokens than a call may have"),
    "no_review": _plain("no review needed"),
    "review_required": _plain("a person should review the call"),
    "unpriced": _plain("the cost is unknown, for the call has no price"),
}
