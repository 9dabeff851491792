"""Numbers and times as people read them. Pure; what is markup is escaped."""

from datetime import UTC, datetime

from markupsafe import Markup

NONE = "–"
_STEPS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


def usd(nano_usd: int | None) -> str:
    """Dollars with groups of thousands, and as many decimals as two significant digits need: ``$1,234.50``,
    ``$0.013``. What is less than that is cut. A dash where there is no number."""
    if nano_usd is None:
        return NONE
    nano, decimals = abs(nano_usd), 2
    while decimals < 9 and nano % 10 ** (9 - decimals) and nano < 10 ** (10 - decimals):
        decimals += 1
    cut = nano // 10 ** (9 - decimals)
    return f"{'-' if nano_usd < 0 else ''}${cut // 10**decimals:,}.{cut % 10**decimals:0{decimals}d}"


def exact_usd(nano_usd: int) -> str:
    """The shortest decimal that is exactly so many dollars, as a policy has it: ``0.05``, ``500``."""
    whole, rest = divmod(nano_usd, 10**9)
    return f"{whole}.{rest:09d}".rstrip("0").rstrip(".")


def count(number: int | None) -> str:
    """A whole number with groups of thousands."""
    return NONE if number is None else f"{number:,}"


def calls(number: int) -> str:
    """So many calls."""
    return f"{number:,} call{'' if number == 1 else 's'}"


def percent(part: int, whole: int) -> str:
    """A share in percent, cut to a whole number from 10 on."""
    if whole <= 0:
        return NONE
    found = 100 * part / whole
    return f"{found:.0f} %" if found >= 10 or found == int(found) else f"{found:.1f} %"


def duration(seconds: float) -> str:
    """The two weightiest units: ``2 days 3 hours``."""
    left, said = int(seconds), []
    for length, word in _STEPS:
        number, left = divmod(left, length)
        if number:
            said.append(f"{number} {word}{'' if number == 1 else 's'}")
        elif said:
            break
    return " ".join(said[:2]) or "less than a second"


def ago(moment: datetime | None, now: datetime) -> str:
    """For how long something has been."""
    return NONE if moment is None else f"{duration(max(0.0, (now - moment).total_seconds()))} ago"


def instant_of(moment: datetime | int | str | None) -> datetime | None:
    """An aware instant in UTC, of one, of milliseconds, or of RFC 3339."""
    if isinstance(moment, int):
        return datetime.fromtimestamp(moment / 1000, UTC)
    if isinstance(moment, str):
        return datetime.fromisoformat(moment).astimezone(UTC)
    return None if moment is None else moment.astimezone(UTC)


def when(moment: datetime | int | str | None) -> Markup | str:
    """An instant: UTC in the markup and on hover; a script shows it in the zone of whoever looks."""
    found = instant_of(moment)
    if found is None:
        return NONE
    return Markup('<time datetime="{}" title="{} UTC">{} UTC</time>').format(
        found.isoformat().replace("+00:00", "Z"), f"{found:%Y-%m-%d %H:%M:%S}", f"{found:%Y-%m-%d %H:%M:%S}"
    )
