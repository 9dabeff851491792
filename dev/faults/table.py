"""The table of results, as it stands in the documents."""

from collections.abc import Iterator
from pathlib import Path

from dev.faults.fault import Fault
from dev.faults.registry import FAULTS
from dev.faults.results import Result, Results
from dev.faults.score import Overshoot, Score, together
from spendgate.model.money import format_usd

BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"
HEAD = (
    "| fault | decisions | wrong | lost | doubled | differing | counters off | over a cap | recovered | cause |\n"
    "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |"
)
ENFORCED_HEAD = (
    "| enforced, under | checks | calls made | over a cap | let through, open | flag unread, closed | enforced again |"
    "\n"
    "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"
)


def write(file: Path, folder: Path) -> None:
    """Put the table between its two marks in the file: of each fault the results of its largest load."""
    before, _, rest = file.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    file.write_text("\n".join([before + BEGIN, *_lines(folder), END + after]))


def _lines(folder: Path) -> Iterator[str]:
    sizes = sorted((int(each.name) for each in folder.glob("[0-9]*")), reverse=True)
    found = {name: of for name in FAULTS if (of := _largest(folder, sizes, name))}
    if not found:
        yield "No results yet."
        return
    made = next(iter(found.values()))[0].ours.versions
    yield ", ".join(f"{name} {text}" for name, text in made.items()) + "."
    yield f"\n{HEAD}"
    for name, of in found.items():
        yield _row(_title(FAULTS[name], len(of)), together([each.whole for each in of]))
        obvious = [each.obvious for each in of if each.obvious is not None]
        if obvious:
            yield _row("obvious design", together(obvious))
        elif not FAULTS[name].fits_obvious:
            yield f"| obvious design | {FAULTS[name].why_not} |"
    yield f"\n{ENFORCED_HEAD}"
    for name, fault in FAULTS.items():
        of_sizes = (Results(folder, size).enforced_of(name) for size in sizes)
        for seed, part in next((parts for parts in of_sizes if parts), {}).items():
            yield _enforced(fault, seed, part)
    if missing := [name for name in FAULTS if name not in found]:
        yield f"\nNot run yet: {', '.join(f'`{name}`' for name in missing)}."


def _largest(folder: Path, sizes: list[int], fault: str) -> list[Result]:
    return next((of for size in sizes if (of := Results(folder, size).of(fault))), [])


def _enforced(fault: Fault, seed: int, found: Overshoot) -> str:
    cells = (
        f"{fault.title} (`{fault.name}`, seed {seed})", f"{found.checks:,}", f"{found.calls:,}", _usd(found.nano_usd),
        _usd(found.let_through_nano_usd), _usd(found.flag_off_nano_usd), f"{found.enforced_again_s:.1f} s",
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"


def _title(fault: Fault, seeds: int) -> str:
    return f"**{fault.title}** (`{fault.name}`, {seeds} {'seed' if seeds == 1 else 'seeds'})"


def _row(title: str, score: Score) -> str:
    over = "" if score.overshoot_nano_usd is None else _usd(score.overshoot_nano_usd)
    named = (score.cause or "") if score.cause_named else "not named"
    cells = (
        title, f"{score.decisions:,}", *(f"{n:,}" for n in (score.wrong_decisions, score.events_lost)),
        f"{score.events_doubled:,}", f"{score.decisions_differing:,}", _usd(score.counter_error_nano_usd), over,
        f"{score.recovered_s:.1f} s", named,
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"


def _usd(nano_usd: int) -> str:
    return "0" if nano_usd == 0 else format_usd(nano_usd, 9)
