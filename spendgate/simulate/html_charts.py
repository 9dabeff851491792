"""The report's charts, made with plotly: figures of plain numbers, and no text that is not the report's own."""

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from spendgate.model.decision import VERDICTS
from spendgate.model.money import NANO_PER_USD

COLOURS = {"approve": "#3a9d5d", "warn": "#d9a400", "review": "#3f7fd1", "deny": "#d1483f"}
"""Told apart in light and in dark, and by their order where colours are not seen."""
MOST_BARS = 20


def dollars(nano_usd: int) -> float:
    """For a chart's axis alone; sums are made before."""
    return nano_usd / NANO_PER_USD


def charts(report: Mapping[str, Any]) -> list[tuple[str, go.Figure]]:
    """Title and figure of every chart that the report has something for."""
    found = [("Calls by day", _days(report["days"]))] if report["days"] else []
    found += [
        (f"Denied dollars by {name}", figure)
        for name in ("team", "employee", "workflow", "model")
        if (figure := _owners(report["owners"][name])) is not None
    ]
    if breaches := _calendar(report["windows"]):
        found.append(("First breaches by day", breaches))
    if report["timeline"] is not None:
        found.append(("How the worst window filled", _timeline(report["timeline"])))
    if report["sweep"] is not None:
        found.append((f"Sweep of {report['sweep']['what']}", _sweep(report["sweep"])))
    return found


def _figure(*traces: Any, height: int = 340, **layout: Any) -> go.Figure:
    figure = go.Figure(data=list(traces))
    figure.update_layout(
        template="none", paper_bgcolor="rgba(0,0,0,0)", plot_bgcolor="rgba(0,0,0,0)", height=height,
        margin={"l": 60, "r": 20, "t": 20, "b": 60}, legend={"orientation": "h", "y": 1.1}, **layout,
    )  # fmt: skip
    return figure


def _days(days: Sequence[Mapping[str, Any]]) -> go.Figure:
    names = [day["day"] for day in days]
    bars = [
        go.Bar(name=v, x=names, y=[day[v]["calls"] for day in days], marker={"color": COLOURS[v]}) for v in VERDICTS
    ]
    return _figure(*bars, barmode="stack", yaxis={"title": "calls"}, xaxis={"type": "category"})


def _owners(rows: Sequence[Mapping[str, Any]]) -> go.Figure | None:
    hit = [row for row in rows if row["closed"]["deny"]["calls"]][:MOST_BARS]
    if not hit:
        return None
    bar = go.Bar(
        x=[dollars(row["closed"]["deny"]["cost_nano_usd"]) for row in hit],
        y=[row["value"] or "(unattributed)" for row in hit],
        orientation="h", marker={"color": COLOURS["deny"]},
    )  # fmt: skip
    names = {"autorange": "reversed", "type": "category", "automargin": True, "dtick": 1}
    return _figure(bar, height=130 + 22 * len(hit), xaxis={"title": "dollars"}, yaxis=names)


def _calendar(windows: Sequence[Mapping[str, Any]]) -> go.Figure | None:
    days: dict[str, int] = {}
    for window in windows:
        if window["first_breach"] is not None:
            day = window["first_breach"][:10]
            days[day] = days.get(day, 0) + 1
    if not days:
        return None
    names = sorted(days)
    heat = go.Heatmap(
        x=names, y=["windows"], z=[[days[name] for name in names]], colorscale=[[0, "#f4c7c3"], [1, COLOURS["deny"]]],
        text=[[days[name] for name in names]], texttemplate="%{text}", showscale=False,
    )  # fmt: skip
    return _figure(heat, height=170, xaxis={"type": "category"})


def _timeline(timeline: Mapping[str, Any]) -> go.Figure:
    times = [point["at"] for point in timeline["points"]]
    lines = [
        go.Scatter(
            name=name, x=times, y=[dollars(point[f"{name}_nano_usd"]) for point in timeline["points"]], mode="lines",
            line={"color": colour},
        )
        for name, colour in (("recorded", COLOURS["deny"]), ("admitted", COLOURS["approve"]))
    ]  # fmt: skip
    figure = _figure(*lines, yaxis={"title": "dollars"})
    figure.add_hline(y=dollars(timeline["cap_nano_usd"]), line={"dash": "dash", "color": "#888888"})
    return figure


def _sweep(sweep: Mapping[str, Any]) -> go.Figure:
    values = [point["value"] for point in sweep["points"]]
    denied = go.Scatter(
        name="denied dollars", x=values, y=[dollars(p["denied_nano_usd"]) for p in sweep["points"]],
        line={"color": COLOURS["deny"]},
    )  # fmt: skip
    lost = go.Scatter(
        name="accepted work lost", x=values, y=[p["lost_accepted"] for p in sweep["points"]], yaxis="y2",
        line={"color": COLOURS["review"], "dash": "dot"},
    )  # fmt: skip
    second = {"title": "accepted work lost", "overlaying": "y", "side": "right", "rangemode": "tozero"}
    return _figure(
        denied, lost, xaxis={"title": sweep["what"], "type": "category"},
        yaxis={"title": "denied dollars", "rangemode": "tozero"}, yaxis2=second,
    )  # fmt: skip
