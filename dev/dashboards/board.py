"""What all dashboards share: their variables, links and annotations, and panels said in a line."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from grafana_foundation_sdk.builders import bargauge, common, dashboard, prometheus, stat, table, timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import common as common_models
from grafana_foundation_sdk.models.dashboard import (
    AnnotationQuery,
    DashboardCursorSync,
    DashboardLinkType,
    DataSourceRef,
    DataTransformerConfig,
    Panel,
    VariableOption,
    VariableRefresh,
    VariableSort,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

SOURCE = DataSourceRef("prometheus", "${datasource}")
OF_TENANT = 'tenant=~"$tenant"'
OF_POLICY = 'tenant=~"$tenant", policy=~"$policy"'
DOOR = "http://localhost:8080"
WIDE, HALF, THIRD, SMALL = 24, 12, 8, 4
TAG = "spendgate"


class Query(NamedTuple):
    """PromQL, and how its series are named. ``exemplars``: ask for the examples of a histogram's buckets too."""

    expr: str
    legend: str = ""
    exemplars: bool = False


class Mark(AnnotationQuery):
    """An annotation at the instant that a metric holds, in milliseconds. The kit knows Grafana's annotations, and not
    these fields of the Prometheus data source."""

    def __init__(self, name: str, expr: str, title: str, color: str) -> None:
        super().__init__(name=name, datasource=SOURCE, enable=True, icon_color=color, expr=expr)
        self.title = title

    def to_json(self) -> dict[str, object]:
        """As Grafana reads it."""
        return {**super().to_json(), "useValueForTime": "on", "titleFormat": self.title, "step": "15s"}


MARKS = (
    Mark(
        "Stages", f"max by (tenant, policy, action) (spendgate_stage_changed_timestamp_seconds{{{OF_POLICY}}}) * 1000",
        "{{policy}} of {{tenant}}: {{action}}", "blue",
    ),
    Mark(
        "Flags", f'max by (level, tenant, policy) (spendgate_flag_changed_timestamp_seconds{{{OF_TENANT}}} '
        'or spendgate_flag_changed_timestamp_seconds{level="global"}) * 1000',
        "flag turned: {{level}} {{tenant}} {{policy}}", "red",
    ),
)  # fmt: skip


class _Made(Builder[Any]):
    """A thing that is built already."""

    def __init__(self, made: Any) -> None:
        self.made = made

    def build(self) -> Any:
        """The thing."""
        return self.made


def board(uid: str, title: str, words: str, panels: Sequence[Builder[Panel]]) -> dashboard.Dashboard:
    """A dashboard."""
    made = (
        dashboard.Dashboard(title).uid(uid).description(words).tags([TAG]).timezone("browser").refresh("30s")
        .time("now-6h", "now").tooltip(DashboardCursorSync.CROSSHAIR).readonly().annotations([_Made(m) for m in MARKS])
    )  # fmt: skip
    for variable in _variables():
        made.with_variable(variable)
    made.link(_to_page("Overview", "/", "The door's overview page")).link(
        _to_page("Shadow", "/shadow", "As it happens")
    )
    made.link(
        dashboard.DashboardLink("Spendgate").type(DashboardLinkType.DASHBOARDS).tags([TAG]).as_dropdown(True)
        .include_vars(True).keep_time(True)
    )  # fmt: skip
    for panel in panels:
        made.with_panel(panel)
    return made


def _variables() -> list[Any]:
    return [
        dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus"),
        _names("tenant", "Tenant", "label_values(spendgate_tenant_calls_total, tenant)"),
        _names("policy", "Policy",
               f"label_values(spendgate_stage_changed_timestamp_seconds{{{OF_TENANT}}}, policy)"),
        dashboard.TextBoxVariable("door").label("Address of the door").default_value(DOOR)
        .current(VariableOption(True, DOOR, DOOR)),
    ]  # fmt: skip


def _names(name: str, label: str, query: str) -> dashboard.QueryVariable:
    return (
        dashboard.QueryVariable(name).label(label).query(query).datasource(SOURCE).multi(True).include_all(True)
        .all_value(".*").current(VariableOption(True, "All", "$__all")).refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
    )  # fmt: skip


def _to_page(title: str, path: str, words: str) -> dashboard.DashboardLink:
    return dashboard.DashboardLink(title).type(DashboardLinkType.LINK).url(f"${{door}}{path}").tooltip(words).icon(
        "external link"
    ).target_blank(True)  # fmt: skip


def graph(title: str, unit: str, words: str, *queries: Query, width: int = HALF) -> timeseries.Panel:
    """Lines over time."""
    made = (
        timeseries.Panel().title(title).description(words).unit(unit).datasource(SOURCE).span(width).height(8)
        .min(0).fill_opacity(10).legend(
            common.VizLegendOptions().display_mode(common_models.LegendDisplayMode.LIST)
            .placement(common_models.LegendPlacement.BOTTOM).show_legend(True)
        )
    )  # fmt: skip
    for index, query in enumerate(queries):
        made.with_target(_target(query).range().ref_id(chr(ord("A") + index)))
    return made


def number(title: str, unit: str, words: str, query: Query, width: int = SMALL) -> stat.Panel:
    """The latest value, large."""
    made = stat.Panel().title(title).description(words).unit(unit).datasource(SOURCE).span(width).height(4)
    return made.with_target(_target(query).instant().ref_id("A"))


def bars(title: str, unit: str, words: str, query: Query, width: int = HALF) -> bargauge.Panel:
    """The latest values side by side, of a whole that is 1."""
    made = bargauge.Panel().title(title).description(words).unit(unit).datasource(SOURCE).span(width).height(8)
    return made.min(0).max(1).with_target(_target(query).instant().ref_id("A"))


def rows(title: str, words: str, *queries: Query, width: int = HALF) -> table.Panel:
    """The latest values as a table, a column for each query, a row for each set of labels."""
    made = table.Panel().title(title).description(words).datasource(SOURCE).span(width).height(8)
    for index, query in enumerate(queries):
        made.with_target(_target(query).instant().format(PromQueryFormat.TABLE).ref_id(chr(ord("A") + index)))
    names = {f"Value #{chr(ord('A') + index)}": query.legend for index, query in enumerate(queries)}
    renamed = {"Value": queries[0].legend, **names}
    made.with_transformation(DataTransformerConfig("merge", options={}))
    return made.with_transformation(
        DataTransformerConfig("organize", options={"excludeByName": {"Time": True}, "renameByName": renamed})
    )


def _target(query: Query) -> prometheus.Dataquery:
    made = prometheus.Dataquery().expr(query.expr).legend_format(query.legend or "__auto").datasource(SOURCE)
    return made.exemplar(True) if query.exemplars else made
