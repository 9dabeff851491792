"""The report as one page that works offline: plotly's script stands in it, and nothing is loaded from anywhere."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from plotly.offline import get_plotlyjs

from spendgate.model.decision import VERDICTS
from spendgate.model.words import money
from spendgate.simulate.html_charts import charts

MOST_ROWS = 200
_STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #ffffff; --faint: #d8dde3; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ed; --paper: #15181c; --faint: #3a4048; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 2rem auto;
  max-width: 62rem; padding: 0 1rem; }
table { border-collapse: collapse; margin: .5rem 0 1.5rem; }
th, td { text-align: right; padding: .2rem .8rem; border-bottom: 1px solid var(--faint); }
th:first-child, td:first-child { text-align: left; overflow-wrap: anywhere; }
.headline { font-size: 1.4rem; }
code { overflow-wrap: anywhere; }
details { margin-bottom: 1.5rem; }
@media print { .modebar { display: none; } }
@media print { :root { --ink: #000; --paper: #fff; } details > * { display: block; } section { break-inside: avoid; } }
"""
_SCRIPT = """
const ink = () => getComputedStyle(document.body).color;
const draw = () => document.querySelectorAll(".chart").forEach((place) => {
  const figure = JSON.parse(document.getElementById(place.dataset.of).textContent);
  figure.layout.font = {color: ink()};
  figure.layout.modebar = {bgcolor: "rgba(0,0,0,0)", color: "rgba(128,128,128,.6)", activecolor: ink()};
  for (const axis of Object.keys(figure.layout).filter((name) => /axis/.test(name))) {
    Object.assign(figure.layout[axis], {gridcolor: "rgba(128,128,128,.25)", linecolor: ink(), tickcolor: ink()});
  }
  Plotly.react(place, figure.data, figure.layout, {responsive: true, displaylogo: false, displayModeBar: "hover"});
});
draw();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
"""


def write_html(report: Mapping[str, Any], path: Path) -> None:
    """Write the page whole or not at all: beside ``path`` first, which it then takes the name of. Raises OSError."""
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_text(page_of(report), encoding="utf-8")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def page_of(report: Mapping[str, Any]) -> str:
    """The page; the same bytes for the same report."""
    body = "\n".join(_sections(report))
    names = escape(", ".join(policy["name"] for policy in report["policies"]))
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Simulation of {names}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>\n<body><main>\n{body}\n'
        f"</main><script>{get_plotlyjs()}</script><script>{_SCRIPT}</script></body></html>\n"
    )


def _sections(report: Mapping[str, Any]) -> Iterator[str]:
    yield _headline(report)
    yield _verdicts(report)
    for number, (title, figure) in enumerate(charts(report)):
        yield _chart(number, title, figure.to_json())
    yield from _owners(report["owners"])
    yield _windows(report)
    yield _outcomes(report["outcomes"])
    yield from _asked_for(report)
    yield _made_by(report)


def _headline(report: Mapping[str, Any]) -> str:
    history, denied = report["history"], report["verdicts"]["closed"]["deny"]
    names = escape(", ".join(policy["name"] for policy in report["policies"]))
    span = f"{history['from'] or 'no call'} to {history['to'] or 'no call'}"
    return (
        f"<h1>{names}</h1><p>{history['calls']:,} calls, {span}; {history['duplicates']:,} repeats, "
        f"{history['late']:,} late, {history['unpriced_calls']:,} without a price.</p>"
        f'<p class="headline">Would have denied <b>{denied["calls"]:,}</b> calls worth '
        f"<b>{money(denied['cost_nano_usd'])}</b>. Nothing was blocked.</p>"
    )


def _verdicts(report: Mapping[str, Any]) -> str:
    closed, opened = report["verdicts"]["closed"], report["verdicts"]["open"]
    rows = [
        (v, f"{closed[v]['calls']:,}", money(closed[v]["cost_nano_usd"]),
         f"{opened[v]['calls']:,}", money(opened[v]["cost_nano_usd"]))
        for v in VERDICTS
    ]  # fmt: skip
    head = ("would-be verdict", "calls, closed loop", "dollars", "calls, open loop", "dollars")
    note = "<p>Closed loop: as if enforced from the start. Open loop: against all that was spent.</p>"
    return _section("Verdicts", _table(head, rows) + note)


