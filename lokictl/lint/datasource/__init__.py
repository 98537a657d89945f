"""Checks of data sources."""

from __future__ import annotations

from lokictl.lint.datasource.correlations import (
    CorrelationFields,
    DerivedField,
    DerivedFieldWithoutMatch,
    IncompleteLoop,
    TraceLinkTags,
    UnknownDataSource,
)
from lokictl.lint.datasource.entries import (
    AlertmanagerImplementation,
    DataSourceUid,
    DuplicateDataSource,
    Headers,
    PlainSecret,
    UndoubledDollar,
)
from lokictl.lint.interface import Check

CHECKS: tuple[type[Check], ...] = (
    DataSourceUid,
    DuplicateDataSource,
    PlainSecret,
    UndoubledDollar,
    Headers,
    AlertmanagerImplementation,
    UnknownDataSource,
    IncompleteLoop,
    DerivedField,
    DerivedFieldWithoutMatch,
    CorrelationFields,
    TraceLinkTags,
)
