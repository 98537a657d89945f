"""Checks of dashboards."""

from __future__ import annotations

from lokictl.lint.dashboard.conventions import (
    CounterWithoutRate,
    DataSourceVariable,
    Editable,
    RateInterval,
    RequiredMatchers,
)
from lokictl.lint.dashboard.display import NoDataLooksHealthy, NoValueNotShown, ReducedTable
from lokictl.lint.dashboard.field_links import EncodedVariable, EstimateInLink, LinkLabel
from lokictl.lint.dashboard.identity import (
    DashboardTitle,
    DashboardUid,
    DuplicateUid,
    PanelId,
    RefId,
    ServerId,
)
from lokictl.lint.dashboard.layout import (
    OverlappingPanels,
    PanelDescription,
    PanelTitle,
    PanelUnit,
    PanelWithoutQueries,
    RemovedPanel,
    TooManyPanels,
)
from lokictl.lint.dashboard.queries import (
    AnnotationLineLimit,
    AnnotationQuery,
    FixedRange,
    InstantQueryInTimeSeries,
    LegendLabel,
    LogQueryInMetricPanel,
    MaxLinesWithoutEffect,
    MetricQueryInLogsPanel,
    NumericStep,
    PromQL,
    RangeInRangeQuery,
    TooManySeries,
    UnfilledVariable,
)
from lokictl.lint.dashboard.sources import (
    BrokenLink,
    DataSourceByName,
    ImportPlaceholder,
    UnknownDataSource,
    UnknownLibraryPanel,
)
from lokictl.lint.dashboard.variables import (
    MultiValueInEquality,
    UndefinedVariable,
    UnusedVariable,
    VariableAllValue,
    VariableRefresh,
)
from lokictl.lint.interface import Check

CHECKS: tuple[type[Check], ...] = (
    DashboardUid,
    DashboardTitle,
    DuplicateUid,
    ServerId,
    PanelId,
    RefId,
    OverlappingPanels,
    PanelTitle,
    PanelDescription,
    PanelUnit,
    PanelWithoutQueries,
    TooManyPanels,
    RemovedPanel,
    MetricQueryInLogsPanel,
    LogQueryInMetricPanel,
    InstantQueryInTimeSeries,
    FixedRange,
    RangeInRangeQuery,
    NumericStep,
    LegendLabel,
    ReducedTable,
    NoDataLooksHealthy,
    NoValueNotShown,
    TooManySeries,
    UnfilledVariable,
    EncodedVariable,
    EstimateInLink,
    LinkLabel,
    AnnotationQuery,
    AnnotationLineLimit,
    MaxLinesWithoutEffect,
    PromQL,
    UndefinedVariable,
    UnusedVariable,
    MultiValueInEquality,
    VariableAllValue,
    VariableRefresh,
    DataSourceByName,
    UnknownDataSource,
    UnknownLibraryPanel,
    ImportPlaceholder,
    BrokenLink,
    DataSourceVariable,
    Editable,
    RequiredMatchers,
    RateInterval,
    CounterWithoutRate,
)