def _chart(number: int, title: str, figure: str) -> str:
    # In a script element only "</" could end it, and "<!--" begin a comment.
    data = figure.replace("<", "\\u003c")
    return _section(
        title,
        f'<div class="chart" role="img" aria-label="{escape(title)}" data-of="figure-{number}"></div>'
        f'<script type="application/json" id="figure-{number}">{data}</script>',
    )


def _owners(owners: Mapping[str, Sequence[Mapping[str, Any]]]) -> Iterator[str]:
    head = ("", "calls", "dollars", "denied", "denied dollars", "accepted work lost")
    for name, rows in owners.items():
        if all(row["value"] is None for row in rows):
            continue
        cells = [
            (row["value"] or "(unattributed)", f"{row['calls']:,}", money(row["cost_nano_usd"]),
             f"{row['closed']['deny']['calls']:,}", money(row["closed"]["deny"]["cost_nano_usd"]),
             f"{row['lost_accepted']:,}")
            for row in rows
        ]  # fmt: skip
        yield f"<details><summary>By {escape(name)}: {len(rows):,}</summary>{_table(head, cells)}</details>"


def _windows(report: Mapping[str, Any]) -> str:
    head = ("window", "start", "used", "recorded", "cap", "over the cap", "first breach", "hours left")
    rows = [
        (f"{w['policy']} rule {w['rule']} {w['key']}{' (partial)' if w['partial'] else ''}", w["start"] or w["kind"],
         money(w["used_nano_usd"]), money(w["recorded_nano_usd"]), money(w["cap_nano_usd"]),
         f"{w['over_cap_calls']:,}", w["first_breach"] or "", w["hours_left"] or "")
        for w in report["windows"]
    ]  # fmt: skip
    said = (
        f"<p>{report['windows_breached']:,} of {report['windows_total']:,} windows went over their cap; "
        f"{report['windows_partial']:,} began before the data.</p>"
    )
    return _section("Windows", said + _table(head, rows))


def _outcomes(outcomes: Mapping[str, Any]) -> str:
    rows = [
        (word, f"{each['calls']:,}", f"{outcomes['denied'][word]['calls']:,}",
         money(outcomes["denied"][word]["cost_nano_usd"]))
        for word, each in outcomes["all"].items()
        if each["calls"]
    ]  # fmt: skip
    return _section("Outcomes", _table(("outcome", "calls", "would have been denied", "dollars"), rows))


def _asked_for(report: Mapping[str, Any]) -> Iterator[str]:
    reviews = report["reviews"]
    if reviews["calls"]:
        queue = reviews["queue"] or {}
        rows = [("calls", f"{reviews['calls']:,}"), ("dollars", money(reviews["cost_nano_usd"]))]
        rows += [(name.replace("_", " "), f"{value:,}") for name, value in queue.items()]
        yield _section("Reviews", _table(("", ""), rows))
    if report["suggest"] is not None:
        suggest = report["suggest"]
        yield _section("Suggested cap", f"<p><b>${escape(suggest['cap_usd'])}</b>: {escape(suggest['words'])}.</p>")
    if report["compare"] is not None:
        changed = [
            (c["from"], c["to"], f"{c['calls']:,}", money(c["cost_nano_usd"])) for c in report["compare"]["changed"]
        ]
        yield _section("What would change", _table(("from", "to", "calls", "dollars"), changed))
    if report["lint"]:
        words = "".join(f"<li>{escape(f['policy'])}: {escape(f['words'])}</li>" for f in report["lint"])
        yield _section("Lint with traffic", f"<ul>{words}</ul>")


def _made_by(report: Mapping[str, Any]) -> str:
    source = report["source"]
    rows = [(policy["name"], policy["version"]) for policy in report["policies"]]
    rows += [("engine", report["engine_version"]), (f"{source['kind']} {source['name']}", str(source["version"]))]
    if report["prices"] is not None:
        rows.append(("prices", report["prices"]["hash"]))
    return _section(
        "How to get it again", f"<p><code>{escape(' '.join(report['command']))}</code></p>{_table(('', ''), rows)}"
    )


def _section(title: str, body: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{body}</section>"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    top = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows[:MOST_ROWS])
    more = f"<p>... and {len(rows) - MOST_ROWS:,} more; the JSON report has them.</p>" if len(rows) > MOST_ROWS else ""
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>{more}"
