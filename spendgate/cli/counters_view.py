"""What comparing counters has found, shown."""

from rich.console import Console
from rich.markup import escape

from spendgate.model.reconciliation_parts import CellDiffers, CountersPart, CountersResult

_SHOWN = 20
_SUMS = {"a": "admitted", "r": "recorded", "A": "admitted, whole block", "R": "recorded, whole block"}


def show_counters(found: CountersResult) -> None:
    """On a terminal, or as plain text where it is none."""
    console = Console(soft_wrap=True, highlight=False)
    for part in found.partitions:
        console.print(_line(part))
        for document in part.documents:
            console.print(f"  [red]document of {escape(document)}[/]")
    differing = [cell for part in found.partitions for cell in part.differing]
    for cell in differing[:_SHOWN]:
        console.print(f"  {escape(_cell(cell))}")
    if len(differing) > _SHOWN:
        console.print(f"  ... and {len(differing) - _SHOWN:,} more: see --json")
    console.print("[green]equal, to the nano-dollar[/]" if found.equal else "[red]not equal[/]")


def _line(part: CountersPart) -> str:
    where = f"partition {part.partition}"
    if part.problem is not None:
        return f"{where}: [red]{escape(part.problem)}[/]"
    wrong = part.differing_cells + part.differing_identities + part.differing_documents
    compared = f"{part.cells:,} cells in {part.slots:,} slots and {part.identities:,} identities, at record {part.mark}"
    if not wrong:
        return f"{where}: {compared}: equal"
    return (
        f"{where}: {compared}: [red]{part.differing_cells:,} cells, {part.differing_identities:,} identities, "
        f"{part.differing_documents:,} documents differ; recorded sums are off by {part.error_nano_usd:,}, "
        f"admitted ones by {part.admitted_error_nano_usd:,} nano-USD[/]"
    )


def _cell(each: CellDiffers) -> str:
    found = "no integer" if each.found_nano_usd is None else f"{each.found_nano_usd:,}"
    which = _SUMS.get(each.field[0], each.field)
    return (
        f"{each.tenant}, {each.policy or each.staging}, rule {each.rule}, {each.key or 'one counter for all'}, "
        f"{_window(each)}: {which} {found}, not {each.expected_nano_usd:,} nano-USD"
    )


def _window(cell: CellDiffers) -> str:
    if cell.window_start is None or cell.window_end is None:
        return "lifetime"
    return f"{cell.window_start:%Y-%m-%dT%H:%M:%SZ} to {cell.window_end:%Y-%m-%dT%H:%M:%SZ}"
