"""The table of results, as it stands in the documents."""

from collections.abc import Iterator
from pathlib import Path

from dev.faults.fault import Fault
from dev.faults.registry import FAULTS
from dev.faults.results import Results
from dev.faults.score import Score, together
from spendgate.model.money import format_usd

BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"
HEAD = (
    "| fault | decisions | wrong | lost | doubled | differing | counters off | over a cap | recovered | cause |\n"
    "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |"
)


def write(file: Path, results: Results, events: int) -> None:
    """Put the table between its two marks in the file."""
    before, _, rest = file.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    file.write_text("\n".join([before + BEGIN, *_lines(results, events), END + after]))


def _lines(results: Results, events: int) -> Iterator[str]:
    found = {name: of for name in FAULTS if (of := results.of(name))}
    if not found:
        yield "No results yet."
        return
    made = next(iter(found.values()))[0].ours.versions
    yield f"`make faults EVENTS={events}`; " + ", ".join(f"{name} {text}" for name, text in made.items()) + "."
    yield f"\n{HEAD}"
    for name, of in found.items():
        yield _row(_title(FAULTS[name], len(of)), together([each.whole for each in of]))
        obvious = [each.obvious for each in of if each.obvious is not None]
        yield (
            _row("— obvious design", together(obvious)) if obvious else f"| — obvious design | {FAULTS[name].why_not} |"
        )


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
